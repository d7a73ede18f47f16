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


def verdicts() -> pd.DataFrame:
    return ledger.verdicts(CLAIMS, table)


def answers() -> pd.DataFrame:
    """To questions of ours, as `verdicts`."""
    return ledger.verdicts(QUESTIONS, table)


def table(size: str, test: HeldOut) -> pd.DataFrame:
    """The rows tested on these videos."""
    return series.table(tested_on(GROUPS, TESTS, test).values(), held_out=test)
