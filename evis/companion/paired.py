"""Rows that share their seeds, compared: means, paired differences, and what n seeds can tell.

Two rows of one seed saw the same clips in the same order, so that their difference varies less than
either does. A row's own interval is Student's; a difference's is the bootstrap's, which asks
nothing of the distribution, and its outcome goes by that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from evis.data.errors import DataError

LEVEL = 0.95
POWER = 0.8
LEAST_SEEDS = 4  # fewer have too few resamples for a 95% interval
RESAMPLES = 20_000
# Seeds -> the true difference, in standard deviations, that the bootstrap finds with this power in
# normal samples: simulated, 4,000 each. With more seeds it is Student's, to 6%.
_FOUND = {4: 5.5, 5: 2.35, 6: 1.70, 7: 1.42, 8: 1.27, 9: 1.16, 10: 1.07, 11: 1.0, 12: 0.95}

Verdict = Literal["holds", "contradicted", "can't tell"]


@dataclass(frozen=True)
class Difference:
    """Of two rows, seed by seed, in the metric's own unit."""

    values: tuple[float, ...]  # one a shared seed

    @property
    def seeds(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return float(np.mean(self.values)) if self.values else np.nan

    @property
    def half(self) -> float:
        """Half the width of the 95% interval; NaN below two seeds."""
        return half_width(self.values)

    @property
    def smallest(self) -> float:
        """The true difference that this many seeds with this spread would find 4 times in 5."""
        if self.seeds < LEAST_SEEDS:
            return np.nan
        return _resolvable(np.std(self.values, ddof=1), self.seeds)

    def seeds_for(self, size: float) -> int:
        """How many seeds with this spread would find a true difference of this size."""
        if self.seeds < 2 or not size:
            raise DataError(
                f"{self.seeds} seeds and a difference of {size:g} say nothing of how many it takes",
                remedy="Give a difference other than 0, and rows that share two seeds or more",
            )
        spread, seeds = np.std(self.values, ddof=1), LEAST_SEEDS
        while _resolvable(spread, seeds) > abs(size):
            seeds += 1
        return seeds

    def __str__(self) -> str:
        if self.seeds < LEAST_SEEDS:
            return f"{self.mean:+.2f} ({self.seeds} seeds, too few for an interval)"
        low, high = self.bootstrap()
        return f"{self.mean:+.2f} [{low:+.2f}, {high:+.2f}] ({self.seeds} seeds)"

    def bootstrap(self, seed: int = 0) -> tuple[float, float]:
        """The mean's 95% interval by the studentised bootstrap over seeds.

        A resample's own spread goes into its deviation. Without that (the plain percentiles of the
        resampled means) an interval of 8 seeds misses the truth in 11% of cases, of 4 in 20%.
        NaN below `LEAST_SEEDS`, which have too many resamples without any spread.
        """
        if self.seeds < LEAST_SEEDS:
            return np.nan, np.nan
        values = np.array(self.values)
        error = values.std(ddof=1) / np.sqrt(self.seeds)
        if error == 0:
            return self.mean, self.mean
        draws = np.random.default_rng(seed).integers(self.seeds, size=(RESAMPLES, self.seeds))
        resampled = values[draws]
        off = resampled.mean(axis=1) - values.mean()
        errors = resampled.std(axis=1, ddof=1) / np.sqrt(self.seeds)
        flat = errors <= 1e-9 * error
        deviations = off / np.where(flat, 1.0, errors)
        deviations[flat & (off > 0)], deviations[flat & (off < 0)] = np.inf, -np.inf
        low = np.quantile(deviations, (1 - LEVEL) / 2, method="lower")
        high = np.quantile(deviations, (1 + LEVEL) / 2, method="higher")
        return float(self.mean - high * error), float(self.mean - low * error)


def difference(table: pd.DataFrame, row: str, baseline: str, metric: str = "AP") -> Difference:
    """`row` minus `baseline` in a table of `series.table`, over the seeds that both have."""
    if metric not in table:
        raise DataError(f"no metric is called {metric!r}", field="metric")
    for name in (row, baseline):
        if name not in set(table["row"]):
            raise DataError(f"no measured row is called {name!r}", field="row")
    return difference_so_far(table, row, baseline, metric)


def difference_so_far(
    table: pd.DataFrame, row: str, baseline: str, metric: str = "AP"
) -> Difference:
    """`difference`, of no seed where one of the two is not measured."""
    values, against = (
        table[table["row"] == name].set_index("seed")[metric] for name in (row, baseline)
    )
    return Difference(tuple((values - against).dropna().astype(float)))


def differences(
    table: pd.DataFrame, pairs: Iterable[tuple[str, str]], metric: str = "AP"
) -> pd.DataFrame:
    """A line a pair of rows, the first minus the second: what `plots.forest` draws and tables show.

    Pairs without a shared seed have NaN, as have intervals of too few seeds.
    """
    lines = []
    for row, against in pairs:
        found = difference_so_far(table, row, against, metric)
        low, high = found.bootstrap()
        line = {"label": f"{row} - {against}", "seeds": found.seeds, "mean": found.mean}
        line |= {"low": low, "high": high, "resolvable": found.smallest}
        lines.append(line | {"outcome": outcome(found) if found.seeds else "not measured"})
    columns = ["label", "seeds", "mean", "low", "high", "resolvable", "outcome"]
    return pd.DataFrame(lines, columns=columns)


def verdict(found: Difference, direction: Literal["higher", "lower"] = "higher") -> Verdict:
    """Whether the row is above (or below) its baseline, by the paired bootstrap over seeds."""
    low, high = found.bootstrap()
    if direction == "lower":
        low, high = -high, -low
    if low > 0:
        return "holds"
    return "contradicted" if high < 0 else "can't tell"


def outcome(found: Difference) -> Literal["higher", "lower", "not resolved"]:
    """Which way the difference goes, by the same interval, where nobody has claimed a direction."""
    words = {"holds": "higher", "contradicted": "lower", "can't tell": "not resolved"}
    return words[verdict(found)]


def half_width(values) -> float:
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return np.nan
    quantile = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)
    return float(quantile * values.std(ddof=1) / np.sqrt(len(values)))


def interval(values) -> tuple[float, float]:
    """Student's 95% interval of a row's own mean; NaN below `LEAST_SEEDS`."""
    if len(values) < LEAST_SEEDS:
        return np.nan, np.nan
    mean, half = float(np.mean(values)), half_width(values)
    return mean - half, mean + half


def _resolvable(spread: float, seeds: int) -> float:
    if seeds in _FOUND:
        return float(_FOUND[seeds] * spread)
    quantiles = stats.t.ppf((1 + LEVEL) / 2, seeds - 1) + stats.t.ppf(POWER, seeds - 1)
    return float(quantiles * spread / np.sqrt(seeds))


def shared(table: pd.DataFrame, rows: Iterable[str]) -> pd.DataFrame:
    """Of these rows, the seeds that all have which are measured at all."""
    own = table[table["row"].isin(set(rows))]
    counts = own.groupby("seed")["row"].nunique()
    return own[own["seed"].isin(counts.index[counts == own["row"].nunique()])]
