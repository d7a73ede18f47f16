"""Verdicts on made-up claims, against rows whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evis.companion import claims, paired
from evis.companion.claims import Claim, Comparison, Finding, Side
from evis.companion.held_out import TEST, UNSEEN

NOISE = np.array([-0.3, 0.1, 0.25, -0.15, 0.05, 0.2, -0.05, -0.1])  # of 8 seeds


def a_table(seeds=8, **means: float):
    """`claims.Table` of AP: a mean a row, and one noise for all seeds but a little of their own.

    Only of the smallest size and the test videos.
    """
    lines = [
        {"row": row, "seed": seed, "first": seed, "AP": mean + 5 * NOISE[seed] + own[seed]}
        for n, (row, mean) in enumerate(means.items())
        for own in [0.4 * np.roll(NOISE, -3 * n)]
        for seed in range(seeds)
    ]
    rows = pd.DataFrame(lines, columns=["row", "seed", "first", "AP"])
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
    assert (line["low"], line["high"]) == found.interval and line["p"] == found.p() == 2 / 256
    assert line["resolvable"] == found.smallest


def test_a_share_of_a_row_is_what_the_other_is_held_against():
    table = a_table(ours=27.0, base=30.0)
    rows = table("small", TEST).pivot(index="seed", columns="row", values="AP")
    for share, verdict in ((0.8, "holds"), (1.0, "contradicted"), (0.95, "contradicted")):
        test = replace(GAIN.tests[0], share=share)
        found = claims.difference(test, table)
        assert found.values == pytest.approx(tuple(rows["ours"] - share * rows["base"]))
        line = claims.verdicts([replace(GAIN, tests=(test,))], table).iloc[0]
        assert line["verdict"] == verdict
        assert ("× base" in line["compared"]) == (share != 1)
    assert line["compared"].startswith("ours − 0.95 × base, AP")


def test_rows_that_are_lacking_make_no_verdict():
    ledger = claims.verdicts([GAIN, BOXES, JOINT], a_table(ours=34.0, boxes=30.0))
    assert set(ledger["verdict"]) == {"not measured yet"}
    assert ledger[["measured", "low", "high", "p", "p, Holm"]].isna().all(axis=None)


def test_few_units_tell_nothing_and_have_an_infinite_interval():
    few = a_table(seeds=paired.LEAST_SEEDS - 1, ours=34.0, base=32.0)
    (line,) = claims.verdicts([GAIN], few).to_dict("records")
    assert (line["verdict"], line["seeds"], line["p"]) == ("can't tell", 5, 2 / 32)
    assert (line["low"], line["high"]) == (-np.inf, np.inf)


def test_a_joint_claim_is_contradicted_by_one_sure_comparison():
    table = a_table(ours=34.0, base=32.0, longer=32.0, boxes=35.0)
    (line,) = claims.verdicts([JOINT], table, to_control).to_dict("records")
    assert line["verdict"] == "contradicted"
    assert line["measured"] == pytest.approx(-3.0, abs=0.1)  # the weakest is shown
    assert line["compared"].startswith("base − boxes") and "weakest of 2" in line["compared"]
    assert line["control"] == "contradicted" and np.isnan(line["against control"])  # has none


def test_a_contradicted_claim_shows_what_contradicts_it():
    """Not a comparison whose mean is farther on the wrong side, across 0."""
    wide = claims.Result(GAIN.tests[0], paired.Difference((-5.0, -5, -5, 2, 2, -1, -3, 4)))
    results = [result(-0.31), wide]
    assert [each.verdict for each in results] == ["contradicted", "can't tell"]
    assert wide.difference.mean < results[0].difference.mean
    assert claims.weakest(results) is claims.weakest(results[::-1]) is results[0]


def test_sizes_sets_and_metrics_are_kept_apart():
    means = {("small", TEST): 34.0, ("large", TEST): 40.0, ("small", UNSEEN): 20.0}

    def table(size, held_out):
        units = {"row": "ours", "seed": range(4), "first": range(4)}
        return pd.DataFrame(units | {"AP": means[size, held_out], "mIoU": 50.0})

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
        low, high = found.interval
        numbers[claim.id] = (
            f"measured {found.mean:+.2f} [{low:+.2f}, {high:+.2f}]; "
            f"resolvable {found.smallest:.2f} with 8 units"
        )
    assert claims.sentence(ledger, "X1") == (
        f"X1, ours beats base: holds; {numbers['X1']}; published +1.50; "
        "against the control: no effect of the published size"
    )
    assert claims.sentence(ledger, "X3") == f"X3, base beats boxes: can't tell; {numbers['X3']}"
    assert claims.sentence(ledger, "X8") == (
        "X8, TEL beats base: not measured yet; against the control: not measured yet"
    )


# The published size


def printed(claim: Claim, published: str) -> Claim:
    tests = tuple(replace(test, published=published) for test in claim.tests)
    return replace(claim, tests=tests)


def test_a_size_that_the_interval_excludes_is_not_there():
    table = a_table(ours=32.02, base=32.0, boxes=31.98, longer=32.0)
    small, large = printed(GAIN, "0.1"), printed(GAIN, "3.5")
    ledger = claims.verdicts([small, large, printed(JOINT, "3.5")], table, to_control)
    assert ledger["verdict"].tolist() == ["can't tell"] + 2 * ["no effect of the published size"]
    assert ledger["control"].tolist() == ["can't tell"] + 2 * ["no effect of the published size"]
    assert ledger["p of size"].tolist() == [18 / 256, 2 / 256, 2 / 256]
    assert (ledger["high"] < 3.5).all() and (ledger["low"] < 0).all()


def test_of_several_all_must_lack_the_published_size():
    def of(shift, size):
        return claims.Result(replace(GAIN.tests[0], published=size), result(shift).difference)

    absent, present, unprinted = of(0, "2.0"), of(0, "0.1"), result(0)
    holds = of(0.31, "2.0")  # and less than is printed
    assert [each.verdict for each in (absent, present, holds)] == [
        "no effect of the published size",
        "can't tell",
        "holds",
    ]
    assert claims.joint_verdict([absent, absent]) == "no effect of the published size"
    assert claims.joint_verdict([absent, holds]) == "no effect of the published size"
    assert claims.joint_verdict([absent, present]) == "can't tell"
    assert claims.joint_verdict([absent, unprinted]) == "can't tell"
    assert claims.joint_verdict([holds, holds]) == "holds"
    assert claims.joint_verdict([absent, of(-0.31, "2.0")]) == "contradicted"


# Pooled over sizes


def of_two_sizes(units_of_first: int = 1, **gains: tuple[float, ...]):
    """`claims.Table`: at each size, base is as the seed and ours is above it by these gains."""

    def table(size, held_out):
        seeds = range(len(gains[size]))
        base = [10.0 * (size == "large") + seed for seed in seeds]
        ours = [value + gain for value, gain in zip(base, gains[size], strict=True)]
        rows = {"row": ["base"] * len(base) + ["ours"] * len(ours), "seed": [*seeds, *seeds]}
        firsts = [seed // units_of_first for seed in rows["seed"]]
        return pd.DataFrame(rows | {"first": firsts, "AP": base + ours})

    return table


POOLED = replace(GAIN.tests[0], published="(0.8 + 1.5) / 2", pooled=("small", "large"))


def test_one_test_is_made_over_the_units_of_all_sizes():
    gains = {"small": (0.5, 0.7, 0.9), "large": (0.1, 0.2, 0.4, 0.3)}
    table = of_two_sizes(**gains)
    found = claims.difference(POOLED, table)
    assert found.values == pytest.approx(gains["small"] + gains["large"])
    (line,) = claims.verdicts([replace(GAIN, tests=(POOLED,))], table).to_dict("records")
    assert (line["seeds"], line["verdict"], line["p"]) == (7, "holds", 2 / 128)
    assert line["published"] == pytest.approx(1.15)
    assert line["compared"] == "ours − base, AP, toy-ytvis19, pooled over small, large"


def test_units_of_one_first_stage_are_one():
    """They share it, so they are not independent."""
    table = of_two_sizes(2, small=(0.5, 0.7, 0.9, 0.1), large=(0.1, 0.2, 0.4))
    assert claims.difference(POOLED, table).values == pytest.approx((0.6, 0.5, 0.15, 0.4))
    alone = claims.difference(replace(POOLED, pooled=()), table)
    assert alone.values == pytest.approx((0.6, 0.5))


def test_nine_units_of_three_first_stages_decide_nothing():
    table = of_two_sizes(3, small=tuple(np.linspace(0.5, 0.9, 9)), large=())
    (line,) = claims.verdicts([GAIN], table).to_dict("records")
    assert (line["seeds"], line["verdict"], line["p"]) == (3, "can't tell", 2 / 8)
    assert line["compared"].endswith("; 3 units decide nothing")


def test_of_two_sizes_the_one_of_fewer_first_stages_gives_the_units():
    """Whichever side it is on."""
    few, many = (of_two_sizes(n, small=(0.5, 0.7, 0.9, 0.1)) for n in (2, 1))
    larger, smaller = side("ours", size="large"), side("ours")
    for left, right in ((larger, smaller), (smaller, larger)):
        found = claims.difference(
            Comparison(left, right),
            lambda size, _: (few if size == "large" else many)("small", TEST),
        )
        assert found.seeds == 2


def test_a_pooled_claim_waits_for_all_sizes():
    table = of_two_sizes(small=(0.5,) * 9, large=())
    (line,) = claims.verdicts([replace(GAIN, tests=(POOLED,))], table).to_dict("records")
    assert (line["verdict"], line["seeds"]) == ("not measured yet", 0)


# Kinds of claims


def test_claims_on_guesses_have_no_verdict_though_rows_are_measured():
    guess = replace(GAIN, untestable="a guess", note="more")
    (line,) = claims.verdicts([guess], a_table(ours=34.0, base=32.0)).to_dict("records")
    assert (line["verdict"], line["note"]) == ("not testable here", "a guess; more")
    assert np.isnan([line["measured"], line["p"], line["p, Holm"]]).all()


def test_headline_claims_other_rows_and_computations_are_counted_apart():
    table = a_table(ours=34.0, base=32.0, boxes=32.0)
    computed = Claim("X5", "p", "s", check=lambda: Finding("holds", "a fact"))
    headline = replace(GAIN, headline=True)
    again = replace(headline, id="X7")  # compares the same rows
    untold = Claim("X6", "p", "s", untestable="no way")
    found = claims.counts(
        claims.verdicts([headline, again, GAIN, LOSS, BOXES, computed, untold], table)
    )
    assert found.columns.tolist() == ["headline", "other rows", "computed"]
    assert found.loc["holds"].tolist() == [1, 1, 1]
    assert found.loc["contradicted"].tolist() == found.loc["can't tell"].tolist() == [0, 1, 0]
    assert found.to_numpy().sum() == 5
    assert found.index.tolist() == list(claims.VERDICTS[:-1])


# Many verdicts


def test_a_comparison_that_several_claims_share_counts_once():
    table = a_table(ours=32.2, base=32.0, boxes=31.9)
    one = claims.verdicts([GAIN, BOXES], table)
    printed = replace(GAIN.tests[0], published="[eigen-cluster-vis/3/3/AP]")
    twice = claims.verdicts([GAIN, BOXES, replace(GAIN, id="X7", tests=(printed,))], table)
    assert twice["p, Holm"].tolist()[:2] == one["p, Holm"].tolist()
    assert twice["p, Holm"].iloc[2] == one["p, Holm"].iloc[0]
    assert twice["first"].tolist() == [True, True, False]


def test_holm_corrects_the_claims_of_a_kind_and_the_controls_alike():
    """Eight units, all above: p = 1/128 each, of two headline claims and of one that is not."""
    table = a_table(ours=34.0, base=32.0, longer=32.0, boxes=30.0)
    both = Claim("X9", "nowhere", "", (Comparison(side("ours"), side("boxes")),), headline=True)
    claimed = [replace(GAIN, headline=True), both, BOXES]
    ledger = claims.verdicts(claimed, table, to_control).set_index("id")
    assert (ledger["p"] == 2 / 256).all()
    assert ledger["p, Holm"].tolist() == [4 / 256, 4 / 256, 2 / 256]
    assert ledger["control p, Holm"].tolist() == pytest.approx(
        [2 / 256, np.nan, np.nan], nan_ok=True
    )
    assert [claims.stands(line) for line in ledger.to_dict("records")] == [True] * 3
    assert claims.stands(ledger.loc["X1"], control=True) is True
    assert claims.stands(ledger.loc["X9"], control=True) is None


def test_many_claims_of_few_units_can_not_stand():
    """Seven headline claims with p = 1/128: the least that eight units can have is not enough."""
    rows = {f"row {n}": 34.0 + n for n in range(7)}
    table = a_table(base=30.0, **rows)
    claimed = [
        Claim(row, "p", "s", (Comparison(side(row), side("base")),), headline=True) for row in rows
    ]
    ledger = claims.verdicts(claimed, table)
    assert set(ledger["verdict"]) == {"holds"} and (ledger["p, Holm"] == 14 / 256).all()
    assert [claims.stands(line) for line in ledger.to_dict("records")] == [False] * 7
    fewer = claims.verdicts(claimed[:6], table)
    assert [claims.stands(line) for line in fewer.to_dict("records")] == [True] * 6


def test_the_size_that_is_absent_must_stand_holm_too():
    table = a_table(ours=32.02, base=32.0, boxes=31.98)
    ledger = claims.verdicts([printed(GAIN, "3.5"), printed(BOXES, "3.5"), LOSS], table)
    assert ledger["p of size, Holm"].tolist() == pytest.approx(
        [4 / 256, 4 / 256, np.nan], nan_ok=True
    )
    found = [claims.stands(line) for line in ledger.to_dict("records")]
    assert found == [True, True, None]


def result(shift: float, direction="higher") -> claims.Result:
    test = replace(GAIN.tests[0], direction=direction)
    return claims.Result(test, paired.Difference(tuple(NOISE + shift)))


def test_one_of_several_must_stand_bonferroni_to_contradict():
    """p of eight units: 10/256 alone is enough, two of it are not."""
    assert result(-0.18).difference.p() == 10 / 256
    assert claims.joint_verdict([result(-0.18)]) == "contradicted"
    assert claims.joint_verdict([result(-0.18), result(0)]) == "can't tell"
    assert claims.joint_verdict([result(-0.31), result(0)]) == "contradicted"
    assert claims.joint_p([result(-0.31), result(0)]) == 4 / 256


def test_p_of_several_is_that_of_the_weakest_in_the_claims_direction():
    two = [result(-0.31, "lower"), result(-0.18, "lower")]
    assert [each.doubt for each in two] == [1 / 256, 5 / 256]
    assert claims.joint_p(two) == 10 / 256 and claims.joint_verdict(two) == "holds"
    assert claims.weakest(two) is two[1]
    against = [replace(each, test=GAIN.tests[0]) for each in two]
    assert [each.doubt for each in against] == [255 / 256, 251 / 256]


@pytest.mark.slow
@pytest.mark.parametrize("claimed", [1, 2, 5])
def test_a_joint_claim_is_decided_wrongly_at_most_once_in_twenty(claimed):
    draws = np.random.default_rng(claimed).normal(size=(500, claimed, 9))
    found = [
        claims.joint_verdict(
            [claims.Result(GAIN.tests[0], paired.Difference(tuple(v))) for v in each]
        )
        for each in draws
    ]
    assert np.mean([verdict != "can't tell" for verdict in found]) <= 0.06
