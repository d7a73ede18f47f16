"""The csvs under data/papers hold all 31 tables, each cell once, with the numbers as printed."""

import csv
import math
import re

import pandas as pd
import pytest

from evis.companion import formulas, published
from evis.data import paths
from evis.data.errors import DataError

TABLES = {"uvis": 4, "pointvis": 6, "pm-vis": 11, "eigen-cluster-vis": 5, "flowcut": 5}
EVERY_TABLE = [(paper, table) for paper, last in TABLES.items() for table in range(1, last + 1)]
SUPERVISION = {
    "",
    "none",
    "categories",
    "points",
    *(f"points {sampling}" for sampling in ("P1", "P10", "P1N1", "P5N5")),
    "boxes",
    "masks",
    "images: boxes; videos: boxes",
    "images: masks; videos: boxes",
    "images: masks; videos: masks",
    "images: masks; videos: none",
    "images: masks; videos: scribbles",
}
DATASETS = {
    "",
    "YouTube-VIS 2019 train",
    "YouTube-VIS 2019 val",
    "YouTube-VIS 2019 val (seen categories)",
    "YouTube-VIS 2019 val-dev",
    "YouTube-VIS 2021 train",
    "YouTube-VIS 2021 val",
    "YouTube-VIS 2021 new videos",
    "OVIS",
    "OVIS val",
    "DAVIS-2017",
    "DAVIS-2017-Motion",
}

# Typed in from the papers' texts, not from the csvs: paper/table/row/metric@data set, as printed.
PRINTED = """
uvis/1/4/AR10                                       38.1
uvis/1/9/AP                                         21.4
uvis/1/18/I-Sup.                                    M
uvis/1/21/AR10                                      7.0
uvis/2/1/AP                                         30.3
uvis/2/2/AP gain                                    -
uvis/2/7/Tracking Memory                            ✓
uvis/2/7/AP gain                                    8.9
uvis/3/1/AP                                         19.8
uvis/3/4/AP                                         19.9
uvis/4/1/AP (+Tracking Memory)                      21.4 (+0.4)
uvis/4/4/AP                                         26.7
uvis/4/4/AP (+Tracking Memory)                      27.2 (+0.5)
pointvis/1/1/AP                                     56.8
pointvis/1/5/AP50                                   83.3 (100%)
pointvis/1/15/AR10                                  32.2 (74.4%)
pointvis/2/2/AP                                     0.4
pointvis/2/7/Self-Train                             ✓
pointvis/2/7/AP                                     47.3
pointvis/3/2/AP                                     47.1
pointvis/3/4/Sampling method for Neg                Random (Out-box-but-in-200%-box)
pointvis/4/1/AP (P5N5)                              33.0
pointvis/4/2/AP (P1N1)                              45.6
pointvis/4/3/AP (P10)                               45.9
pointvis/5/1/AP                                     23.9
pointvis/5/6/Sup.                                   C
pointvis/5/8/AR10                                   61.5
pointvis/6/1/AP (100% frames)                       61.6
pointvis/6/2/AP (10% frames)                        54.7 (89.7%)
pointvis/6/3/Matching                               Spatio-temporal
pm-vis/1/1/AP@OVIS val                              15.7
pm-vis/1/3/AP@YouTube-VIS 2021 val                  44.6
pm-vis/2/1/videos shared with YTVIS2021             -
pm-vis/2/2/videos shared with YTVIS2019             2191 / 73.4%
pm-vis/2/3/share of videos with YTVIS2021 %         2191 / 63.1%
pm-vis/3/1/AR10                                     53.0
pm-vis/3/4/AP75                                     50.3
pm-vis/4/1/AP                                       44.8
pm-vis/4/4/AR10                                     56.6
pm-vis/5/2/AP50                                     73.4
pm-vis/5/6/AP                                       47.4
pm-vis/6/1/AP                                       48.7
pm-vis/6/2/Pseudo masks                             Track-masks-final
pm-vis/7/1/AP                                       47.7
pm-vis/7/2/BoxInstLoss                              ✓
pm-vis/8/2/AP                                       44.8
pm-vis/8/4/RIA                                      ✗
pm-vis/8/5/AP                                       50.0
pm-vis/9/1/AP                                       49.3
pm-vis/9/5/τ                                        0.8
pm-vis/10/1/AR10@OVIS val                           23.5
pm-vis/10/4/AP75@YouTube-VIS 2019 val               54.8
pm-vis/10/7/AR10@YouTube-VIS 2021 val               <u>50.5</u>
pm-vis/10/9/AR10@OVIS val                           36.0
pm-vis/11/1/AR1@OVIS val                            -
pm-vis/11/5/AR1@OVIS val                            <u>17.6</u>
pm-vis/11/7/AR10@YouTube-VIS 2019 val               <u>61.3</u>
pm-vis/11/8/AP@OVIS val                             37.5
eigen-cluster-vis/1/7/AP50                          -
eigen-cluster-vis/1/12/Mask ann.                    I
eigen-cluster-vis/1/15/AP                           47.4
eigen-cluster-vis/1/23/AR1                          44.9
eigen-cluster-vis/1/28/AP50                         78.2
eigen-cluster-vis/1/32/AR10                         63.1
eigen-cluster-vis/2/1/AP50                          65.9
eigen-cluster-vis/2/3/Param                         ✓
eigen-cluster-vis/2/8/AP75                          48.0
eigen-cluster-vis/3/2/AP                            43.6
eigen-cluster-vis/3/3/AR10                          52.0
eigen-cluster-vis/4/1/AP75                          47.8
eigen-cluster-vis/4/3/AP                            43.6
eigen-cluster-vis/5/1/mIoU@OVIS                     52.34
eigen-cluster-vis/5/2/mIoU@YouTube-VIS 2021 new videos  58.16
flowcut/1/1/J&F@DAVIS-2017                          -
flowcut/1/4/F@DAVIS-2017                            45.6
flowcut/1/5/J&F@DAVIS-2017-Motion                   58.3
flowcut/2/2/AP_S                                    0.0
flowcut/2/5/AR10                                    39.1
flowcut/2/6/AP_L gain                               0.0
flowcut/3/1/AP75                                    0.1
flowcut/3/6/AP_M gain                               +1.5
flowcut/4/2/AP_L                                    38.3
flowcut/4/3/AP_L gain                               5.0
flowcut/4/6/AP gain                                 +1.9
flowcut/5/1/AP_L                                    32.9
flowcut/5/3/AP75 gain                               +0.2
"""
LITERALS = [re.split(r"  +", line) for line in PRINTED.strip().splitlines()]

