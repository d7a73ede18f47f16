"""A printed table beside the rows measured here that stand for its lines, for any paper.

Measured rows come as `series.table` has them: columns "row", "seed" and the metrics, in percent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evis.companion import formulas, paired, published
from evis.companion.held_out import TEST, HeldOut

ABSENT, PRINTED_ONLY = "not measured", "published only"


@dataclass(frozen=True)
class Table:
    """One printed table, or the lines of it that are of one data set.

    lines: label -> the row that is printed, and the one measured here; None where there is none. A
    printed row is its number, with "/METRIC" behind it where a column of its own holds its AP.
    baseline: the label that differences are to.
    dataset: whose columns are meant, where a printed row covers several data sets.
    """

    paper: str
    number: int
    lines: Mapping[str, tuple[str | None, str | None]]
    baseline: str
    held_out: HeldOut = TEST
    dataset: str = ""

    @property
    def printed_on(self) -> str:
        """The data set of the printed lines."""
        if self.dataset:
            return self.dataset
        (dataset,) = {self._cell(place, "AP").dataset for place, _ in self.lines.values() if place}
        return dataset

    @property
    def rows(self) -> dict[str, str]:
        """Label -> measured row, of the lines that have one."""
        return {label: row for label, (_, row) in self.lines.items() if row}

    def printed(self, metric: str = "AP") -> dict[str, float]:
        """Label -> value, of the lines that are printed."""
        places = {label: place for label, (place, _) in self.lines.items() if place}
        return {label: self._cell(place, metric).value for label, place in places.items()}

    def beside(self, measured: pd.DataFrame, metric: str = "AP") -> pd.DataFrame:
        """`compare`, of this table's lines in their order."""
        shown = compare(self.printed(metric), self.rows, measured, self.baseline, metric)
        return shown.reindex(list(self.lines))

    def listing(self, measured: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
        """Every line with what is printed, digit by digit, and what is measured."""
        lines = {}
        for label, (place, row) in self.lines.items():
            line = {}
            for metric in metrics:
                printed = self._cell(place, metric).as_printed if place else ""
                line[f"{metric}, published"] = printed
            seeds = measured[measured["row"] == row]
            lines[label] = line | cells(seeds, metrics, ABSENT if row else PRINTED_ONLY)
        return pd.DataFrame.from_dict(lines, orient="index")

    def _cell(self, place: str, metric: str) -> pd.Series:
        number, _, own = place.partition("/")
        column = own if own and metric == "AP" else metric
        reference = f"{self.paper}/{self.number}/{number}/{column}"
        reference += f"@{self.dataset}" if self.dataset else ""
        return formulas.lookup(published.tables(), reference)


def cells(seeds: pd.DataFrame, metrics: Sequence[str], absent: str) -> dict[str, str | int]:
    """A row's means with half of their 95% intervals, as tables print them; or else `absent`.

    As everywhere, there is no interval of fewer units than `paired.LEAST_FOR_STUDENT`.
    """
    line: dict[str, str | int] = {
        f"{metric}, measured": _with_spread(seeds[metric]) if len(seeds) else absent
        for metric in metrics
    }
    return line | {"seeds": len(seeds) or ""}


def _with_spread(values: pd.Series) -> str:
    half = paired.half_width(values)
    return f"{values.mean():.1f}" + ("" if np.isnan(half) else f" ± {half:.1f}")


def compare(
    printed: Mapping[str, float],
    rows: Mapping[str, str],
    measured: pd.DataFrame,
    baseline: str,
    metric: str = "AP",
) -> pd.DataFrame:
    """A line a label: what is printed and, of the row that stands for it, what is measured.

    rows: label -> row. "±": as in `cells`. Differences are to the label `baseline`, the measured
    ones paired by seed; "low" to "high" is their 95% interval. Those of `baseline` itself are 0.
    """
    lines = {}
    for label in dict.fromkeys((*printed, *rows)):
        seeds = measured[metric][measured["row"] == rows.get(label)]
        line = {"row": rows.get(label), "published": printed.get(label, np.nan)}
        line |= {"measured": seeds.mean(), "±": paired.half_width(seeds), "seeds": len(seeds)}
        lines[label] = line
    shown = pd.DataFrame.from_dict(lines, orient="index")
    gains = paired.differences(measured, [(row, rows[baseline]) for row in shown["row"]], metric)
    gains = gains.set_axis(shown.index).rename(columns={"mean": "measured difference"})
    shown["published difference"] = shown["published"] - printed.get(baseline, np.nan)
    return shown.join(gains[["measured difference", "low", "high", "resolvable"]])


def caption(shown: pd.DataFrame, baseline: str) -> str:
    """What a frame of `compare` says of the printed differences, in words that it decides."""
    rows = shown[shown["row"].notna()]
    said = f"{(rows['seeds'] > 0).sum()} of {len(rows)} rows are measured"
    gains = rows.drop(index=baseline).dropna(subset=["published difference", "measured difference"])
    if gains.empty:
        return f"{said}; no printed difference to “{baseline}” can be held against them yet."
    apart = np.where(gains["low"] > 0, 1, np.where(gains["high"] < 0, -1, 0))
    same = apart * np.sign(gains["published difference"])
    counts = f"{(same > 0).sum()} measured with the printed sign, {(same < 0).sum()} with the other"
    open_ = f"{(same == 0).sum()} not resolved"
    return f"{said}. Of {len(gains)} printed differences to “{baseline}”: {counts}, {open_}."
