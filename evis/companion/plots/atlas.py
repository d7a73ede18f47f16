"""Every published table as a picture, so that each number can be looked up."""

import io
import re
from dataclasses import dataclass

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from evis.companion import published
from evis.companion.plots import field, style

_ROW = 0.165  # inches
_TITLE = 0.3  # inches
_LETTER = 0.17  # widths, in the unit of about one narrow column of numbers


@dataclass(frozen=True)
class Grid:
    """A table laid out for reading; rows and columns in printed order."""

    paper: str
    table: int
    labels: list[str]
    about: str  # the data set and backbone, where all rows share them
    groups: list[str]  # one a row: the data set, where each row has one of several
    headed: bool  # whether those rows stand in blocks that deserve a heading
    levels: list[str]  # one a row: what was labelled on videos, or empty
    columns: list[tuple[str, str]]  # (data set or empty, metric)
    text: np.ndarray  # (rows, columns) as printed, empty where the paper prints nothing
    settings: np.ndarray  # (rows, columns) bool: ticks and names rather than numbers
    values: np.ndarray  # (rows, columns) of result cells, NaN elsewhere


def grid(paper: str, table: int) -> Grid:
    """Lay one table out. Gains and shares printed inside another cell are shown there only."""
    cells = _without_doubles(published.tables(paper, table))
    stacked = cells.groupby("row").dataset.nunique().max() == 1 and cells.dataset.nunique() > 1
    heading = "" if stacked or cells.dataset.nunique() == 1 else cells.dataset
    cells = cells.assign(column=list(zip(_series(heading, cells), cells.metric, strict=True)))
    rows = cells.drop_duplicates("row").set_index("row")
    columns = list(dict.fromkeys(cells.column))
    shape = len(rows), len(columns)
    text, values = np.full(shape, "", dtype=object), np.full(shape, np.nan)
    settings = np.zeros(shape, dtype=bool)
    for cell in cells.itertuples():
        at = rows.index.get_loc(cell.row), columns.index(cell.column)
        text[at], settings[at] = cell.as_printed, cell.kind == "setting"
        if cell.kind == "result":
            values[at] = cell.value
    changes = (rows.dataset != rows.dataset.shift()).sum()
    headed = stacked and changes == rows.dataset.nunique()
    shared = [cells[name].unique() for name in ("dataset", "backbone")]
    return Grid(
        paper,
        table,
        [_label(label, headed) for label in rows.row_label],
        ", ".join(values[0] for values in shared if len(values) == 1 and values[0]),
        list(rows.dataset) if stacked else [""] * len(rows),
        headed,
        [field.video_level(told) if told else "" for told in rows.supervision],
        columns,
        text,
        settings,
        values,
    )


def _series(heading, cells: pd.DataFrame) -> pd.Series:
    return heading if isinstance(heading, pd.Series) else pd.Series(heading, index=cells.index)


def _without_doubles(cells: pd.DataFrame) -> pd.DataFrame:
    """One cell a printed cell: "53.9 (87.5%)" is held as AP and as its share; "+0.9" as a gain."""
    place = ["row", "dataset", "as_printed"]
    own_cells = cells[cells.kind != "derived"].set_index(place).index
    doubled = (cells.kind == "derived") & cells.set_index(place).index.isin(own_cells)
    cells = cells[~doubled | (cells.as_printed == "-")].copy()
    own = cells.metric.str.removesuffix(" gain")
    taken = set(zip(cells.row, cells.dataset, cells.metric, strict=True))
    free = [
        (row, dataset, metric) not in taken
        for row, dataset, metric in zip(cells.row, cells.dataset, own, strict=True)
    ]
    cells["metric"] = own.where(free, cells.metric)
    return cells


def _label(label: str, headed: bool) -> str:
    """Labels carry their block behind a bar; where blocks have headings it need not be said."""
    parts = label.split(" | ")
    return parts[0] if headed else ", ".join(parts)


def draw(axes: plt.Axes, shown: Grid) -> None:
    """The table in an axes: numbers shaded within their column, rows marked by supervision."""
    style.bare(axes)
    widths = _widths(shown)
    first = max(4.0, 0.9 + _LETTER * max(map(len, shown.labels)))
    left = first + np.concatenate([[0], np.cumsum(widths)])
    axes.set(xlim=(0, max(left[-1], 17)), ylim=(_rows(shown) - _top(shown) + 0.1, -_top(shown)))
    small = {"fontsize": 6.2, "va": "center"}
    _head(axes, shown, left, widths, small)
    y, group = 0, ""
    for row, label in enumerate(shown.labels):
        if shown.headed and shown.groups[row] != group:
            group = shown.groups[row]
            axes.text(0.1, y + 0.5, group, weight="bold", **small)
            y += 1
        if level := shown.levels[row]:
            axes.scatter(0.25, y + 0.5, s=12, marker=field.MARKERS[level], c=field.COLOURS[level])
        axes.text(0.6, y + 0.5, label, **small)
        for i, text in enumerate(shown.text[row]):
            shade = _shade(shown.values[:, i], row, shown.groups)
            if shade is not None:
                box = (left[i] + 0.03, y + 0.04)
                axes.add_patch(plt.Rectangle(box, widths[i] - 0.06, 0.92, color=shade, lw=0))
            plain, underlined = re.subn(r"</?u>", "", text)
            written = axes.text(left[i] + widths[i] / 2, y + 0.5, plain, ha="center", **small)
            if underlined:
                half = 0.4 * _LETTER * len(plain)
                middle = left[i] + widths[i] / 2
                axes.plot([middle - half, middle + half], [y + 0.9] * 2, color="#222222", lw=0.6)
            if shown.settings[row, i]:
                written.set_color("#777777")
        axes.plot([0, left[-1]], [y + 1] * 2, color="#eeeeee", lw=0.5)
        y += 1
    name = f"{published.PAPERS[shown.paper][0]}, {published.title(shown.paper, shown.table)}"
    axes.set_title(name, loc="left", weight="bold", pad=2)
    axes.set_title(shown.about, loc="right", fontsize=7, color="#666666", pad=2)


