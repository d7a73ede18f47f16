"""FlowCut's claim ledger: the claims of claims.toml, judged by its rows."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd

from evis.companion import claim_file, series
from evis.companion import claims as ledger
from evis.companion.claims import Claim
from evis.companion.held_out import DAVIS, SURE, HeldOut
from evis.companion.measured import tested_on
from evis.papers.flowcut import checks, control
from evis.papers.flowcut.experiments import GROUPS, SIZES, TESTS

FILE = Path(__file__).with_name("claims.toml")
TERMS = claim_file.Terms(
    paper="flowcut",
    checks=checks,
    held_out={"2019": SURE["toy-ytvis19"], "2021": SURE["toy-ytvis21"], "davis": DAVIS},
    sizes=SIZES,
)
CLAIMS = claim_file.read(FILE, TERMS)
QUESTIONS = claim_file.read(FILE, TERMS, kind="question")


def verdicts(shelf: Path | None = None, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """By the rows; a claim is judged only where its `control` does not fail."""
    rows = cache(lambda *which: table(*which, shelf))
    return ledger.verdicts([judged(claim, rows, shelf) for claim in claims], rows)


def judged(claim: Claim, rows: ledger.Table, shelf: Path | None = None) -> Claim:
    """The claim; once its rows are measured, not testable where its control is not, or fails."""
    if not all(ledger.difference(test, rows).seeds for test in claim.tests):
        return claim
    for test in claim.tests:
        found = control.of(test, rows, shelf)
        if found and (found.fails or not found.difference.seeds):
            return replace(claim, untestable=f"not judged for its control: {found}")
    return claim


def answers(shelf: Path | None = None) -> pd.DataFrame:
    """To questions of ours, as `verdicts`; none of them has a control."""
    return ledger.verdicts(QUESTIONS, lambda *which: table(*which, shelf))


def table(size: str, test: HeldOut, shelf: Path | None = None) -> pd.DataFrame:
    """The rows tested on these videos."""
    rows = tested_on(GROUPS, TESTS, test).values()
    return series.table(rows, held_out=test, shelf=shelf)
