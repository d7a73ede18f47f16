"""Rows that share their units, compared: means, paired differences, and what n units can tell.

A unit is a seed: of a row's later stages, or of its whole chain. Two rows of one unit saw the same
clips in the same order, so that their difference varies less than either does. Whether it is 0 is
decided by the exact sign-flip test: if the two rows were alike, each unit's difference could as
well have had the other sign, so all 2^n patterns of signs are counted. That asks nothing of the
distribution but symmetry. With five units or fewer no p is below 5%, and the interval is infinite.
A row's own interval is Student's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from evis.data.errors import DataError

LEVEL = 0.95
ALPHA = 1 - LEVEL
POWER = 0.8
LEAST_SEEDS = 6  # fewer can't reject anything: 2 of 2^5 patterns are more than 5%
MOST_SEEDS = 40  # of the test, which holds the sums of half of them in memory
LEAST_FOR_STUDENT = 4  # a row's own interval
# Seeds -> the true difference, in standard deviations, that the test finds with this power in
# normal samples: simulated, 20,000 each. With more seeds it is Student's, to 1%.
_FOUND = {6: 1.79, 7: 1.33, 8: 1.19, 9: 1.09, 10: 1.01}
DIGITS = dict.fromkeys(("mean", "low", "high", "resolvable"), 2) | {"p": 4}  # of `differences`
_TIE = 1e-10  # sums this close, in shares of what could be summed, are one sum rounded in two ways

Direction = Literal["higher", "lower"]
Verdict = Literal["holds", "contradicted", "no effect of the published size", "can't tell"]


@dataclass(frozen=True)
class Difference:
    """Of two rows, unit by unit, in the metric's own unit."""

    values: tuple[float, ...]  # one a shared seed

    @property
    def seeds(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return float(np.mean(self.values)) if self.values else np.nan

    def p(self, size: float = 0.0) -> float:
        """Two-sided, of a true difference of this size; NaN without a unit."""
        return sign_flip(np.array(self.values) - size) if self.values else np.nan

    @cached_property
    def interval(self) -> tuple[float, float]:
        """All sizes of which p is above 5%: around the mean, and infinite below `LEAST_SEEDS`.

        NaN without a unit.
        """
        if not self.values:
            return np.nan, np.nan
        if self.seeds < LEAST_SEEDS:
            return -np.inf, np.inf
        return self._end(min(self.values)), self._end(max(self.values))

    def _end(self, outermost: float) -> float:
        """Where p falls to 5% between the mean and the least or the greatest value, by bisection:
        p falls all the way. Rounded, so that a tie moves it by nothing.
        """
        scale = np.ptp(self.values)
        kept, rejected = self.mean, outermost + 1e-6 * (outermost - self.mean)
        while abs(kept - rejected) > 1e-11 * scale:
            middle = (kept + rejected) / 2
            if middle in (kept, rejected):  # floats are no finer
                break
            if self.p(middle) > ALPHA:
                kept = middle
            else:
                rejected = middle
        return float(round(kept / scale, 8) * scale + 0.0) if scale else self.mean

    @property
    def smallest(self) -> float:
        """The true difference that this many units with this spread would find 4 times in 5;
        infinite below `LEAST_SEEDS`.
        """
        if self.seeds < 2:
            return np.nan
        return _resolvable(float(np.std(self.values, ddof=1)), self.seeds)

    def seeds_for(self, size: float) -> int:
        """How many units with this spread would find a true difference of this size."""
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
            return f"{self.mean:+.2f} ({self.seeds} units, too few for a finite interval)"
        low, high = self.interval
        return f"{self.mean:+.2f} [{low:+.2f}, {high:+.2f}] ({self.seeds} units)"


def sign_flip(values: Sequence[float]) -> float:
    """Two-sided p of the exact test: the share of all 2^n patterns of signs whose sum is as far
    from 0 as this one's.

    Every sum is one of the first half of the values plus one of the second: the second half's are
    sorted, so that the pairs that reach far enough are counted without being made.
    """
    values = np.asarray(values, dtype=float)
    if not 0 < len(values) <= MOST_SEEDS:
        raise ValueError(f"the sign-flip test takes 1 to {MOST_SEEDS} units, not {len(values)}")
    first, second = np.array_split(values, 2)
    least = abs(values.sum()) - _TIE * np.abs(values).sum()
    others = np.sort(_signed_sums(second))
    reach = len(others) - np.searchsorted(others, least - _signed_sums(first))
    return min(1.0, 2 * int(reach.sum()) / 2 ** len(values))  # as many are as far on the other side


def _signed_sums(values: np.ndarray) -> np.ndarray:
    """(n,) -> (2^n,)"""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums - value, sums + value))
    return sums


def difference(table: pd.DataFrame, row: str, baseline: str, metric: str = "AP") -> Difference:
    """`row` minus `baseline` in a table of `series.table`, over the units that both have."""
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
    values, against = (table[table["row"] == name].set_index("seed") for name in (row, baseline))
    return Difference(tuple(gains(values, against, metric, metric)))


