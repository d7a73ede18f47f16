"""PointVIS's tables as data: every line is the printed one that its label says, and has its row."""

import numpy as np
import pandas as pd
import pytest

from evis.companion import formulas, published
from evis.companion.held_out import TEST
from evis.papers.pointvis import tables
from evis.papers.pointvis.experiments import GROUPS, SIZES, TESTS

TABLES = [
    *tables.TABLE_ONE.values(),
    tables.TABLE_TWO,
    tables.TABLE_THREE,
    tables.TABLE_FOUR,
    *tables.TABLE_FIVE.values(),
    tables.TABLE_SIX,
]


def rows_of(held_out):
    groups = [group for name, group in GROUPS.items() if TESTS.get(name, TEST) == held_out]
    return {name for group in groups for name in group}


@pytest.mark.parametrize("table", TABLES, ids=lambda t: f"{t.number}, {t.held_out}")
def test_rows_are_rows_of_the_tables_videos(table):
    assert {row.removesuffix(tables.LARGE) for row in table.rows.values()} <= rows_of(
        table.held_out
    )
    assert table.baseline in table.rows


@pytest.mark.parametrize("on", tables.TABLE_ONE)
def test_table_one_has_every_printed_line_of_its_set_under_its_own_name(on):
    table = tables.TABLE_ONE[on]
    cells = published.tables("pointvis", 1)
    places = {place for place, _ in table.lines.values()}
    assert places == set(cells[cells.dataset == table.printed_on].row.astype(str))
    for label, (place, _) in table.lines.items():
        cell = formulas.lookup(cells, f"pointvis/1/{place}/AP")
        assert cell.row_label.startswith(label.removesuffix(": masks"))
    stands_for = {"toy-ytvis19": "2019", "toy-ytvis21": "2021", "toy-ovis": "OVIS"}
    assert stands_for[on] in table.printed_on


def test_tables_two_to_four_are_whole_and_in_order():
    assert list(tables.TABLE_TWO.printed().values()) == [55.3, 0.4, 9.7, 40.4, 45.7, 46.0, 47.3]
    assert list(tables.TABLE_THREE.printed().values()) == [46.0, 47.1, 48.6, 48.0]
    grid = np.reshape(list(tables.TABLE_FOUR.printed().values()), (3, 4))
    assert grid.tolist() == [
        [0.4, 0.5, 27.6, 33.0],
        [9.7, 10.0, 45.6, 48.9],
        [46.0, 45.9, 48.6, 49.4],
    ]


def test_table_five_keeps_its_two_parts_apart():
    seen, every = tables.TABLE_FIVE.values()
    assert list(seen.printed().values()) == [23.9, 38.3, 42.0, 47.0, 58.6]
    assert list(every.printed().values()) == [10.5, 38.5, 52.5]
    assert "seen" in seen.printed_on and "seen" not in every.printed_on


def test_table_six_prints_all_but_half_of_the_frames():
    printed = tables.TABLE_SIX.printed()
    assert list(printed.values())[:4] == [59.0, 59.3, 61.0, 61.6]
    assert list(printed.values())[4:8] == [52.3, 54.5, 54.7, 57.3]
    assert list(printed.values())[8:] == [55.0, 55.5, 56.1, 57.4]
    assert {label for label in tables.TABLE_SIX.lines if label not in printed} == {
        f"{way}, 50%" for way in tables.WAYS
    }
    rows = tables.TABLE_SIX.rows
    assert rows["whole videos, 1%"] == rows["whole videos, 5%"] != rows["whole videos, 10%"]


def test_shares_are_the_printed_ones_and_the_means_of_the_units():
    table = tables.TABLE_ONE["toy-ytvis19"]
    measured = pd.DataFrame(
        [("masks", 0, 50.0), ("masks", 1, 40.0), ("masks", 2, 10.0)]
        + [("PointVIS (P1), self-trained", 0, 25.0), ("PointVIS (P1), self-trained", 1, 40.0)],
        columns=["row", "seed", "AP"],
    )
    labels = dict.fromkeys(["PointVIS (P1)", "PointVIS (P1N1)"], tables.MASKS)
    found = tables.shares(measured, table, labels)
    assert found["published"].round(1).tolist() == [87.5, 96.8]
    assert found["measured"]["PointVIS (P1)"] == 75.0
    assert found["units"].tolist() == [2, 0]
    assert np.isnan(found["measured"]["PointVIS (P1N1)"])


def test_what_is_not_measured_is_shown_as_such(tmp_path):
    for table in TABLES:
        shown = table.listing(tables.rows(table.held_out, tmp_path), ["AP"])
        assert set(shown["AP, measured"]) <= {"not measured", "published only"}
    assert SIZES[-1] in tables.LARGE
