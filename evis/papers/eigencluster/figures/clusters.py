"""Notebook 03: a clip's mask logits as points, and how they cluster."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from evis.companion.plots import style
from evis.losses import qcc
from evis.papers.eigencluster.figures.logit_fits import Clip, coefficient

PALETTE = ("#9a9a9a", *style.COLOURS)  # the largest cluster is grey: mostly the background


def by_size(labels: Tensor) -> np.ndarray:
    """Number the clusters by size, the largest first, so that colours stay what they are."""
    order = labels.bincount().argsort(descending=True, stable=True)
    return order.argsort()[labels].numpy()


def scatter(axis: Axes, points: Tensor, labels: np.ndarray, centres: bool = True) -> None:
    """Points (n, 2) in the plane of two logits, a colour a label, their centroids as crosses."""
    colours = np.array(PALETTE)[labels]
    axis.scatter(*points.T, s=5, color=colours, alpha=0.55, linewidths=0)
    for label in np.unique(labels) if centres else ():
        centre = points[torch.from_numpy(labels == label)].mean(0)
        axis.plot(*centre, "X", color=PALETTE[label], markersize=9, markeredgecolor="black")
    axis.set(xlabel="logit of object 1", ylabel="logit of object 2")
    axis.set_aspect("equal")


def picture(axis: Axes, labels: np.ndarray, shape: Sequence[int], frame: int = 0) -> None:
    """The labels of one frame as an image; shape (frames, h, w)."""
    image = labels.reshape(shape)[frame]
    style.bare(axis).imshow(image, cmap=ListedColormap(PALETTE), vmin=0, vmax=len(PALETTE) - 1)


def from_maps_to_points(logits: Tensor, clip: Clip) -> Figure:
    """Two logit maps of the first frame at the left, the points they make at the right."""
    figure, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.1), width_ratios=(1, 1, 0.75))
    limit = float(logits.abs().max())
    for number, axis in enumerate(axes[:2]):
        style.bare(axis).imshow(logits[number, 0], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(f"logits of object {number + 1}, frame 0")
        axis.set_xlabel("red: above 0, blue: below")
    scatter(axes[2], qcc.feature_points(logits[None])[0], clip.owners().numpy(), centres=False)
    axes[2].set_title("one point a pixel, all frames")
    for owner, name in enumerate(("background", "object 1", "object 2")):
        axes[2].scatter([], [], s=18, color=PALETTE[owner], label=f"truly {name}")
    figure.legend(loc="outside lower right", ncols=3, handletextpad=0.1)
    return figure


def by_hand(points: Tensor, labels: Tensor) -> Figure:
    """Davies-Bouldin's parts: spreads as circles, and on each line between centroids the ratio."""
    figure, axis = plt.subplots(figsize=(style.PAGE * 0.62, 3.1))
    centres, spreads = [], []
    for label, name in enumerate("ABC"):
        own = points[labels == label]
        centre = own.mean(0)
        spread = float((own - centre).norm(dim=1).mean())
        colour = style.COLOURS[label]
        axis.scatter(*own.T, color=colour, s=26, zorder=3)
        axis.add_patch(plt.Circle(centre, spread, color=colour, alpha=0.15, linewidth=0))
        axis.plot(*centre, "X", color=colour, markersize=9, markeredgecolor="black")
        below = -13 if name < "C" else 6
        axis.annotate(
            f"{name}, $\\sigma$ = {spread:g}", centre, (7, below), textcoords="offset points"
        )
        centres.append(centre)
        spreads.append(spread)
    for i, j, side in ((0, 1, "center"), (0, 2, "right"), (1, 2, "left")):
        apart, both = float((centres[i] - centres[j]).norm()), spreads[i] + spreads[j]
        axis.plot(*torch.stack((centres[i], centres[j])).T, color="#777777", zorder=0)
        axis.annotate(
            f"({spreads[i]:g} + {spreads[j]:g}) / {apart:g} = {both / apart:g}",
            (centres[i] + centres[j]) / 2,
            ha=side,
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )
    axis.set_aspect("equal")
    axis.set(xlabel="feature 1", ylabel="feature 2", xlim=(-2.4, 5.9))
    return figure


def lloyd(points: Tensor, history: Sequence[tuple[int, Tensor, Tensor]]) -> Figure:
    """K-means step by step; (step, centres, labels) a panel."""
    figure, axes = plt.subplots(
        1, len(history), figsize=(style.PAGE, 2.3), sharex=True, sharey=True
    )
    for axis, (step, centres, labels) in zip(axes, history, strict=True):
        scatter(axis, points, labels.numpy(), centres=False)
        for centre, colour in zip(centres, PALETTE, strict=False):
            axis.plot(*centre, "X", color=colour, markersize=9, markeredgecolor="black")
        inertia = float((points - centres[labels]).square().sum())
        axis.set_title(f"step {step}\ninertia {inertia:.0f}")
        axis.label_outer()
    return figure


