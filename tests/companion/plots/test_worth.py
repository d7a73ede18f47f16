"""Accuracy against seconds: a mark a measured level where it belongs, and names that are apart."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from evis.companion import published
from evis.companion.plots import ledger, style, worth

LEVELS = pd.DataFrame(
    {
        "label": ["masks: A", "boxes: B", "boxes: C", "P5: D", "names: E"],
        "labels": ["masks", "boxes", "boxes", "points", "none"],
        "masks of stills": [True, True, True, True, False],
        "seconds": [1000.0, 100.0, 100.0, 10.0, 0.0],
        "units": [6, 6, 1, 0, 2],
        "AP": [55.0, 50.0, 49.9, np.nan, 20.0],
        "low": [54.0, 49.0, np.nan, np.nan, np.nan],
        "high": [56.0, 51.0, np.nan, np.nan, np.nan],
    }
)
PRINTED = pd.DataFrame(
    {
        "label": ["masks: A", "boxes: B", "names: E", "masks: A"],
        "labels": ["masks", "boxes", "none", "masks"],
        "seconds": [1000.0, 100.0, 0.0, 1000.0],
        "network": ["one, R50", "one, R50", "two, R50", "two, R50"],
        "AP": [48.0, 47.0, 21.0, 30.0],
    }
)


def marks(axes):
    """(x, y, colour, whether hollow) of every level."""
    lines = [bars.lines[0] for bars in axes.containers]
    return [
        (*line.get_xydata()[0], line.get_color(), line.get_markerfacecolor() == "white")
        for line in lines
    ]


def test_every_measured_level_has_a_mark_and_a_number_and_all_stand_in_the_key():
    axes, key, *_ = worth.against_seconds(LEVELS, PRINTED).axes
    found = marks(axes)  # cheapest first
    assert [y for _, y, _, _ in found] == [20.0, 50.0, 49.9, 55.0]
    assert [round(x, 3) for x, *_ in found[1:]] == [2, 2, 3]
    assert axes.get_xlim()[0] < found[0][0] < 1  # 0 has a place of its own, left of all others
    assert [hollow for *_, hollow in found] == [False, True, True, True]
    colours = [style.SUPERVISION_COLOURS[kind] for kind in ("none", "boxes", "boxes", "masks")]
    assert all(same_color(mark[2], colour) for mark, colour in zip(found, colours, strict=True))
    heights = {text.get_text(): text.xy[1] for text in axes.texts}
    assert set(heights) == {"1", "3", "4", "5"}  # 2, of 10 seconds, isn't measured
    assert heights["3"] - heights["4"] >= 0.999 * worth._GAP * np.ptp(axes.get_ylim())
    told = {text.get_text(): text.get_color() for text in key.texts}
    words = ["names: E (2)", "P5: D", "boxes: B (6)", "boxes: C (1)", "masks: A (6)"]
    assert [word for word in told if ":" in word] == words
    assert told["P5: D"] == told["2"] != told["boxes: B (6)"]


def test_without_a_measured_row_the_key_still_says_what_is_annotated():
    bare = LEVELS.assign(units=0, AP=np.nan, low=np.nan, high=np.nan)
    axes, key, *_ = worth.against_seconds(bare, PRINTED).axes
    assert not axes.containers and not axes.texts
    assert sum(":" in text.get_text() for text in key.texts) == len(LEVELS)


def test_what_is_printed_stands_below_in_grey_at_the_same_seconds_and_a_line_joins_a_network():
    measured, _, below, names = worth.against_seconds(LEVELS, PRINTED).axes
    assert below.get_xlim() == measured.get_xlim() and "printed" in below.get_title()
    drawn = [line for line in below.lines if line.get_marker() not in ("None", None, "")]
    at = sorted(tuple(line.get_xydata()[0]) for line in drawn)
    assert [(round(x, 3), y) for x, y in at[1:]] == [(2, 47), (3, 30), (3, 48)]
    assert at[0] == (marks(measured)[0][0], 21)  # 0 seconds are where they are above
    assert all(same_color(line.get_color(), "#666666") for line in drawn)
    joined = [list(line.get_ydata()) for line in below.lines if len(line.get_xdata()) > 1]
    assert [47, 48] in joined and [21, 30] in joined
    told = {text.get_text(): text.xy[1] for text in names.texts}
    assert told.keys() == {"one, R50", "two, R50"} and told["one, R50"] > told["two, R50"]


@pytest.mark.parametrize("heights", [[1.0], [1.0, 1.1, 1.2], [0.0, 5.0, 5.1, 9.0]])
def test_names_are_spread_to_the_gap_around_their_mean_in_order(heights):
    heights = np.array(heights)
    moved = worth.spread(heights, 1.0)
    assert (np.diff(moved) >= 1 - 1e-9).all()
    assert moved.mean() == pytest.approx(heights.mean())
    far = np.array([0.0, 3.0, 9.0])
    assert worth.spread(far, 1.0).tolist() == far.tolist()


def test_costs_have_a_dot_a_source_and_a_ring_a_kind():
    timed = published.label_costs()
    (axes,) = worth.costs(timed).axes
    at = [tuple(line.get_xydata()[0]) for line in axes.lines]
    assert len(at) == len(timed) + timed["label"].nunique()
    assert {x for x, _ in at} == set(timed["seconds"])


def test_a_bar_a_paper_is_as_long_as_its_claims_are_many():
    counts = pd.DataFrame(0, index=["one", "two"], columns=list(ledger.COLOURS))
    counts.loc["one"] = [1, 2, 0, 4, 5, 6]
    counts.loc["two", "holds"] = 3
    (axes,) = ledger.papers(counts).axes
    for place, name in enumerate(counts.index):
        own = [bars[place] for bars in axes.containers]
        assert [bar.get_width() for bar in own] == counts.loc[name].tolist()
        assert own[-1].get_x() + own[-1].get_width() == counts.loc[name].sum()
    assert [text.get_text() for text in axes.texts] == ["1", "3", "2", "4", "5", "6"]
