"""The lead paper's tables, and Fig. 6, as pictures of the frames in `eigencluster.tables`."""

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evis.companion import paired
from evis.companion.plots import style
from evis.papers.eigencluster.figures.colours import ROW_COLOURS, ROW_MARKERS, ROW_NAMES


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


def figure_six(halves: pd.DataFrame) -> Figure:
    """Fig. 6: mIoU on either side of the median of each attribute, of `tables.halves`.

    A row of panels a data set, a line a method: from its mean on the harder half, filled, to that
    on the easier one, each with Student's 95% interval.
    """
    sets, attributes, rows = (list(halves[n].unique()) for n in ("set", "attribute", "row"))
    size = style.PAGE, 0.7 + (0.5 + 0.2 * len(rows)) * len(sets)
    shape = {"figsize": size, "sharex": "row", "sharey": True, "squeeze": False}
    figure, panels = plt.subplots(len(sets), len(attributes), **shape)
    for line, name in zip(panels, sets, strict=True):
        for axes, attribute in zip(line, attributes, strict=True):
            own = halves[(halves["set"] == name) & (halves["attribute"] == attribute)]
            for height, row in enumerate(rows):
                _from_half_to_half(axes, own[own["row"] == row], height, ROW_COLOURS[row])
            axes.set(title=attribute, ylim=(len(rows) - 0.5, -0.5))
            axes.set_yticks(range(len(rows)), [ROW_NAMES[row] for row in rows])
            axes.grid(axis="y", visible=False)
        line[0].set_ylabel(name, weight="bold")
    marks = [
        Line2D([], [], color="#444444", lw=0, marker="o", mfc=face, label=f"{side} half of videos")
        for side, face in (("high", "#444444"), ("low", "white"))
    ]
    figure.supxlabel("measured mIoU, percent", fontsize=8)
    figure.legend(handles=marks, loc="outside lower right", ncols=2)
    return figure


def _from_half_to_half(axes: Axes, seeds: pd.DataFrame, height: float, colour: str) -> None:
    """seeds: columns "side" and "mIoU"."""
    sides = {side: of["mIoU"] for side, of in seeds.groupby("side", sort=False)}
    axes.plot([of.mean() for of in sides.values()], [height] * len(sides), color=colour, lw=0.8)
    for side, of in sides.items():
        reach = [[paired.half_width(of)]] if len(of) >= paired.LEAST_FOR_STUDENT else None
        face = "white" if side == "low" else colour
        bar = {"color": colour, "mfc": face, "markersize": 4, "capsize": 2.5, "elinewidth": 1.6}
        axes.errorbar(of.mean(), height, xerr=reach, fmt="o", **bar)


def _means_of_rows(rows: Iterable[str]) -> dict[str, Any]:
    """How seaborn draws the means of rows with Student's 95% intervals, side by side."""
    look = {"hue": "row", "hue_order": list(rows), "palette": ROW_COLOURS, "dodge": 0.25}
    look |= {"markers": [ROW_MARKERS[row] for row in rows], "markersize": 5, "linewidth": 1.2}
    return look | {"errorbar": paired.interval, "capsize": 0.08, "err_kws": {"linewidth": 1.2}}
