"""PointVIS's claim ledger: the claims of claims.toml, judged by its rows."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pandas as pd

from evis.companion import ceiling, claim_file, series
from evis.companion import claims as ledger
from evis.companion.claims import Claim
from evis.companion.held_out import IN_CLAIMS, SEEN, HeldOut
from evis.companion.measured import tested_on
from evis.papers.pointvis import checks
from evis.papers.pointvis.experiments import GROUPS, SIZES, TESTS, group

FILE = Path(__file__).with_name("claims.toml")
TERMS = claim_file.Terms(
    paper="pointvis",
    checks=checks,
    held_out=IN_CLAIMS | {"seen": SEEN},
    sizes=SIZES,
)
CLAIMS = claim_file.read(FILE, TERMS)


def verdicts(shelf: Path | None = None, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """By the rows; no claim is asked for a size that true masks do not reach themselves."""
    rows = cache(lambda *which: table(*which, shelf))
    return ledger.verdicts([ceiling.kept_below(claim, rows, "masks") for claim in claims], rows)


def table(size: str, test: HeldOut, shelf: Path | None = None) -> pd.DataFrame:
    """The rows tested on these videos."""
    rows = tested_on({name: group(name, size) for name in GROUPS}, TESTS, test)
    return series.table(rows.values(), held_out=test, shelf=shelf)
