"""A clip's mask logits as points, and how they cluster (notebook 03)."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from evis.companion.plots import style

PALETTE = ("#9a9a9a", *style.COLOURS)  # the largest cluster is grey: mostly the background


def by_size(labels: Tensor) -> Tensor:
    """Number the clusters by size, the largest first, so that colours stay what they are."""
    order = labels.bincount().argsort(descending=True, stable=True)
    return order.argsort()[labels]


def painted(labels: Tensor) -> np.ndarray:
    """(h, w) labels -> (h, w, 3) in the clusters' colours."""
    return np.array([to_rgb(colour) for colour in PALETTE])[np.asarray(labels)]


def scatter(axis: Axes, points: Tensor, labels: Tensor, centres: Sequence[Tensor] = ()) -> None:
    """Points (n, 2) in the plane of two logits, a colour a label, and centres as crosses."""
    axis.scatter(*points.T, s=5, color=np.array(PALETTE)[labels], alpha=0.55, linewidths=0)
    for label, centre in enumerate(centres):
        axis.plot(*centre, "X", color=PALETTE[label], markersize=9, markeredgecolor="black")
    axis.set(xlabel="logit of object 1", ylabel="logit of object 2", aspect="equal")


def by_hand(points: Tensor, labels: Tensor, names: str = "ABC") -> Figure:
    """Davies-Bouldin's parts: spreads as circles, and on each line between centroids the ratio."""
    figure, axis = plt.subplots(figsize=(style.PAGE * 0.62, 3.1))
    own = [points[labels == label] for label in range(len(names))]
    centres = [some.mean(0) for some in own]
    spreads = [float((o - c).norm(dim=1).mean()) for o, c in zip(own, centres, strict=True)]
    for label, name in enumerate(names):
        colour, centre = style.COLOURS[label], centres[label]
        axis.scatter(*own[label].T, color=colour, s=26, zorder=3)
        axis.add_patch(plt.Circle(centre, spreads[label], color=colour, alpha=0.15, linewidth=0))
        axis.plot(*centre, "X", color=colour, markersize=9, markeredgecolor="black")
        text, below = f"{name}, $\\sigma$ = {spreads[label]:g}", 6 if name == names[-1] else -13
        axis.annotate(text, centre, (7, below), textcoords="offset points")
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    for i, j, side in ((0, 1, "center"), (0, 2, "right"), (1, 2, "left")):
        apart, both = float((centres[i] - centres[j]).norm()), spreads[i] + spreads[j]
        axis.plot(*zip(centres[i], centres[j], strict=True), color="#777777", zorder=0)
        text = f"({spreads[i]:g} + {spreads[j]:g}) / {apart:g} = {both / apart:g}"
        axis.annotate(text, (centres[i] + centres[j]) / 2, ha=side, va="center", bbox=box)
    axis.set(xlabel="feature 1", ylabel="feature 2", xlim=(-2.4, 5.9), aspect="equal")
    return figure
