"""Panels show a table's numbers, each on its own line, and say what is not measured."""

import numpy as np
import pandas as pd
import pytest

from evis.companion import beside
from evis.companion.beside import Table
from evis.companion.held_out import OF_SET
from evis.companion.plots import beside as views

SEEDS = pd.DataFrame(
    [("a", seed, 30.0 + seed) for seed in range(4)]
    + [("b", seed, 31.0 + seed + (-1) ** seed) for seed in range(4)],
    columns=["row", "seed", "AP"],
)
NOTHING = SEEDS.iloc[:0]


def means(ax) -> dict[float, float]:
    """Height -> the mean that is drawn there."""
    drawn = [bar.lines[0].get_xydata()[0] for bar in ax.containers]
    return {round(height): mean for mean, height in drawn}


def labels(ax) -> list[str]:
    return [tick.get_text() for tick in ax.get_yticklabels()]


def test_panels_show_each_number_on_its_own_line():
    shown = beside.compare({"A": 40.0, "B": 42.5}, {"A": "a", "B": "b", "C": "c"}, SEEDS, "A")
    printed, measured, gains = views.panels(shown, SEEDS).axes
    assert labels(printed) == ["A", "B", "C"]  # shared by all panels
    assert means(printed) == {0: 40.0, 1: 42.5}
    dots = np.concatenate([points.get_offsets() for points in measured.collections])
    assert {(x, y) for x, y in dots} == {
        *((30.0 + s, 0) for s in range(4)),
        *((31.0 + s + (-1) ** s, 1) for s in range(4)),
    }
    assert means(gains) == pytest.approx({0: 0.0, 1: 1.0})
    assert [text.get_text() for text in measured.texts] == ["n=4", "n=4", "not measured"]


def test_a_difference_of_one_seed_is_said_to_be_so():
    one = SEEDS[(SEEDS["row"] == "a") | (SEEDS["seed"] == 0)]
    shown = beside.compare({}, {"A": "a", "B": "b"}, one, "A")
    _, gains = views.panels(shown, one).axes  # nothing is printed
    assert means(gains) == {0: 0.0}
    assert [text.get_text() for text in gains.texts if text.get_text()] == ["one unit"]


def test_where_nothing_is_measured_panels_say_so():
    shown = beside.compare({}, {"A": "a", "B": "b"}, NOTHING, "A")
    for ax in views.panels(shown, NOTHING).axes:
        assert [text.get_text() for text in ax.texts] == ["not measured"] * 2


def test_tables_stand_below_one_another_on_their_own_sets_and_scales():
    lines = {"DeepSORT": ("8", "a"), "WISE": ("5", None), "UVIS": ("9", "b")}
    first = Table("uvis", 1, lines, "DeepSORT")
    lines = {"DeepSORT": ("20", "a"), "UVIS": ("21", "b")}
    second = Table("uvis", 1, lines, "DeepSORT", OF_SET["toy-ovis"])
    figure = views.stacked([first, second], [SEEDS, NOTHING])
    above, below = figure.axes[:3], figure.axes[3:]
    assert means(above[0]) == {0: 12.5, 1: 6.3, 2: 21.4} and means(below[0]) == {0: 1.6, 1: 3.5}
    assert labels(above[0]) == ["DeepSORT", "WISE", "UVIS"]
    assert [ax.get_xlabel() for ax in below[:2]] == ["AP, OVIS val", "AP, toy-ovis"]
    assert [text.get_text() for text in above[1].texts] == ["n=4", "published only", "n=4"]
    assert [text.get_text() for text in above[2].texts][1] == "published only"
    for ax in below[1:]:
        assert [text.get_text() for text in ax.texts] == ["not measured"] * 2
    assert len(figure.legends) == 1
