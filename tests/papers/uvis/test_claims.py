"""UVIS's ledger: claims compare rows that there are, as the paper prints them."""

from dataclasses import replace

from evis.companion import claims as ledger
from evis.companion import formulas, published
from evis.papers.uvis import checks
from evis.papers.uvis.claims import CLAIMS, controlled, is_on_linking, verdicts
from evis.papers.uvis.experiments import rows_of

TESTED = [(claim, test) for claim in CLAIMS for test in claim.tests]


def test_every_side_is_a_row_of_the_videos_that_it_is_rows_of():
    for claim, test in TESTED:
        for side in (test.left, test.right):
            assert side.row in {*rows_of(side.held_out), "DeepSORT"}, claim.id
            assert side.metric in side.held_out.scoring.metrics


def test_what_is_claimed_is_what_is_printed():
    printed = [(c.id, t) for c, t in TESTED if t.published]
    assert len(printed) == 22 - 3 + 2
    for name, test in printed:
        assert formulas.evaluate(test.published, published.tables()).value > 0, name


def test_every_claim_has_a_group_and_what_rows_decide_says_when_it_was_written():
    for claim in CLAIMS:
        assert claim.group and bool(claim.written) == bool(claim.tests), claim.id
    assert sum(claim.headline for claim in CLAIMS) == 3


def test_what_needs_no_row_is_decided():
    table = verdicts().set_index("id")
    assert table.loc["A1", "verdict"] == ledger.HOLDS
    assert table.loc["T4-5", "verdict"] == ledger.CONTRADICTED
    untestable = {claim.id for claim in map(controlled, CLAIMS) if claim.untestable}
    assert set(table.index[table["verdict"] == ledger.UNTESTABLE]) == untestable
    always = {"I1", "I2", "M1", "M2", "M5", "M6", "M7", "T1-10", "T1-13", "T1-14", "F3-1", "F4-1"}
    assert untestable >= always | {"F4-2", "F4-3"}


def test_the_memory_s_printed_gains_are_not_the_same_and_the_detector_s_labels_are_asked_too():
    assert checks.same_gain().words == (
        "0.7 AP on YouTube-VIS 2019, 0.4 on OVIS; with masks for labels 3.4 and 0.5"
    )
    assert "its detector's 2, from nothing" in checks.no_annotation().words


def test_a_detector_that_learns_from_annotation_or_starts_from_it_is_found(monkeypatch):
    first, *others = checks.DETECTOR.experiment.stages
    for spoilt in (replace(first, supervision="mask"), replace(first, init="imagenet")):
        run = replace(checks.DETECTOR.experiment, stages=(spoilt, *others))
        monkeypatch.setattr(checks, "DETECTOR", replace(checks.DETECTOR, experiment=run))
        assert checks.no_annotation().verdict == ledger.CONTRADICTED


def test_two_sets_of_one_row_are_no_two_ways_of_linking():
    own = {claim.id: claim for claim in CLAIMS}
    assert not any(is_on_linking(test) for test in own["T1-11"].tests + own["T1-12"].tests)
