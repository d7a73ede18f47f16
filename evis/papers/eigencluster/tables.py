"""The lead paper's tables, and Fig. 6, as frames: measured rows beside published ones.

Measured rows come as `series.table` has them: columns "row", "seed" and the metrics, in percent.
Those of the search for a positive control are in regimes.toml.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from evis.companion import beside, paired, published

PAPER = "eigen-cluster-vis"
METHODS = {  # of Table I: published method -> the row that stands for it
    "Mask2Former": "masks",
    "Mask2Former + BoxInst": "boxes",
    "Mask2Former + Mask-free VIS": "TK",
    "Mask2Former + Eigen-Cluster VIS": "TEL + QCC",
}
# "worlds" and "readings": name -> what it is; "trial": what came before; "regime": see `regimes`.
SEARCH: dict[str, Any] = tomllib.loads(Path(__file__).with_name("regimes.toml").read_text("utf-8"))


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
        line = {"backbone": cell.backbone, "method": label, "Mask ann.": cell.as_printed}
        line |= {f"{metric}, published": values[metric] for metric in metrics}
        absent = beside.ABSENT if row else beside.PRINTED_ONLY
        lines.append(line | beside.cells(rows[rows["row"] == row], metrics, absent))
    return pd.DataFrame(lines).set_index(["backbone", "method"])


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