# The first column of the tables that are long or whose labels are printed wrong.
LABELS = {
    ("uvis", 2): ["MinVIS [19] (Upperbound)", "A1", "A2", "A3", "A4", "A5", "A6"],
    ("eigen-cluster-vis", 2): [
        "Baseline (No Matching)",
        "3D Pairwise Matching",
        "Learnable Pixel Matching",
        "Temporal Deformable Matching",
        "Flow-based Matching",
        "Learnable Patch Matching",
        "Temporal KNN-Matching (TK)",
        "Temporal EigenValue + TK",
    ],
    ("pm-vis", 5): [
        "HQ-SAM-masks",
        "+DOOB",
        "IBM+SCM",
        "IBM+SCM+DOOB",
        "Track-masks",
        "+SHQM",
        "+multiframe+SHQM",
    ],
    ("flowcut", 2): [
        "MotionGroup [44]",
        "OCLR [43]",
        "CutLER [39]",
        "VideoCutLER* [40]",
        "FlowCut (Ours)",
        "vs. prev. SOTA",
    ],
}

# Rows, and columns: settings, metrics, and the second numbers of cells that hold two; all of these
# once for each data set in a table that has several (UVIS 1: 8 columns, 3 sets).
SHAPES = {
    "uvis": [(21, 8), (7, 8), (4, 1), (4, 4)],
    "pointvis": [(15, 11), (7, 5), (4, 3), (3, 6), (8, 7), (3, 10)],
    "pm-vis": [
        (3, 4),
        (3, 6),
        (4, 5),
        (5, 5),
        (7, 5),
        (2, 3),
        (2, 3),
        (5, 4),
        (5, 3),
        (9, 16),
        (8, 16),
    ],
    "eigen-cluster-vis": [(32, 7), (8, 6), (3, 7), (3, 5), (2, 2)],
    "flowcut": [(5, 7), (6, 15), (6, 15), (6, 15), (6, 15)],
}


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    return published.tables()


def expected_value(metric: str, printed: str, kind: str) -> float:
    """What `value` must be for a printed cell, by the rules of data/papers/README.md."""
    if printed in ("✓", "✗"):
        return float(printed == "✓")
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", printed)]
    if kind == "setting":
        return numbers[0] if re.fullmatch(r"[\d.]+", printed) else math.nan
    if not numbers:
        return math.nan
    second = kind == "derived" and len(numbers) == 2
    return numbers[1] if second else numbers[0]


def test_every_table_of_every_paper_is_there(cells):
    assert set(published.PAPERS) == set(TABLES)
    present = set(zip(cells.paper, cells.table, strict=True))
    assert present == set(EVERY_TABLE)
    assert len(EVERY_TABLE) == 31
    files = {file.name for file in (paths.data() / "papers").glob("*_table*.csv")}
    assert files == {f"{paper}_table{table:02d}.csv" for paper, table in EVERY_TABLE}


