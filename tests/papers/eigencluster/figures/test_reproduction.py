"""Tables and pictures of measured rows beside published ones."""

import numpy as np
import pandas as pd
import pytest

from evis.companion import paired
from evis.companion.plots.intervals import PUBLISHED as PUBLISHED_COLOUR
from evis.papers.eigencluster.figures import reproduction

TABLE = pd.DataFrame(
    [("a", seed, 30.0 + seed) for seed in range(4)]
    + [("b", seed, 31.0 + seed + (-1) ** seed) for seed in range(4)],
    columns=["row", "seed", "AP"],
)
PUBLISHED = {"A": 40.0, "B": 42.5, "C": 50.0}
ROWS = {"A": "a", "B": "b", "D": "not there"}


def test_published_values_are_the_printed_ones_without_references():
    assert list(reproduction.published_values(3).values()) == [42.5, 43.6, 44.0]
    table_two = reproduction.published_values(2, "AR10")
    assert list(table_two.values())[0] == 47.7 and len(table_two) == 8
    of_r50 = reproduction.published_values(1, backbone="R50")
    assert of_r50["Mask2Former + Eigen-Cluster VIS"] == 47.4
    assert set(reproduction.METHODS) <= set(of_r50)


def test_beside_pairs_by_seed_and_leaves_gaps_as_gaps():
    found = reproduction.beside(PUBLISHED, ROWS, TABLE, baseline="A")
    assert list(found.index) == ["A", "B", "C", "D"]
    assert found.loc["B", "measured difference"] == pytest.approx(1.0)
    assert found.loc["B", "published difference"] == 2.5
    expected = paired.Difference((2, 0, 2, 0)).bootstrap()
    assert tuple(found.loc["B", ["low", "high"]]) == pytest.approx(expected)
    assert found.loc["C", "seeds"] == 0 and np.isnan(found.loc["C", "measured"])
    assert np.isnan(found.loc["D", "published"]) and np.isnan(found.loc["D", "measured"])


def test_contrasts_leave_out_what_is_not_measured():
    found = reproduction.contrasts(TABLE, [("b", "a"), ("a", "c")])
    assert list(found.index) == ["b - a"]
    assert found.loc["b - a", "AP"] == 1.0 and found.loc["b - a", "seeds"] == 4


def test_table_one_has_every_published_row_and_says_what_is_not_measured():
    empty = pd.DataFrame(columns=["row", "seed", "AP"])
    own = pd.DataFrame([("masks", s, 40.0 + s) for s in range(4)], columns=["row", "seed", "AP"])
    found = reproduction.table_one({"R50": own, "R101": empty, "Swin-L": empty}, ["AP"])
    assert len(found) == 32
    cells = found["AP, measured"]
    assert cells["R50", "Mask2Former [9]"].startswith("41.5 ±")
    few = reproduction.table_one({"R50": own[:3], "R101": empty, "Swin-L": empty}, ["AP"])
    assert few["AP, measured"]["R50", "Mask2Former [9]"] == "41.0"  # too few for an interval
    assert cells["R101", "Mask2Former [9]"] == "not measured"
    assert cells["R50", "PCAN [78]"] == "published only"
    seen = found["Mask ann."]["R50"]
    assert seen["Mask2Former [9]"] == "I+V" and seen["Mask2Former + BoxInst [24]"] == "-"
    assert seen["Mask2Former + Eigen-Cluster VIS"] == "I"


def test_panels_show_every_label_and_mark_absent_rows():
    figure = reproduction.panels(PUBLISHED, ROWS, TABLE, "A")
    left, middle, right = figure.axes
    assert sorted(t.get_text() for t in left.get_yticklabels()) == ["A", "B", "C", "D"]
    assert [t.get_text() for t in middle.texts] == ["n=4", "n=4", "not measured"]
    assert [t.get_text() for t in right.texts] == ["baseline"]


