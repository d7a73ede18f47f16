"""Every published table, to read, search and copy, and as a picture; numbers shaded by column."""

import re
import textwrap
from dataclasses import dataclass

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from evis.companion import field, published
from evis.companion.plots import style

DARKEST = 0.45  # of the colour map: black letters stay readable


@dataclass(frozen=True)
class Grid:
    """A table in printed order; all frames have its rows and columns."""

    title: str
    text: pd.DataFrame  # as printed, empty where nothing is
    shades: pd.DataFrame  # 0..1 within a column and data set; NaN for settings and lone numbers
    levels: list[str]  # one a row: what was labelled on videos, or nothing


def grid(paper: str, table: int) -> Grid:
    """Lay one table out. Gains and shares printed inside another cell are shown there only."""
    cells = _once(published.tables(paper, table))
    rows = cells.drop_duplicates("row").set_index("row")
    set_a_row = cells.groupby("row").dataset.nunique().max() == 1
    heading = "" if set_a_row else cells.dataset
    cells = cells.assign(heading=heading, value=cells.value.where(cells.kind == "result"))
    place = {"index": "row", "columns": ["heading", "metric"], "aggfunc": "first", "sort": False}
    text = cells.pivot_table(values="as_printed", **place).sort_index()
    values = cells.pivot(index="row", columns=["heading", "metric"], values="value")
    values = values.reindex_like(text).astype(float)
    groups = values.groupby(rows.dataset)
    low, high = groups.transform("min"), groups.transform("max")
    return Grid(
        f"{published.PAPERS[paper][0]}, {published.title(paper, table)}",
        text.fillna("").set_axis(rows.row_label[text.index].str.replace(" | ", ", "), axis=0),
        ((values - low) / (high - low)).where(high > low),
        [field.video_level(told) if told else "" for told in rows.supervision[text.index]],
    )


def _once(cells: pd.DataFrame) -> pd.DataFrame:
    """One cell a printed cell: "53.9 (87.5%)" is held as AP and as its share; "+0.9" as a gain."""
    place = ["row", "dataset", "as_printed"]
    own = cells[cells.kind != "derived"].set_index(place).index
    doubled = (cells.kind == "derived") & cells.set_index(place).index.isin(own)
    cells = cells[~doubled | (cells.as_printed == "-")].copy()
    metric = cells.metric.str.removesuffix(" gain")
    taken = set(zip(cells.row, cells.dataset, cells.metric, strict=True))
    wanted = zip(cells.row, cells.dataset, metric, strict=True)
    cells["metric"] = metric.where([place not in taken for place in wanted], cells.metric)
    return cells


def html(shown: Grid) -> str:
    """The table behind its title; it opens at a click."""
    columns = [": ".join(filter(None, column)) for column in shown.text.columns]
    plain = {"index": range(len(shown.text)), "columns": columns}
    colours = pd.DataFrame(shown.shades.map(_css).to_numpy(), **plain)
    text = pd.DataFrame(shown.text.to_numpy(), **plain)
    text.insert(0, "row", shown.text.index)
    text.insert(1, "labels on videos", shown.levels)
    colours = colours.reindex(columns=text.columns, fill_value="")
    identifier = re.sub(r"\W+", "-", shown.title).lower()
    styled = text.style.apply(lambda _: colours, axis=None).hide(axis="index").set_uuid(identifier)
    table = styled.to_html(cell_ids=False, doctype_html=False)
    return f"<details><summary>{shown.title}</summary>{table}</details>"


def _css(shade: float) -> str:
    if pd.isna(shade):
        return ""
    colour = mpl.colormaps["Blues"](DARKEST * round(shade, 1))
    return f"background-color: {to_hex(colour)}; color: black"


def figure(shown: Grid) -> Figure:
    """The table as a picture; rows are marked by what was labelled on videos."""
    plain = shown.text.replace("</?u>", "", regex=True)
    wrapped = plain.map(lambda text: textwrap.fill(text, 16))
    lines = 1 + wrapped.map(lambda text: text.count("\n")).max(axis=None)
    height = 0.17 * lines * len(plain) + 0.75
    drawn, axis = plt.subplots(figsize=(style.PAGE, height))
    look = {"cmap": "Blues", "vmin": 0, "vmax": 1 / DARKEST, "cbar": False, "linewidths": 0.4}
    look |= {"xticklabels": False, "yticklabels": False}
    words = {"fontsize": 6, "color": "black"}
    shades = shown.shades.fillna(0).set_axis(plain.index)
    sns.heatmap(shades, annot=wrapped, fmt="", annot_kws=words, ax=axis, **look)
    axis.set_title(shown.title, loc="left", weight="bold", pad=30)
    metrics = [textwrap.fill(metric, 9) for _, metric in plain.columns]
    axis.set_xticks(np.arange(len(metrics)) + 0.5, metrics, fontsize=6)
    axis.set_yticks(np.arange(len(plain)) + 0.5, plain.index, fontsize=6)
    axis.tick_params(length=0, labeltop=True, labelbottom=False)
    axis.set(xlabel="", ylabel="")
    headings = pd.Series(plain.columns.get_level_values(0))
    for heading, columns in headings[headings != ""].groupby(headings):
        middle = columns.index.to_numpy().mean() + 0.5
        axis.annotate(
            heading, (middle, 1), (0, 22), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", fontsize=6.5, weight="bold",
        )  # fmt: skip
    for label, level in zip(axis.get_yticklabels(), shown.levels, strict=True):
        label.set_color(style.SUPERVISION_COLOURS.get(level, "#222222"))
    return drawn
