"""The ledger's picture and table show every claim once, where it stands."""

import re

import numpy as np
import pytest

from evis.companion import claims as ledgers
from evis.companion.plots import ledger as views
from evis.papers.eigencluster.claims import CLAIMS, verdicts

COMPARED = [claim for claim in CLAIMS if claim.tests]
SCORED = [c for c in COMPARED if c.tests[0].left.held_out.scoring.in_percent]


@pytest.fixture(scope="module")
def ledger():
    return verdicts(claims=[claim for claim in CLAIMS if claim.check is None])


def test_every_claim_has_a_group_and_the_longest_beginning_counts():
    groups = {claim.id: claim.group for claim in CLAIMS}
    assert "" not in groups.values() and len(set(groups.values())) == 7
    assert groups["G6a-1"] == groups["S1"] != groups["G6a-3"] == groups["T5-1"]
    assert groups["A4"] == "In words: unsteadiness"


@pytest.mark.slow
def test_forest_draws_each_claim_that_scores_decide_once(ledger):
    figure = views.forest(ledger)
    labels = [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    assert sorted(label.split()[0] for label in labels) == sorted(claim.id for claim in SCORED)
    assert {"C2", "D4"} == {c.id for c in COMPARED} - {c.id for c in SCORED}


def test_what_is_claimed_is_to_the_right_whatever_its_sign(ledger):
    """The intervals of what holds are right of 0, of what is contradicted left of it."""
    data = views.intervals(ledger)
    holds = data["colour"] == views.COLOURS[ledgers.HOLDS]
    contradicted = data["colour"] == views.COLOURS[ledgers.CONTRADICTED]
    assert (data["low"][holds] > 0).all() and (data["high"][contradicted] < 0).all()
    assert (data["low"] <= data["mean"]).all() and (data["mean"] <= data["high"]).all()
    lower = {claim.id for claim in SCORED if claim.tests[0].direction == "lower"}
    assert data["label"][holds].str.split().str[0].isin(lower).any()  # or no sign would be seen
    assert (data["marker"] == "v").sum() == ledger["against control"].notna().sum() - 2  # C2, D4
    assert np.sign(data["published"].dropna()).eq(1).all()


def test_table_has_a_line_for_each_claim(ledger):
    ids = re.findall(r'<td[^>]*col0"\s*>([^<]+)</td>', views.table(ledger))
    assert sorted(ids) == sorted(ledger["id"])
