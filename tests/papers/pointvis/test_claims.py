"""PointVIS's ledger: claims compare rows that there are, as the paper prints them."""

from evis.companion import claims as ledger
from evis.companion import formulas, published
from evis.companion.held_out import TEST
from evis.papers.pointvis import checks
from evis.papers.pointvis.claims import CLAIMS, verdicts
from evis.papers.pointvis.experiments import GROUPS, SEEDS, TESTS

TESTED = [(claim, test) for claim in CLAIMS for test in claim.tests]


def rows_of(held_out):
    groups = [group for name, group in GROUPS.items() if TESTS.get(name, TEST) == held_out]
    return {name: row for group in groups for name, row in group.items()}


def test_every_side_is_a_row_of_the_videos_that_it_is_tested_on():
    for claim, test in TESTED:
        for side in (test.left, test.right):
            assert side.row in rows_of(side.held_out), claim.id
            assert side.metric in side.held_out.scoring.metrics


def test_headline_claims_have_units_enough_to_be_decided():
    for claim, test in TESTED:
        if claim.headline:
            for side in (test.left, test.right):
                assert rows_of(side.held_out)[side.row].seeds == SEEDS, claim.id
    assert sum(claim.headline for claim in CLAIMS) == 4


def test_what_is_claimed_is_what_is_printed():
    printed = [(claim.id, test) for claim, test in TESTED if test.published]
    assert len(printed) == 20
    for name, test in printed:
        assert formulas.evaluate(test.published, published.tables()).value > 0, name


def test_shares_are_told_as_printed_and_tested_against_nothing():
    """A share is of the paper's videos: none is what a toy row is held against."""
    cells, says = published.tables("pointvis"), {claim.id: claim.says for claim in CLAIMS}
    assert all(test.share == 1 for _, test in TESTED)
    for number, row in enumerate((4, 9, 14, 5, 10, 15), 1):
        kept = formulas.lookup(cells, f"pointvis/1/{row}/AP retention %").value
        assert f"keeps {kept:.1f}% of" in says[f"T1-{number}"]
    kept = formulas.lookup(cells, "pointvis/6/3/AP retention % (1% frames)").value
    assert f"keep {kept:.1f}% of" in says["T6-1"]


def test_no_size_that_is_printed_for_swin_l_stands_beside_the_small_model():
    """Tables 1 and 6, and Table 5's lines of it."""
    for claim, test in TESTED:
        for reference in formulas.references(test.published or "0"):
            table, row = reference.split("/")[1:3]
            assert table in "2345" and (table, row) not in {("5", "5"), ("5", "8")}, claim.id


def test_every_claim_has_a_group_and_what_rows_decide_says_when_it_was_written():
    for claim in CLAIMS:
        assert claim.group and bool(claim.written) == bool(claim.tests), claim.id


def test_what_needs_no_row_is_decided():
    table = verdicts().set_index("id")["verdict"]
    computed = {claim.id: table[claim.id] for claim in CLAIMS if claim.check}
    assert computed == {
        "I6": ledger.CONTRADICTED,
        "M3": ledger.CONTRADICTED,
        "M4": ledger.HOLDS,
    }
    untestable = {claim.id for claim in CLAIMS if claim.untestable}
    assert set(table.index[table == ledger.UNTESTABLE]) == untestable


def test_checks_say_what_they_compared():
    assert checks.positions_as_printed().words == (
        "as printed, 1.1 AP for positives and 0.6 for negatives"
    )
    assert "0.51 for a mask of all pixels" in checks.maskness_as_printed().words
