"""What labels cost, and what networks make of them: accuracy against seconds of annotation."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evis.companion.plots import style

_ZERO = 2.5  # where "no seconds at all" stands on a scale of logarithms
_APART = 0.08  # decades: marks that are nearer share a column of numbers
_GAP = 0.034  # of the height, between two numbers
_DASHES = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 4)))  # of printed networks
_LINE = {"color": "#999999", "linewidth": 1.1}


def costs(timed: pd.DataFrame) -> Figure:
    """A line a kind of label, a dot a source; filled: timed on videos, a ring: what we count with.

    timed: as `published.label_costs` has it.
    """
    kinds = list(dict.fromkeys(timed["label"]))
    figure, axes = plt.subplots(figsize=(style.PAGE, 0.7 + 0.42 * len(kinds)))
    for line in timed.to_dict("records"):
        at = line["seconds"], kinds.index(line["label"])
        face = style.COLOURS[0] if line["measured_on"] == "videos" else "white"
        axes.plot(*at, "o", mec=style.COLOURS[0], mfc=face, ms=5, zorder=3)
        if line["used"]:
            axes.plot(*at, "o", mec="black", mfc="none", ms=10)
        axes.annotate(
            f"{line['seconds']:g}", at, (0, 7), textcoords="offset points", ha="center", fontsize=7
        )
    axes.set(xscale="log", xlim=(0.6, 130), ylim=(len(kinds) - 0.5, -0.8))
    axes.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    axes.set_yticks(range(len(kinds)), [f"a {kind}" for kind in kinds])
    axes.set_xlabel("seconds of one label")
    axes.grid(axis="y", visible=False)
    dot = {"marker": "o", "linewidth": 0}
    marks = [
        Line2D(
            [],
            [],
            mec=style.COLOURS[0],
            mfc="white",
            ms=5,
            label="timed on pictures, or not said",
            **dot,
        ),
        Line2D(
            [], [], mec=style.COLOURS[0], mfc=style.COLOURS[0], ms=5, label="timed on videos", **dot
        ),
        Line2D([], [], mec="black", mfc="none", ms=10, label="what we count with", **dot),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=3)
    return figure


def against_seconds(levels: pd.DataFrame, printed: pd.DataFrame, metric: str = "AP") -> Figure:
    """A numbered mark a measured level, with its interval; hollow: after masks of stills.

    levels: label, labels, seconds, units, "masks of stills", the metric, low and high. A key at the
    right has them all, cheapest first, with units in brackets; in grey what is not measured yet.
    printed: label, labels, seconds, network, the metric; in a panel of its own below, in grey and
    with a line a network, for they are of other videos.
    """
    heights = [0.9 + 0.155 * len(levels), 2.4]
    figure, axes = plt.subplots(
        2,
        2,
        figsize=(style.PAGE, sum(heights)),
        width_ratios=[2.9, 1],
        height_ratios=heights,
        sharex="col",
    )
    shown = levels.sort_values("seconds", kind="stable").reset_index(drop=True)
    shown["x"] = _place(shown["seconds"])
    found = shown[shown["units"] > 0]
    for line in found.to_dict("records"):
        colour = style.SUPERVISION_COLOURS[line["labels"]]
        look = {"marker": style.SUPERVISION_MARKERS[line["labels"]], "markersize": 5}
        look |= {"mec": colour, "mfc": "white" if line["masks of stills"] else colour}
        reach = np.array([[line[metric] - line["low"]], [line["high"] - line[metric]]])
        axes[0, 0].errorbar(line["x"], line[metric], reach, color=colour, capsize=2.5, **look)
    top = found[metric].max() if len(found) else 60
    axes[0, 0].set(ylim=(0, 1.08 * top), ylabel=f"{metric}, %, measured")
    _numbers(axes[0, 0], found, metric)
    _key(axes[0, 1], shown)
    _in_print(axes[1], printed.assign(x=_place(printed["seconds"])), metric)
    for axis in axes[:, 0]:
        axis.axvline(0.6, color="#999999", linewidth=0.8, linestyle=":")  # 0 is on no such scale
    axes[1, 0].set_xlabel("seconds of annotation an object, its class included, as we count")
    axes[1, 0].set_xlim(0.2, 3.25)
    axes[1, 0].set_xticks([np.log10(_ZERO), 1, 2, 3], ["0", "10", "100", "1000"])
    used = [kind for kind in style.SUPERVISION_COLOURS if kind in set(shown["labels"])]
    marks = [
        Line2D([], [], lw=0, marker=style.SUPERVISION_MARKERS[kind], label=kind,
               color=style.SUPERVISION_COLOURS[kind])
        for kind in used
    ]  # fmt: skip
    hollow = {"lw": 0, "marker": "o", "mec": "black", "mfc": "white"}
    marks.append(Line2D([], [], label="hollow: after masks of stills", **hollow))
    figure.legend(handles=marks, loc="outside upper center", ncols=len(marks))
    return figure


def _place(seconds: pd.Series) -> pd.Series:
    return np.log10(seconds.clip(lower=_ZERO))


def _in_print(axes: tuple[Axes, Axes], printed: pd.DataFrame, metric: str) -> None:
    """Marks of each network and a line of its own through them, named at the right."""
    panel, names = axes
    ends, dashes = {}, dict(zip(printed["network"].unique(), cycle(_DASHES), strict=False))
    for network, own in printed.groupby("network", sort=False):
        own = own.sort_values(["x", metric])
        panel.plot(own["x"], own[metric], linestyle=dashes[network], zorder=1, **_LINE)
        for line in own.to_dict("records"):
            marker = style.SUPERVISION_MARKERS[line["labels"]]
            panel.plot(line["x"], line[metric], marker, color=style.COLOURS[7], markersize=5)
        ends[network] = own[metric].iloc[-1]
    panel.set(ylim=(0, 1.2 * printed[metric].max()), ylabel=f"{metric}, %, in print")
    panel.set_title("grey: printed, YouTube-VIS 2019, large networks; another world than above")
    style.bare(names).set(xlim=(0, 1), ylim=panel.get_ylim())
    ends = dict(sorted(ends.items(), key=lambda end: end[1]))
    places = spread(np.array(list(ends.values())), 2.4 * _GAP * np.ptp(panel.get_ylim()))
    for network, height in zip(ends, places, strict=True):
        names.plot([0, 0.2], [height, height], linestyle=dashes[network], **_LINE)
        names.annotate(network, (0.24, height), fontsize=6.8, va="center", color="#555555")


def _numbers(axes: Axes, found: pd.DataFrame, metric: str) -> None:
    """Beside the marks, spread where marks are near each other."""
    gap = _GAP * np.ptp(axes.get_ylim())
    for _, own in found.groupby((found["x"].diff() > _APART).cumsum()):
        own = own.sort_values(metric)
        right = own["x"].max() + 0.06
        for number, height in zip(own.index, spread(own[metric].to_numpy(), gap), strict=True):
            axes.annotate(str(number + 1), (right, height), fontsize=6.5, va="center")


def _key(key: Axes, shown: pd.DataFrame) -> None:
    style.bare(key).set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5))
    for number, line in enumerate(shown.to_dict("records")):
        units = line["units"]
        colour = "#222222" if units else "#999999"
        own = style.SUPERVISION_COLOURS[line["labels"]] if units else colour
        words = f"{line['label']}{f' ({units})' if units else ''}"
        number_at, words_at = (0.0, number), (0.06, number)
        look = {"fontsize": 6.8, "va": "center"}
        key.annotate(f"{number + 1}", number_at, ha="right", color=own, weight="bold", **look)
        key.annotate(words, words_at, color=colour, **look)


def spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """Ascending heights moved apart to at least this gap, and together back to their mean."""
    moved = heights.copy()
    for number in range(1, len(moved)):
        moved[number] = max(moved[number], moved[number - 1] + gap)
    return moved - (moved - heights).mean()
