"""The lead paper's tables, and Fig. 6, as frames: measured rows beside published ones.

Measured rows come as `series.table` has them: columns "row", "seed" and the metrics, in percent.
Those of the search for a positive control are in regimes.toml.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evis.companion import paired, published

PAPER = "eigen-cluster-vis"
METHODS = {  # of Table I: published method -> the row that stands for it
    "Mask2Former": "masks",
    "Mask2Former + BoxInst": "boxes",
    "Mask2Former + Mask-free VIS": "TK",
    "Mask2Former + Eigen-Cluster VIS": "TEL + QCC",
}
# "worlds" and "readings": name -> what it is; "trial": what came before; "regime": see `regimes`.
SEARCH: dict[str, Any] = tomllib.loads(Path(__file__).with_name("regimes.toml").read_text("utf-8"))


def published_values(
    table: int, metric: str = "AP", backbone: str | None = None
) -> dict[str, float]:
    """Label without its reference -> printed value."""
    cells = published.tables(PAPER, table).query("metric == @metric")
    if backbone is not None:
        cells = cells[cells.backbone == backbone]
    labels = cells.row_label.str.replace(r" \[\d+\]", "", regex=True)
    return dict(zip(labels, cells.value, strict=True))


def table_one(measured: Mapping[str, pd.DataFrame], metrics: Sequence[str]) -> pd.DataFrame:
    """Table I: every published row and, of the four methods that evis trains, what is measured.

    measured: backbone -> rows of the size that stands for it. "Mask ann.", as printed: masks of
    images (I), of videos (V).
    """
    printed = published.wide(PAPER, 1)
    cells = published.tables(PAPER, 1).query("metric == 'Mask ann.'")
    lines = []
    for (label, values), cell in zip(printed.iterrows(), cells.itertuples(), strict=True):
        row, rows = METHODS.get(label.split(" [")[0]), measured[cell.backbone]
        seeds = rows[rows["row"] == row]
        line = {"backbone": cell.backbone, "method": label, "Mask ann.": cell.as_printed}
        line |= {f"{metric}, published": values[metric] for metric in metrics}
        absent = "not measured" if row else "published only"
        for metric in metrics:
            line[f"{metric}, measured"] = _with_spread(seeds[metric]) if len(seeds) else absent
        lines.append(line | {"seeds": len(seeds) or ""})
    return pd.DataFrame(lines).set_index(["backbone", "method"])


def _with_spread(values: pd.Series) -> str:
    few = len(values) < paired.LEAST_FOR_STUDENT
    return f"{values.mean():.1f}" + ("" if few else f" ± {paired.half_width(values):.1f}")


def beside(
    printed: Mapping[str, float],
    rows: Mapping[str, str],
    table: pd.DataFrame,
    baseline: str,
    metric: str = "AP",
) -> pd.DataFrame:
    """A line a label: what is printed and, of the row that stands for it, what is measured.

    rows: label -> row. Differences are to the label `baseline`, the measured ones paired by seed;
    "low" to "high" is their 95% interval. Those of `baseline` itself are 0.
    """
    lines = {}
    for label in dict.fromkeys((*printed, *rows)):
        seeds = table[metric][table["row"] == rows.get(label)]
        line = {"row": rows.get(label), "published": printed.get(label, np.nan)}
        line |= {"measured": seeds.mean(), "±": paired.half_width(seeds), "seeds": len(seeds)}
        lines[label] = line
    shown = pd.DataFrame.from_dict(lines, orient="index")
    gains = paired.differences(table, [(row, rows[baseline]) for row in shown["row"]], metric)
    gains = gains.set_axis(shown.index).rename(columns={"mean": "measured difference"})
    shown["published difference"] = shown["published"] - printed.get(baseline, np.nan)
    return shown.join(gains[["measured difference", "low", "high", "resolvable"]])


def halves(
    tables: Mapping[str, pd.DataFrame], rows: Sequence[str], attributes: Mapping[str, str]
) -> pd.DataFrame:
    """Fig. 6: mIoU on either side of each attribute's median, a line a set, row, seed and side.

    tables: data set -> its rows. attributes: name in the metrics -> what to call it.
    """
    parts = []
    for name, table in tables.items():
        own = table[table["row"].isin(rows)]
        for attribute, title in attributes.items():
            for side in ("low", "high"):
                what = {"set": name, "attribute": title, "side": side}
                score = own[f"mIoU, {side} {attribute}"]
                parts.append(own[["row", "seed"]].assign(**what, mIoU=score))
    return pd.concat(parts, ignore_index=True)


def gains_on_sides(
    tables: Mapping[str, pd.DataFrame],
    stands_for: Mapping[str, str],
    attributes: Mapping[str, str],
    pairs: Sequence[tuple[str, str]],
) -> pd.DataFrame:
    """What Fig. 6's text says, a line a data set, side of an attribute and pair of rows.

    stands_for: published data set -> one of `tables`. attributes: as of `halves`. "low - high":
    how much harder the high side is for the first row of the pair.
    """
    parts = []
    for said in published.figure_six().itertuples():
        table, attribute = tables[stands_for[said.dataset]], said.attribute
        found = paired.differences(table, pairs, f"mIoU, {said.side} {attribute}")
        of_rows = table.groupby("row")[[f"mIoU, low {attribute}", f"mIoU, high {attribute}"]].mean()
        harder = of_rows.iloc[:, 0] - of_rows.iloc[:, 1]
        what = {"set": stands_for[said.dataset], "side": f"{said.side} {attributes[attribute]}"}
        found = found.assign(**what, published=said.gain)
        parts.append(found.assign(**{"low - high": [harder.get(row) for row, _ in pairs]}))
    return pd.concat(parts, ignore_index=True)


def regimes() -> pd.DataFrame:
    """All that was tried to find a regime in which TK clearly helps, a line a training."""
    return pd.DataFrame(
        {"world": regime["world"], "regime": regime["name"], "seed": seed, "row": row}
        | {"AP": ap, "mIoU": miou, "date": regime["date"]}
        for regime in SEARCH["regime"]
        for seed, row, ap, miou in regime["rows"]
    )
