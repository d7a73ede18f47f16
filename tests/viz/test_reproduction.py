"""Tables and pictures of measured rows beside published ones."""

import numpy as np
import pandas as pd
import pytest

from evis.results import paired
from evis.viz import reproduction

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
    expected = paired.half_width([2, 0, 2, 0])
    assert found.loc["B", "± difference"] == pytest.approx(expected)
    assert found.loc["C", "seeds"] == 0 and np.isnan(found.loc["C", "measured"])
    assert np.isnan(found.loc["D", "published"]) and np.isnan(found.loc["D", "measured"])


def test_contrasts_leave_out_what_is_not_measured():
    found = reproduction.contrasts(TABLE, [("b", "a"), ("a", "c")])
    assert list(found.index) == ["b - a"]
    assert found.loc["b - a", "AP"] == 1.0 and found.loc["b - a", "seeds"] == 4


def test_table_one_has_every_published_row_and_says_what_is_not_measured():
    empty = pd.DataFrame(columns=["row", "seed", "AP"])
    own = pd.DataFrame([("masks", s, 40.0 + s) for s in range(3)], columns=["row", "seed", "AP"])
    found = reproduction.table_one({"R50": own, "R101": empty, "Swin-L": empty}, ["AP"])
    assert len(found) == 32
    cells = found["measured at toy scale", "AP"]
    assert cells["R50", "Mask2Former [9]"].startswith("41.0 ±")
    assert cells["R101", "Mask2Former [9]"] == "not measured"
    assert cells["R50", "PCAN [78]"] == "published only"


def test_panels_show_every_label_and_mark_absent_rows():
    figure = reproduction.panels(PUBLISHED, ROWS, TABLE, "A")
    left, middle, right = figure.axes
    assert sorted(t.get_text() for t in left.get_yticklabels()) == ["A", "B", "C", "D"]
    assert [t.get_text() for t in middle.texts] == ["not measured"]
    assert [t.get_text() for t in right.texts] == ["baseline"]


def test_seeds_in_words():
    assert reproduction.measured_seeds(TABLE, ["a", "b"]) == "4"
    assert reproduction.measured_seeds(TABLE, ["a", "c"]) == "0 to 4"
