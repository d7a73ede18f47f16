"""PointVIS's claim ledger: the claims of claims.toml, judged by its rows."""

from pathlib import Path

import pandas as pd

from evis.companion import claim_file, series
from evis.companion import claims as ledger
from evis.companion.held_out import OF_SET, SEEN, TEST, HeldOut
from evis.papers.pointvis import checks
from evis.papers.pointvis.experiments import GROUPS, SIZES, TESTS, group

FILE = Path(__file__).with_name("claims.toml")
NAMES = {"toy-ytvis19": "test", "toy-ytvis21": "ytvis21", "toy-ovis": "ovis"}  # in the file
TERMS = claim_file.Terms(
    paper="pointvis",
    checks=checks,
    held_out={NAMES[on]: test for on, test in OF_SET.items()} | {"seen": SEEN},
    sizes=SIZES,
)
CLAIMS = claim_file.read(FILE, TERMS)


def verdicts() -> pd.DataFrame:
    return ledger.verdicts(CLAIMS, table)


def table(size: str, test: HeldOut) -> pd.DataFrame:
    """The rows tested on these videos."""
    of_test = [group(name, size) for name in GROUPS if TESTS.get(name, TEST) == test]
    rows = {name: row for rows in of_test for name, row in rows.items()}
    return series.table(rows.values(), held_out=test)
