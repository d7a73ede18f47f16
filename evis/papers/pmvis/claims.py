"""PM-VIS's claim ledger: the claims of claims.toml, judged by its rows."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from evis.companion import claim_file, series
from evis.companion import claims as ledger
from evis.companion.claims import Claim
from evis.companion.held_out import OF_SET, TEST, HeldOut
from evis.papers.pmvis import checks
from evis.papers.pmvis.experiments import GROUPS, SIZES, TESTS

FILE = Path(__file__).with_name("claims.toml")
NAMES = {"toy-ytvis19": "test", "toy-ytvis21": "ytvis21", "toy-ovis": "ovis"}  # in the file
TERMS = claim_file.Terms(
    paper="pm-vis",
    checks=checks,
    held_out={NAMES[on]: test for on, test in OF_SET.items()},
    sizes=SIZES,
)
CLAIMS = claim_file.read(FILE, TERMS)
QUESTIONS = claim_file.read(FILE, TERMS, "question")


def verdicts(claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    return ledger.verdicts(claims, table)


def table(size: str, test: HeldOut) -> pd.DataFrame:
    """The rows tested on these videos."""
    of_test = [rows for name, rows in GROUPS.items() if TESTS.get(name, TEST) == test]
    rows = {name: row for group in of_test for name, row in group.items()}
    return series.table(rows.values(), held_out=test)
