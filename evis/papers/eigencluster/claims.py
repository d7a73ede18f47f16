"""The lead paper's claim ledger: the claims of claims.toml, judged by the lead paper's rows."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from evis.companion import claim_file, series
from evis.companion import claims as ledger
from evis.companion.claims import Claim, Comparison
from evis.companion.held_out import CROWDED, TEST, UNSEEN, HeldOut
from evis.papers.eigencluster import checks
from evis.papers.eigencluster.clip_terms import CLIPS
from evis.papers.eigencluster.experiments import (
    BOTH,
    CONTROL,
    GROUPS,
    PLACEBOS,
    Q_PLACEBO,
    QCC,
    SIZES,
    TEL,
    TK,
)

FILE = Path(__file__).with_name("claims.toml")
TERMS = claim_file.Terms(
    paper="eigen-cluster-vis",
    checks=checks,
    held_out={"test": TEST, "unseen": UNSEEN, "crowded": CROWDED, "clips": CLIPS},
    sizes=tuple(SIZES.values()),
    stands_for={f"placebo of {term}": row for term, row in (PLACEBOS | {QCC: Q_PLACEBO}).items()},
)
CLAIMS = claim_file.read(FILE, TERMS)
QUESTIONS = claim_file.read(FILE, TERMS, "question")
ALONE = ", no stage one"  # ends the names of the second regime's rows


def verdicts(shelf: Path | None = None, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """`ledger.verdicts` by the rows of this shelf, beside the row that trained as long as stage
    three does, without TEL and QCC.
    """
    return ledger.verdicts(claims, lambda *which: table(*which, shelf), control)


def table(size: str, held_out: HeldOut, shelf: Path | None = None) -> pd.DataFrame:
    rows = {name: row for group in GROUPS.values() for name, row in group(size).items()}
    return series.table(rows.values(), held_out=held_out, shelf=shelf)


def control(test: Comparison) -> Comparison | None:
    """The same without stage three's further steps, which TK's row did not have."""
    end = ALONE if test.right.row.endswith(ALONE) else ""
    if test.right.row != TK + end or test.left.row not in (TEL + end, QCC + end, BOTH + end):
        return None
    return replace(test, right=replace(test.right, row=CONTROL + end))
