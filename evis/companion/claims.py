"""The claim ledger: each claim of Eigen-Cluster VIS, with the verdict that stored rows give.

No verdict is written by hand. One comparison is decided by the paired bootstrap over seeds. A claim
of several holds if all hold; as one of many goes wrong by chance, it is contradicted if one is, and
if that one stands Bonferroni's correction.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from evis.companion import formulas, paired, published, series
from evis.companion.measured import STORED, HeldOut, Shelf
from evis.papers.eigencluster.claims_list import CLAIMS, Claim, Comparison, Side
from evis.papers.eigencluster.experiments import GROUPS, SEEDS

HOLDS, CONTRADICTED, CANNOT_TELL = "holds", "contradicted", "can't tell"
UNMEASURED, UNTESTABLE = "not measured yet", "not testable here"
VERDICTS = (HOLDS, CANNOT_TELL, CONTRADICTED, UNMEASURED, UNTESTABLE)
DECIDED = (HOLDS, CONTRADICTED)
ALPHA = 1 - paired.LEVEL


@dataclass(frozen=True)
class Rows:
    """The measured tables, read once for each size and set of videos."""

    shelf: Shelf = STORED
    _tables: dict[tuple[str, HeldOut], pd.DataFrame] = field(default_factory=dict)

    def values(self, side: Side) -> pd.Series:
        """The metric by seed; empty where nothing is measured."""
        table = self._table(side.size, side.held_out)
        if side.metric not in table:
            return pd.Series(dtype=float)
        own = table[table["row"] == side.row]
        return own.set_index("seed")[side.metric].dropna()

    def difference(self, test: Comparison) -> paired.Difference:
        both = {"left": self.values(test.left), "right": self.values(test.right)}
        if any(values.empty for values in both.values()):
            return paired.Difference(())
        frame = pd.concat(both, names=["row", "seed"]).rename("value").reset_index()
        return paired.difference(frame, "left", "right", "value")

    def _table(self, size: str, held_out: HeldOut) -> pd.DataFrame:
        key = size, held_out
        if key not in self._tables:
            rows = {name: row for group in GROUPS.values() for name, row in group(size).items()}
            self._tables[key] = series.table(rows.values(), SEEDS, held_out, self.shelf)
        return self._tables[key]


@dataclass(frozen=True)
class Result:
    """One comparison, measured."""

    test: Comparison
    difference: paired.Difference

    @cached_property
    def verdict(self) -> str:
        if self.difference.seeds < paired.LEAST_SEEDS:
            return UNMEASURED
        return paired.verdict(self.difference, self.test.direction)

    @property
    def numbers(self) -> tuple[float, float, float]:
        """Mean and 95% interval; NaN before there are enough seeds."""
        if self.verdict == UNMEASURED:
            return np.nan, np.nan, np.nan
        return self.difference.mean, *self.difference.bootstrap()

    def p(self, alternative: bool = False) -> float:
        """Student's one-sided p for the claim's direction, or for the other one."""
        upwards = (self.test.direction == "higher") != alternative
        values, side = self.difference.values, "greater" if upwards else "less"
        if np.ptp(values) == 0:  # one value: no spread to test by
            return float(not (values[0] > 0 if upwards else values[0] < 0))
        return float(stats.ttest_1samp(values, 0, alternative=side).pvalue)

    @property
    def published(self) -> float:
        if self.test.published is None:
            return np.nan
        return formulas.evaluate(self.test.published, published.tables()).value


def joint_verdict(results: Sequence[Result]) -> str:
    found = {result.verdict for result in results}
    if UNMEASURED in found:
        return UNMEASURED
    if found == {HOLDS} or len(results) == 1:
        return results[0].verdict
    surely = any(r.verdict == CONTRADICTED and _corrected(r, results) <= ALPHA for r in results)
    return CONTRADICTED if surely else CANNOT_TELL


def _corrected(result: Result, results: Sequence[Result]) -> float:
    return 2 * len(results) * result.p(alternative=True)


def joint_p(results: Sequence[Result]) -> float:
    """Two-sided: the weakest's that all hold, Bonferroni's that one is contradicted."""
    if joint_verdict(results) == UNMEASURED:
        return np.nan
    all_hold = 2 * max(result.p() for result in results)
    one_fails = min(_corrected(result, results) for result in results)
    return min(1.0, all_hold, one_fails)


def holm(p_values: Iterable[float]) -> np.ndarray:
    """p after Holm's correction; NaN counts for nothing."""
    p = np.array(list(p_values), dtype=float)
    adjusted = np.full(len(p), np.nan)
    order = [place for place in np.argsort(p) if not np.isnan(p[place])]
    steps = [(len(order) - rank) * p[place] for rank, place in enumerate(order)]
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def weakest(results: Sequence[Result]) -> Result:
    """The comparison that the verdict hangs on: the first that is not measured, the one that
    contradicts most surely, or the one that speaks least for the claim.
    """
    joint = joint_verdict(results)
    alike = [result for result in results if result.verdict == joint]
    if joint == UNMEASURED:
        return alike[0]
    if joint == CONTRADICTED:
        return min(alike, key=lambda result: result.p(alternative=True))
    return max(results, key=Result.p)


