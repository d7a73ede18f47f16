"""The published tables: data/papers/*.csv, one line a printed cell."""

from functools import cache

import pandas as pd

from evis.data import paths
from evis.data.errors import DataError

_PLACE = ("paper", "table", "row", "row_label")
_SETTING = ("method", "backbone", "supervision", "dataset", "metric")
COLUMNS = (*_PLACE, *_SETTING, "value", "as_printed", "kind")

PAPERS = {  # name -> (title as people say it, year of the text in hand)
    "uvis": ("UVIS", 2024),
    "pointvis": ("PointVIS", 2024),
    "pm-vis": ("PM-VIS", 2024),
    "eigen-cluster-vis": ("Eigen-Cluster VIS", 2024),
    "flowcut": ("FlowCut", 2025),
}

IEEE = ("eigen-cluster-vis", "pm-vis")


def tables(paper: str | None = None, table: int | None = None) -> pd.DataFrame:
    """All printed cells, or one paper's, or one table's, in printed order."""
    cells = _all()
    if paper is not None:
        if paper not in PAPERS:
            raise DataError(f"unknown paper {paper!r}", remedy=f"There are {', '.join(PAPERS)}")
        cells = cells[cells.paper == paper]
    if table is not None:
        last = cells.table.max()
        cells = cells[cells.table == table]
        if cells.empty:
            raise DataError(f"{paper or 'no paper'} has no Table {table}, only 1 to {last}")
    return cells.reset_index(drop=True)


def title(paper: str, table: int) -> str:
    """A table's number as its paper prints it: the two IEEE papers count in Roman numerals."""
    numerals = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")
    return f"Table {numerals[table - 1] if paper in IEEE else table}"


@cache
def _all() -> pd.DataFrame:
    folder = paths.data() / "papers"
    parts = []
    texts = {"dtype": {"as_printed": str, "row_label": str}, "keep_default_na": False}
    for file in sorted(folder.glob("*_table*.csv")):
        part = pd.read_csv(file, na_values={"value": [""]}, **texts)
        if tuple(part.columns) != COLUMNS:
            raise DataError(f"the columns should be {', '.join(COLUMNS)}", file=file)
        parts.append(part)
    if not parts:
        raise DataError("there are no published tables", file=folder)
    return pd.concat(parts, ignore_index=True)


def wide(paper: str, table: int) -> pd.DataFrame:
    """One table as printed: a row a row, a column a metric, under its data set where rows mix."""
    cells = tables(paper, table)
    one_set_a_row = (cells.groupby("row").dataset.nunique() <= 1).all()
    columns = ["metric"] if one_set_a_row else ["dataset", "metric"]
    layout = {"index": ["row", "row_label"], "columns": columns, "values": "as_printed"}
    shown = cells.pivot_table(**layout, aggfunc="first", sort=False)
    return shown.reset_index("row", drop=True).fillna("")


def values(
    paper: str, table: int, metric: str = "AP", backbone: str | None = None
) -> dict[str, float]:
    """Label without its reference -> printed value, of a table whose labels differ."""
    cells = tables(paper, table).query("metric == @metric")
    if backbone is not None:
        cells = cells[cells.backbone == backbone]
    labels = cells.row_label.str.replace(r" \[\d+\]", "", regex=True)
    if labels.duplicated().any():
        raise ValueError(f"{paper}, table {table}: two rows are called {labels.mode()[0]!r}")
    return dict(zip(labels, cells.value, strict=True))


def figure_six() -> pd.DataFrame:
    """What the lead paper says of Fig. 6, gains in mIoU: dataset, attribute, side, gain, place."""
    return pd.read_csv(paths.data() / "papers" / "eigen-cluster-vis_figure06.csv")


def label_costs() -> pd.DataFrame:
    """Seconds that a label takes, by who timed it: label, seconds, tool, source, ... (README)."""
    return pd.read_csv(paths.data() / "papers" / "label_costs.csv")
