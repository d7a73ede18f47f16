"""The ledger's picture and table show every claim once, where it stands."""

import re

import numpy as np
import pytest

from evis.companion import claims, measured
from evis.papers.eigencluster.claims_list import CLAIMS
from evis.papers.eigencluster.figures import claims as viz


@pytest.fixture(scope="module")
def ledger():
    return claims.verdicts(measured.STORED)


def test_every_claim_has_a_group_and_the_longest_beginning_counts():
    groups = {claim.id: viz.group_of(claim.id) for claim in CLAIMS}
    assert set(groups.values()) == set(viz.GROUPS)
    assert groups["G6a-1"] == groups["S1"] != groups["G6a-3"] == groups["T5-1"]


SCORED = [c for c in CLAIMS if c.tests and not any(t.left.held_out.clips for t in c.tests)]


def test_forest_draws_each_claim_that_scores_decide_once(ledger):
    figure = viz.forest(ledger)
    labels = [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    assert sorted(label.split()[0] for label in labels) == sorted(claim.id for claim in SCORED)
    assert {"C2", "D4"}.isdisjoint(claim.id for claim in SCORED)


def test_forest_marks_every_claim_without_rows(tmp_path):
    empty = measured.Shelf(lambda: tmp_path, lambda: tmp_path)
    figure = viz.forest(claims.verdicts(empty, SCORED))
    notes = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert notes == ["not measured"] * len(SCORED)


SIDE = {"o": 1, "X": -1}  # of 0: what holds, what is contradicted


def test_what_is_claimed_is_to_the_right_whatever_its_sign(ledger):
    figure = viz.forest(ledger)
    decided = [
        (SIDE[line.get_marker()], line.get_xdata()[0])
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() in SIDE and line.get_markersize() == 4
    ]
    drawn = ledger[ledger["id"].isin([claim.id for claim in SCORED])]
    assert len(decided) == drawn["verdict"].isin(claims.DECIDED).sum()
    assert all(side * mean > 0 for side, mean in decided)
    lower = drawn[[tests[0].direction == "lower" for tests in drawn["tests"]]]
    assert lower["verdict"].isin(claims.DECIDED).any()  # or their sign would not be seen


def test_table_has_a_line_for_each_claim(ledger):
    ids = re.findall(r'<tr><td style="text-align:left">([^<]+)</td>', viz.table(ledger))
    assert sorted(ids) == sorted(ledger["id"])


def test_a_panel_holds_every_mean_and_no_interval_hides_the_others(ledger):
    figure = viz.forest(ledger)
    for axes in figure.axes:
        low, high = axes.get_xlim()
        marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() in "DosX"]
        means = [mark for mark in marks if not np.isnan(mark)]
        assert all(low <= mean <= high for mean in means)
        assert high - low <= 2.2 * (max([*means, 0]) - min([*means, 0]))
