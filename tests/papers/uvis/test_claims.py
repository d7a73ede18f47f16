"""UVIS's ledger: claims compare rows that there are, as the paper prints them."""

import numpy as np
import pytest

from evis.companion import claims as ledger
from evis.companion import formulas, published
from evis.papers.uvis import checks
from evis.papers.uvis.claims import CLAIMS, controlled, verdicts
from evis.papers.uvis.experiments import rows_of

TESTED = [(claim, test) for claim in CLAIMS for test in claim.tests]


def test_every_side_is_a_row_of_the_videos_that_it_is_rows_of():
    for claim, test in TESTED:
        for side in (test.left, test.right):
            assert side.row in {*rows_of(side.held_out), "DeepSORT"}, claim.id
            assert side.metric in side.held_out.scoring.metrics


def test_what_is_claimed_is_what_is_printed():
    printed = [(c.id, t) for c, t in TESTED if t.published]
    assert len(printed) == 22
    for name, test in printed:
        assert formulas.evaluate(test.published, published.tables()).value > 0, name


def test_every_claim_has_a_group_and_what_rows_decide_says_when_it_was_written():
    for claim in CLAIMS:
        assert claim.group and bool(claim.written) == bool(claim.tests), claim.id
    assert sum(claim.headline for claim in CLAIMS) == 5


def test_what_needs_no_row_is_decided():
    table = verdicts().set_index("id")
    assert table.loc["A1", "verdict"] == ledger.HOLDS
    assert table.loc["M1", "verdict"] == ledger.CANNOT_TELL  # only as a softmax
    untestable = {claim.id for claim in map(controlled, CLAIMS) if claim.untestable}
    assert set(table.index[table["verdict"] == ledger.UNTESTABLE]) == untestable
    assert untestable >= {"I1", "I2", "M2", "M5", "T1-10", "F4-1"}


@pytest.mark.parametrize(
    ("images", "verdict"),
    [
        ([[1, 0, 0]], ledger.HOLDS),  # the picture lies on its name
        ([[0.3, 0, 0.954]], ledger.CANNOT_TELL),  # as CLIP's do: 0.3 to one, 0 to the other
        ([[0.3, 0.3, 0.906]], ledger.CONTRADICTED),  # both names are as near
    ],
)
def test_whether_a_clip_score_can_be_asked_for_hangs_on_what_it_is(images, verdict):
    found = checks.reached(np.array(images), np.eye(3)[:2])
    assert found.verdict == verdict and "of 1 objects" in found.words
