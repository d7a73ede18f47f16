"""FlowCut's tables as data: every line is the printed one that its label says, and has its row."""

import numpy as np
import pandas as pd
import pytest

from evis.companion import published
from evis.companion.held_out import DAVIS, DAVIS_SCORES
from evis.papers.flowcut import tables
from evis.papers.flowcut.claims import table as measured_rows
from evis.papers.flowcut.experiments import GROUPS, SIZES, TESTS

TABLES = [*tables.TABLE_ONE.values(), *tables.OTHERS.values(), *tables.FLOW.values()]


@pytest.mark.parametrize("table", TABLES, ids=lambda t: f"{t.number}, {t.printed_on}")
def test_rows_are_tested_on_the_tables_videos_and_every_printed_line_is_there(table):
    rows = {row for name, of in GROUPS.items() if TESTS[name] == table.held_out for row in of}
    assert set(table.rows.values()) <= rows and table.baseline in table.rows
    cells = published.tables("flowcut", table.number)
    results = cells[(cells.kind == "result") & (cells.dataset == table.printed_on)]
    printed = results[~results.row_label.str.contains("Improvement|prev. SOTA")]
    places = [int(place) for place, _ in table.lines.values() if place]
    assert places == sorted(printed.row.unique())


@pytest.mark.parametrize("table", [*tables.TABLE_ONE.values(), *tables.OTHERS.values()])
def test_lines_stand_under_the_names_that_are_printed(table):
    cells = published.tables("flowcut", table.number).drop_duplicates("row").set_index("row")
    for label, (place, _) in table.lines.items():
        assert place is None or cells.row_label[int(place)].lower().startswith(label.lower())


def test_lines_with_and_without_flow_are_those_of_their_videos():
    for table in tables.FLOW.values():
        cells = published.tables("flowcut", table.number)
        flow = cells[cells.metric == "Flow"].set_index("row")
        for label, (place, row) in table.lines.items():
            year, without = label.split()[2].rstrip(","), label.endswith("no flow")
            assert year in flow.row_label[int(place)] and year in row
            assert flow.value[int(place)] == (not without) and row.endswith("no flow") == without
        for label, (row, other) in tables.gains_of_flow(table).items():
            assert row == table.rows[label] and other == f"{row}, no flow"


def test_printed_numbers_are_read_in_the_columns_of_their_own_set():
    all_objects, moving = (tables.TABLE_ONE[kind].printed("J&F") for kind in ("", "motion "))
    assert (all_objects["FlowCut"], moving["FlowCut"]) == (43.5, 58.3)
    assert np.isnan(all_objects["MotionGroup"]) and moving["MotionGroup"] == 39.5
    assert [t.printed()["FlowCut"] for t in tables.OTHERS.values()] == [24.3, 18.0]
    assert list(tables.FLOW["toy-ytvis21"].printed().values()) == [16.0, 16.7, 16.2, 18.0]


def test_davis_rows_have_the_scores_of_one_kind_under_plain_names():
    metrics = {name: [place] for place, name in enumerate(DAVIS.scoring.metrics)}
    rows = pd.DataFrame({"row": ["a"], "seed": [0], "first": [0], **metrics})
    whole, moving = (tables.davis_rows(rows, kind) for kind in tables.TABLE_ONE)
    assert list(whole) == list(moving) == ["row", "seed", "first", *DAVIS_SCORES]
    for name in DAVIS_SCORES:
        assert whole[name].tolist() == metrics[name]
        assert moving[name].tolist() == metrics[f"motion {name}"]


def test_what_is_not_measured_is_shown_as_such(tmp_path):
    table = tables.TABLE_ONE["motion "]
    rows = tables.davis_rows(measured_rows(SIZES[0], DAVIS, tmp_path), "motion ")
    shown = table.listing(rows, DAVIS_SCORES)
    own = shown.loc[list(table.rows), "J, measured"]
    assert set(own) == {"not measured"} and len(shown) == 7
