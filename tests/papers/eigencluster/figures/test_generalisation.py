"""Table V and Fig. 6: which difference stands on which line, and what is printed beside it."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer

from evis.companion import paired, published
from evis.companion.plots.intervals import PUBLISHED
from evis.papers.eigencluster.figures import generalisation

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


ROWS = {"TK (baseline)": "TK", "ours": "ours", "longer (control)": "control"}
PRINTED = {"new": 0.63, "crowded": 0.74}


def without(*rows: str) -> dict[str, pd.DataFrame]:
    """`TABLES`, the first of them without these rows."""
    return TABLES | {"new": TABLES["new"][~TABLES["new"]["row"].isin(rows)]}


def test_table_five_says_at_the_place_of_an_absent_row_that_it_is_not_measured():
    figure = generalisation.on_other_sets(without("TK"), ROWS, PAIRS, PRINTED)
    upper, whole_upper, lower, whole_lower = figure.axes
    (row,), (pair,) = upper.texts, lower.texts
    assert row.get_text() == pair.get_text() == "not measured"
    assert row.xy == (list(ROWS).index("TK (baseline)"), 0.5)
    assert row.xycoords == ("data", "axes fraction")
    names = [label.get_text() for label in lower.get_yticklabels()]
    assert pair.xy == (0.5, names.index("ours - TK"))
    assert pair.xycoords == ("axes fraction", "data")
    assert len(upper.containers) == 2 and len(lower.containers) == 1
    assert not whole_upper.texts and not whole_lower.texts


def test_a_pair_without_a_shared_seed_is_not_measured():
    new = TABLES["new"]
    apart = {"new": new[(new["row"] == "ours") == (new["seed"] < 2)]}
    lower = generalisation.on_other_sets(apart, ROWS, PAIRS, PRINTED).axes[1]
    assert [text.get_text() for text in lower.texts] == ["not measured"] * 2


def test_halves_say_which_rows_are_not_measured():
    figure = generalisation.splits(without("TK", "control"), ROWS, ATTRIBUTES)
    said = [axis.get_xlabel().splitlines() for axis in figure.axes]
    absent = [f"{label}: not measured" for label in ("TK (baseline)", "longer (control)")]
    assert said == [absent] * 3 + [[]] * 3


@pytest.mark.parametrize("absent", [["TK"], ["TK", "ours", "control"]])
def test_the_legend_of_the_halves_names_the_rows_of_all_sets(absent):
    (legend,) = generalisation.splits(without(*absent), ROWS, ATTRIBUTES).legends
    assert [text.get_text() for text in legend.get_texts()] == list(ROWS)


def test_figures_of_nothing_say_so_everywhere():
    nothing = {name: table[:0] for name, table in TABLES.items()}
    figure = generalisation.on_other_sets(nothing, ROWS, PAIRS, PRINTED)
    assert [len(axis.texts) for axis in figure.axes] == [3, 3, 2, 2]
    figure = generalisation.splits(nothing, ROWS, ATTRIBUTES)
    assert all(axis.get_xlabel().count("not measured") == 3 for axis in figure.axes)


def test_gains_in_numbers_by_hand():
    by_seed = {
        "mbor": (1.0, 1.1, 1.2, 0.9),
        "instances": (-2.0, -2.2, -2.1, -1.9),
        "keypoints": (0.1, -0.1, 0.2, -0.2),
    }
    lines = []
    for seed in range(4):
        high = 60 + 0.1 * seed
        ours, theirs = {"row": "ours", "seed": seed}, {"row": "TK", "seed": seed}
        for name, gains in by_seed.items():
            ours |= {f"mIoU, low {name}": high + 3, f"mIoU, high {name}": high}
            theirs |= {f"mIoU, low {name}": 0.0, f"mIoU, high {name}": high - gains[seed]}
        lines += [ours, theirs]
    new = pd.DataFrame(lines)
    tables = {"new": new, "crowded": new.assign(row=new["row"].replace({"ours": "other"}))}
    found = generalisation.split_gains(tables, STANDS_FOR, "ours", "TK")
    said = [(name, f"high {each}") for each in ATTRIBUTES for name in ("new", "crowded")]
    assert found.index.tolist() == said
    assert found["published"].tolist() == [0.54, 0.85, 0.85, 0.51, 0.65, 0.82]
    assert found.loc["crowded"].drop(columns="published").isna().all(axis=None)
    whole = found.loc["new"]
    assert whole["measured"].tolist() == [1.05, -2.05, 0.0]
    assert whole["outcome"].tolist() == ["higher", "lower", "not resolved"]
    assert whole["low - high"].tolist() == [3.0] * 3
    intervals = [paired.Difference(by_seed[name]).range() for name in ATTRIBUTES]
    assert whole["95% interval"].tolist() == intervals
