"""The lead paper's Figs 3 (QCC) and 4 (TEL), drawn from what one clip really becomes."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from evis.companion.plots import style
from evis.papers.eigencluster.figures import colours
from evis.papers.eigencluster.figures.page import (
    ARROW,
    INK,
    LINE,
    NORMAL,
    SMALL,
    WORDS,
    boxes,
    by,
    join,
    outline,
    show,
)
from evis.papers.eigencluster.one_clip import OneClip

_OF_CLUSTERS = {"cmap": ListedColormap(colours.CLUSTERS), "vmin": 0, "vmax": 1, "aspect": "equal"}


def figure_three(one: OneClip) -> Figure:
    """QCC: from mask logits to the coefficient Q."""
    shape = {"figsize": (style.PAGE, 2.8), "width_ratios": (1.1, 0.55, 1.1, 1.6, 0.95)}
    figure, axes = plt.subplots(1, 5, **shape)
    figure.get_layout_engine().set(wspace=0.1)
    titles = {
        "instance features": f"$O$, C × T × H' × W'\n{by(one.logits.shape)}",
        "1. pixels": f"1/{one.settings.scale} a side: $F$,\nT h' w' × C\n{by(one.points.shape)}",
        "2. K-means, Eq. 1": f"K = {len(one.queries)} objects\n{by(one.small[0].shape)}",
        "3. Davies-Bouldin, Eq. 2": "along the centroids $\\mu$\ncircles: radius $\\sigma$",
        "4. coefficient, Eq. 3": "",
    }
    for ax, (title, below) in zip(axes, titles.items(), strict=True):
        ax.set_title(title, fontsize=NORMAL)
        ax.set_xlabel(below, fontsize=SMALL)
    _all_queries(axes[0], one)
    show(axes[1], one.points, **style.signed(one.logits, 0.98))
    _clusters(axes[2], one)
    _plane(axes[3], one)
    _score(axes[4], one)
    join(axes)
    return figure


def _all_queries(ax: Axes, one: OneClip) -> None:
    """A row a query, framed where it stands for an object."""
    queries, frames, height, width = one.logits.shape
    height, width = height + 2, width + 2  # with the lines between tiles
    show(ax, _tiles(one.logits), "white", **style.signed(one.logits, 0.98))
    ax.set_yticks(height * (np.arange(queries) + 0.5), range(queries), fontsize=SMALL)
    ax.tick_params(length=0)
    for query, colour in zip(one.queries.tolist(), colours.OBJECTS, strict=True):
        outline(ax, (0, query * height, frames * width, (query + 1) * height), colour)


def _clusters(ax: Axes, one: OneClip) -> None:
    """Each frame's pixels in their cluster's colour, with the true boxes."""
    height, width = one.small.shape[-2:]
    clusters = one.clusters.view(-1, 1, height, width).float()
    show(ax, _tiles(clusters), "white", **_OF_CLUSTERS)
    for t in range(len(clusters)):
        corner = 1, 1 + t * (height + 2)
        boxes(ax, one, t, width / one.clip.frames.shape[-1], corner)


def clusters(clips: Sequence[OneClip], shares: Sequence[float], shown: Sequence[int]) -> Figure:
    """The middle frames of some of the clips above their clusters, each with its boxes; of all, the
    share of the boxes' pixels, in percent, that lie in one and the same cluster.
    """
    size = {"figsize": (style.PAGE, 2.2), "width_ratios": [*[1] * len(shown), 0.8]}
    figure, axes = plt.subplots(2, len(shown) + 1, **size)
    for (above, below), number in zip(axes.T, shown, strict=False):
        one = clips[number]
        height, width = one.small.shape[-2:]
        show(above, one.frames[1])
        boxes(above, one, 1)
        show(below, one.clusters.view(-1, height, width)[1], **_OF_CLUSTERS)
        boxes(below, one, 1, width / one.clip.frames.shape[-1])
        below.set_xlabel(f"{shares[number]:.0f}% in one")
    for ax in axes[:, -1]:
        ax.remove()
    ax = figure.add_subplot(axes[0, -1].get_gridspec()[:, -1])
    sns.swarmplot(y=list(shares), size=4, color=colours.CLUSTERS[0], ax=ax)
    ax.set(ylim=(48, 102), ylabel="% of the boxes' pixels\nin one cluster (measured)")
    ax.set_xlabel(f"all {len(shares)} clips", fontsize=SMALL)
    return figure


def _tiles(pictures: Tensor) -> Tensor:
    """(rows, columns, h, w) -> one picture, white lines between them."""
    framed = F.pad(pictures, (1, 1, 1, 1), value=torch.nan)  # (rows, columns, h + 2, w + 2)
    return torch.cat([torch.cat(list(row), dim=-1) for row in framed])


def _plane(ax: Axes, one: OneClip) -> None:
    """Every point, the centroids, and circles of their spreads, at true scale."""
    (points, centres), (_, spreads) = one.plane(), one.centroids()
    for k, colour in enumerate(colours.CLUSTERS):
        ax.scatter(*points[one.clusters == k].T, s=4, color=colour, lw=0.2, ec=LINE)
    for k, (centre, colour) in enumerate(zip(centres.tolist(), colours.CLUSTERS, strict=True), 1):
        ax.add_patch(Circle(centre, float(spreads[k - 1]), fill=False, ec=INK, lw=0.9))
        ax.plot(*centre, "X", color=colour, mec=INK, ms=6, mew=0.7)
        ax.annotate(f"$\\mu_{k}$", centre, (0, 9), textcoords="offset points", **WORDS)
    ax.set_aspect("equal", adjustable="datalim")
    ax.tick_params(labelsize=SMALL)


def _score(ax: Axes, one: OneClip) -> None:
    centres, spreads = one.centroids()
    apart, (s1, s2) = float((centres[1] - centres[0]).norm()), spreads.tolist()
    distance = "$\\Vert\\mu_1 - \\mu_2\\Vert$"
    show(ax, np.ones((1, 1)), colours.ALL_LOSSES, alpha=0)
    for y, size, text in (
        (0.8, SMALL, f"$\\sigma_1$ = {s1:.1f}\n$\\sigma_2$ = {s2:.1f}\n{distance} = {apart:.1f}"),
        (0.5, SMALL, f"$d_b$ = ($\\sigma_1 + \\sigma_2$) /\n{distance} = {(s1 + s2) / apart:.2f}"),
        (0.2, 9, f"$Q$ = 1 + $d_b$\n= {one.terms['qcc']:.2f}"),
    ):
        ax.text(0.5, y, text, transform=ax.transAxes, fontsize=size, **WORDS)


def figure_four(one: OneClip) -> Figure:
    """TEL: from matched masks to L_eig, a row a frame. The matrices are the first object's."""
    shape = {"figsize": (style.PAGE, 3.6), "width_ratios": (1.1, 0.75, 0.75, 1, 1, 1, 0.85, 0.55)}
    figure, axes = plt.subplots(len(one.frames), 8, **shape)
    affinity, degree, laplacian = (m.sign() * m.abs() ** 0.4 for m in one.matrices())
    limit, of_degree = float(affinity.max()), float(degree.max())
    matrices = (
        (affinity, {"cmap": "Greys", "vmin": 0, "vmax": limit}),
        (degree, {"cmap": "Greys", "vmin": 0, "vmax": of_degree}),
        (laplacian, {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}),
    )
    red_and_blue = style.signed(one.logits, 0.98)
    for t, row in enumerate(axes):
        boxes(show(row[0], one.frames[t], aspect="equal"), one, t)
        row[0].set_ylabel(f"$t$ = {t}", fontsize=SMALL)
        for ax, values in ((row[1], one.instances), (row[2], one.small)):
            show(ax, _tiles(values[:, t, None]), "white", aspect="equal", **red_and_blue)
        for ax, (matrix, how) in zip(row[3:6], matrices, strict=True):
            show(ax, matrix[t], colours.OBJECTS[0], aspect="equal", **how)
        _bars(row[6], one, t)
        join(row[:7])
        row[7].remove()
    compared = figure.add_subplot(axes[0, 7].get_gridspec()[:, 7])
    _compared(compared, one)
    _headings([*axes[0, :7], compared], one)
    note = f"over {len(one.queries)} objects and {one.spectra.shape[-1]} eigenvalues. Matrices: "
    note += "pixels in order of their logit, which changes no eigenvalue."
    equation = "$L_{eig}(t, \\hat{t}) = \\Vert \\Lambda_{\\hat{t}} - \\Lambda_t \\Vert_1$"
    figure.supxlabel(f"{equation} / {one.compared}, {note}", fontsize=SMALL)
    return figure


