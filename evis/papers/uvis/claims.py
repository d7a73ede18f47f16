"""UVIS's claim ledger: the claims of claims.toml, judged by its rows."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from evis.companion import claim_file, series
from evis.companion import claims as ledger
from evis.companion.claims import Claim, Comparison
from evis.companion.held_out import IN_CLAIMS, WHOLE, HeldOut
from evis.companion.measured import Place
from evis.papers.uvis import baseline, checks, linking
from evis.papers.uvis.experiments import SEEDS, SIZES, rows_of

FILE = Path(__file__).with_name("claims.toml")
TERMS = claim_file.Terms(
    paper="uvis",
    checks=checks,
    held_out=IN_CLAIMS,
    sizes=SIZES,
)
CLAIMS = claim_file.read(FILE, TERMS)


def verdicts(shelf: Path | None = None, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    claims = [controlled(claim, shelf) for claim in claims]
    return ledger.verdicts(claims, lambda *which: table(*which, shelf))


def controlled(claim: Claim, shelf: Path | None = None) -> Claim:
    """The claim; not testable if it is on linking, and no links could win in its videos."""
    on_linking = filter(is_on_linking, claim.tests)
    of = dict.fromkeys((_labelled_as(test), test.left.held_out) for test in on_linking)
    why = "; ".join(filter(None, (linking.no_question(*each, shelf) for each in of)))
    return replace(claim, untestable=why) if why else claim


def _labelled_as(test: Comparison) -> str:
    """The control's network that learnt from such labels as the rows."""
    return "UVIS" if rows_of(test.left.held_out)[test.left.row].labels else "MinVIS"


def is_on_linking(test: Comparison) -> bool:
    """Whether the two rows are one training, whose queries are linked in two ways."""
    rows, names = rows_of(test.left.held_out), {test.left.row, test.right.row}
    if len(names) == 1 or not names <= set(rows):
        return False
    one, other = (
        replace(rows[side.row], name="", options=WHOLE) for side in (test.left, test.right)
    )
    return one == other


def table(size: str, test: HeldOut, shelf: Path | None = None) -> pd.DataFrame:
    """The rows tested on these videos; DeepSORT, which nothing trains, beside each unit."""
    measured = series.table(rows_of(test).values(), held_out=test, shelf=shelf)
    if linked := baseline.find(test, Place(shelf)):
        scores = {name: 100 * value for name, value in linked.metrics.items()}
        own = [{"row": "DeepSORT", "seed": seed, "first": seed} | scores for seed in SEEDS]
        both = pd.concat([measured, pd.DataFrame(own)], ignore_index=True)
        measured = both.infer_objects()  # numbers, where no other row is measured
    return measured
