"""PM-VIS's tables as data: every line is the printed one that its label says, and has its row."""

import pytest

from evis.companion import measured, published
from evis.companion.held_out import OF_SET
from evis.papers.pmvis import tables
from evis.papers.pmvis.claims import table as measured_rows
from evis.papers.pmvis.experiments import GROUPS, SIZES, TESTS

SINGLE = (tables.TABLE_THREE, tables.TABLE_FOUR, tables.TABLE_FIVE, *tables.FILTERS)
LARGE = tables.TABLE_ELEVEN.values()
TABLES = [*tables.TABLE_ONE.values(), *tables.TABLE_TEN.values(), *LARGE, *SINGLE]


def label(table, place):
    cells = published.tables("pm-vis", table.number)
    return cells[cells.row == int(place)].row_label.iloc[0]


@pytest.mark.parametrize("table", TABLES, ids=lambda t: f"{t.number}, {t.held_out.toy_set}")
def test_rows_are_rows_of_the_tables_videos(table):
    assert set(table.rows.values()) <= set(measured.tested_on(GROUPS, TESTS, table.held_out))
    assert table.baseline in table.rows


def test_every_line_of_every_table_has_its_place_in_the_printed_order():
    places = {}
    for table in TABLES:
        of_set = table.number, table.held_out.toy_set
        places.setdefault(of_set, []).extend(int(place) for place, _ in table.lines.values())
    for (number, _), own in places.items():
        assert own == sorted(published.tables("pm-vis", number).row.unique())


def test_lines_say_what_the_printed_rows_say():
    for table in (tables.TABLE_THREE, tables.TABLE_FOUR):
        assert all(label(table, place) == name for name, (place, _) in table.lines.items())
    for name, (place, _) in tables.TABLE_NINE.lines.items():
        assert label(tables.TABLE_NINE, place).replace("τ", "tau") == name
    for table in (*tables.TABLE_ONE.values(), *tables.TABLE_TEN.values(), *LARGE):
        for name, (place, _) in table.lines.items():
            method = name.split(": ")[-1].removesuffix(", as published")
            assert label(table, place).split(" [")[0].rstrip("†") == method
    for name, (place, _) in tables.TABLE_EIGHT["masks"].lines.items():
        said = label(tables.TABLE_EIGHT["masks"], place)
        assert ("Missing-Data" in said, "RIA" in said) == ("Missing-Data" in name, "RIA" in name)
    assert list(tables.TABLE_FIVE.printed().values()) == [46.8, 46.8, 45.7, 46.9, 48.2, 47.4, 48.7]


def test_what_is_trained_by_the_authors_and_by_others_is_told_apart():
    own = tables.TABLE_TEN["toy-ovis"].printed()
    assert (own["masks: IDOL, as published"], own["masks: IDOL"]) == (30.2, 29.4)
    assert tables.TABLE_TEN["toy-ovis"].printed("AR10")["boxes: PM-VIS"] == 36.0


def test_table_one_is_a_part_of_table_ten():
    for on in OF_SET:
        one, ten = tables.TABLE_ONE[on].printed(), tables.TABLE_TEN[on].printed()
        assert one == {name: ten[f"boxes: {name}"] for name in one}


@pytest.mark.parametrize("what", tables.GAINS)
def test_gains_compare_the_printed_lines_that_their_rows_stand_for(what):
    row, against, lines = tables.GAINS[what]
    places = {of: place for place, of in tables.TABLE_TEN["toy-ytvis19"].lines.values()}
    assert lines[10] == (int(places[row]), int(places[against]))
    places = {of: place for place, of in tables.TABLE_ELEVEN["toy-ytvis19"].lines.values()}
    assert lines[11] == (int(places[row]), int(places[against]))
    for a, b in zip(lines[10], lines[11], strict=True):
        cells = [published.tables("pm-vis", n).query(f"row == {k}") for n, k in ((10, a), (11, b))]
        one, other = ((part.row_label.iloc[0], part.supervision.iloc[0]) for part in cells)
        assert one == other


def test_steps_are_steps_of_the_table():
    assert {line for step in tables.STEPS for line in step} == set(tables.TABLE_FIVE.lines)


def test_overlaps_are_counts_of_shared_videos():
    shared = tables.overlaps()
    assert list(shared.index) == list(shared.columns) == ["YTVIS2019", "YTVIS2021", "YTVOS18/19"]
    assert shared.loc["YTVIS2021", "YTVIS2019"] == 2191
    assert [shared.loc[name, name] for name in shared.index] == [2238, 2985, 3471]
    assert shared.isna().sum().sum() == 3


def test_what_is_not_measured_is_shown_as_such(tmp_path):
    table = tables.TABLE_FIVE
    shown = table.listing(measured_rows(SIZES[0], table.held_out, tmp_path), ["AP"])
    assert set(shown["AP, measured"]) == {"not measured"}