def _head(axes, shown: Grid, left: np.ndarray, widths: np.ndarray, small: dict) -> None:
    """Data sets over metrics, and a rule below."""
    datasets = [dataset for dataset, _ in shown.columns]
    for dataset in dict.fromkeys(filter(None, datasets)):
        at = [i for i, name in enumerate(datasets) if name == dataset]
        ends = left[at[0]] + 0.1, left[at[-1]] + widths[at[-1]] - 0.1
        axes.text(np.mean(ends), -1.75, dataset, ha="center", weight="bold", **small)
        axes.plot(ends, [-1.3] * 2, color="#999999", lw=0.6)
    for i, (_, metric) in enumerate(shown.columns):
        axes.text(
            left[i] + widths[i] / 2, -0.6, _short(metric), ha="center", color="#444444", **small
        )
    axes.plot([0, left[-1]], [0, 0], color="#444444", lw=0.8)


def _short(metric: str) -> str:
    """Long column heads in two lines."""
    if len(metric) <= 12 or " " not in metric:
        return metric
    blanks = [match.start() for match in re.finditer(" ", metric)]
    middle = min(blanks, key=lambda blank: abs(blank - len(metric) / 2))
    return f"{metric[:middle]}\n{metric[middle + 1 :]}"


def _widths(shown: Grid) -> np.ndarray:
    """Wide enough for the longest text in a column, and for a data set over its columns."""
    widths = []
    for (_, metric), texts in zip(shown.columns, shown.text.T, strict=True):
        lines = [*_short(metric).split("\n"), *(re.sub(r"</?u>", "", text) for text in texts)]
        widths.append(max(1.15, 0.35 + _LETTER * max(map(len, lines))))
    widths = np.array(widths)
    datasets = np.array([dataset for dataset, _ in shown.columns])
    for dataset in filter(None, set(datasets)):
        at = datasets == dataset
        widths[at] *= max(1, (0.5 + _LETTER * len(dataset)) / widths[at].sum())
    return widths


def _top(shown: Grid) -> float:
    """Rows above the first: metrics, and data sets where there are several."""
    return 2.3 if any(dataset for dataset, _ in shown.columns) else 1.4


def _rows(shown: Grid) -> float:
    headings = len(set(shown.groups)) if shown.headed else 0
    return len(shown.labels) + headings + _top(shown)


def _shade(column: np.ndarray, row: int, groups: list[str]):
    """Light to dark within a column (and a data set); none where the column holds one number."""
    same = np.array([group == groups[row] for group in groups])
    numbers = column[same & ~np.isnan(column)]
    if np.isnan(column[row]) or len(numbers) < 2 or np.ptp(numbers) == 0:
        return None
    return mpl.colormaps["Blues"](0.45 * (column[row] - numbers.min()) / np.ptp(numbers))


def _height(shown: Grid) -> float:
    return _ROW * _rows(shown) + _TITLE


def table_figure(paper: str, table: int) -> Figure:
    """One table on its own."""
    return _stacked([grid(paper, table)])


def page_figure(paper: str) -> Figure:
    """All tables of one paper, one below the other."""
    return _stacked([grid(paper, table) for table in published.tables(paper).table.unique()])


def _stacked(shown: list[Grid]) -> Figure:
    heights = [_height(one) for one in shown]  # inches, the title's share included
    total = sum(heights)
    figure = plt.figure(figsize=(style.PAGE, total))
    figure.set_layout_engine("none")  # the heights are known
    top = 1.0
    for one, height in zip(shown, heights, strict=True):
        top -= height / total
        draw(figure.add_axes((0, top, 1, (height - _TITLE) / total)), one)
    levels = list({level for one in shown for level in one.levels if level})
    if len(levels) > 1:
        field.legend(figure, levels, hollow=False, loc="upper center", bbox_to_anchor=(0.5, 0))
    return figure


def small_png(figure: Figure, dpi: int = 110) -> bytes:
    """A picture of a table in few colours: a third of the bytes, for keeping in a notebook."""
    large, small = io.BytesIO(), io.BytesIO()
    figure.savefig(large, format="png", dpi=dpi, bbox_inches="tight")
    few = Image.open(large).convert("RGB").quantize(96, method=Image.Quantize.MAXCOVERAGE)
    few.save(small, format="png", optimize=True)
    return small.getvalue()
