"""FlowCut's claim ledger: the claims of claims.toml, judged by its rows."""

from pathlib import Path

import pandas as pd

from evis.companion import claim_file, series
from evis.companion import claims as ledger
from evis.companion.held_out import DAVIS, SURE, HeldOut
from evis.companion.measured import tested_on
from evis.papers.flowcut import checks
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


def verdicts(shelf: Path | None = None) -> pd.DataFrame:
    return ledger.verdicts(CLAIMS, lambda *which: table(*which, shelf))


def answers(shelf: Path | None = None) -> pd.DataFrame:
    """To questions of ours, as `verdicts`."""
    return ledger.verdicts(QUESTIONS, lambda *which: table(*which, shelf))


def table(size: str, test: HeldOut, shelf: Path | None = None) -> pd.DataFrame:
    """The rows tested on these videos."""
    rows = tested_on(GROUPS, TESTS, test).values()
    return series.table(rows, held_out=test, shelf=shelf)
