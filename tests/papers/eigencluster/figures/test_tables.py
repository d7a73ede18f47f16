"""Pictures of the lead paper's tables show the tables' numbers, each on its own line."""

import numpy as np
import pandas as pd
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


def labels(ax) -> list[str]:
    return [tick.get_text() for tick in ax.get_yticklabels()]


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
