"""FlowCut's ledger: claims compare rows that there are, as the paper prints them."""

from dataclasses import replace

import pytest

from evis.companion import claims as ledger
from evis.companion import formulas, paired, published
from evis.papers.flowcut import checks
from evis.papers.flowcut.claims import CLAIMS, QUESTIONS, answers, table, verdicts
from evis.papers.flowcut.experiments import GROUPS, TESTS

HELD = ("I1", "M2", "M3", "T1-7", "T5-4", "L2", "L3")
TESTED = [(claim, test) for claim in (*CLAIMS, *QUESTIONS) for test in claim.tests]


def test_every_side_is_a_row_of_the_videos_that_it_is_tested_on():
    for claim, test in TESTED:
        for side in (test.left, test.right):
            groups = [g for name, g in GROUPS.items() if TESTS[name] == side.held_out]
            rows = {name: row for group in groups for name, row in group.items()}
            assert side.row in rows, claim.id
            assert len(rows[side.row].seeds) >= paired.LEAST_SEEDS, claim.id
            assert side.metric in side.held_out.scoring.metrics


def test_what_is_claimed_is_what_is_printed():
    printed = [(claim.id, test) for claim, test in TESTED if test.published]
    assert len(printed) == 3 + 1 + 4 + 4 + 4 + 6 + 6
    for name, test in printed:
        gain = formulas.evaluate(test.published, published.tables()).value
        assert (gain > 0) == (test.direction == "higher") and gain, name
    assert [name for name, test in printed if test.direction == "lower"] == ["T1-8"]
    of_table_4 = next(test for name, test in printed if name == "T4-2")
    gain = formulas.evaluate(of_table_4.published, published.tables()).value
    assert gain == pytest.approx(1.9)


def test_every_claim_has_a_group_and_what_rows_decide_says_when_it_was_written():
    for claim in CLAIMS:
        assert claim.group and bool(claim.written) == bool(claim.tests), claim.id
    assert sum(claim.headline for claim in CLAIMS) == 8
    assert all(question.group == "Questions of ours" for question in QUESTIONS)


def test_what_needs_no_row_is_decided():
    found = verdicts().set_index("id")["verdict"].to_dict()
    assert {name: found[name] for name in HELD} == dict.fromkeys(HELD, ledger.HOLDS)
    assert found["I2"] == found["T1-6"] == ledger.CONTRADICTED
    assert found["M1"] == found["T4-4"] == found["T4-5"] == ledger.CANNOT_TELL
    untestable = ("A1", "I3", "I4", "I5", "T1-5", "T1-9", "T2-4", "T2-5", "T3-4", "T3-5", "T3-6")
    assert {found[name] for name in (*untestable, "L1", "L4")} == {ledger.UNTESTABLE}
    assert len(answers()) == 5


def test_the_printed_j_and_f_do_not_make_the_printed_mean():
    words = checks.davis_means().words
    assert words == (
        "DAVIS-2017-Motion: J 53.3 and F 57.5 have the mean 55.4, J&F is 58.3; with that F it asks "
        "for a J of 59.1"
    )
    assert checks.davis_best().words.endswith(
        "55.4, for the J&F of DAVIS-2017-Motion, its lead is 0.1"
    )
    assert checks.gains_on_2019().words == "in 5 of 7 columns, not in AP_S and AP_M"
    assert checks.gains_on_2021().words == "in 7 of 7 columns"
    assert checks.better_in_domain().words == (
        "17 of 28 are; not so on 2019, without flow: AP50, AP75, AP, AP_S, AP_M, AR10; on 2019, "
        "with flow: AP_S, AP_M, AR10; on 2021, without flow: AP_L; on 2021, with flow: AP_L"
    )
    words = checks.matching_is_optimal().words
    assert words.startswith("masks that don't overlap, as those of Eq. 4, are: ")
    assert ", two can take one: [(0, 0), (1, 0)]; one to one, " in words
    assert words.endswith("sum of IoUs, [(0, 0)]")


def test_a_chain_that_starts_from_class_labels_or_learns_from_any_is_found(monkeypatch):
    row = checks.ROWS["FlowCut, 2021"]
    assert "the first from nothing" in checks.no_annotation().words
    first, *others = row.stages
    for spoilt in (replace(first, init="imagenet"), replace(first, supervision="box")):
        rows = {"FlowCut, 2021": replace(row, stages=(spoilt, *others))}
        monkeypatch.setattr(checks, "ROWS", rows)
        assert checks.no_annotation().verdict == ledger.CONTRADICTED


def test_a_mask_of_whole_patches_fits_large_discs():
    whole, patch = checks._best_of_patches(radius=60), checks._best_of_patches(radius=1)
    assert patch < 0.03 and whole > 0.85  # a pixel or so of 256; most patches are full


def test_tables_have_the_columns_of_their_set_without_any_row():
    for test in set(TESTS.values()):
        columns = set(table("tiny_s", test).columns)
        assert columns == {"row", "seed", "first", *test.scoring.metrics}
