"""Claims of a paper, each with the verdict that stored rows give: the ledger, for any paper.

No verdict is written by hand. One comparison is decided by the exact sign-flip test over units. A
claim of several holds if all hold, and has no effect of the published size if none has; as one of
many goes wrong by chance, it is contradicted if one is that stands Bonferroni's correction.

Holm's correction asks which verdicts of a family stand together. A family is of claims of one kind,
headline or other, and of one question: is there a difference, or is it as large as published;
either once for the baselines and once for the controls.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cache, cached_property

import numpy as np
import pandas as pd

from evis.companion import formulas, paired, published
from evis.companion.held_out import HeldOut

HOLDS, CONTRADICTED, CANNOT_TELL = "holds", "contradicted", "can't tell"
NO_EFFECT = "no effect of the published size"
UNMEASURED, UNTESTABLE = "not measured yet", "not testable here"
VERDICTS = (HOLDS, CANNOT_TELL, NO_EFFECT, CONTRADICTED, UNMEASURED, UNTESTABLE)
DECIDED = (HOLDS, CONTRADICTED)  # by p, which Holm corrects
HEADLINE, OTHER, COMPUTED = "headline", "other rows", "computed"
KINDS = (HEADLINE, OTHER, COMPUTED)  # of claims, counted apart
ALPHA = paired.ALPHA


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
    direction: paired.Direction = "higher"
    # Sizes whose units are in one test, each pair of one size, in place of the sides' own.
    pooled: tuple[str, ...] = ()
    share: float = 1.0  # of the right side, which `left` is held against


@dataclass(frozen=True)
class Finding:
    """What a computation, in place of measured rows, says of a claim."""

    verdict: str
    words: str


@dataclass(frozen=True)
class Claim:
    """Decided by `tests`, which all must come out, or by `check`, unless `untestable` says why."""

    id: str
    place: str
    says: str
    tests: tuple[Comparison, ...] = ()
    check: Callable[[], Finding] | None = None
    untestable: str = ""
    note: str = ""
    quote: str = ""  # the paper's own words, where `says` puts words into ours
    group: str = ""  # where it stands, for pictures and tables
    headline: bool = False  # on what the paper's own parts bring, which a summary counts
    written: str = ""  # when its comparisons were, and whether their rows had been seen

    @property
    def kind(self) -> str:
        """What rows decide is evidence; what is computed is often all but a definition."""
        if self.untestable:
            return UNTESTABLE
        return COMPUTED if self.check else HEADLINE if self.headline else OTHER


# How a paper's rows are had, "row", "seed" and metrics, of one size and set of held-out videos; and
# what a comparison becomes with the control in its baseline's place, where there is a control.
Table = Callable[[str, HeldOut], pd.DataFrame]
ToControl = Callable[[Comparison], Comparison | None]


@dataclass(frozen=True)
class Result:
    """One comparison, measured."""

    test: Comparison
    difference: paired.Difference

    @cached_property
    def verdict(self) -> str:
        if not self.difference.seeds:
            return UNMEASURED
        return paired.verdict(self.difference, self.test.direction, self.published)

    @property
    def numbers(self) -> tuple[float, float, float]:
        """Mean and 95% interval, infinite where units are too few; NaN where there is none."""
        return self.difference.mean, *self.difference.interval

    @cached_property
    def doubt(self) -> float:
        """From 0 to 1: half of p where the claim's direction is seen, else 1 less half of p."""
        half = self.difference.p() / 2
        return half if (self.difference.mean > 0) == (self.test.direction == "higher") else 1 - half

    @cached_property
    def published(self) -> float:
        if self.test.published is None:
            return np.nan
        return formulas.evaluate(self.test.published, published.tables()).value

    @property
    def p_of_size(self) -> float:
        return paired.p_of_size(self.difference, self.test.direction, self.published)


def difference(test: Comparison, table: Table) -> paired.Difference:
    """Left minus right, over the units that both have; none where one of pooled sizes has none."""
    sides = [(test.left, test.right)]
    if test.pooled:
        sides = [[replace(side, size=size) for side in sides[0]] for size in test.pooled]
    of_sizes = [_gains(*both, test.share, table) for both in sides]
    return paired.Difference(tuple(pd.concat(of_sizes)) if all(map(len, of_sizes)) else ())


def _gains(left: Side, right: Side, share: float, table: Table) -> pd.Series:
    both = [table(side.size, side.held_out).query("row == @side.row") for side in (left, right)]
    own, other = (rows.set_index("seed") for rows in both)
    if not (left.metric in own and right.metric in other):
        return pd.Series(dtype=float)
    return paired.gains(own, other, left.metric, right.metric, share)


def joint_verdict(results: Sequence[Result]) -> str:
    verdicts = {result.verdict for result in results}
    if UNMEASURED in verdicts:
        return UNMEASURED
    if len(results) == 1 or verdicts == {HOLDS}:
        return results[0].verdict
    if _one_fails(results) <= ALPHA:
        return CONTRADICTED
    return NO_EFFECT if joint_p_of_size(results) <= ALPHA else CANNOT_TELL


def joint_p(results: Sequence[Result]) -> float:
    """Two-sided: the weakest's that all hold, Bonferroni's that one is contradicted."""
    if not all(result.difference.seeds for result in results):
        return np.nan
    return min(1.0, 2 * weakest(results).doubt, _one_fails(results))


def joint_p_of_size(results: Sequence[Result]) -> float:
    """That any of them has an effect of the published size; NaN where none is published."""
    if not all(result.difference.seeds and pd.notna(result.published) for result in results):
        return np.nan
    return max(result.p_of_size for result in results)


def _one_fails(results: Sequence[Result]) -> float:
    return 2 * len(results) * (1 - weakest(results).doubt)


