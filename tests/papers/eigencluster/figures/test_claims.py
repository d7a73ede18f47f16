"""The ledger's picture and table show every claim once, where it stands."""

import re

import numpy as np
import pandas as pd
import pytest

from evis.companion import claims as ledgers
from evis.companion.plots import ledger as views
from evis.papers.eigencluster.claims import CLAIMS, control

COMPARED = [claim for claim in CLAIMS if claim.tests and not claim.untestable]
ROWS = sorted({side.row for c in COMPARED for t in c.tests for side in (t.left, t.right)})
ROWS += ["more steps", "more steps, no stage one"]
SCORED = [c for c in COMPARED if c.tests[0].left.held_out.scoring.in_percent]


@pytest.fixture(scope="module")
def ledger():
    """Of made-up rows: some are alike, some are far apart."""
    return ledgers.verdicts([c for c in CLAIMS if c.check is None], made_up, control)


def made_up(size, held_out):
    draw = np.random.default_rng(len(size) + held_out.videos)
    levels = draw.choice([0, 2, 10], size=len(ROWS))
    seeds = {"row": np.repeat(ROWS, 9), "seed": np.tile(range(9), len(ROWS))}
    scores = {
        metric: np.repeat(draw.permutation(levels), 9) + draw.normal(size=9 * len(ROWS))
        for metric in held_out.scoring.metrics
    }
    return pd.DataFrame(seeds | scores)


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
    absent = data["colour"] == views.COLOURS[ledgers.NO_EFFECT]
    assert absent.any() and holds.any() and contradicted.any()
    lower = {claim.id for claim in SCORED if claim.tests[0].direction == "lower"}
    assert data["label"][holds].str.split().str[0].isin(lower).any()  # or no sign would be seen
    assert (data["marker"] == "v").sum() == ledger["against control"].notna().sum() - 2  # C2, D4
    assert np.sign(data["published"].dropna()).eq(1).all()


def test_table_says_what_stands_and_of_the_control_too(ledger):
    text = views.table(ledger)
    for of_control in (False, True):
        found = [ledgers.stands(line, of_control) for line in ledger.to_dict("records")]
        words = [", stands<" if of_control else ">stands<", ", falls<" if of_control else ">falls<"]
        assert [text.count(word) for word in words] == [found.count(True), found.count(False)]
    assert "no effect of the published size" in text


def test_table_has_a_line_for_each_claim(ledger):
    ids = re.findall(r'<td[^>]*col0"\s*>([^<]+)</td>', views.table(ledger))
    assert sorted(ids) == sorted(ledger["id"])