@pytest.mark.parametrize(("paper", "table"), EVERY_TABLE)
def test_a_file_holds_its_own_table_with_the_columns_in_order(paper, table):
    with (paths.data() / "papers" / f"{paper}_table{table:02d}.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    assert tuple(header) == published.COLUMNS
    assert {(line[0], line[1]) for line in lines} == {(paper, str(table))}
    assert all(len(line) == len(header) for line in lines)
    assert all(field == field.strip() for line in lines for field in line)


def test_no_cell_stands_twice(cells):
    place = ["paper", "table", "row", "dataset", "metric"]
    twice = cells[cells.duplicated(place, keep=False)]
    assert twice.empty, twice[place].to_string()


def test_rows_are_numbered_in_order_and_keep_one_label(cells):
    for (paper, table), part in cells.groupby(["paper", "table"]):
        assert part.row.is_monotonic_increasing, (paper, table)
        assert list(part.row.unique()) == list(range(1, part.row.max() + 1)), (paper, table)
        for column in ("row_label", "method", "backbone"):
            assert (part.groupby("row")[column].nunique() == 1).all(), (paper, table, column)
        if (paper, table) != ("pointvis", 4):  # there each column has its own number of points
            assert (part.groupby("row").supervision.nunique() == 1).all(), (paper, table)


def test_values_follow_from_the_printed_cells(cells):
    wrong = [
        (cell.paper, cell.table, cell.row, cell.metric, cell.as_printed, cell.value)
        for cell in cells.itertuples()
        if cell.as_printed not in ("-", "") or cell.kind != "setting"
        for expected in [expected_value(cell.metric, cell.as_printed, cell.kind)]
        if not (cell.value == expected or (math.isnan(cell.value) and math.isnan(expected)))
    ]
    assert wrong == []


def test_a_blank_or_dashed_setting_means_no_or_nothing(cells):
    empty = cells[cells.as_printed.isin(["-", ""]) & (cells.kind == "setting")]
    assert (empty.value.isna() | (empty.value == 0)).all()
    assert len(cells[(cells.as_printed == "") & (cells.kind != "setting")]) == 0


def test_words_come_from_fixed_lists(cells):
    assert set(cells.kind) == {"setting", "result", "derived"}
    assert set(cells.supervision) == SUPERVISION
    assert set(cells.dataset) == DATASETS
    assert set(cells.backbone) == {"", "R50", "R101", "Swin-B", "Swin-L"}


def test_a_result_says_its_data_set_and_lies_within_0_and_100(cells):
    results = cells[(cells.kind == "result") & (cells.method != "")]
    assert (results.dataset != "").all()
    assert results.value.dropna().between(0, 100).all()
    assert set(cells[cells.method == ""].table) == {2}  # PM-VIS's counts of videos


def test_no_average_precision_rises_with_the_overlap_asked_for(cells):
    results = cells[cells.kind == "result"]
    place = ["paper", "table", "row", "dataset"]
    table = results[results.metric.isin(["AP", "AP50", "AP75", "AR1", "AR10"])].pivot(
        index=place, columns="metric", values="value"
    )
    for larger, smaller in (("AP50", "AP75"), ("AP50", "AP"), ("AR10", "AR1")):
        assert not (table[larger] < table[smaller]).any()


@pytest.mark.parametrize(("reference", "printed"), LITERALS)
def test_cells_are_as_the_papers_print_them(cells, reference, printed):
    assert formulas.lookup(cells, reference).as_printed == printed


def test_two_cells_of_each_table_are_held():
    for paper, table in EVERY_TABLE:
        held = [reference for reference, _ in LITERALS if reference.startswith(f"{paper}/{table}/")]
        assert len(held) >= 2, (paper, table)


def test_a_cell_with_two_numbers_stands_in_two_lines(cells):
    kept = formulas.lookup(cells, "pointvis/1/14/AP75 retention %")
    assert (kept.value, kept.kind, kept.as_printed) == (66.6, "derived", "27.5 (66.6%)")
    number = formulas.lookup(cells, "pointvis/1/14/AP75")
    assert (number.value, number.kind, number.as_printed) == (27.5, "result", "27.5 (66.6%)")


@pytest.mark.parametrize(
    ("reference", "label", "method", "backbone", "supervision", "dataset"),
    [
        (
            "uvis/1/18/AP",
            "MaskFreeVIS [24] | OVIS",
            "MaskFreeVIS",
            "R50",
            "images: masks; videos: boxes",
            "OVIS val",
        ),
        (
            "uvis/1/7/AP",
            "WeakVIS [28] | YTVIS-2019",
            "FlowIRN",
            "R50",
            "categories",
            "YouTube-VIS 2019 val",
        ),
        (
            "pointvis/5/6/AP",
            "(b) VIS-Weak [42]",
            "FlowIRN",
            "R50",
            "categories",
            "YouTube-VIS 2019 val",
        ),
        (
            "pointvis/1/9/AP",
            "PointVIS (P1) | YouTube-VIS-2021",
            "PointVIS",
            "Swin-L",
            "points P1",
            "YouTube-VIS 2021 val",
        ),
        (
            "eigen-cluster-vis/1/19/AP",
            "SegFormer [8]",
            "SeqFormer",
            "R101",
            "images: masks; videos: masks",
            "YouTube-VIS 2019 val",
        ),
        (
            "eigen-cluster-vis/1/26/AP",
            "VMAT [81]",
            "VMT",
            "Swin-L",
            "images: masks; videos: masks",
            "YouTube-VIS 2019 val",
        ),
        (
            "pm-vis/7/1/AP",
            "IDOL†",
            "IDOL (MaskLoss weight 0.5)",
            "R50",
            "masks",
            "YouTube-VIS 2019 val",
        ),
        (
            "pm-vis/11/4/AP@OVIS val",
            "IDOL† [2]",
            "IDOL (self-trained)",
            "Swin-L",
            "masks",
            "OVIS val",
        ),
        (
            "flowcut/3/4/AP",
            "VideoCutLER* [40]",
            "VideoCutLER",
            "",
            "none",
            "YouTube-VIS 2021 train",
        ),
    ],
)
def test_a_row_says_what_was_measured(
    cells, reference, label, method, backbone, supervision, dataset
):
    cell = formulas.lookup(cells, reference)
    assert (cell.row_label, cell.method, cell.backbone) == (label, method, backbone)
    assert (cell.supervision, cell.dataset) == (supervision, dataset)


@pytest.mark.parametrize(("paper", "table"), LABELS)
def test_rows_stand_in_printed_order(paper, table):
    assert list(published.wide(paper, table).index) == LABELS[paper, table]


@pytest.mark.parametrize(("paper", "table"), EVERY_TABLE)
def test_wide_has_a_row_a_row_and_leaves_no_cell_out(paper, table):
    cells = published.tables(paper, table)
    shown = published.wide(paper, table)
    assert shown.shape == SHAPES[paper][table - 1]
    assert list(shown.index) == list(cells.drop_duplicates("row").row_label)
    assert (shown != "").to_numpy().sum() == (cells.as_printed != "").sum()


def test_columns_stand_in_printed_order():
    assert list(published.wide("flowcut", 2).columns)[:8] == (
        ["Flow", "AP50", "AP75", "AP", "AP_S", "AP_M", "AP_L", "AR10"]
    )
    assert list(published.wide("pm-vis", 10).columns)[5:8] == [
        ("YouTube-VIS 2019 val", "AR10"),
        ("YouTube-VIS 2021 val", "AP"),
        ("YouTube-VIS 2021 val", "AP50"),
    ]


def test_one_papers_tables_are_a_part_of_all(cells):
    for paper in TABLES:
        part = published.tables(paper)
        assert set(part.paper) == {paper}
        assert list(part.index) == list(range(len(part)))
    assert sum(len(published.tables(paper)) for paper in TABLES) == len(cells)
    assert set(published.tables("pm-vis", 11).table) == {11}


def test_changing_what_tables_returned_changes_nothing_for_the_next_reader():
    first = published.tables("uvis", 3)
    first.loc[0, "value"] = 99.0
    assert published.tables("uvis", 3).value[0] == 19.8
    everything = published.tables()
    everything["value"] = 0.0
    assert published.tables("uvis", 3).value[0] == 19.8


def test_an_unknown_paper_is_named_with_those_there_are():
    with pytest.raises(DataError, match="unknown paper 'univis'.*uvis, pointvis, pm-vis"):
        published.tables("univis")
    with pytest.raises(DataError, match="unknown paper"):
        published.wide("UVIS", 1)


@pytest.mark.parametrize("table", [0, 5, 99])
def test_an_unknown_table_is_named_with_those_there_are(table):
    with pytest.raises(DataError, match=rf"uvis.* {table}.*1 to 4"):
        published.tables("uvis", table)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A data folder with nothing in it; what was read before is forgotten, now and afterwards."""
    (tmp_path / "papers").mkdir()
    monkeypatch.setattr(paths, "data", lambda: tmp_path)
    published._all.cache_clear()
    yield tmp_path / "papers"
    published._all.cache_clear()


def test_a_folder_without_tables_is_named(elsewhere):
    with pytest.raises(DataError, match="no published tables") as raised:
        published.tables()
    assert raised.value.file == elsewhere


def test_a_file_with_other_columns_is_named(elsewhere):
    file = elsewhere / "uvis_table01.csv"
    file.write_text("paper,table,row\nuvis,1,1\n")
    with pytest.raises(DataError, match="the columns should be paper, table, row") as raised:
        published.tables()
    assert raised.value.file == file