def training(curves: pd.DataFrame, iou: Sequence[float], path: Tensor, steps: Sequence[int]):
    """Q and IoU over a fit at the top; the clusters of frame 0 after some steps below."""
    figure = plt.figure(figsize=(style.PAGE, 3.9))
    upper, lower = figure.subfigures(2, 1, height_ratios=(2.2, 1))
    left, right = upper.subplots(1, 2, sharex=True)
    for column, colour, line in zip(
        curves,
        (style.COLOURS[0], style.COLOURS[5], style.COLOURS[3]),
        ("-", "--", "-"),
        strict=True,
    ):
        left.plot(curves.index, curves[column], line, color=colour, label=column)
    left.set(xlabel="step", ylabel="Q", ylim=(1, None))
    left.legend()
    right.plot(iou, color=style.COLOURS[2])
    right.set(xlabel="step", ylabel="mean IoU with the true masks", ylim=(0, 1.02))
    height, width = (side // 4 for side in path.shape[-2:])
    clusters = path.shape[1]
    for axis, step in zip(lower.subplots(1, len(steps)), steps, strict=True):
        labels, _ = qcc.kmeans(qcc.feature_points(path[step][None]), [clusters])
        picture(axis, by_size(labels[0]), (-1, height, width))
        axis.set_title(f"step {step}")
    return figure


def counts(logits: Tensor, tried: Sequence[int]) -> Figure:
    """The same points under different K: in the plane, and as a picture of frame 0."""
    figure, axes = plt.subplots(
        2, len(tried), figsize=(style.PAGE, 3.3), height_ratios=(1.6, 1), squeeze=False
    )
    points = qcc.feature_points(logits[None])
    height, width = (side // 4 for side in logits.shape[-2:])
    for (above, below), clusters in zip(axes.T, tried, strict=True):
        labels = by_size(qcc.kmeans(points, [clusters])[0][0])
        scatter(above, points[0], labels)
        above.set_title(f"K = {clusters}: Q = {float(coefficient(logits, clusters)):.2f}")
        picture(below, labels, (-1, height, width))
        if clusters != tried[0]:
            above.set(ylabel="", yticklabels=[])
    return figure


def wrong_counts_chart(table: pd.DataFrame) -> Figure:
    """One line a clip over K; a panel a way to pick the points."""
    kinds = table.pixels.unique()
    figure, axes = plt.subplots(1, len(kinds), figsize=(style.PAGE, 2.5), sharey=True)
    for axis, kind in zip(axes, kinds, strict=True):
        lines = table[table.pixels == kind].pivot(index="extra", columns="video", values="Q")
        axis.plot(lines.index, lines, color="#bbbbbb", linewidth=0.8)
        axis.plot(lines.mean(axis=1), "o-", color=style.COLOURS[0], label="mean of the clips")
        names = ["one too few", "instances", "instances +\nbackground", "one more"]
        axis.set(xticks=lines.index, xticklabels=names, xlim=(-1.3, 2.3), xlabel="K", title=kind)
    axes[0].set_ylabel("Q of perfect masks")
    axes[0].legend()
    return figure


def instance_counts(per_video: pd.Series) -> Figure:
    """How many videos have how many instances; those that QCC leaves alone in grey."""
    figure, axis = plt.subplots(figsize=(style.COLUMN * 1.15, 2.2))
    videos = per_video.value_counts().sort_index()
    colours = [PALETTE[0] if count < 2 else PALETTE[1] for count in videos.index]
    axis.bar_label(axis.bar(videos.index, videos, color=colours), padding=1)
    axis.set(xlabel="instances in the video", ylabel="videos", xticks=videos.index)
    for colour, name in ((PALETTE[0], "K < 2: Q = 1"), (PALETTE[1], "K $\\geq$ 2: Q > 1")):
        axis.bar(1, 0, color=colour, label=name)
    axis.legend()
    axis.grid(axis="x", visible=False)
    return figure


def races(groups: Mapping[str, Mapping[str, Sequence[float]]], ylabel: str) -> Figure:
    """A panel a group, a line a run over the steps; wider lines lie below narrower ones."""
    figure, axes = plt.subplots(1, len(groups), figsize=(style.PAGE, 2.6), sharey=True)
    for axis, (title, runs) in zip(axes, groups.items(), strict=True):
        for place, (name, values) in enumerate(runs.items()):
            width = 1.2 + 1.4 * (len(runs) - 1 - place)
            axis.plot(values, color=style.COLOURS[place], linewidth=width, label=name)
        axis.set(title=title, xlabel="step")
    axes[0].set(ylabel=ylabel, ylim=(0, 1.02))
    axes[-1].legend(title="loss times")
    return figure


def quality_and_truth(runs: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Figure:
    """Runs as (Q, IoU) over the steps, Q at the left and IoU at the right."""
    figure, axes = plt.subplots(1, 2, figsize=(style.PAGE, 2.6), sharex=True)
    for place, (name, values) in enumerate(runs.items()):
        for axis, curve in zip(axes, values, strict=True):
            axis.plot(curve, color=style.COLOURS[place], label=name)
    axes[0].set(xlabel="step", ylabel="Q", ylim=(1, None))
    axes[1].set(xlabel="step", ylabel="mean IoU with the true masks", ylim=(0, 1.02))
    axes[1].legend(loc="upper right", bbox_to_anchor=(1, 0.92))
    return figure


def masks_after(runs: Mapping[str, Tensor]) -> Figure:
    """Frame 0 of each run's logits (2, frames, h, w): the object that each pixel is said to be."""
    figure, axes = plt.subplots(1, len(runs), figsize=(style.PAGE, 1.9))
    for axis, (name, logits) in zip(axes, runs.items(), strict=True):
        said = (logits[:, 0] > 0).int()
        picture(axis, (said[0] + 2 * said[1]).numpy(), (1, *said.shape[1:]))
        axis.set_title(name)
    for index, name in enumerate(("neither", "object 1", "object 2", "both")):
        axes[0].scatter([], [], s=18, marker="s", color=PALETTE[index], label=name)
    figure.legend(loc="outside lower center", ncols=4, handletextpad=0.1)
    return figure
