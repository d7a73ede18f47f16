"""FlowCut's ledger: claims compare rows that there are, as the paper prints them."""

import pytest

from evis.companion import claims as ledger
from evis.companion import formulas, published
from evis.papers.flowcut import checks
from evis.papers.flowcut.claims import CLAIMS, QUESTIONS, answers, table, verdicts
from evis.papers.flowcut.experiments import GROUPS, SEEDS, TESTS

TESTED = [(claim, test) for claim in (*CLAIMS, *QUESTIONS) for test in claim.tests]


def test_every_side_is_a_row_of_the_videos_that_it_is_tested_on():
    for claim, test in TESTED:
        for side in (test.left, test.right):
            groups = [g for name, g in GROUPS.items() if TESTS[name] == side.held_out]
            rows = {name: row for group in groups for name, row in group.items()}
            assert side.row in rows, claim.id
            assert claim in QUESTIONS or rows[side.row].seeds == SEEDS, claim.id
            assert side.metric in side.held_out.scoring.metrics


def test_what_is_claimed_is_what_is_printed():
    printed = [(claim.id, test) for claim, test in TESTED if test.published]
    assert len(printed) == 4 + 5 + 2 + 5 + 2 + 4 + 2
    for name, test in printed:
        assert formulas.evaluate(test.published, published.tables()).value > 0, name
    of_table_4 = next(test for name, test in printed if name == "T4-2")
    gain = formulas.evaluate(of_table_4.published, published.tables()).value
    assert gain == pytest.approx(1.9)


def test_every_claim_has_a_group_and_what_rows_decide_says_when_it_was_written():
    for claim in CLAIMS:
        assert claim.group and bool(claim.written) == bool(claim.tests), claim.id
    assert sum(claim.headline for claim in CLAIMS) == 7
    assert all(question.group == "Questions of ours" for question in QUESTIONS)


def test_what_needs_no_row_is_decided():
    found = verdicts().set_index("id")["verdict"].to_dict()
    assert {name: found[name] for name in ("I1", "M2", "M3", "T1-7", "T5-4")} == dict.fromkeys(
        ("I1", "M2", "M3", "T1-7", "T5-4"), ledger.HOLDS
    )
    contradicted = {"I2", "M1", "T1-6"}
    assert {found[name] for name in contradicted} == {ledger.CONTRADICTED}
    assert found["T4-4"] == ledger.CANNOT_TELL and found["A1"] == ledger.UNTESTABLE
    assert {found[name] for name in ("T2-5", "T3-5", "T3-6")} == {ledger.UNTESTABLE}
    assert len(answers()) == 6


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
    assert checks.matching_is_optimal().words.endswith("sum of IoUs, [(0, 0)]")


def test_tables_have_the_columns_of_their_set_without_any_row():
    for test in set(TESTS.values()):
        columns = set(table("tiny_s", test).columns)
        assert columns == {"row", "seed", "first", *test.scoring.metrics}
