"""What labels cost, and what networks make of them: accuracy against seconds of annotation."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evis.companion.plots import style

_ZERO = 2.5  # where "no seconds at all" stands on a scale of logarithms
_APART = 0.08  # decades: labels of the axis that are nearer share a line
_GAP = 0.036  # of the height, between two names


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


def against_seconds(levels: pd.DataFrame, metric: str = "AP") -> Figure:
    """A mark a measured level, with its interval and its units; hollow: after masks of stills.

    levels: label ("what: who learns"), labels, seconds, units, "masks of stills", the metric, low
    and high. What is annotated stands along the axis, in grey where nothing of it is measured yet.
    """
    figure, axes = plt.subplots(figsize=(style.PAGE, 4.3))
    shown = levels.assign(x=np.log10(levels["seconds"].clip(lower=_ZERO)))
    found = shown[shown["units"] > 0]
    for line in found.to_dict("records"):
        colour = style.SUPERVISION_COLOURS[line["labels"]]
        look = {"marker": style.SUPERVISION_MARKERS[line["labels"]], "markersize": 6}
        look |= {"mec": colour, "mfc": "white" if line["masks of stills"] else colour}
        reach = np.array([[line[metric] - line["low"]], [line["high"] - line[metric]]])
        axes.errorbar(line["x"], line[metric], reach, color=colour, capsize=2.5, **look)
    low, high = (found[metric].min(), found[metric].max()) if len(found) else (0, 60)
    axes.set(xlim=(0.2, 3.7), ylim=(low - 0.5 * (high - low) - 1, high + 3))
    _axis(axes, shown)
    _names(axes, found, metric)
    axes.set(xlabel="seconds of annotation an object, its class included", ylabel=f"{metric}, %")
    used = [kind for kind in style.SUPERVISION_COLOURS if kind in set(found["labels"])]
    marks = [
        Line2D([], [], lw=0, marker=style.SUPERVISION_MARKERS[kind], label=kind,
               color=style.SUPERVISION_COLOURS[kind])
        for kind in used
    ]  # fmt: skip
    marks.append(Line2D([], [], lw=0, marker="o", mec="black", mfc="white",
                        label="hollow: after masks of stills"))  # fmt: skip
    figure.legend(handles=marks, loc="outside upper center", ncols=len(marks))
    return figure


def _axis(axes: Axes, shown: pd.DataFrame) -> None:
    """Powers of ten and 0 below; what is annotated, upright, in the lowest part of the picture."""
    axes.set_xticks([np.log10(_ZERO), 1, 2, 3], ["0", "10", "100", "1000"])
    axes.axvline(0.74, color="#999999", linewidth=0.8, linestyle=":")  # 0 is on no such scale
    for own in _near(shown):
        names = dict.fromkeys(label.partition(":")[0] for label in own["label"])
        colour = "#222222" if (own["units"] > 0).any() else "#999999"
        at, side = (own["x"].mean(), 0.02), {"rotation": 90, "va": "bottom", "ha": "center"}
        look = {"color": colour, "fontsize": 7, "xycoords": ("data", "axes fraction")}
        axes.annotate(" / ".join(names), at, **side, **look)


def _near(shown: pd.DataFrame) -> list[pd.DataFrame]:
    ordered = shown.sort_values("x", kind="stable")
    return [own for _, own in ordered.groupby((ordered["x"].diff() > _APART).cumsum())]


def _names(axes: Axes, found: pd.DataFrame, metric: str) -> None:
    """Who learns, beside each mark, at the side that has more room, spread so that all are read."""
    groups = _near(found)
    centres = [own["x"].mean() for own in groups]
    gap = _GAP * np.ptp(axes.get_ylim())
    for number, own in enumerate(groups):
        before = centres[number] - centres[number - 1] if number else 0.2
        after = centres[number + 1] - centres[number] if number + 1 < len(groups) else 9.0
        left = after < 0.4 and before > after
        own = own.sort_values(metric)
        heights = spread(own[metric].to_numpy(), gap)
        for line, height in zip(own.to_dict("records"), heights, strict=True):
            side = -0.05 if left else 0.05
            words = f"{line['label'].partition(': ')[2]} ({line['units']})"
            look = {"fontsize": 6.8, "va": "center", "ha": "right" if left else "left"}
            axes.annotate(words, (line["x"] + side, height), **look)


def spread(heights: np.ndarray, gap: float) -> np.ndarray:
    """Ascending heights moved apart to at least this gap, and together back to their mean."""
    moved = heights.copy()
    for number in range(1, len(moved)):
        moved[number] = max(moved[number], moved[number - 1] + gap)
    return moved - (moved - heights).mean()
