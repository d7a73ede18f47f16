"""The lead paper's tables, and Fig. 6, as pictures of the frames in `eigencluster.tables`."""

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from evis.companion import paired
from evis.companion.plots import forest, style
from evis.papers.eigencluster.figures.colours import ROW_COLOURS, ROW_MARKERS, ROW_NAMES


def panels(beside: pd.DataFrame, table: pd.DataFrame, metric: str = "AP") -> Figure:
    """A line a label of `tables.beside`: what is printed, every measured seed, the difference.

    table: the measured rows, a line a seed.
    """
    printed = beside["published"].notna().any()
    size, widths = (style.PAGE, 1.15 + 0.27 * len(beside)), [1, 1.3, 1.3] if printed else [1, 1]
    figure, axes = plt.subplots(1, len(widths), figsize=size, sharey=True, width_ratios=widths)
    if printed:
        values = beside["published"].rename_axis("label").rename("mean").reset_index()
        words = values["mean"].map("{:.1f}".format, na_action="ignore").fillna("not printed")
        look = {"marker": "D", "colour": forest.PUBLISHED, "text": words}
        forest.forest(values.assign(**look), axes[0], f"{metric}, YouTube-VIS 2019", zero=False)
        axes[0].set_title("published")
        axes[0].margins(x=0.2)
    forest.seeds(table, beside["row"].to_dict(), metric, axes[-2])
    axes[-2].set(title="measured at toy scale", xlabel=f"{metric}, toy-ytvis19")
    gains = beside.drop(columns="published").rename_axis("label").reset_index()
    names = {"measured difference": "mean", "published difference": "published"}
    gains = gains.rename(columns=names)
    gains["text"] = gains["seeds"].map({1: "one seed"})
    gains["mean"] = gains["mean"].where(gains["seeds"] > 1)
    forest.forest(gains, axes[-1], f"{metric}, paired by seed")
    axes[-1].set_title("difference to the baseline")
    marks = forest.legend()[0 if printed else 1 :]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return figure


def by_size(published: pd.DataFrame, measured: pd.DataFrame, metric: str = "AP") -> Figure:
    """Table I's four methods over backbones, published, and over sizes of the toy model, measured.

    Columns "row", "size" and the metric: a line a printed value; a line a seed.
    """
    rows = published["row"].unique()
    figure, axes = plt.subplots(1, 2, figsize=(style.PAGE, 2.9))
    for ax, data in zip(axes, (published, measured), strict=True):
        sns.pointplot(data, x="size", y=metric, **_means_of_rows(rows), ax=ax)
        if legend := ax.get_legend():  # there is none where nothing is measured
            legend.remove()
    axes[0].set(title="published, YouTube-VIS 2019", xlabel="backbone")
    axes[1].set(title="measured, toy-ytvis19", xlabel="size of the toy model")
    handles, _ = axes[0].get_legend_handles_labels()
    names = [ROW_NAMES[row] for row in rows]
    figure.legend(handles, names, loc="outside lower center", ncols=len(rows))
    return figure


def share_kept(shares: pd.DataFrame) -> Figure:
    """How much of full supervision each method keeps, with the paired interval: columns "group" (a
    backbone or size), "row", and "share" in percent, a line a seed."""
    rows = [row for row in ROW_COLOURS if row in set(shares["row"])]
    figure, ax = plt.subplots(figsize=(style.PAGE, 2.6))
    look = {"hue": "row", "hue_order": rows, "palette": ROW_COLOURS, "saturation": 1}
    bars = {"capsize": 0.2, "err_kws": {"linewidth": 1, "color": "#222222"}}
    bars["errorbar"] = lambda seeds: paired.Difference(tuple(seeds)).bootstrap()
    sns.barplot(shares, x="group", y="share", **look, **bars, ax=ax)
    for drawn in ax.containers:
        ax.bar_label(drawn, fmt="%.1f", label_type="center", fontsize=7)
    ax.axhline(100, color=ROW_COLOURS["masks"], linewidth=1, zorder=0)
    ax.set(xlabel="", ylabel="percent of Mask2Former's AP", ylim=(0, 118))
    ax.grid(axis="x", visible=False)
    handles, _ = ax.get_legend_handles_labels()
    ax.get_legend().remove()
    names = [ROW_NAMES[row] for row in rows]
    figure.legend(handles, names, loc="outside lower center", ncols=len(rows))
    return figure


def table_five(
    tables: pd.DataFrame, gains: pd.DataFrame, rows: Sequence[str], metric: str = "mIoU"
) -> Figure:
    """Above, every seed of each row; below, differences of rows, paired by seed; a set a column.

    tables: columns "set", "row", "seed" and the metric. gains: of `paired.differences`, with "set".
    """
    sets = gains["set"].unique()
    shape = {"figsize": (style.PAGE, 3.2), "height_ratios": (1.4, 1), "sharey": "row"}
    figure, axes = plt.subplots(2, len(sets), **shape, squeeze=False)
    for name, (upper, lower) in zip(sets, axes.T, strict=True):
        own = tables[tables["set"] == name]
        forest.seeds(own, {ROW_NAMES[row]: row for row in rows}, metric, upper)
        upper.set(title=f"{name}, measured", xlabel=f"{metric}, percent")
        forest.forest(gains[gains["set"] == name], lower, f"{metric}, paired by seed")
    figure.legend(handles=forest.legend(), loc="outside lower center", ncols=4)
    return figure


def figure_six(halves: pd.DataFrame) -> Figure:
    """Fig. 6: mIoU on either side of the median of each attribute, of `tables.halves`; a row of
    panels a data set. Colours: `figures/colours.py`."""
    rows = halves["row"].unique()
    shape = {"height": 1.9, "aspect": style.PAGE / halves["attribute"].nunique() / 1.9}
    facets = {"row": "set", "col": "attribute", "sharey": "row"}
    with plt.rc_context({"figure.constrained_layout.use": False}):  # seaborn's grids have their own
        look = _means_of_rows(rows)
        grid = sns.catplot(halves, kind="point", x="side", y="mIoU", **facets, **look, **shape)
    grid.set_titles("{row_name}: {col_name}").set_axis_labels("", "measured mIoU, percent")
    sns.move_legend(grid, "upper center", bbox_to_anchor=(0.5, 0), ncols=len(rows), title=None)
    for text in grid.legend.get_texts():
        text.set_text(ROW_NAMES[text.get_text()])
    return grid.figure


def _means_of_rows(rows: Iterable[str]) -> dict[str, Any]:
    """How seaborn draws the means of rows with Student's 95% intervals, side by side."""
    look = {"hue": "row", "hue_order": list(rows), "palette": ROW_COLOURS, "dodge": 0.25}
    look |= {"markers": [ROW_MARKERS[row] for row in rows], "markersize": 5, "linewidth": 1.2}
    return look | {"errorbar": paired.interval, "capsize": 0.08, "err_kws": {"linewidth": 1.2}}


def search(gains: pd.DataFrame, chosen: str | None, xlabel: str) -> Figure:
    """Every seed's gain of each variant, of `search.gains_over`, and their means; best on top."""
    tidy = gains.drop(columns="mean").melt(ignore_index=False, var_name="seed", value_name=xlabel)
    rows = {f"{name} (chosen)" if name == chosen else name: name for name in gains.index[::-1]}
    ax = forest.seeds(tidy.rename_axis("row").reset_index(), rows or {"": ""}, xlabel)
    ax.axvline(0, color="#999999", linewidth=0.8, zorder=0)
    return ax.figure