def _headings(axes: Sequence[Axes], one: OneClip) -> None:
    pixels = one.small[0, 0].numel()
    chosen = ", ".join(f"({n}, {query})" for n, query in enumerate(one.queries.tolist(), 1))
    titles = (
        f"matching\n$R$ = {{{chosen}}}",
        f"$E$\n{by(one.instances.shape)}",
        f"$E_{{(n,t)}}$, Eq. 4\n{pixels} × 1",
        f"$A$, Eq. 5\n{pixels} × {pixels}",
        f"$D$, Eq. 6\n{pixels} × {pixels}",
        f"$La$, Eq. 7\n{pixels} × {pixels}",
        f"$\\Lambda_t$, Eqs. 8-9\n{by(one.spectra[:, 0].shape)} a frame",
        f"$L_{{eig}}$\nEq. 10 / {one.compared}",
    )
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title, fontsize=SMALL)


def _bars(ax: Axes, one: OneClip, t: int) -> None:
    """The first eigenvalues of both objects in one frame; the last of them also as a number."""
    numbers = np.arange(1, one.spectra.shape[-1] + 1)
    for n, (values, colour) in enumerate(
        zip(one.spectra[:, t].numpy(), colours.OBJECTS, strict=True)
    ):
        drawn = ax.bar(numbers + 0.4 * n - 0.2, values, 0.4, color=colour)
        texts = [""] * (len(numbers) - 1) + [f"{values[-1]:.0f}"]
        for text in ax.bar_label(drawn, texts, fontsize=SMALL):
            text.set_ha(("right", "center")[n])
    ax.set(ylim=(0, 1.3 * float(one.spectra.max())))
    ax.set_xticks(numbers, [f"$\\lambda_{i}$" for i in numbers])
    ax.locator_params(axis="y", nbins=3)
    ax.tick_params(labelsize=SMALL)
    ax.grid(axis="x", visible=False)


def _compared(ax: Axes, one: OneClip) -> None:
    """L_eig of each pair, on an arrow from frame to frame; the last one goes back to the first."""
    style.bare(ax).set(xlim=(0, 1), ylim=(len(one.frames), 0))
    for (a, b), value in zip(one.pairs, one.tel.tolist(), strict=True):
        x = 0.1 if b == a + 1 else 0.9
        ax.annotate("", (x, b + 0.5), (x, a + 0.5), arrowprops=ARROW | {"shrinkA": 3, "shrinkB": 3})
        side = {"ha": "left"} if b == a + 1 else {"ha": "right"}
        ax.text(x, (a + b + 1) / 2, f" {value:.1f} ", fontsize=NORMAL, **WORDS | side)