def verdicts(shelf: Shelf = STORED, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """The ledger, a line a claim, in order of the text; differences in points of the metric.

    published, measured, low, high, seeds and resolvable are of the claim's one comparison, or of
    the `weakest` of several. "control": the verdict against the row that trained as long as stage
    three does, without TEL and QCC; its numbers are of the same comparison. "first": no earlier
    claim compares the same rows. p is of the claim alone, "p, Holm" among all that are first.
    """
    rows = Rows(shelf)
    lines = [_line(claim, rows) for claim in claims]
    ledger = pd.DataFrame(lines)
    compared = ledger["tests"].map(_rows_compared)
    ledger["first"] = ~compared.duplicated()
    once = ledger["first"] & ledger["p"].notna()
    corrected = dict(zip(compared[once], holm(ledger["p"][once]), strict=True))
    ledger["p, Holm"] = [corrected.get(tests, np.nan) for tests in compared]
    return ledger


def _rows_compared(tests: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Without what is printed: claims that differ in that alone are decided by the same rows."""
    return tuple(replace(test, published=None) for test in tests)


def _line(claim: Claim, rows: Rows) -> dict:
    line = {"id": claim.id, "place": claim.place, "says": claim.says, "tests": claim.tests}
    decide: Callable[[Claim, Rows], dict] = _compared if claim.tests else _told
    return line | _EMPTY | decide(claim, rows)


_EMPTY = {
    "verdict": UNTESTABLE,
    "compared": "",
    "published": np.nan,
    "measured": np.nan,
    "low": np.nan,
    "high": np.nan,
    "seeds": 0,
    "digits": 2,  # to print
    "resolvable": np.nan,
    "p": np.nan,
    "control": "",
    "against control": np.nan,
    "control low": np.nan,
    "control high": np.nan,
    "note": "",
}


def _told(claim: Claim, rows: Rows) -> dict:
    """Decided without rows, or not at all."""
    if claim.check is None:
        return {"note": claim.untestable}
    outcome = claim.check()
    note = "; ".join(filter(None, (outcome.found, claim.note)))
    return {"verdict": outcome.verdict, "compared": "computed", "note": note}


def _compared(claim: Claim, rows: Rows) -> dict:
    results = [Result(test, rows.difference(test)) for test in claim.tests]
    shown = weakest(results)
    mean, low, high = shown.numbers
    line = {
        "verdict": joint_verdict(results),
        "compared": describe(shown.test) + (f"; weakest of {len(results)}" if results[1:] else ""),
        "published": shown.published,
        "measured": mean,
        "low": low,
        "high": high,
        "seeds": shown.difference.seeds,
        "digits": 3 if shown.test.left.held_out.clips else 2,
        "resolvable": shown.difference.smallest,
        "p": joint_p(results),
        "note": claim.note,
    }
    return line | _control(shown.test, claim, rows)


def _control(shown: Comparison, claim: Claim, rows: Rows) -> dict:
    """What comes of the claim, and of the comparison that is shown, with the control's row in the
    baseline's place, where there is one.
    """
    if not any(test.against_control for test in claim.tests):
        return {}
    against = {test: test.against_control or test for test in claim.tests}
    results = {test: Result(of, rows.difference(of)) for test, of in against.items()}
    line = {"control": joint_verdict(list(results.values()))}
    if shown.against_control:
        columns = ("against control", "control low", "control high")
        line |= dict(zip(columns, results[shown].numbers, strict=True))
    return line


def describe(test: Comparison) -> str:
    """What minus what; then the metric, videos and size, unless the sides differ in it."""
    left, right = _traits(test.left), _traits(test.right)
    differ = [a != b for a, b in zip(left, right, strict=True)]
    names = [
        " ".join([side.row, *(f"({t})" for t, d in zip(traits, differ, strict=True) if d)])
        for side, traits in ((test.left, left), (test.right, right))
    ]
    shared = [trait for trait, d in zip(left, differ, strict=True) if not d]
    return ", ".join([" − ".join(names), *shared])


def _traits(side: Side) -> tuple[str, str, str]:
    return side.metric, side.held_out.toy_set, side.size


def sentence(ledger: pd.DataFrame, name: str) -> str:
    """One claim's line in words, so that text about it stays true when rows are added."""
    line = ledger.set_index("id").loc[name]
    parts = [f"{name}, {line['says']}: {line['verdict']}"]
    if not np.isnan(line["low"]):
        digits = line["digits"]
        mean, low, high = (f"{line[name]:+.{digits}f}" for name in ("measured", "low", "high"))
        parts.append(f"measured {mean} [{low}, {high}]")
        parts.append(f"resolvable {line['resolvable']:.{digits}f} with {line['seeds']} seeds")
    if not np.isnan(line["published"]):
        parts.append(f"published {line['published']:+.2f}")
    if line["control"]:
        parts.append(f"against the control: {line['control']}")
    return "; ".join(parts)
