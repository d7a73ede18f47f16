"""Measured rows beside printed ones: each number on its own line, gaps left as gaps."""

import numpy as np
import pandas as pd
import pytest

from evis.companion import beside, published
from evis.companion.beside import Table
from evis.data.errors import DataError

MEASURED = pd.DataFrame(
    [("a", seed, 30.0 + seed) for seed in range(6)]
    + [("b", seed, 31.0 + seed + (-1) ** seed) for seed in range(6)]
    + [("below", seed, 20.0 + seed) for seed in range(6)],
    columns=["row", "seed", "AP"],
)
NOTHING = MEASURED.iloc[:0]
PUBLISHED = {"A": 40.0, "B": 42.5, "C": 50.0}
ROWS = {"A": "a", "B": "b", "D": "not there"}
TABLE = Table(
    "uvis",
    4,
    {
        "C0": ("1", "a"),
        "C0, memory": ("1/AP (+Tracking Memory)", "b"),
        "C2": ("3", None),
        "ours": (None, "below"),
    },
    baseline="C0",
)


def test_values_are_the_printed_ones_without_references():
    own = "eigen-cluster-vis"
    assert list(published.values(own, 3).values()) == [42.5, 43.6, 44.0]
    table_two = published.values(own, 2, "AR10")
    assert list(table_two.values())[0] == 47.7 and len(table_two) == 8
    of_r50 = published.values(own, 1, backbone="R50")
    assert of_r50["Mask2Former + Eigen-Cluster VIS"] == 47.4


def test_two_rows_of_one_label_are_not_taken_for_one():
    with pytest.raises(ValueError, match=r"two rows are called 'MinVIS \| OVIS'"):
        published.values("uvis", 1)


def test_compare_pairs_by_seed_and_leaves_gaps_as_gaps():
    shown = beside.compare(PUBLISHED, ROWS, MEASURED, baseline="A")
    assert list(shown.index) == ["A", "B", "C", "D"]
    assert shown.loc["B", "measured difference"] == pytest.approx(1.0)
    assert shown.loc["B", "published difference"] == 2.5
    assert tuple(shown.loc["B", ["low", "high"]]) == (0, 2)
    assert shown.loc["A", "measured difference"] == shown.loc["A", "published difference"] == 0
    assert shown.loc["C", "seeds"] == 0 and np.isnan(shown.loc["C", "measured"])
    assert np.isnan(shown.loc["D", "published"]) and np.isnan(shown.loc["D", "measured"])


@pytest.mark.parametrize(("units", "shown"), [(2, False), (3, False), (4, True)])
def test_a_mean_of_few_units_has_no_interval_in_any_table(units, shown):
    few = MEASURED[MEASURED["seed"] < units]
    half = beside.compare(PUBLISHED, ROWS, few, baseline="A").loc["A", "±"]
    cell = beside.cells(few[few["row"] == "a"], ["AP"], beside.ABSENT)["AP, measured"]
    assert np.isfinite(half) == ("±" in cell) == shown


def test_a_table_has_its_lines_in_order_and_a_column_of_its_own_where_one_is_named():
    assert TABLE.printed() == {"C0": 20.7, "C0, memory": 21.4, "C2": 47.3}
    assert TABLE.rows == {"C0": "a", "C0, memory": "b", "ours": "below"}
    assert TABLE.printed_on == "YouTube-VIS 2019 val"
    shown = TABLE.beside(MEASURED)
    assert list(shown.index) == list(TABLE.lines)
    assert shown.loc["C0, memory", "published difference"] == pytest.approx(0.7)
    assert shown.loc["C0, memory", "measured difference"] == pytest.approx(1.0)
    assert pd.isna(shown.loc["C2", "row"]) and shown.loc["C2", "seeds"] == 0
    assert shown.loc["ours", "measured"] == 22.5 and np.isnan(shown.loc["ours", "published"])


def test_a_place_that_is_not_printed_is_named():
    wrong = Table("uvis", 4, {"C9": ("9", "a")}, baseline="C9")
    with pytest.raises(DataError, match="uvis/4/9/AP"):
        wrong.printed()


def test_a_line_that_covers_several_sets_is_read_in_the_columns_of_one():
    on = "OVIS val"
    table = Table("pm-vis", 10, {"from boxes": ("9", "a")}, "from boxes", dataset=on)
    assert table.printed("AR10") == {"from boxes": 36.0} and table.printed_on == on
    with pytest.raises(DataError, match="names 3 printed cells"):
        Table("pm-vis", 10, {"from boxes": ("9", "a")}, "from boxes").printed()


def test_a_listing_has_the_printed_digits_and_says_why_a_number_is_lacking():
    shown = TABLE.listing(MEASURED[MEASURED["row"] != "b"], ["AP"])
    assert shown["AP, published"].tolist() == ["20.7", "21.4 (+0.4)", "47.3", ""]
    assert shown["AP, measured"].tolist() == ["32.5 ± 2.0", "not measured", "published only"] + [
        "22.5 ± 2.0"
    ]
    assert shown["seeds"].tolist() == [6, "", "", 6]


def test_a_caption_counts_what_is_resolved_and_which_way():
    said = beside.caption(TABLE.beside(NOTHING), "C0")
    assert said.startswith("0 of 3 rows are measured; no printed difference")
    shown = TABLE.beside(MEASURED)
    said = beside.caption(shown, "C0")  # low is 0 to the digit: not resolved
    assert said == (
        "3 of 3 rows are measured. Of 1 printed differences to “C0”: 0 measured with the printed "
        "sign, 0 with the other, 1 not resolved."
    )
    assert "1 measured with the printed sign, 0 with" in beside.caption(
        shown.assign(low=0.5, high=2.0), "C0"
    )
    turned = shown.assign(**{"published difference": -shown["published difference"]})
    said = beside.caption(turned.assign(low=0.5, high=2.0), "C0")
    assert "0 measured with the printed sign, 1 with the other, 0 not resolved" in said


def test_too_few_units_resolve_nothing():
    said = beside.caption(TABLE.beside(MEASURED[MEASURED["seed"] < 5]), "C0")
    assert said.endswith("0 with the other, 1 not resolved.")
