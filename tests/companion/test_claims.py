"""Verdicts on made-up claims, against rows whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evis.companion import claims, paired
from evis.companion.claims import Claim, Comparison, Finding, Side
from evis.companion.held_out import TEST, UNSEEN

NOISE = np.array([-0.3, 0.1, 0.25, -0.15, 0.05, 0.2, -0.05, -0.1])  # of 8 seeds


def a_table(seeds=8, **means: float):
    """`claims.Table` of AP: a mean a row, and one noise for all seeds but a little of their own.

    Only of the smallest size and the test videos.
    """
    lines = [
        {"row": row, "seed": seed, "AP": mean + 5 * NOISE[seed] + 0.4 * NOISE[(seed + 3 * n) % 8]}
        for n, (row, mean) in enumerate(means.items())
        for seed in range(seeds)
    ]
    rows = pd.DataFrame(lines, columns=["row", "seed", "AP"])
    return lambda size, held_out: rows if (size, held_out) == ("small", TEST) else rows[:0]


def side(row: str, metric="AP", size="small", held_out=TEST) -> Side:
    return Side(row, metric, size, held_out)


def to_control(test: Comparison) -> Comparison | None:
    """Whoever is held against the baseline has a control, called "longer"."""
    longer = replace(test.right, row="longer")
    return replace(test, right=longer) if test.right.row == "base" else None


GAIN = Claim("X1", "nowhere", "ours beats base", (Comparison(side("ours"), side("base")),))
LOSS = Claim("X2", "nowhere", "ours below base", (replace(GAIN.tests[0], direction="lower"),))
BOXES = Claim("X3", "nowhere", "base beats boxes", (Comparison(side("base"), side("boxes")),))
JOINT = Claim("X4", "nowhere", "both", GAIN.tests + BOXES.tests)


def test_verdicts_follow_the_rows():
    table = a_table(ours=34.0, base=32.0, longer=34.0, boxes=32.0)
    ledger = claims.verdicts([GAIN, LOSS, BOXES, JOINT], table, to_control).set_index("id")
    assert ledger["verdict"].to_dict() == {
        "X1": "holds",
        "X2": "contradicted",
        "X3": "can't tell",
        "X4": "can't tell",
    }
    line = ledger.loc["X1"]
    assert line["measured"] == pytest.approx(2.0, abs=0.1)
    assert line["low"] < 2.0 < line["high"] and line["seeds"] == 8
    assert line["control"] == "can't tell" and abs(line["against control"]) < 0.2
    assert line["control low"] < line["against control"] < line["control high"]
    assert ledger.loc["X3", "control"] == ""


def test_a_difference_is_the_paired_one_of_the_rows():
    table = a_table(ours=34.0, base=32.0)
    found = claims.difference(GAIN.tests[0], table)
    rows = table("small", TEST).pivot(index="seed", columns="row", values="AP")
    assert found.values == pytest.approx(tuple(rows["ours"] - rows["base"]))
    line = claims.verdicts([GAIN], table).iloc[0]
    assert (line["low"], line["high"]) == found.bootstrap()
    assert line["resolvable"] == found.smallest


def test_rows_that_are_lacking_make_no_verdict():
    few = a_table(seeds=paired.LEAST_SEEDS - 1, ours=34.0, base=32.0)
    ledger = claims.verdicts([GAIN, BOXES, JOINT], few)
    assert set(ledger["verdict"]) == {"not measured yet"}
    assert ledger[["low", "high", "p", "p, Holm"]].isna().all(axis=None)


def test_a_joint_claim_is_contradicted_by_one_sure_comparison():
    table = a_table(ours=34.0, base=32.0, longer=32.0, boxes=35.0)
    (line,) = claims.verdicts([JOINT], table, to_control).to_dict("records")
    assert line["verdict"] == "contradicted"
    assert line["measured"] == pytest.approx(-3.0, abs=0.1)  # the weakest is shown
    assert line["compared"].startswith("base − boxes") and "weakest of 2" in line["compared"]
    assert line["control"] == "contradicted" and np.isnan(line["against control"])  # has none


def test_a_contradicted_claim_shows_what_contradicts_it():
    """Not a comparison with a larger p and an interval across 0."""
    results = [result(-0.3), claims.Result(GAIN.tests[0], paired.Difference((-5.0, -5, -5, 1)))]
    assert [each.verdict for each in results] == ["contradicted", "can't tell"]
    assert results[1].p() > results[0].p(alternative=True)
    assert claims.weakest(results) is claims.weakest(results[::-1]) is results[0]


def test_sizes_sets_and_metrics_are_kept_apart():
    means = {("small", TEST): 34.0, ("large", TEST): 40.0, ("small", UNSEEN): 20.0}

    def table(size, held_out):
        rows = {"row": "ours", "seed": range(4), "AP": means[size, held_out], "mIoU": 50.0}
        return pd.DataFrame(rows)

    larger = Comparison(side("ours", size="large"), side("ours"))
    harder = Comparison(side("ours", held_out=UNSEEN), side("ours"))
    assert claims.difference(larger, table).mean == 6
    assert claims.difference(harder, table).mean == -14
    assert claims.describe(larger) == "ours (large) − ours (small), AP, toy-ytvis19"
    assert claims.describe(harder) == "ours (toy-ytvis21) − ours (toy-ytvis19), AP, small"
    metrics = Comparison(side("ours", "AP"), side("ours", "mIoU"))
    assert claims.difference(metrics, table).mean == -16
    absent = Comparison(side("ours", "J"), side("ours", "J"))
    assert claims.difference(absent, table).seeds == 0


def test_a_computed_claim_takes_the_finding_as_it_is():
    computed = Claim("X5", "p", "s", check=lambda: Finding("contradicted", "a fact"), note="more")
    (line,) = claims.verdicts([computed], a_table()).to_dict("records")
    assert (line["verdict"], line["note"]) == ("contradicted", "a fact; more")
    untold = Claim("X6", "p", "s", untestable="no way")
    (line,) = claims.verdicts([untold], a_table()).to_dict("records")
    assert (line["verdict"], line["note"]) == ("not testable here", "no way")


def test_a_claim_in_a_sentence():
    table = a_table(ours=34.0, base=32.0, longer=34.0, boxes=32.0)
    printed = replace(GAIN, tests=(replace(GAIN.tests[0], published="1.5"),))
    absent = Claim("X8", "nowhere", "TEL beats base", (Comparison(side("TEL"), side("base")),))
    ledger = claims.verdicts([printed, BOXES, absent], table, to_control)
    numbers = {}
    for claim in (GAIN, BOXES):
        found = claims.difference(claim.tests[0], table)
        low, high = found.bootstrap()
        numbers[claim.id] = (
            f"measured {found.mean:+.2f} [{low:+.2f}, {high:+.2f}]; "
            f"resolvable {found.smallest:.2f} with 8 seeds"
        )
    assert claims.sentence(ledger, "X1") == (
        f"X1, ours beats base: holds; {numbers['X1']}; published +1.50; "
        "against the control: can't tell"
    )
    assert claims.sentence(ledger, "X3") == f"X3, base beats boxes: can't tell; {numbers['X3']}"
    assert claims.sentence(ledger, "X8") == (
        "X8, TEL beats base: not measured yet; against the control: not measured yet"
    )


# Many verdicts


def test_holm_by_hand():
    assert claims.holm([0.01, 0.04, np.nan, 0.03]).tolist() == pytest.approx(
        [0.03, 0.06, np.nan, 0.06], nan_ok=True
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_raw_and_bonferroni_and_keeps_the_order(p):
    adjusted, raw = claims.holm(p), np.array(p)
    assert (adjusted >= raw - 1e-12).all()
    assert (adjusted <= np.minimum(len(p) * raw, 1) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0).all()


def test_a_comparison_that_several_claims_share_counts_once():
    table = a_table(ours=32.2, base=32.0, boxes=31.9)
    one = claims.verdicts([GAIN, BOXES], table)
    printed = replace(GAIN.tests[0], published="[eigen-cluster-vis/3/3/AP]")
    twice = claims.verdicts([GAIN, BOXES, replace(GAIN, id="X7", tests=(printed,))], table)
    assert twice["p, Holm"].tolist()[:2] == one["p, Holm"].tolist()
    assert twice["p, Holm"].iloc[2] == one["p, Holm"].iloc[0]
    assert twice["first"].tolist() == [True, True, False]


def test_p_agrees_with_the_t_interval():
    """p below 5% where Student's 95% interval leaves 0 out."""
    for shift in (0.1, 0.18, 0.3):
        found = paired.Difference(tuple(NOISE + shift))
        result = claims.Result(GAIN.tests[0], found)
        assert (claims.joint_p([result]) < 0.05) == (abs(found.mean) > found.half)


def result(shift: float, direction="higher") -> claims.Result:
    test = replace(GAIN.tests[0], direction=direction)
    return claims.Result(test, paired.Difference(tuple(NOISE + shift)))


def test_one_of_several_must_stand_bonferroni_to_contradict():
    assert result(-0.18).verdict == "contradicted"
    assert claims.joint_verdict([result(-0.18)]) == "contradicted"
    assert claims.joint_verdict([result(-0.18), result(0)]) == "can't tell"
    assert claims.joint_verdict([result(-0.3), result(0)]) == "contradicted"


def test_p_of_several_is_that_of_the_weakest_in_the_claims_direction():
    two = [result(-0.3, "lower"), result(-0.1, "lower")]
    by_hand = [stats.ttest_1samp(NOISE + s, 0, alternative="less").pvalue for s in (-0.3, -0.1)]
    assert [each.p() for each in two] == pytest.approx(by_hand)
    assert claims.joint_p(two) == pytest.approx(2 * max(by_hand))
    assert claims.weakest(two) is two[1]
