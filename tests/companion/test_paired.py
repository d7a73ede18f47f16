"""Paired differences by hand, the test against brute force, and how often a verdict is wrong."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from evis.companion import paired
from evis.companion.paired import Difference
from evis.data.errors import DataError

VALUES = st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=6, max_size=9)


def a_table(**rows: dict[int, float]) -> pd.DataFrame:
    lines = [
        {"row": row, "seed": seed, "AP": value, "mIoU": 100 - value}
        for row, values in rows.items()
        for seed, value in values.items()
    ]
    return pd.DataFrame(lines).sample(frac=1, random_state=0)  # the order of lines means nothing


TABLE = a_table(
    TK={0: 32.0, 1: 33.0, 2: 31.5, 5: 30.0},
    TEL={1: 34.0, 2: 31.0, 0: 32.5, 7: 99.0},
    alone={0: 40.0},
)


def test_a_difference_is_seed_by_seed_over_the_seeds_that_both_rows_have():
    found = paired.difference(TABLE, "TEL", "TK")
    assert sorted(found.values) == [-0.5, 0.5, 1.0]
    assert found.seeds == 3
    assert found.mean == pytest.approx(1 / 3)


def test_the_other_way_round_and_in_another_metric_signs_change():
    there, back = paired.difference(TABLE, "TEL", "TK"), paired.difference(TABLE, "TK", "TEL")
    other = paired.difference(TABLE, "TEL", "TK", "mIoU")
    assert sorted(back.values) == sorted(-value for value in there.values)
    assert sorted(other.values) == pytest.approx(sorted(back.values))


def test_seeds_of_one_first_stage_are_one_unit():
    table = a_table(mine={0: 3.0, 1: 5.0, 2: 9.0}, base={0: 2.0, 1: 2.0, 2: 8.0})
    found = paired.difference(table.assign(first=table["seed"] // 2), "mine", "base")
    assert found.values == (2.0, 1.0)
    # A row of one first stage a unit, beside one that shares them, and the other way round.
    shared = table["seed"] // (1 + (table["row"] == "base"))
    for row, baseline in (("mine", "base"), ("base", "mine")):
        assert paired.difference(table.assign(first=shared), row, baseline).seeds == 2


def test_a_seed_without_a_number_is_left_out():
    table = TABLE.copy()
    table.loc[(table.row == "TK") & (table.seed == 1), "AP"] = np.nan
    assert sorted(paired.difference(table, "TEL", "TK").values) == [-0.5, 0.5]


def test_a_row_that_is_not_there_is_named():
    with pytest.raises(DataError, match="'nonesuch'"):
        paired.difference(TABLE, "TEL", "nonesuch")


def test_rows_without_a_common_seed_have_no_difference():
    found = paired.difference(a_table(a={0: 1.0}, b={1: 2.0}), "a", "b")
    assert found.seeds == 0 and np.isnan([found.mean, found.p(), *found.interval]).all()
    assert paired.verdict(found) == "can't tell"


def test_one_seed_tells_nothing():
    found = Difference((3.0,))
    assert found.mean == 3.0 and found.p() == 1.0 and np.isnan(found.smallest)
    assert found.interval == (-np.inf, np.inf)
    assert str(found) == "+3.00 (1 units, too few for a finite interval)"
    assert paired.verdict(found) == "can't tell"


# The exact test


def by_brute_force(values) -> float:
    """In whole hundredths, so that no sum is rounded."""
    whole = [round(100 * value) for value in values]
    sums = [
        abs(sum(s * v for s, v in zip(signs, whole, strict=True)))
        for signs in all_signs(len(whole))
    ]
    return sum(other >= abs(sum(whole)) for other in sums) / len(sums)


def all_signs(count: int):
    return itertools.product((-1, 1), repeat=count)


@given(st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=1, max_size=9))
def test_p_counts_all_patterns_of_signs(values):
    """Ties included, which rounded sums would tell apart."""
    assert paired.sign_flip(values) == by_brute_force(values)


@pytest.mark.parametrize("count", [5, 8, 11])
def test_p_is_that_of_scipys_permutation_test(count):
    values = np.random.default_rng(count).normal(0.4, 1, count)
    mean = lambda sample, axis: np.mean(sample, axis=axis)  # noqa: E731
    how = {"permutation_type": "samples", "n_resamples": np.inf, "vectorized": True}
    assert paired.sign_flip(values) == stats.permutation_test((values,), mean, **how).pvalue


@pytest.mark.parametrize("count", [1, 2, 5, 6, 9, 16, 27])
def test_the_least_p_is_two_patterns_of_all(count):
    values = np.random.default_rng(count).uniform(0.1, 1, count)
    assert paired.sign_flip(values) == paired.sign_flip(-values) == 2 / 2**count


def test_small_cases_by_hand():
    assert paired.sign_flip([1, 2, 3, 4, 5, 6]) == 2 / 64
    assert paired.sign_flip([-1, 2, 3, 4, 5, 6]) == 4 / 64  # of 19 or more: 21 and 19
    assert paired.sign_flip([1, -1]) == paired.sign_flip([0.0, 0.0]) == 1.0
    assert paired.sign_flip([0.0, 1, 1, 1, 1, 1, 1]) == 4 / 128
    # Issue 14's trial of TK against boxes
    assert paired.sign_flip([-0.7, 2.1, 0.7, 1.4, 0.1, 0.5, 1.1, 1.6]) == 12 / 256


def test_halves_that_are_merged_count_like_all_patterns_at_once():
    values = np.random.default_rng(0).normal(0.3, 1, 16)
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums - value, sums + value))
    assert paired.sign_flip(values) == np.mean(np.abs(sums) >= abs(values.sum()) - 1e-9)


@pytest.mark.parametrize("count", [0, 41])
def test_units_that_cannot_be_tested_are_refused(count):
    with pytest.raises(ValueError, match=f"1 to 40 units, not {count}"):
        paired.sign_flip([1.0] * count)


def test_p_depends_neither_on_order_nor_on_unit():
    values = np.random.default_rng(3).normal(0.5, 1, 9)
    ps = {
        paired.sign_flip(scale * part)
        for scale in (1e-6, 1, 1e6)
        for part in (values, values[::-1])
    }
    assert len(ps) == 1


# The interval


def ends_by_hand(values) -> tuple[float, float]:
    """Hartigan's: a shift is rejected where too few means of parts of the sample reach it, so the
    ends are means of parts.
    """
    parts = [p for n in range(1, len(values) + 1) for p in itertools.combinations(values, n)]
    means = sorted(np.mean(part) for part in parts)
    number = int(0.05 * 2 ** (len(values) - 1))
    return means[number - 1], means[-number]


@settings(max_examples=30, deadline=None)
@given(VALUES)
def test_the_interval_ends_at_means_of_parts(values):
    assert Difference(tuple(values)).interval == pytest.approx(ends_by_hand(values), abs=1e-6)


def test_six_seeds_have_the_interval_from_least_to_greatest():
    found = Difference((0.9, 0.1, 0.4, 1.3, 0.6, 0.2))
    assert found.interval == pytest.approx((0.1, 1.3))
    assert str(found) == "+0.58 [+0.10, +1.30] (6 units)"


@settings(max_examples=30, deadline=None)
@given(VALUES, st.floats(0.1, 10))
def test_the_interval_holds_what_is_not_rejected(values, scale):
    assume(np.ptp(values) > 0.1)
    found = Difference(tuple(values))
    low, high = found.interval
    assert low - 1e-9 <= found.mean <= high + 1e-9
    off = 1e-3 * np.ptp(values)
    assert found.p(low + off) > 0.05 and found.p(high - off) > 0.05 or high - low < 2 * off
    assert max(found.p(low - off), found.p(high + off)) <= 0.05
    scaled = Difference(tuple(scale * value for value in values)).interval
    assert scaled == pytest.approx((scale * low, scale * high), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("values", [(0.5, 0.5), (0.5,) * 5, (1.0, 1.1, 0.9, 1.2, 1.0)])
def test_fewer_than_six_seeds_decide_nothing(values):
    found = Difference(values)
    assert found.interval == (-np.inf, np.inf) and found.smallest == np.inf
    assert paired.verdict(found) == paired.verdict(found, "lower") == "can't tell"
    assert paired.verdict(found, published=100.0) == "can't tell"


def test_six_seeds_that_agree_to_the_digit_decide():
    found = Difference((0.5,) * 6)
    assert found.interval == (0.5, 0.5) and paired.verdict(found) == "holds"
    nearly = Difference((0.5,) * 5 + (0.500001,))  # closer than floats are to each other
    assert nearly.interval == pytest.approx((0.5, 0.500001))


# What would be found


def of_spread(spread: float, seeds: int) -> tuple[float, ...]:
    """Values with this standard deviation, and a mean of 0."""
    values = np.arange(seeds, dtype=float)
    return tuple(spread * (values - values.mean()) / values.std(ddof=1))


@pytest.mark.parametrize("seeds", [6, 7, 9, 12])
def test_the_smallest_resolvable_difference_is_found_four_times_in_five(seeds):
    """By the verdict itself, at spread 1; 300 trials know a share of 80% to 2.3%."""
    smallest = Difference(of_spread(1, seeds)).smallest
    normal = np.random.default_rng(seeds).normal
    verdicts = [paired.verdict(Difference(tuple(normal(smallest, 1, seeds)))) for _ in range(300)]
    assert np.mean([found == "holds" for found in verdicts]) == pytest.approx(0.8, abs=0.07)


def test_the_smallest_of_six_seeds_is_where_all_are_above_0_four_times_in_five():
    every = stats.norm.ppf(0.8 ** (1 / 6))
    assert Difference(of_spread(2, 6)).smallest == pytest.approx(2 * every, rel=0.01)


@pytest.mark.parametrize("size", [0.3, -0.5, 0.7, 5.0])
def test_the_seeds_that_a_difference_takes_are_the_fewest_that_resolve_it(size):
    """At this spread, by samples of as many seeds as it says, and of one less."""
    found = Difference((0.1, 0.9, -0.4, 1.3, 0.6, 0.2, 0.8, 0.5))
    spread, seeds = np.std(found.values, ddof=1), found.seeds_for(size)

    def resolvable(n):
        return Difference(of_spread(spread, n)).smallest

    assert seeds >= 6 and resolvable(seeds) <= abs(size) < resolvable(seeds - 1)


def test_more_seeds_resolve_smaller_differences():
    found = Difference((0.1, 0.9, -0.4, 1.3))
    assert np.diff([paired._resolvable(1.0, seeds) for seeds in range(6, 40)]).max() < 0
    assert found.seeds_for(0.2) > found.seeds_for(0.4) > found.seeds_for(3)


@pytest.mark.parametrize(("values", "size"), [((1.0,), 0.5), ((1.0, 2.0), 0.0)])
def test_how_many_seeds_it_takes_needs_a_spread_and_a_difference(values, size):
    with pytest.raises(DataError, match="how many"):
        Difference(values).seeds_for(size)


def test_shared_seeds_are_those_that_all_rows_have():
    own = paired.shared(TABLE, ["TK", "TEL"])
    assert set(own["row"]) == {"TK", "TEL"}
    assert set(own["seed"]) == {0, 1, 2} and len(own) == 6
    assert paired.shared(TABLE, ["TK", "TEL", "not measured"]).empty
    assert paired.shared(TABLE, ["nonesuch"]).empty


def test_over_videos_both_units_and_videos_are_drawn():
    """Two-way: the spread of either alone widens the interval, and the mean is theirs."""
    random = np.random.default_rng(1)
    index = pd.MultiIndex.from_product((["TEL", "TK"], range(8)), names=["row", "seed"])

    def interval(of_unit, of_video):
        gain = 1 + of_unit * random.normal(size=(8, 1)) + of_video * random.normal(size=(1, 50))
        scores = 50 + np.concatenate((gain, np.zeros((8, 50))))
        mean, low, high = paired.over_videos(pd.DataFrame(scores, index), "TEL", "TK", 2000)
        assert mean == pytest.approx(gain.mean()) and low <= mean <= high
        return high - low

    assert interval(0, 0) == pytest.approx(0)
    assert interval(1, 0) == pytest.approx(2 * 1.96 / 8**0.5, rel=0.5)
    assert interval(0, 1) == pytest.approx(2 * 1.96 / 50**0.5, rel=0.3)
    assert interval(1, 1) > 2 * 1.96 / 8**0.5 / 2


def test_over_videos_takes_shared_units_and_videos_with_objects():
    index = [("TEL", 0), ("TEL", 1), ("TK", 1)]
    index = pd.MultiIndex.from_tuples(index, names=["row", "seed"])
    table = pd.DataFrame([[9.0, 9, 9], [3.0, np.nan, 5], [1.0, np.nan, 4]], index)
    mean, low, high = paired.over_videos(table, "TEL", "TK")
    assert (mean, low, high) == (1.5, 1, 2)
    assert np.isnan(paired.over_videos(table.iloc[[0, 2]], "TEL", "TK")).all(), "no unit has both"
    with pytest.raises(DataError, match="no measured row is called 'QCC'"):
        paired.over_videos(table, "QCC", "TK")


# Verdicts


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=9))
def test_of_all_signs_that_the_units_could_have_at_most_one_in_twenty_decides(sizes):
    """Whatever the sizes of the differences are, where each has either sign as often."""
    drawn = [Difference(tuple(np.multiply(signs, sizes))) for signs in all_signs(len(sizes))]
    assert np.mean([found.p() <= 0.05 for found in drawn]) <= 0.05


@pytest.mark.parametrize("seeds", [6, 9])
@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "laplace"])
def test_verdicts_are_wrong_as_often_as_the_patterns_allow_which_is_at_most_one_in_twenty(
    seeds, draw
):
    """1,000 trials know a share of 5% to 0.7%."""
    allowed = 2 * int(0.05 * 2 ** (seeds - 1)) / 2**seeds
    draws = getattr(np.random.default_rng(seeds), draw)(size=(1000, seeds))
    wrong = [paired.verdict(Difference(tuple(values))) != "can't tell" for values in draws]
    assert allowed <= 0.05 and np.mean(wrong) == pytest.approx(allowed, abs=0.02)


def test_at_most_one_true_size_in_twenty_is_said_to_be_absent():
    """The true difference is the published one, and too small to be found."""
    draws = np.random.default_rng(0).normal(0.2, 1, size=(1000, 9))
    found = [paired.verdict(Difference(tuple(values)), published=0.2) for values in draws]
    assert np.mean([each == "no effect of the published size" for each in found]) < 0.05
    larger = [paired.verdict(Difference(tuple(values)), published=3.0) for values in draws]
    assert np.mean([each == "no effect of the published size" for each in larger]) > 0.7


NULL = (0.3, -0.2, 0.1, -0.4, 0.2, 0.0, -0.1, 0.15)


@pytest.mark.parametrize(
    ("direction", "published", "expected"),
    [
        ("higher", np.nan, "can't tell"),
        ("higher", 0.1, "can't tell"),
        ("higher", 1.5, "no effect of the published size"),
        ("lower", -1.5, "no effect of the published size"),
        ("lower", -0.1, "can't tell"),
    ],
)
def test_no_effect_of_the_published_size_is_where_the_interval_excludes_it(
    direction, published, expected
):
    low, high = Difference(NULL).interval
    assert low < 0 < high and (low < published < high) == (abs(published) == 0.1)
    assert paired.verdict(Difference(NULL), direction, published) == expected


def test_what_is_decided_is_said_first():
    above = tuple(value + 1 for value in NULL)
    assert paired.verdict(Difference(above), published=5.0) == "holds"  # though by less
    assert paired.verdict(Difference(above), "lower", published=-5.0) == "contradicted"


def test_p_of_a_published_size_is_1_where_as_much_is_measured():
    found = Difference((1.0, 1.1, 0.9, 1.2, 0.8, 1.0))
    assert (
        paired.p_of_size(found, "higher", 0.1) == 1.0 == paired.p_of_size(found, "higher", np.nan)
    )
    assert paired.p_of_size(found, "higher", 3.0) == found.p(3.0) == 2 / 64
    assert paired.p_of_size(found, "lower", -3.0) == 2 / 64


CASES = {
    (0.9, 1.1, 1.0, 1.2, 0.8, 0.1): "holds",
    (-0.9, -1.1, -1.0, -1.2, -0.8, -0.1): "contradicted",
    (0.9, 1.1, 1.0, 1.2, 0.8, -0.1): "can't tell",
}


@pytest.mark.parametrize(("values", "expected"), CASES.items())
def test_verdicts(values, expected):
    assert paired.verdict(Difference(values)) == expected


@given(VALUES)
def test_lower_is_higher_seen_in_a_mirror(values):
    assume(np.ptp(values) > 0)
    mirrored = paired.verdict(Difference(tuple(-value for value in values)), "lower")
    assert mirrored == paired.verdict(Difference(tuple(values)))


def test_differences_of_pairs_are_a_line_each():
    found = paired.differences(TABLE, [("TEL", "TK"), ("TEL", "nonesuch"), ("TK", "alone")], "AP")
    assert found["label"].tolist() == ["TEL - TK", "TEL - nonesuch", "TK - alone"]
    assert found["seeds"].tolist() == [3, 0, 1]
    assert found["mean"].tolist() == pytest.approx([1 / 3, np.nan, -8.0], nan_ok=True)
    assert found["outcome"].tolist() == ["not resolved", "not measured", "not resolved"]
    more = a_table(a={s: 1.0 + s for s in range(6)}, b={s: 0.9 * s for s in range(6)})
    line = paired.differences(more, [("a", "b")]).iloc[0]
    single = paired.difference(more, "a", "b")
    assert (line["low"], line["high"]) == single.interval and line["p"] == 2 / 64
    assert line["resolvable"] == single.smallest and line["outcome"] == "higher"
    assert paired.differences(more, []).empty


def test_a_rows_own_interval_is_students_from_four_seeds_on():
    low, high = paired.interval([1.0, 2.0, 3.0, 4.0])
    expected = stats.t.interval(0.95, 3, loc=2.5, scale=stats.sem([1.0, 2.0, 3.0, 4.0]))
    assert (low, high) == pytest.approx(expected)
    assert high - low == pytest.approx(2 * paired.half_width([1.0, 2.0, 3.0, 4.0]))
    for few in ([], [1.0], [1.0, 2.0], [1.0, 2.0, 3.0]):
        assert np.isnan(paired.interval(few)).all() and np.isnan(paired.half_width(few))


# Many verdicts


def test_holm_by_hand():
    assert paired.holm([0.01, 0.04, np.nan, 0.03]).tolist() == pytest.approx(
        [0.03, 0.06, np.nan, 0.06], nan_ok=True
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_raw_and_bonferroni_and_keeps_the_order(p):
    adjusted, raw = paired.holm(p), np.array(p)
    assert (adjusted >= raw - 1e-12).all()
    assert (adjusted <= np.minimum(len(p) * raw, 1) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0).all()
