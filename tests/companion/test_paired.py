"""Paired differences by hand, intervals against theory, and how often a verdict is wrong."""

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

VALUES = st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=4, max_size=9)


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


def test_a_seed_without_a_number_is_left_out():
    table = TABLE.copy()
    table.loc[(table.row == "TK") & (table.seed == 1), "AP"] = np.nan
    assert sorted(paired.difference(table, "TEL", "TK").values) == [-0.5, 0.5]


def test_a_row_that_is_not_there_is_named():
    with pytest.raises(DataError, match="'nonesuch'"):
        paired.difference(TABLE, "TEL", "nonesuch")


def test_rows_without_a_common_seed_have_no_difference():
    found = paired.difference(a_table(a={0: 1.0}, b={1: 2.0}), "a", "b")
    assert found.seeds == 0 and np.isnan(found.mean) and np.isnan(found.half)
    assert paired.verdict(found) == "can't tell"


def test_one_seed_tells_nothing():
    found = Difference((3.0,))
    assert found.mean == 3.0
    assert np.isnan([found.half, found.smallest, *found.bootstrap()]).all()
    assert str(found) == "+3.00 (1 seeds, too few for an interval)"
    assert paired.verdict(found) == "can't tell"


@given(VALUES)
def test_half_is_students_interval(values):
    assume(np.ptp(values) > 0)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = Difference(tuple(values))
    assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))


def of_spread(spread: float, seeds: int) -> tuple[float, ...]:
    """Values with this standard deviation, and a mean of 0."""
    values = np.arange(seeds, dtype=float)
    return tuple(spread * (values - values.mean()) / values.std(ddof=1))


@pytest.mark.parametrize("seeds", [4, 5, 6, 8, 12, 16])
def test_the_smallest_resolvable_difference_is_found_four_times_in_five(seeds):
    """By the verdict itself, at spread 1; 300 trials know a share of 80% to 2.3%."""
    smallest = Difference(of_spread(1, seeds)).smallest
    normal = np.random.default_rng(seeds).normal
    verdicts = [paired.verdict(Difference(tuple(normal(smallest, 1, seeds)))) for _ in range(300)]
    assert np.mean([found == "holds" for found in verdicts]) == pytest.approx(0.8, abs=0.07)


def test_the_smallest_resolvable_difference_is_wider_than_the_interval_and_grows_with_spread():
    narrow, wide = Difference((1.0, 1.2, 0.9, 1.1)), Difference((1.0, 3.0, -1.0, 1.2))
    assert narrow.half < narrow.smallest < wide.smallest


def test_below_four_seeds_nothing_is_resolvable():
    assert np.isnan(Difference((1.0, 2.0, 1.5)).smallest)
    assert Difference((1.0, 2.0, 1.5, 1.2)).smallest > 0


@pytest.mark.parametrize("size", [0.3, -0.5, 1.0, 5.0])
def test_the_seeds_that_a_difference_takes_are_the_fewest_that_resolve_it(size):
    """At this spread, by samples of as many seeds as it says, and of one less."""
    found = Difference((0.1, 0.9, -0.4, 1.3, 0.6, 0.2, 0.8, 0.5))
    spread, seeds = np.std(found.values, ddof=1), found.seeds_for(size)

    def resolvable(n):
        return Difference(of_spread(spread, n)).smallest

    assert seeds >= 4 and resolvable(seeds) <= abs(size)
    assert seeds == 4 or resolvable(seeds - 1) > abs(size)


def test_more_seeds_resolve_smaller_differences():
    found = Difference((0.1, 0.9, -0.4, 1.3))
    assert np.diff([paired._resolvable(1.0, seeds) for seeds in range(4, 40)]).max() < 0
    assert found.seeds_for(0.2) > found.seeds_for(0.4) > found.seeds_for(3)


@pytest.mark.parametrize(("values", "size"), [((1.0,), 0.5), ((1.0, 2.0), 0.0)])
def test_how_many_seeds_it_takes_needs_a_spread_and_a_difference(values, size):
    with pytest.raises(DataError, match="how many"):
        Difference(values).seeds_for(size)


def test_a_difference_in_words_has_the_interval_that_its_outcome_goes_by():
    found = Difference((0.9, 1.1, 1.0, 1.2, 0.8))
    low, high = found.bootstrap()
    assert str(found) == f"+1.00 [{low:+.2f}, {high:+.2f}] (5 seeds)"


def test_shared_seeds_are_those_that_all_measured_rows_have():
    own = paired.shared(TABLE, ["TK", "TEL", "not measured"])
    assert set(own["row"]) == {"TK", "TEL"}
    assert set(own["seed"]) == {0, 1, 2} and len(own) == 6
    assert paired.shared(TABLE, ["nonesuch"]).empty


