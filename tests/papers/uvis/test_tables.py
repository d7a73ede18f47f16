"""UVIS's tables as data: every line is the printed one that its label says, and has its row."""

import pytest

from evis.companion import formulas, published
from evis.papers.uvis import tables
from evis.papers.uvis.claims import table as measured_rows
from evis.papers.uvis.experiments import SIZES, rows_of

TABLES = [
    *tables.TABLE_ONE.values(),
    tables.TABLE_TWO,
    tables.TABLE_THREE,
    *tables.TABLE_FOUR.values(),
]


@pytest.mark.parametrize("table", TABLES, ids=lambda t: f"{t.number}, {t.held_out.toy_set}")
def test_rows_are_rows_of_the_tables_videos(table):
    assert set(table.rows.values()) <= {*rows_of(table.held_out), "DeepSORT"}
    assert table.baseline in table.rows


@pytest.mark.parametrize("on", tables.TABLE_ONE)
def test_table_one_has_every_printed_line_of_its_set_under_its_own_name(on):
    table = tables.TABLE_ONE[on]
    cells = published.tables("uvis", 1)
    places = [int(place) for place, _ in table.lines.values()]
    assert places == sorted(cells[cells.dataset == table.printed_on].row.unique())
    for label, (place, _) in table.lines.items():
        cell = formulas.lookup(cells, f"uvis/1/{place}/COCO")
        assert (cell.value == 1) == label.endswith(", COCO")
        assert cell.row_label.lower().startswith(label.split(",")[0].lower())
    stands_for = {"toy-ytvis19": "2019", "toy-ytvis21": "2021", "toy-ovis": "OVIS"}
    assert stands_for[on] in table.printed_on


def test_tables_two_and_three_are_whole_and_in_order():
    assert list(tables.TABLE_TWO.printed().values()) == [30.3, 12.5, 16.6, 18.4, 19.8, 20.7, 21.4]
    assert list(tables.TABLE_THREE.printed().values()) == [19.8, 20.1, 20.7, 19.9]
    labels = published.tables("uvis", 3).row_label.str.removeprefix("τ = ").astype(float)
    own = [float(label.split()[2].rstrip(":")) for label in tables.TABLE_THREE.lines]
    assert own == labels.tolist()


def test_table_four_has_a_pair_a_setting_and_prints_four_of_nine():
    gains = {key: list(table.printed().values()) for key, table in tables.TABLE_FOUR.items()}
    printed = {key: pair for key, pair in gains.items() if pair}
    assert printed == {
        ("toy-ytvis19", "UVIS"): [20.7, 21.4],
        ("toy-ovis", "UVIS"): [3.1, 3.5],
        ("toy-ytvis19", "MinVIS, COCO"): [47.3, 50.7],
        ("toy-ovis", "MinVIS, COCO"): [26.7, 27.2],
    }
    assert len(gains) == 9


def test_what_is_not_measured_is_shown_as_such(tmp_path):
    table = tables.TABLE_TWO
    shown = table.listing(measured_rows(SIZES[0], table.held_out, tmp_path), ["AP"])
    assert set(shown["AP, measured"]) == {"not measured"}
