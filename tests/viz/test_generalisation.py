"""Fig. 6's gains: which difference stands on which line, and what is printed beside it."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer

from evis.results import paired, published
from evis.viz import generalisation
from evis.viz.intervals import PUBLISHED

ATTRIBUTES = {"mbor": "occlusion", "instances": "objects", "keypoints": "keypoints"}
STANDS_FOR = {"YouTube-VIS 2021 new videos": "new", "OVIS": "crowded"}
PAIRS = [("ours", "TK"), ("ours", "control")]


def a_table(gain: float) -> pd.DataFrame:
    """ours - TK is about `gain` on the first side, twice that on the second, and so on; ours -
    control is twice ours - TK.
    """
    metrics = [f"mIoU, {half} {name}" for half in ("low", "high") for name in ATTRIBUTES]
    lines = []
    for row, level in (("ours", 0.0), ("TK", -gain), ("control", -2 * gain)):
        for seed in range(4):
            own = 60 + 0.1 * seed * (row == "ours")
            scores = {metric: own + level * n for n, metric in enumerate(metrics, 1)}
            lines.append({"row": row, "seed": seed, "mIoU": own + level} | scores)
    return pd.DataFrame(lines)


def bar_lengths(bar: ErrorbarContainer) -> np.ndarray:
    (lines,) = bar.lines[2]
    return np.array([high - low for (_, low), (_, high) in lines.get_segments()])


TABLES = {"new": a_table(1.0), "crowded": a_table(-3.0)}


def test_each_line_is_the_paired_difference_of_its_pair():
    figure = generalisation.side_gains(TABLES, STANDS_FOR, ATTRIBUTES, PAIRS)
    for axis, (name, table) in zip(figure.axes, TABLES.items(), strict=True):
        means = [bar.lines[0].get_xdata()[0] for bar in axis.containers]
        by_hand = [
            paired.difference(table, *pair, f"mIoU, high {attribute}").mean
            for attribute in ATTRIBUTES
            for pair in PAIRS
        ]
        assert len(set(by_hand)) == 6 and means == pytest.approx(by_hand), name


def test_table_five_has_each_pair_on_the_line_that_names_it():
    rows = {"TK (baseline)": "TK", "ours": "ours"}
    printed = {"new": 0.63, "crowded": 0.74}
    figure = generalisation.on_other_sets(TABLES, rows, PAIRS, printed)
    upper, lower = figure.axes[:2], figure.axes[2:]
    names = [label.get_text() for label in lower[0].get_yticklabels()]
    assert names == ["ours - control", "ours - TK"]
    for above, below, (name, table) in zip(upper, lower, TABLES.items(), strict=True):
        means = [bar.lines[0].get_xdata()[0] for bar in below.containers]
        by_hand = [paired.difference(table, *pair, "mIoU").mean for pair in reversed(PAIRS)]
        assert means == pytest.approx(by_hand) and len(set(means)) == 2
        (mark,) = [line for line in below.lines if line.get_color() == PUBLISHED]
        assert mark.get_xdata()[0] == printed[name]
        assert round(mark.get_ydata()[0]) == names.index("ours - TK")
        heights = [bar.lines[0].get_ydata()[0] for bar in above.containers]
        assert heights == pytest.approx(
            [table["mIoU"][table["row"] == row].mean() for row in rows.values()]
        )


def test_halves_show_the_means_of_their_side():
    figure = generalisation.splits(TABLES, {"ours": "ours", "TK": "TK"}, ATTRIBUTES)
    panels = iter(figure.axes)
    for table in TABLES.values():
        for attribute in ATTRIBUTES:
            for bar, row in zip(next(panels).containers, ("ours", "TK"), strict=True):
                own = table[table["row"] == row]
                sides = [own[f"mIoU, {half} {attribute}"].mean() for half in ("low", "high")]
                assert bar.lines[0].get_ydata().tolist() == pytest.approx(sides)
                width = 2 * paired.half_width(own[f"mIoU, low {attribute}"])
                assert bar_lengths(bar) == pytest.approx([width] * 2)


def test_halves_of_few_seeds_have_no_bar():
    few = {name: table[table["seed"] < 3] for name, table in TABLES.items()}
    figure = generalisation.splits(few, {"ours": "ours", "TK": "TK"}, ATTRIBUTES)
    for axis in figure.axes:
        assert [bar_lengths(bar).any() for bar in axis.containers] == [False, False]


def test_lines_are_named_by_side_and_pair():
    figure = generalisation.side_gains(TABLES, STANDS_FOR, ATTRIBUTES, PAIRS)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[:2] == ["high side, occlusion\nours - TK", "high side, occlusion\nours - control"]
    assert len(names) == 6


def test_diamonds_are_the_printed_gains():
    figure = generalisation.side_gains(TABLES, STANDS_FOR, ATTRIBUTES, PAIRS)
    said = published.figure_six()
    for axis, dataset in zip(figure.axes, STANDS_FOR, strict=True):
        marks = [line.get_xdata()[0] for line in axis.lines if line.get_color() == PUBLISHED]
        assert marks == list(said[said.dataset == dataset].gain)


def test_a_row_that_is_not_measured_is_shown_as_such():
    without = {name: table[table["row"] != "control"] for name, table in TABLES.items()}
    figure = generalisation.side_gains(without, STANDS_FOR, ATTRIBUTES, PAIRS)
    for axis in figure.axes:
        assert [text.get_text() for text in axis.texts] == ["not measured"] * 3