def falsely_decided(seeds: int, draw, trials: int = 300) -> float:
    """How often a difference that is truly 0 gets a verdict other than "can't tell"."""
    verdicts = [paired.verdict(Difference(tuple(draw(seeds)))) for _ in range(trials)]
    return float(np.mean([found != "can't tell" for found in verdicts]))


@pytest.mark.parametrize("seeds", [4, 8])
def test_at_most_one_verdict_in_twenty_is_wrong(seeds):
    """A 95% interval of few seeds; 300 trials know a share of 5% to 1.3%."""
    normal = np.random.default_rng(seeds).normal
    wrong = falsely_decided(seeds, lambda n: normal(size=n))
    assert wrong < 0.09
    assert seeds == 4 or wrong > 0.01  # nor is it shy


@settings(max_examples=40)
@given(VALUES, st.floats(0.1, 10), st.integers(0, 3))
def test_the_bootstrap_scales_with_the_values_and_depends_on_its_seed_alone(values, scale, seed):
    assume(np.ptp(values) > 0)
    found = Difference(tuple(values)).bootstrap(seed)
    assert found == Difference(tuple(values)).bootstrap(seed)
    scaled = Difference(tuple(scale * value for value in values)).bootstrap(seed)
    assert scaled == pytest.approx(tuple(scale * np.array(found)), rel=1e-6, abs=1e-9)
    assert found[0] <= np.mean(values) + 1e-9 and found[1] >= np.mean(values) - 1e-9


def test_the_bootstrap_does_not_depend_on_the_order_of_seeds_but_for_chance():
    values = (0.1, 0.9, -0.4, 1.3, 0.6, 0.2, 0.8, 0.5)
    bounds = [Difference(order).bootstrap() for order in (values, values[::-1])]
    assert bounds[0] == pytest.approx(bounds[1], abs=0.03)


@pytest.mark.parametrize(
    "values", [(0.0, 0.1, 0.2, 0.4, 0.9, 2.5), (-2.5, -0.9, -0.4, -0.2, -0.1, 0.0)]
)
def test_the_bootstrap_is_that_of_all_resamples_of_a_skewed_sample(values):
    """By brute force: 6 ** 6 resamples, each with its own mean and spread."""
    sample = np.array(values)
    resampled = sample[np.array(list(itertools.product(range(6), repeat=6)))]
    off, spread = resampled.mean(1) - sample.mean(), resampled.std(1, ddof=1)
    flat = spread < 1e-12
    errors = np.where(flat, 1, spread / 6**0.5)
    deviations = np.where(flat, np.copysign(np.inf, off), off / errors)
    low, high = np.quantile(deviations, [0.025, 0.975], method="nearest")
    error = sample.std(ddof=1) / 6**0.5
    by_hand = sample.mean() - high * error, sample.mean() - low * error
    assert Difference(values).bootstrap() == pytest.approx(by_hand, rel=0.05)


@pytest.mark.parametrize("values", [(0.5, 0.5), (0.5, 0.5, 0.5), (1.0, 1.1, 0.9)])
def test_fewer_than_four_seeds_decide_nothing(values):
    found = Difference(values)
    assert np.isnan(found.bootstrap()).all()
    assert paired.verdict(found) == paired.verdict(found, "lower") == "can't tell"


def test_four_seeds_that_agree_to_the_digit_decide():
    assert paired.verdict(Difference((0.5,) * 4)) == "holds"


CASES = {
    (0.9, 1.1, 1.0, 1.2, 0.8): "holds",
    (-0.9, -1.1, -1.0, -1.2, -0.8): "contradicted",
    (0.9, -1.1, 1.0, -1.2, 0.3): "can't tell",
}


@pytest.mark.parametrize(("values", "expected"), CASES.items())
def test_verdicts(values, expected):
    assert paired.verdict(Difference(values)) == expected


@settings(max_examples=40)
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
    more = a_table(a={s: 1.0 + s for s in range(5)}, b={s: 0.9 * s for s in range(5)})
    line = paired.differences(more, [("a", "b")]).iloc[0]
    single = paired.difference(more, "a", "b")
    assert (line["low"], line["high"]) == single.bootstrap()
    assert line["resolvable"] == single.smallest and line["outcome"] == "higher"
    assert paired.differences(more, []).empty


def test_a_rows_own_interval_is_students_from_four_seeds_on():
    low, high = paired.interval([1.0, 2.0, 3.0, 4.0])
    expected = stats.t.interval(0.95, 3, loc=2.5, scale=stats.sem([1.0, 2.0, 3.0, 4.0]))
    assert (low, high) == pytest.approx(expected)
    assert np.isnan(paired.interval([1.0, 2.0, 3.0])).all()
