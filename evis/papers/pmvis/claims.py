"""PM-VIS's claim ledger: the claims of claims.toml, judged by its rows."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from evis.companion import claim_file, series
from evis.companion import claims as ledger
from evis.companion.claims import Claim
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
    return ledger.verdicts(claims, lambda *which: table(*which, shelf))


def table(size: str, test: HeldOut, shelf: Path | None = None) -> pd.DataFrame:
    """The rows tested on these videos."""
    rows = tested_on({name: group(name, size) for name in GROUPS}, TESTS, test)
    return series.table(rows.values(), held_out=test, shelf=shelf)
