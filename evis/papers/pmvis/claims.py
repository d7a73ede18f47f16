"""PM-VIS's claim ledger: the claims of claims.toml, judged by its rows."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

from evis.companion import ceiling, claim_file, series
from evis.companion import claims as ledger
from evis.companion.claims import Claim, Comparison
from evis.companion.control import Control
from evis.companion.held_out import IN_CLAIMS, HeldOut
from evis.companion.measured import tested_on
from evis.papers.pmvis import checks
from evis.papers.pmvis.experiments import GROUPS, SIZES, TESTS, group

FILE = Path(__file__).with_name("claims.toml")
TERMS = claim_file.Terms(
    paper="pm-vis",
    checks=checks,
    held_out=IN_CLAIMS,
    sizes=SIZES,
)
CLAIMS = claim_file.read(FILE, TERMS)
QUESTIONS = claim_file.read(FILE, TERMS, "question")


def verdicts(shelf: Path | None = None, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """By the rows; a claim on learning from boxes is judged only where its control does not fail,
    and asked for no size that true masks do not reach themselves."""
    rows = cache(lambda *which: table(*which, shelf))
    return ledger.verdicts([judged(claim, rows) for claim in claims], rows)


def judged(claim: Claim, rows: ledger.Table) -> Claim:
    of_boxes = [test for test in claim.tests if _learns_from_boxes(test)]
    for test in of_boxes:
        if (found := Control.of(masks_against_boxes(test), rows)).fails:
            return replace(claim, untestable=f"not judged for its control: {found}")
    return ceiling.kept_below(claim, rows, "IDOL") if of_boxes else claim


def masks_against_boxes(test: Comparison) -> Comparison:
    """That true masks teach more than boxes do, on the same videos: else better masks made of boxes
    have nothing to win."""
    left, right = (replace(test.left, row=name) for name in ("IDOL", "IDOL-BoxInst"))
    return Comparison(left, right)


def _learns_from_boxes(test: Comparison) -> bool:
    rows = tested_on(GROUPS, TESTS, test.left.held_out)
    return rows[test.left.row].stages[-1].supervision == "box"


def table(size: str, test: HeldOut, shelf: Path | None = None) -> pd.DataFrame:
    """The rows tested on these videos."""
    rows = tested_on({name: group(name, size) for name in GROUPS}, TESTS, test)
    return series.table(rows.values(), held_out=test, shelf=shelf)
