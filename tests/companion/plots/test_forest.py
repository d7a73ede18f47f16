"""Forest plots: every number stands on its own line, and what is not measured is said to be so."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from evis.companion import paired
from evis.companion.plots import forest

ROWS = pd.DataFrame(
    {
        "label": ["first", "second", "third"],
        "mean": [1.0, -2.0, np.nan],
        "low": [0.5, np.nan, np.nan],
        "high": [2.0, np.nan, np.nan],
        "published": [np.nan, 0.7, 0.9],
    }
)
SEEDS = pd.DataFrame(
    [("a", seed, 30.0 + seed) for seed in range(4)] + [("b", seed, 20.0) for seed in range(3)],
    columns=["row", "seed", "AP"],
)


def bars(ax: Axes) -> list[tuple[float, float, float, float]]:
    """Mean, height, low and high of every mean that is drawn."""
    found = []
    for bar in ax.containers:
        (mean,), (height,) = bar.lines[0].get_data()
        ends = bar.lines[2][0].get_paths()[0].vertices[:, 0] if has_bar(bar) else (np.nan, np.nan)
        found.append((mean, height, *ends))
    return found


def has_bar(bar: ErrorbarContainer) -> bool:
    return any(len(path.vertices) for path in bar.lines[2][0].get_paths())


def diamonds(ax: Axes) -> list[tuple[float, float]]:
    marks = [line for line in ax.lines if line.get_marker() == "D"]
    return [tuple(mark.get_xydata()[0]) for mark in marks if np.isfinite(mark.get_xydata()).all()]


def words(ax: Axes) -> dict[float, str]:
    """Height -> what is written there."""
    return {text.xy[1]: text.get_text() for text in ax.texts if text.get_text()}


def test_each_mean_and_interval_is_on_the_line_of_its_label():
    ax = forest.forest(ROWS)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["first", "second", "third"]
    first, second = bars(ax)
    assert first == (1.0, 0.0, 0.5, 2.0)
    assert second[:2] == (-2.0, 1.0) and np.isnan(second[2:]).all()  # no bar
    assert [(x, round(y)) for x, y in diamonds(ax)] == [(0.7, 1), (0.9, 2)]
    assert words(ax) == {2.0: "not measured"}


def test_an_infinite_interval_is_a_dotted_line_across():
    ax = forest.forest(ROWS.iloc[:1].assign(low=-np.inf, high=np.inf))
    ((mean, height, *ends),) = bars(ax)
    assert (mean, height) == (1.0, 0.0) and np.isnan(ends).all()
    (across,) = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert across.get_xydata().tolist() == [[0, 0], [1, 0]]  # of the axes' width
    assert np.isfinite(ax.get_xlim()).all()
    assert not [line for line in forest.forest(ROWS).lines if line.get_linestyle() == ":"]


def test_rows_of_one_label_share_its_line_and_keep_their_words():
    both = pd.concat([ROWS.iloc[:1], ROWS.iloc[:1].assign(mean=1.5)]).assign(text=["8", "4"])
    ax = forest.forest(both)
    (_, above, *_), (_, below, *_) = bars(ax)
    assert above < 0 < below and list(words(ax).values()) == ["8", "4"]
    assert len(ax.get_yticks()) == 1


def test_a_colour_and_a_marker_may_be_given_for_some_rows():
    ax = forest.forest(ROWS.assign(colour=["red", None, None], marker=[None, "s", None]))
    lines = [bar.lines[0] for bar in ax.containers]
    assert [line.get_color() for line in lines] == ["red", forest.DIFFERENCE]
    assert [line.get_marker() for line in lines] == ["o", "s"]


@pytest.mark.parametrize("side_by_side", [True, False])
def test_facets_have_a_panel_a_value_in_order(side_by_side):
    data = pd.concat([ROWS.assign(kind="z"), ROWS.iloc[:1].assign(kind="a")])
    figure = forest.facets(data, "kind", side_by_side)
    assert [ax.get_title() for ax in figure.axes] == ["z", "a"]
    assert [len(bars(ax)) for ax in figure.axes] == [2, 1]


def test_every_seed_is_a_dot_and_few_have_no_interval():
    ax = forest.seeds(SEEDS, {"A": "a", "B": "b", "C": "not there"})
    dots = [points.get_offsets() for points in ax.collections]
    assert {(x, y) for of in dots for x, y in of} == {(30.0 + s, 0) for s in range(4)} | {(20.0, 1)}
    assert words(ax) == {0: "n=4", 1: "n=3", 2: "not measured"}
    drawn = np.concatenate([line.get_xydata() for line in ax.lines if len(line.get_xydata())])
    low, high = paired.interval(SEEDS["AP"][SEEDS["row"] == "a"])
    for x in (low, 31.5, high):
        assert np.isclose(drawn, (x, 0)).all(1).any()
    of_few = drawn[np.round(drawn[:, 1]) == 1, 0]
    assert set(of_few[np.isfinite(of_few)]) == {20.0}


def test_nothing_measured_can_be_drawn():
    nothing = SEEDS.iloc[:0]
    assert words(forest.seeds(nothing, {"A": "a"})) == {0: "not measured"}
    assert words(forest.forest(paired.differences(nothing, [("a", "b")]))) == {0: "not measured"}


def test_the_legend_can_be_of_some_marks_alone():
    assert [mark.get_label() for mark in forest.legend("published")] == ["published"]
    assert len(forest.legend()) == 4