def gains(
    values: pd.DataFrame, against: pd.DataFrame, metric: str, other: str, share: float = 1.0
) -> pd.Series:
    """A row's metric less this share of another's, both by seed; an entry a unit.

    Seeds that go on from one first stage are one unit, their mean: they are not independent.
    """
    found = (values[metric] - share * against[other]).dropna().astype(float)
    if "first" not in values:
        return found
    first = min(values["first"], against["first"], key=pd.Series.nunique)  # whichever has fewer
    return found.groupby(first).mean()


def over_videos(
    table: pd.DataFrame, row: str, baseline: str, draws: int = 10_000
) -> tuple[float, float, float]:
    """`row` minus `baseline` in a table of `series.per_video`: the mean over units and videos, and
    its 95% bootstrap interval, units and videos drawn anew: what other videos could make of it.

    NaN without a unit that both have. Units of one first stage count as independent here.
    """
    for name in (row, baseline):
        if name not in table.index:
            raise DataError(f"no measured row is called {name!r}", field="row")
    change = (table.loc[row] - table.loc[baseline]).dropna(how="all").dropna(axis=1).to_numpy()
    if not change.size:
        return np.nan, np.nan, np.nan
    random, sizes = np.random.default_rng(0), change.shape
    units, videos = (random.multinomial(n, np.full(n, 1 / n), draws) / n for n in sizes)
    means = ((units @ change) * videos).sum(1)
    low, high = np.quantile(means, [ALPHA / 2, 1 - ALPHA / 2])
    return float(change.mean()), float(low), float(high)


def differences(
    table: pd.DataFrame, pairs: Iterable[tuple[str, str]], metric: str = "AP"
) -> pd.DataFrame:
    """A line a pair of rows, the first minus the second: what `plots.forest` draws and tables show.

    Pairs without a shared seed have NaN; intervals of too few seeds are infinite.
    """
    lines = []
    for row, against in pairs:
        found = difference_so_far(table, row, against, metric)
        low, high = found.interval
        line = {"label": f"{row} - {against}", "seeds": found.seeds, "mean": found.mean}
        line |= {"low": low, "high": high, "resolvable": found.smallest, "p": found.p()}
        lines.append(line | {"outcome": outcome(found) if found.seeds else "not measured"})
    columns = ["label", "seeds", "mean", "low", "high", "resolvable", "p", "outcome"]
    return pd.DataFrame(lines, columns=columns)


def verdict(
    found: Difference, direction: Direction = "higher", published: float = np.nan
) -> Verdict:
    """Whether the row is above (or below) its baseline, and if that is not known, whether by less
    than was published.
    """
    sign = 1 if direction == "higher" else -1
    if found.p() <= ALPHA:
        return "holds" if sign * found.mean > 0 else "contradicted"
    short = p_of_size(found, direction, published) <= ALPHA
    return "no effect of the published size" if short else "can't tell"


def p_of_size(found: Difference, direction: Direction, published: float) -> float:
    """p of an effect of the published size; 1 where as much or more is measured, or none is
    published.
    """
    sign = 1 if direction == "higher" else -1
    return found.p(published) if sign * (published - found.mean) > 0 else 1.0


def outcome(found: Difference) -> Literal["higher", "lower", "not resolved"]:
    """Which way the difference goes, by the same test, where nobody has claimed a direction."""
    words = {"holds": "higher", "contradicted": "lower", "can't tell": "not resolved"}
    return words[verdict(found)]


def holm(p_values: Iterable[float]) -> np.ndarray:
    """p after Holm's correction; NaN counts for nothing."""
    p = pd.Series(p_values, dtype=float)
    ordered = p.dropna().sort_values(kind="stable")
    steps = ordered * np.arange(len(ordered), 0, -1)
    return steps.cummax().clip(upper=1.0).reindex(p.index).to_numpy()


def half_width(values) -> float:
    """Of Student's 95% interval of a row's own mean; NaN below `LEAST_FOR_STUDENT`."""
    values = np.asarray(values, dtype=float)
    if len(values) < LEAST_FOR_STUDENT:
        return np.nan
    quantile = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)
    return float(quantile * values.std(ddof=1) / np.sqrt(len(values)))


def interval(values) -> tuple[float, float]:
    """Mean less and plus `half_width`."""
    half = half_width(values)
    mean = np.nan if np.isnan(half) else float(np.mean(values))
    return mean - half, mean + half


def _resolvable(spread: float, seeds: int) -> float:
    if seeds < LEAST_SEEDS:
        return np.inf
    if seeds in _FOUND:
        return float(_FOUND[seeds] * spread)
    quantiles = stats.t.ppf((1 + LEVEL) / 2, seeds - 1) + stats.t.ppf(POWER, seeds - 1)
    return float(quantiles * spread / np.sqrt(seeds))


def shared(table: pd.DataFrame, rows: Iterable[str]) -> pd.DataFrame:
    """The seeds that all of these rows have: none where one of the rows is not measured."""
    wanted = set(rows)
    own = table[table["row"].isin(wanted)]
    counts = own.groupby("seed")["row"].nunique()
    return own[own["seed"].isin(counts.index[counts == len(wanted)])]
