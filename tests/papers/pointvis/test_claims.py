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
    assert len(printed) == 29
    for name, test in printed:
        assert formulas.evaluate(test.published, published.tables()).value > 0, name


def test_shares_are_those_that_are_printed():
    cells, shares = published.tables("pointvis"), {}
    for claim, test in TESTED:
        if test.share != 1:
            shares[claim.id] = 100 * test.share
    for number, row in enumerate((4, 9, 14, 5, 10, 15), 1):
        kept = formulas.lookup(cells, f"pointvis/1/{row}/AP retention %").value
        assert abs(shares[f"T1-{number}"] - kept) < 1e-9
    kept = formulas.lookup(cells, "pointvis/6/3/AP retention % (1% frames)").value
    assert abs(shares["T6-1"] - kept) < 1e-9
    stable = [formulas.lookup(cells, f"pointvis/4/3/AP ({n})").value for n in ("P1", "P10")]
    best = formulas.lookup(cells, "pointvis/4/3/AP (P5N5)").value
    assert all(value / best > 0.9 for value in stable)


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
        "T1-12": ledger.CONTRADICTED,
    }
    untestable = {claim.id for claim in CLAIMS if claim.untestable}
    assert set(table.index[table == ledger.UNTESTABLE]) == untestable


def test_checks_say_what_they_compared():
    assert checks.positions_as_printed().words == (
        "as printed, 1.1 AP for positives and 0.6 for negatives"
    )
    assert "+0.0 AP, +1.6 AP50, -0.3 AP75, -0.3 AR1, -0.6 AR10" in checks.negatives_on_ovis().words
    assert "0.51 for a mask of all pixels" in checks.maskness_as_printed().words
