"""Pictures of published numbers: the field, what weak labels keep, what each part brings."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evis.companion import field
from evis.companion.plots import labels, style


def progress(panels: Mapping[str, pd.DataFrame], **grid) -> Figure:
    """AP against year, a point a method, in panels; a line follows the best so far of each level.

    panels: title -> rows of `field.points`. A hollow marker: no mask of a still image was used.
    grid: of `plt.subplots`.
    """
    figure, axes = plt.subplots(**grid)
    for axis, (title, points) in zip(axes.flat, panels.items(), strict=True):
        first, last = points.year.min(), points.year.max()
        for level, own in points.groupby("videos"):
            colour, marker = style.SUPERVISION_COLOURS[level], style.SUPERVISION_MARKERS[level]
            best = own.groupby("year").AP.max().cummax()
            best.loc[last + 0.3] = best.iloc[-1]
            axis.step(best.index, best, where="post", color=colour, linewidth=1, alpha=0.45)
            for filled, marks in own.groupby(own.images == "masks"):
                face = colour if filled else "white"
                axis.plot(marks.year, marks.AP, marker, color=colour, mfc=face, ms=5)
        axis.set(title=title, xlim=(first - 0.6, last + 0.6), xticks=range(first, last + 1))
        axis.grid(axis="x", visible=False)
    for axis in axes.flat if axes.ndim == 1 else axes[:, 0]:
        axis.set_ylabel("published AP")
    _legend(figure, pd.concat(panels.values()).videos.unique(), hollow=True)
    for axis, points in zip(axes.flat, panels.values(), strict=True):
        highest_first = points.sort_values("AP", ascending=False)
        labels.name_points(axis, highest_first.year, highest_first.AP, highest_first["name"])
    return figure


def _legend(figure: Figure, levels, hollow: bool = False) -> None:
    """One legend below all panels: what was labelled on videos."""
    marks = [
        Line2D([], [], color=colour, marker=style.SUPERVISION_MARKERS[level], ms=5, label=level)
        for level, colour in style.SUPERVISION_COLOURS.items()
        if level in levels
    ]
    if hollow:
        plain = {"color": "#444444", "marker": "o", "ls": "", "ms": 5}
        marks.append(Line2D([], [], **plain, label="image masks used"))
        marks.append(Line2D([], [], **plain, mfc="white", label="no image masks"))
    look = {"ncols": len(marks), "columnspacing": 1.2, "handlelength": 1.4}
    figure.legend(handles=marks, loc="outside lower center", title="Labels on videos", **look)


def kept(table: pd.DataFrame) -> Figure:
    """Shares kept (`field.kept`): a line a method and backbone, a panel a data set."""
    line = table.method + ", " + table.backbone + "  (of " + table.counterpart + ")"
    table = table.assign(line=line, rank=table.videos.map(field.LEVELS.index))
    heights = {
        name: y for y, name in enumerate(table.sort_values("rank", kind="stable").line.unique())
    }
    size = style.PAGE, 0.2 * len(heights) + 1.0
    figure, axes = plt.subplots(1, 3, sharey=True, figsize=size, gridspec_kw={"wspace": 0.04})
    for axis, dataset in zip(axes, field.DATASETS, strict=True):
        for level, own in table[table.dataset == dataset].groupby("videos"):
            colour, marker = style.SUPERVISION_COLOURS[level], style.SUPERVISION_MARKERS[level]
            y, share = own.line.map(heights), own["kept %"]
            axis.hlines(y, 0, share, color=colour, linewidth=1.2, alpha=0.35)
            axis.plot(share, y, marker, color=colour, markersize=5)
            for at in zip(share, y, strict=True):
                _beside(axis, f"{at[0]:.0f}", at)
        axis.axvline(100, color="#444444", linewidth=0.8)
        axis.set(title=dataset, xlim=(0, 118), xticks=range(0, 101, 25))
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(heights)), heights, fontsize=6.5)
    axes[0].invert_yaxis()
    axes[1].set_xlabel("share of the fully supervised AP that is kept, % (of published AP)")
    _legend(figure, table.videos.unique())
    return figure


def ladders(rungs: pd.DataFrame) -> Figure:
    """What each added part brings, a panel a ladder (`field.ladders`); hollow: AP before."""
    figure, axes = plt.subplots(3, 2, figsize=(style.PAGE, 6.6))
    for axis, (title, own) in zip(axes.flat, rungs.groupby("panel", sort=False), strict=True):
        colour = style.SUPERVISION_COLOURS[own.supervision.iloc[0]]
        y = np.arange(len(own))
        axis.hlines(y, own["AP before"], own.AP, color=colour, linewidth=5, alpha=0.35)
        axis.plot(own["AP before"], y, "o", color=colour, markersize=4, mfc="white")
        axis.plot(own.AP, y, "o", color=colour, markersize=5)
        for at, gain in zip(zip(own.AP, y, strict=True), own.gain, strict=True):
            _beside(axis, f"{at[0]:.1f}" + ("" if np.isnan(gain) else f"  ({gain:+.1f})"), at)
        low, high = own[["AP", "AP before"]].min(axis=None), own.AP.max()
        axis.set(xlim=(low - 0.08 * (high - low), high + 0.45 * (high - low)))
        axis.set(ylim=(len(y) - 0.4, -0.6), xlabel="published AP")
        axis.set_yticks(y, own.added)
        axis.set_title(title, loc="left")
        axis.grid(axis="y", visible=False)
    return figure


def _beside(axis: Axes, text: str, at: tuple[float, float]) -> None:
    look = {"textcoords": "offset points", "va": "center", "fontsize": 6.5}
    axis.annotate(text, at, (6, 0), path_effects=[labels.HALO], **look)
