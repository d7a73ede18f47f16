"""Pictures of the lead paper's tables show the tables' numbers, each on its own line."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from evis.papers.eigencluster import tables
from evis.papers.eigencluster.figures import tables as figures
from evis.papers.eigencluster.figures.colours import ROW_COLOURS, ROW_NAMES

METHODS = list(tables.METHODS.values())
SEEDS = pd.DataFrame(
    [("a", seed, 30.0 + seed) for seed in range(4)]
    + [("b", seed, 31.0 + seed + (-1) ** seed) for seed in range(4)],
    columns=["row", "seed", "AP"],
)


def means(ax) -> dict[float, float]:
    """Height -> the mean that is drawn there."""
    drawn = [bar.lines[0].get_xydata()[0] for bar in ax.containers]
    return {round(height): mean for mean, height in drawn}


def labels(ax) -> list[str]:
    return [tick.get_text() for tick in ax.get_yticklabels()]


def test_panels_show_each_number_on_its_own_line():
    shown = tables.beside({"A": 40.0, "B": 42.5}, {"A": "a", "B": "b", "C": "c"}, SEEDS, "A")
    printed, measured, gains = figures.panels(shown, SEEDS).axes
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
    shown = tables.beside({}, {"A": "a", "B": "b"}, one, "A")
    _, gains = figures.panels(shown, one).axes  # nothing is printed
    assert means(gains) == {0: 0.0}
    assert [text.get_text() for text in gains.texts if text.get_text()] == ["one seed"]


def test_sizes_show_the_means_of_each_method_in_its_colour():
    published = pd.DataFrame({"row": METHODS, "size": "R50", "AP": [4.0, 1.0, 2.0, 3.0]})
    measured = pd.DataFrame(
        [(row, seed, 10.0 * n + seed) for n, row in enumerate(METHODS) for seed in range(5)],
        columns=["row", "seed", "AP"],
    ).assign(size="small")
    sizes = pd.CategoricalDtype(["small", "large"])  # the latter is not measured
    figure = figures.by_size(published, measured.astype({"size": sizes}))
    left, right = figure.axes
    drawn = {}
    for line in right.lines:
        value = line.get_ydata()[0] if len(line.get_ydata()) else np.nan
        drawn.setdefault(to_hex(line.get_color()), []).append(value)
    for n, row in enumerate(METHODS):
        assert 10.0 * n + 2 in drawn[ROW_COLOURS[row].lower()]
    assert [tick.get_text() for tick in right.get_xticklabels()] == ["small", "large"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [ROW_NAMES[row] for row in METHODS]


def test_figures_of_nothing_measured_say_so():
    nothing = SEEDS.iloc[:0]
    published = pd.DataFrame({"row": METHODS, "size": "R50", "AP": 1.0})
    sizes = pd.CategoricalDtype(["small"])
    _, right = figures.by_size(published, nothing.assign(size="").astype({"size": sizes})).axes
    assert not any(len(line.get_ydata()) for line in right.lines)
    shown = tables.beside({}, {"A": "a", "B": "b"}, nothing, "A")
    for ax in figures.panels(shown, nothing).axes:
        assert [text.get_text() for text in ax.texts] == ["not measured"] * 2


def test_figure_six_has_a_panel_a_set_and_attribute_with_the_means_of_its_sides():
    lines = [
        (name, attribute, side, row, seed, level + place + 10 * (side == "high"))
        for level, name in ((0, "new"), (40, "crowded"))
        for attribute in ("occlusion", "objects")
        for side in ("low", "high")
        for place, row in enumerate(("TK", "TEL + QCC"))
        for seed in range(4)
    ]
    columns = ["set", "attribute", "side", "row", "seed", "mIoU"]
    figure = figures.figure_six(pd.DataFrame(lines, columns=columns))
    assert [ax.get_title() for ax in figure.axes] == ["occlusion", "objects"] * 2
    assert [ax.get_ylabel() for ax in figure.axes] == ["new", "", "crowded", ""]
    for ax, level in zip(figure.axes, (0, 0, 40, 40), strict=True):
        joined = [line.get_xydata().tolist() for line in ax.lines if len(line.get_xydata()) == 2]
        for place in (0, 1):
            assert [[level + place, place], [level + place + 10, place]] in joined
        sides = {
            bar.lines[0].get_xdata()[0]: bar.lines[0].get_markerfacecolor() for bar in ax.containers
        }
        assert sides[level] == sides[level + 1] == "white" != sides[level + 10]
    assert labels(figure.axes[0]) == [ROW_NAMES["TK"], ROW_NAMES["TEL + QCC"]]
