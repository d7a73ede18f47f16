"""UVIS's claim ledger: the claims of claims.toml, judged by its rows."""

from pathlib import Path

import pandas as pd

from evis.companion import claim_file, series
from evis.companion import claims as ledger
from evis.companion.held_out import IN_CLAIMS, HeldOut
from evis.companion.measured import Place
from evis.papers.uvis import baseline, checks
from evis.papers.uvis.experiments import SEEDS, SIZES, rows_of

FILE = Path(__file__).with_name("claims.toml")
TERMS = claim_file.Terms(
    paper="uvis",
    checks=checks,
    held_out=IN_CLAIMS,
    sizes=SIZES,
)
CLAIMS = claim_file.read(FILE, TERMS)


def verdicts(shelf: Path | None = None) -> pd.DataFrame:
    return ledger.verdicts(CLAIMS, lambda *which: table(*which, shelf))


def table(size: str, test: HeldOut, shelf: Path | None = None) -> pd.DataFrame:
    """The rows tested on these videos; DeepSORT, which nothing trains, beside each unit."""
    measured = series.table(rows_of(test).values(), held_out=test, shelf=shelf)
    if linked := baseline.find(test, Place(shelf)):
        scores = {name: 100 * value for name, value in linked.metrics.items()}
        own = [{"row": "DeepSORT", "seed": seed, "first": seed} | scores for seed in SEEDS]
        both = pd.concat([measured, pd.DataFrame(own)], ignore_index=True)
        measured = both.infer_objects()  # numbers, where no other row is measured
    return measured
