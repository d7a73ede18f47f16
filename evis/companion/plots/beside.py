"""A table's printed numbers, every measured seed and the differences, side by side."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evis.companion.beside import PRINTED_ONLY, Table
from evis.companion.held_out import VIDEOS
from evis.companion.plots import forest, style

_HEIGHT = 0.27  # inches of a line


def panels(
    shown: pd.DataFrame,
    measured: pd.DataFrame,
    metric: str = "AP",
    sets: tuple[str, str] = ("YouTube-VIS 2019", VIDEOS),
) -> Figure:
    """A line a label of `beside.compare`: what is printed, every measured seed, the difference.

    measured: the rows, a line a seed. sets: that of the printed numbers, that of the measured ones.
    """
    printed = shown["published"].notna().any()
    size, widths = (style.PAGE, 1.15 + _HEIGHT * len(shown)), [1, 1.3, 1.3] if printed else [1, 1]
    figure, axes = plt.subplots(1, len(widths), figsize=size, sharey=True, width_ratios=widths)
    _fill(axes, shown, measured, metric, sets)
    _legend(figure, printed)
    return figure


def stacked(
    tables: Sequence[Table], measured: Sequence[pd.DataFrame], metric: str = "AP"
) -> Figure:
    """`panels` of several tables, one below the other, each on a scale of its own."""
    shown = [table.beside(rows, metric) for table, rows in zip(tables, measured, strict=True)]
    lines = np.array([len(own) for own in shown])
    size = style.PAGE, 0.5 + (0.65 + _HEIGHT * lines).sum()
    shape = {"figsize": size, "sharey": "row", "squeeze": False, "width_ratios": [1, 1.3, 1.3]}
    figure, axes = plt.subplots(len(lines), 3, height_ratios=lines + 0.3, **shape)
    for line, table, own, rows in zip(axes, tables, shown, measured, strict=True):
        _fill(line, own, rows, metric, (table.printed_on, table.held_out.toy_set))
    _legend(figure, True)
    return figure


def _fill(
    axes: Sequence[Axes],
    shown: pd.DataFrame,
    measured: pd.DataFrame,
    metric: str,
    sets: tuple[str, str],
) -> None:
    """axes: three, or two where nothing is printed."""
    if len(axes) == 3:
        values = shown["published"].rename_axis("label").rename("mean").reset_index()
        words = values["mean"].map("{:.1f}".format, na_action="ignore").fillna("not printed")
        look = {"marker": "D", "colour": forest.PUBLISHED, "text": words}
        forest.forest(values.assign(**look), axes[0], f"{metric}, {sets[0]}", zero=False)
        axes[0].set_title("published")
        axes[0].margins(x=0.2)
    forest.seeds(measured, shown["row"].to_dict(), metric, axes[-2])
    axes[-2].set(title="measured at toy scale", xlabel=f"{metric}, {sets[1]}")
    gains = shown.drop(columns="published").rename_axis("label").reset_index()
    names = {"measured difference": "mean", "published difference": "published"}
    gains = gains.rename(columns=names)
    alone = (gains["seeds"] == 1) & gains["mean"].notna()
    gains["text"] = alone.map({True: "one unit"}).where(gains["row"].notna(), PRINTED_ONLY)
    gains["mean"] = gains["mean"].where(gains["seeds"] > 1)
    forest.forest(gains, axes[-1], f"{metric}, paired by unit")
    axes[-1].set_title("difference to the baseline")


def _legend(figure: Figure, printed: bool) -> None:
    marks = forest.legend()[0 if printed else 1 :]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
