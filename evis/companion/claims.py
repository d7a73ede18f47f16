"""Claims of a paper, each with the verdict that stored rows give: the ledger, for any paper.

No verdict is written by hand. One comparison is decided by the paired bootstrap over seeds. A claim
of several holds if all hold; as one of many goes wrong by chance, it is contradicted if one is, and
if that one stands Bonferroni's correction.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from evis.companion import formulas, paired, published
from evis.companion.held_out import HeldOut

HOLDS, CONTRADICTED, CANNOT_TELL = "holds", "contradicted", "can't tell"
UNMEASURED, UNTESTABLE = "not measured yet", "not testable here"
VERDICTS = (HOLDS, CANNOT_TELL, CONTRADICTED, UNMEASURED, UNTESTABLE)
DECIDED = (HOLDS, CONTRADICTED)
ALPHA = 1 - paired.LEVEL


@dataclass(frozen=True)
class Side:
    """A measured row, and the number of it that is compared."""

    row: str
    metric: str
    size: str
    held_out: HeldOut


@dataclass(frozen=True)
class Comparison:
    """`left` is claimed to be above (or below) `right`."""

    left: Side
    right: Side
    published: str | None = None  # a formula over printed cells, for `formulas.evaluate`
    direction: Literal["higher", "lower"] = "higher"


@dataclass(frozen=True)
class Finding:
    """What a computation, in place of measured rows, says of a claim."""

    verdict: str
    words: str


@dataclass(frozen=True)
class Claim:
    """Decided by `tests`, all of which must come out, or by `check`; or `untestable` says why."""

    id: str
    place: str
    says: str
    tests: tuple[Comparison, ...] = ()
    check: Callable[[], Finding] | None = None
    untestable: str = ""
    note: str = ""
    group: str = ""  # where it stands, for pictures and tables


# How a paper's rows are had, "row", "seed" and metrics, of one size and set of held-out videos; and
# what a comparison becomes with the control in its baseline's place, where there is a control.
Table = Callable[[str, HeldOut], pd.DataFrame]
Control = Callable[[Comparison], Comparison | None]


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


def difference(test: Comparison, table: Table) -> paired.Difference:
    """Left minus right, over the seeds that both have; none where a row is not measured."""
    values = {}
    for name, side in (("left", test.left), ("right", test.right)):
        rows = table(side.size, side.held_out)
        own = rows[rows["row"] == side.row].set_index("seed")
        values[name] = own.get(side.metric, pd.Series(dtype=float)).dropna()
    both = pd.concat(values, names=["row", "seed"]).rename("value").reset_index()
    return paired.difference_so_far(both, "left", "right", "value")


def joint_verdict(results: Sequence[Result]) -> str:
    verdicts = {result.verdict for result in results}
    if UNMEASURED in verdicts:
        return UNMEASURED
    if verdicts == {HOLDS} or len(results) == 1:
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
    p = pd.Series(p_values, dtype=float)
    ordered = p.dropna().sort_values(kind="stable")
    steps = ordered * np.arange(len(ordered), 0, -1)
    return steps.cummax().clip(upper=1.0).reindex(p.index).to_numpy()


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


_NO_COMPARISON = {"compared": "", "control": "", "seeds": 0, "digits": 2} | dict.fromkeys(
    ("published", "measured", "low", "high", "resolvable", "p")
    + ("against control", "control low", "control high"),
    np.nan,
)


def verdicts(
    claims: Iterable[Claim], table: Table, control: Control = lambda test: None
) -> pd.DataFrame:
    """The ledger, a line a claim, in order of the text; differences in points of the metric.

    published, measured, low, high, seeds and resolvable are of the claim's one comparison, or of
    the `weakest` of several. "control": the verdict with the control's row in the baseline's place;
    its numbers are of the same comparison. "first": no earlier claim compares the same rows. p is
    of the claim alone, "p, Holm" among all that are first. "digits" are to be printed.
    """
    table, lines = cache(table), []
    for claim in claims:
        told = ("id", "place", "says", "tests", "group", "note")
        line = {name: getattr(claim, name) for name in told} | _NO_COMPARISON
        if claim.tests:
            line |= _compared(claim.tests, table, control)
        elif claim.check:
            found = claim.check()
            note = "; ".join(filter(None, (found.words, claim.note)))
            line |= {"verdict": found.verdict, "compared": "computed", "note": note}
        else:
            line |= {"verdict": UNTESTABLE, "note": claim.untestable}
        lines.append(line)
    ledger = pd.DataFrame(lines)
    # Without what is printed: claims that differ in that alone are decided by the same rows.
    rows = ledger["tests"].map(lambda tests: tuple(replace(test, published=None) for test in tests))
    ledger["first"] = ~rows.duplicated()
    once = ledger["first"] & ledger["p"].notna()
    corrected = dict(zip(rows[once], holm(ledger["p"][once]), strict=True))
    ledger["p, Holm"] = [corrected.get(tests, np.nan) for tests in rows]
    return ledger


def _compared(tests: Sequence[Comparison], table: Table, control: Control) -> dict:
    results = [Result(test, difference(test, table)) for test in tests]
    shown = weakest(results)
    line = {
        "verdict": joint_verdict(results),
        "compared": describe(shown.test) + (f"; weakest of {len(results)}" if results[1:] else ""),
        "published": shown.published,
        "seeds": shown.difference.seeds,
        "digits": 2 if shown.test.left.held_out.scoring.in_percent else 3,
        "resolvable": shown.difference.smallest,
        "p": joint_p(results),
    } | dict(zip(("measured", "low", "high"), shown.numbers, strict=True))
    controls = {test: control(test) for test in tests}
    if any(controls.values()):
        against = {test: other or test for test, other in controls.items()}
        results = {test: Result(other, difference(other, table)) for test, other in against.items()}
        line["control"] = joint_verdict(list(results.values()))
        if controls[shown.test]:
            numbers = ("against control", "control low", "control high")
            line |= dict(zip(numbers, results[shown.test].numbers, strict=True))
    return line


def describe(test: Comparison) -> str:
    """What minus what; then the metric, videos and size, unless the sides differ in it."""
    left, right = (
        (side.metric, side.held_out.toy_set, side.size) for side in (test.left, test.right)
    )
    differ = [a != b for a, b in zip(left, right, strict=True)]
    names = [
        " ".join([side.row, *(f"({t})" for t, d in zip(traits, differ, strict=True) if d)])
        for side, traits in ((test.left, left), (test.right, right))
    ]
    shared = [trait for trait, d in zip(left, differ, strict=True) if not d]
    return ", ".join([" − ".join(names), *shared])


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