def weakest(results: Sequence[Result]) -> Result:
    """What the verdict hangs on: the first that is not measured, or speaks least for the claim."""
    unmeasured = [result for result in results if result.verdict == UNMEASURED]
    return unmeasured[0] if unmeasured else max(results, key=lambda result: result.doubt)


_NO_COMPARISON = {"compared": "", "control": "", "seeds": 0, "digits": 2} | dict.fromkeys(
    ("published", "measured", "low", "high", "resolvable", "p", "p of size")
    + ("against control", "control low", "control high", "control p", "control p of size"),
    np.nan,
)


def verdicts(
    claims: Iterable[Claim], table: Table, control: ToControl = lambda test: None
) -> pd.DataFrame:
    """The ledger, a line a claim, in order of the text; differences in points of the metric.

    published, measured, low, high, seeds and resolvable are of the claim's one comparison, or of
    the `weakest` of several. "control": the verdict with the control's row in the baseline's place;
    its numbers are of the same comparison. "first": no earlier claim of its kind compares the same
    rows. p is of the claim alone, "p, Holm" among all of its kind that are first; "p of size" is of
    an effect of the published size; both also with "control". "digits" are to be printed.
    """
    table, lines = cache(table), []
    for claim in claims:
        told = ("id", "place", "quote", "says", "tests", "group", "kind", "written")
        line = {name: getattr(claim, name) for name in told} | _NO_COMPARISON
        words = claim.untestable
        if claim.check:
            line["compared"], (line["verdict"], words) = "computed", astuple(claim.check())
        else:
            line |= {"verdict": UNTESTABLE} if words else _compared(claim.tests, table, control)
        line["note"] = "; ".join(filter(None, (words, claim.note)))
        lines.append(line)
    ledger = pd.DataFrame(lines)
    # Claims of one kind that compare the same rows, whatever is printed; what is computed is alone.
    rows = ledger["tests"].map(lambda tests: tuple(replace(test, published=None) for test in tests))
    keys = zip(ledger["kind"], rows.where(rows.map(bool), ledger["id"]), strict=True)
    alike = pd.Series(pd.factorize(pd.Series(list(keys)))[0])
    ledger["first"] = ~alike.duplicated()
    for name in ("p", "control p"):
        once = ledger[name].where(ledger["first"]).groupby(ledger["kind"]).transform(paired.holm)
        ledger[f"{name}, Holm"] = once.groupby(alike).transform("first")
        of_size = ledger.groupby("kind")[f"{name} of size"]  # each its own, as sizes differ
        ledger[f"{name} of size, Holm"] = of_size.transform(paired.holm)
    return ledger


def stands(line: Mapping, control: bool = False) -> bool | None:
    """Whether a line's verdict stands Holm's correction; None where it is none to be corrected."""
    start = "control " * control
    verdict = line["control" if control else "verdict"]
    of = {NO_EFFECT: "p of size"} | dict.fromkeys(DECIDED, "p")
    p = line[f"{start}{of[verdict]}, Holm"] if verdict in of else np.nan
    return None if np.isnan(p) else bool(p <= ALPHA)


def counts(ledger: pd.DataFrame) -> pd.DataFrame:
    """Verdicts by kinds of claims; those that compare the same rows count once."""
    once = ledger[ledger["first"]]
    table = pd.crosstab(once["verdict"], once["kind"])
    return table.reindex(VERDICTS[:-1], fill_value=0).reindex(columns=KINDS, fill_value=0)


def _compared(tests: Sequence[Comparison], table: Table, control: ToControl) -> dict:
    results = [Result(test, difference(test, table)) for test in tests]
    shown, fewest = weakest(results), min(result.difference.seeds for result in results)
    few = f"; {fewest} units decide nothing" if 0 < fewest < paired.LEAST_SEEDS else ""
    weak = f"; weakest of {len(results)}" if results[1:] else ""
    line = {
        "verdict": joint_verdict(results),
        "compared": describe(shown.test) + weak + few,
        "published": shown.published,
        "seeds": shown.difference.seeds,
        "digits": 2 if shown.test.left.held_out.scoring.in_percent else 3,
        "resolvable": shown.difference.smallest,
        "p": joint_p(results),
        "p of size": joint_p_of_size(results),
    } | dict(zip(("measured", "low", "high"), shown.numbers, strict=True))
    controls = {test: control(test) for test in tests}
    if any(controls.values()):
        against = {test: other or test for test, other in controls.items()}
        results = {test: Result(other, difference(other, table)) for test, other in against.items()}
        others = list(results.values())
        line |= {"control": joint_verdict(others), "control p": joint_p(others)}
        line["control p of size"] = joint_p_of_size(others)
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
    if test.pooled:
        shared[-1] = f"pooled over {', '.join(test.pooled)}"
    of_share = f" − {test.share:g} × " if test.share != 1 else " − "
    return ", ".join([of_share.join(names), *shared])


def sentence(ledger: pd.DataFrame, name: str) -> str:
    """One claim's line in words, so that text about it stays true when rows are added."""
    line = ledger.set_index("id").loc[name]
    parts = [f"{name}, {line['says']}: {line['verdict']}"]
    if not np.isnan(line["low"]):
        digits = line["digits"]
        mean, low, high = (f"{line[name]:+.{digits}f}" for name in ("measured", "low", "high"))
        parts.append(f"measured {mean} [{low}, {high}]")
        parts.append(f"resolvable {line['resolvable']:.{digits}f} with {line['seeds']} units")
    if not np.isnan(line["published"]):
        parts.append(f"published {line['published']:+.2f}")
    if line["control"]:
        parts.append(f"against the control: {line['control']}")
    return "; ".join(parts)