def test_panels_draw_each_number_on_its_own_line():
    left, middle, right = reproduction.panels(PUBLISHED, ROWS, TABLE, "A").axes
    heights = dict(zip(["A", "B", "C", "D"], (3, 2, 1, 0), strict=True))
    printed = {line.get_ydata()[0]: line.get_xdata()[0] for line in left.lines}
    assert printed == {heights[label]: value for label, value in PUBLISHED.items()}
    dots = {
        offsets[0, 1]: offsets[:, 0].tolist()
        for offsets in (np.asarray(each.get_offsets()) for each in middle.collections)
        if len(offsets) > 1
    }
    assert dots == {3: [30, 31, 32, 33], 2: [32, 31, 34, 33]}
    (bar,) = right.containers
    assert (bar.lines[0].get_xdata()[0], bar.lines[0].get_ydata()[0]) == pytest.approx((1.0, 1.9))
    gains = [line.get_xdata()[0] for line in right.lines if line.get_color() == PUBLISHED_COLOUR]
    assert gains == [2.5]  # C has none measured, and D none printed


METHODS = list(reproduction.METHODS.values())


def of_all_methods(seeds_of_masks: int) -> pd.DataFrame:
    """Each row half of the one before, and seed s one higher; the masks' row has fewer seeds."""
    lines = [
        (row, seed, (32.0 + seed) / 2**place)
        for place, row in enumerate(METHODS)
        for seed in range(seeds_of_masks if row == "masks" else 5)
    ]
    return pd.DataFrame(lines, columns=["row", "seed", "AP"])


def test_shares_are_taken_seed_by_seed_where_all_methods_have_one():
    shares = reproduction.share_kept(of_all_methods(4))
    assert [round(found.mean, 6) for found in shares.values()] == [50.0, 25.0, 12.5]
    assert {found.seeds for found in shares.values()} == {4}
    assert reproduction.share_kept(TABLE) == {}


def test_sizes_without_rows_keep_their_place_and_say_so():
    empty = pd.DataFrame(columns=["row", "seed", "AP"])
    published = pd.DataFrame(np.eye(2, 4), ["R50", "R101"], list(reproduction.METHODS))
    figure = reproduction.by_size(published, {"tiny_s": of_all_methods(4), "tiny": empty})
    labels = [tick.get_text() for tick in figure.axes[1].get_xticklabels()]
    assert labels == ["tiny_s\n4 seeds", "tiny\nnot measured"]
    low, high = figure.axes[1].get_xlim()
    assert low < 0 < 1 < high


def test_sizes_show_the_means_of_each_method():
    published = pd.DataFrame(np.eye(1, 4), ["R50"], list(reproduction.METHODS))
    right = reproduction.by_size(published, {"tiny_s": of_all_methods(4)}).axes[1]
    drawn = {bar.get_label(): bar.lines[0].get_ydata().tolist() for bar in right.containers}
    assert drawn == {row: [33.5 / 2**place] for place, row in enumerate(METHODS)}


def test_what_is_kept_is_written_inside_the_picture_however_long_the_bar():
    wide = paired.Difference((110.0, 90.0, 90.0, 90.0))
    assert wide.mean + wide.bar[1] > 118
    (axis,) = reproduction.kept({"tiny": {"Mask2Former + BoxInst": wide}}).axes
    (number,) = axis.texts
    assert number.get_text() == "95.0" and number.xy[1] < axis.get_ylim()[1]


def test_a_difference_of_few_seeds_has_no_bar():
    few = TABLE[TABLE["seed"] < 3]
    for table, bars in ((TABLE, True), (few, False)):
        axis = reproduction.panels({}, {"A": "a", "B": "b"}, table, "A").axes[-1]
        (line,) = axis.collections  # of the error bar
        vertices = line.get_paths()[0].vertices
        assert (np.ptp(vertices[:, 0]) > 0) == bars


def test_seeds_in_words():
    assert reproduction.measured_seeds(TABLE, ["a", "b"]) == "4"
    assert reproduction.measured_seeds(TABLE, ["a", "c"]) == "0 to 4"
