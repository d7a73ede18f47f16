"""Forest plots (a line a row: its mean with a 95% interval), and every seed of a row as a dot.

Each takes a tidy frame; `forest` and `seeds` draw into one pair of axes, as seaborn's functions do.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evis.companion import paired
from evis.companion.beside import ABSENT, PRINTED_ONLY
from evis.companion.plots import style

PUBLISHED, MEASURED, DIFFERENCE = style.COLOURS[7], style.COLOURS[0], style.COLOURS[3]
_DIAMOND = {"color": PUBLISHED, "marker": "D", "markersize": 4, "linewidth": 0}
_UNLESS_SAID = dict.fromkeys(("mean", "low", "high", "published"), np.nan)
_UNLESS_SAID |= {"colour": DIFFERENCE, "marker": "o", "text": "", "text colour": "#888888"}


def forest(data: pd.DataFrame, ax: Axes | None = None, xlabel: str = "", zero: bool = True) -> Axes:
    """From top to bottom, a line a label: its mean with its interval, beside a line at 0 (`zero`).

    data: columns "label", "mean", "low" and "high"; an interval of NaN has no bar, an infinite one
    a dotted line across. Rows that share a label share its line, a little apart. A mean of NaN has
    its text, or "not measured", on its line. Columns that may be there: "colour" and
    "marker" of the mean; "published", a grey diamond a little above the line; "text", words at the
    right edge, and "text colour".
    """
    labels = data["label"].unique()
    ax = ax or plt.subplots(figsize=(style.PAGE, 0.8 + 0.25 * len(labels)))[1]
    if zero:
        ax.axvline(0, color="#999999", linewidth=0.8, zorder=0)
    for place, label in enumerate(labels):
        line = data[data["label"] == label].to_dict("records")
        for number, row in enumerate(line):
            _row(ax, row, place + 0.3 * (number - (len(line) - 1) / 2))
    ax.set_yticks(range(len(labels)), labels)
    ax.set_xlabel(xlabel)
    return _from_top_to_bottom(ax, len(labels))


def _row(ax: Axes, row: Mapping, height: float) -> None:
    row = _UNLESS_SAID | {name: value for name, value in row.items() if pd.notna(value)}
    ax.plot(row["published"], height - 0.25, **_DIAMOND)
    mean = row["mean"]
    if pd.isna(mean):
        beside = pd.notna(row["published"])  # words would cover the diamond
        words(ax, row["text"] or ABSENT, height, row["text colour"], at_edge=beside)
        return
    bar = {"elinewidth": 1.6, "capsize": 2.5, "markersize": 4}
    reach = [[mean - row["low"]], [row["high"] - mean]]
    if np.isinf(reach).any():
        ax.axhline(height, color=row["colour"], linestyle=":", linewidth=0.8)
        reach = [[np.nan], [np.nan]]
    ax.errorbar(mean, height, xerr=reach, fmt=row["marker"], color=row["colour"], **bar)
    words(ax, row["text"], height, row["text colour"], at_edge=True)


def facets(
    data: pd.DataFrame,
    by: str,
    side_by_side: bool = False,
    xlabel: str = "",
    line_height: float = 0.2,
) -> Figure:
    """A forest a value of the column `by`: below one another, each with a scale of its own.

    side_by_side: in columns that share scale and labels, for panels that have the same lines.
    line_height: in inches.
    """
    lines = data.groupby(by, sort=False)["label"].nunique()
    if side_by_side:
        size = style.PAGE, 1 + line_height * data.groupby(by).size().max()
        figure, panels = plt.subplots(1, len(lines), figsize=size, sharex=True, sharey=True)
    else:
        size = style.PAGE, 0.6 * len(lines) + line_height * lines.sum()
        spread = {"height_ratios": lines + 0.3 / line_height, "squeeze": False}
        figure, panels = plt.subplots(len(lines), figsize=size, **spread)
    for name, ax in zip(lines.index, np.ravel(panels), strict=True):
        forest(data[data[by] == name], ax, xlabel)
        ax.set_title(name)
    return figure


def seeds(
    table: pd.DataFrame, rows: Mapping[str, str], metric: str = "AP", ax: Axes | None = None
) -> Axes:
    """A line a label: each seed a dot, the mean with Student's 95% interval, and how many seeds.

    table: columns "row", "seed" and the metric. rows: label -> row, None where none stands for it.
    """
    ax = ax or plt.subplots(figsize=(style.PAGE, 0.8 + 0.25 * len(rows)))[1]
    measured = {label: table[table["row"] == row] for label, row in rows.items()}
    tidy = pd.concat([own.assign(label=label) for label, own in measured.items()])
    what = {"data": tidy, "x": metric, "y": "label", "order": list(rows), "color": MEASURED}
    sns.stripplot(**what, size=3.5, alpha=0.4, jitter=False, ax=ax)
    bar = {"errorbar": paired.interval, "capsize": 0.2, "err_kws": {"linewidth": 1.6}}
    sns.pointplot(**what, **bar, linestyle="none", markersize=4, markeredgewidth=0, ax=ax)
    for place, (row, own) in enumerate(zip(rows.values(), measured.values(), strict=True)):
        absent = PRINTED_ONLY if pd.isna(row) else ABSENT
        words(ax, f"n={len(own)}" if len(own) else absent, place, at_edge=len(own) > 0)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylabel("")
    return _from_top_to_bottom(ax, len(rows))


def legend(*names: str) -> list[Line2D]:
    """What the marks mean; all of them, or those of these names."""
    dot = {"marker": "o", "markersize": 3, "linewidth": 0, "alpha": 0.4}
    bar = {"marker": "o", "markersize": 4, "linewidth": 1.6}
    marks = [
        Line2D([], [], label="published", **_DIAMOND),
        Line2D([], [], label="measured, a unit", color=MEASURED, **dot),
        Line2D([], [], label="mean and 95% interval", color=MEASURED, **bar),
        Line2D([], [], label="mean difference and 95% interval", color=DIFFERENCE, **bar),
    ]
    return [mark for mark in marks if not names or mark.get_label() in names]


def _from_top_to_bottom(ax: Axes, lines: int) -> Axes:
    ax.set_ylim(max(lines, 1) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    return ax


def words(
    ax: Axes, text: str, height: float, colour: str = "#888888", at_edge: bool = False
) -> None:
    """At the height of a line, in its middle or at the right edge."""
    x, side = (1.01, "left") if at_edge else (0.5, "center")
    look = {"color": colour, "fontsize": 7, "va": "center", "ha": side}
    ax.annotate(text, (x, height), xycoords=("axes fraction", "data"), **look)
