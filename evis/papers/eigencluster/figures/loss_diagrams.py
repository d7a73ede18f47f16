"""Notebook 13: the lead paper's QCC and TEL (Figs 3 and 4), drawn from what one clip becomes."""

import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke

from evis.companion.plots import style
from evis.losses import tel
from evis.papers.eigencluster.figures.board import INK, LINE, NORMAL, SMALL, Board, by
from evis.papers.eigencluster.figures.diagrams import BOTH, INSTANCES, boxed, signed
from evis.papers.eigencluster.figures.trace import Trace

CLUSTERS = style.COLOURS[4], style.COLOURS[6]
ROWS = 2.5, 1.46, 0.42  # of Fig. 4: the lower edge of each frame's
FAINT = 0.4


def quality(found: Trace) -> Figure:
    """Fig. 3: from mask logits to the coefficient Q."""
    board = Board(3.0)
    titles = {
        0.68: "instance features",
        2.02: "1. one row a pixel",
        3.33: "2. K-means, Eq. 1",
        5.0: "3. Davies-Bouldin, Eq. 2",
        6.62: "4. coefficient, Eq. 3",
    }
    for x, title in titles.items():
        board.words(x, 2.9, title, NORMAL)
    _all_logits(board, found)
    board.arrow((1.26, 1.55), (1.72, 1.55))
    board.words(1.49, 1.73, f"1/{found.settings.scale}\na side")
    board.picture(found.points, 1.78, 0.45, 0.5, 2.3, **signed(found.logits))
    board.words(2.03, 0.22, f"$F$, T h' w' × C\n{by(found.points.shape)}")
    board.arrow((2.34, 1.55), (2.78, 1.55))
    _clusters(board, found)
    board.arrow((3.87, 1.55), (4.09, 1.55))
    _plane(board, found)
    _score(board, found)
    return board.figure


def _all_logits(board: Board, found: Trace) -> None:
    """All queries, one row each; those that stand for an object have its colour as a frame."""
    queries, frames = found.logits.shape[:2]
    step = 2.3 / queries
    width = (step - 0.015) * found.logits.shape[-1] / found.logits.shape[-2]
    own = dict(zip(found.queries.tolist(), INSTANCES, strict=False))
    for query, logits in enumerate(found.logits):
        y = 2.75 - (query + 1) * step + 0.01
        board.words(0.13, y + step / 2, str(query))
        for t in range(frames):
            left = 0.23 + t * (width + 0.012)
            board.picture(
                logits[t], left, y, width, edge=own.get(query, LINE), **signed(found.logits)
            )
    board.words(0.68, 0.22, f"$O$, C × T × H' × W'\n{by(found.logits.shape)}")


def _clusters(board: Board, found: Trace) -> None:
    """Each frame's pixels in their cluster's colour, with the true boxes."""
    labels = found.clusters.view(len(found.frames), *found.small)
    width, step = 1.0, 0.78
    height = width * found.small[0] / found.small[1]
    scale = width / found.clip.frames.shape[-1]
    for t, picture in enumerate(labels):
        y = 2.75 - height - t * step
        board.picture(
            picture, 2.83, y, width, cmap=ListedColormap(CLUSTERS), vmin=0, vmax=len(CLUSTERS) - 1
        )
        for n, box in enumerate(found.clip.boxes[:, t]):
            x0, y0, x1, y1 = (scale * float(side) for side in box)
            for colour, line in (("white", 1.6), (INSTANCES[n], 0.8)):
                corner, size = (2.83 + x0, y + height - y1), (x1 - x0, y1 - y0)
                frame = Rectangle(corner, *size, fill=False, ec=colour, lw=line, zorder=3)
                board.axes.add_patch(frame)
    board.words(3.33, 0.22, f"K = {len(found.queries)} objects\n{by(labels.shape)}")


def _centres(found: Trace) -> tuple[torch.Tensor, torch.Tensor]:
    """Centroids (K, C), and the mean distance to it of each cluster's points, (K,)."""
    groups = [found.points[found.clusters == k] for k in range(len(found.queries))]
    centres = torch.stack([group.mean(0) for group in groups])
    spreads = [(g - c).norm(dim=1).mean() for g, c in zip(groups, centres, strict=True)]
    return centres, torch.stack(spreads)


def _plane(board: Board, found: Trace) -> None:
    """The points, seen so that the line through the centroids lies flat."""
    centres, spreads = _centres(found)
    first = torch.nn.functional.normalize(centres[1] - centres[0], dim=0)
    points = found.points - centres.mean(0)
    rest = points - torch.outer(points @ first, first)
    second = torch.linalg.svd(rest, full_matrices=False)[2][0]
    second = second * second.sum().sign()
    axes = board.inset(4.52, 0.62, 1.3, 2.05)
    for k, colour in enumerate(CLUSTERS):
        own = points[found.clusters == k]
        axes.scatter(own @ first, own @ second, s=4, color=colour, lw=0.2, ec=LINE)
        x = float((centres[k] - centres.mean(0)) @ first)
        y = float((centres[k] - centres.mean(0)) @ second)
        axes.add_patch(Circle((x, y), float(spreads[k]), fill=False, ec=INK, lw=0.9))
        axes.plot(x, y, "X", color=colour, mec=INK, ms=6, mew=0.7)
        axes.annotate(
            f"$\\mu_{k + 1}$",
            (x, y),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("along the centroids", fontsize=SMALL, labelpad=1)
    axes.set_ylabel("across", fontsize=SMALL, labelpad=0)
    board.words(5.0, 0.14, "circles: radius $\\sigma$, around a centroid $\\mu$")


def _score(board: Board, found: Trace) -> None:
    centres, spreads = _centres(found)
    apart, (one, two) = float((centres[1] - centres[0]).norm()), spreads.tolist()
    board.arrow((5.87, 1.55), (6.09, 1.55))
    board.box(6.11, 0.8, 1.07, 1.7, colour=BOTH)
    distance = "$\\Vert\\mu_1 - \\mu_2\\Vert$"
    board.words(
        6.645,
        2.12,
        f"$\\sigma_1$ = {one:.1f}\n$\\sigma_2$ = {two:.1f}\n{distance} = {apart:.1f}",
    )
    score = f"$d_b$ = ($\\sigma_1 + \\sigma_2$) /\n{distance} = {(one + two) / apart:.2f}"
    board.words(6.645, 1.62, score)
    board.words(6.645, 1.13, f"$Q$ = 1 + $d_b$\n= {found.terms['qcc']:.2f}", 9)


def eigenvalues(found: Trace) -> Figure:
    """Fig. 4: from matched masks to L_eig, a row a frame. The matrices are the first object's."""
    board = Board(3.82)
    pixels = tel.features(found.instances, found.settings.scale)  # (N, T, n)
    ordered = pixels[0].sort(-1, descending=True).values
    laplacian = tel.laplacian(ordered)  # (T, n, n)
    degree = torch.diag_embed(torch.diagonal(laplacian + affinity(ordered), dim1=-2, dim2=-1))
    limits = [float(_faint(of).max()) for of in (affinity(ordered), degree)]
    matrices = {
        2.85: (affinity(ordered), {"cmap": "Greys", "vmin": 0, "vmax": limits[0]}),
        3.82: (degree, {"cmap": "Greys", "vmin": 0, "vmax": limits[1]}),
        4.79: (laplacian, {"cmap": "RdBu_r", "vmin": -limits[0], "vmax": limits[0]}),
    }
    _headings(board, found, pixels)
    for t, y in enumerate(ROWS):
        board.words(0.06, y + 0.4, f"$t$ = {t}", rotation=90)
        board.picture(boxed(found)[t], 0.16, y + 0.1, 0.87)
        for n, logits in enumerate(found.instances[:, t]):
            low = y + 0.42 - 0.42 * n
            small = pixels[n, t].view(found.small)
            board.picture(logits, 1.26, low, 0.57, edge=INSTANCES[n], **signed(found.logits))
            board.picture(small, 2.06, low, 0.57, edge=INSTANCES[n], **signed(found.logits))
        for x, (matrix, colours) in matrices.items():
            board.picture(_faint(matrix[t]), x, y, 0.78, edge=INSTANCES[0], **colours)
        for x in (1.05, 1.85, 2.65, 3.65, 4.62, 5.59):
            board.arrow((x, y + 0.4), (x + 0.18, y + 0.4))
        _bars(board, found, t, y)
    _differences(board, found)
    return board.figure


def affinity(pixels: torch.Tensor) -> torch.Tensor:
    """Eq. 5: (T, n) -> (T, n, n)."""
    return torch.einsum("ti,tj->tij", pixels, pixels).relu()


def _faint(matrix: torch.Tensor) -> torch.Tensor:
    """Small values raised, so that both blocks of a matrix are seen."""
    return matrix.sign() * matrix.abs() ** FAINT


def _headings(board: Board, found: Trace, pixels: torch.Tensor) -> None:
    matrix = by(pixels.shape[-1:] * 2)
    chosen = ", ".join(f"({n + 1}, {q})" for n, q in enumerate(found.queries.tolist()))
    for x, name, shape in (
        (0.6, "matching", f"$R$ = {{{chosen}}}"),
        (1.545, "$E$", f"{by(found.instances.shape)}"),
        (2.345, "$E_{(n,t)}$, Eq. 4", f"{pixels.shape[-1]} × 1"),
        (3.24, "$A$, Eq. 5", matrix),
        (4.21, "$D$, Eq. 6", matrix),
        (5.18, "$La = D - A$, Eq. 7", matrix),
        (6.25, "$\\Lambda_t$, Eqs. 8-9", f"{by(found.spectra[:, 0].shape)} a frame"),
        (6.98, "$L_{eig}$", "Eq. 10"),
    ):
        board.words(x, 3.66, name, NORMAL)
        board.words(x, 3.48, shape)


def _bars(board: Board, found: Trace, t: int, y: float) -> None:
    """The first eigenvalues of both objects in one frame; the last of them also as a number."""
    axes = board.inset(5.97, y + 0.05, 0.66, 0.7)
    numbers = np.arange(1, found.spectra.shape[-1] + 1)
    for n, values in enumerate(found.spectra[:, t].numpy()):
        places = numbers + 0.4 * n - 0.2
        axes.bar(places, values, 0.4, color=INSTANCES[n])
        axes.annotate(
            f"{values[-1]:.0f}",
            (places[-1], values[-1]),
            (1 - 2 * (n == 0), 1.5),
            textcoords="offset points",
            ha=("right", "center")[n],
            fontsize=SMALL,
        )
    axes.set(ylim=(0, 1.3 * float(found.spectra.max())), xticks=numbers)
    axes.set_xticklabels([f"$\\lambda_{i}$" for i in numbers])
    axes.grid(axis="x", visible=False)


def _differences(board: Board, found: Trace) -> None:
    """L_eig of each pair, on an arrow from frame to frame; the last one goes back to the first."""
    middles = [y + 0.4 for y in ROWS]
    for (a, b), value in zip(found.pairs, found.tel.tolist(), strict=True):
        if b == a + 1:
            board.arrow((6.76, middles[a] - 0.04), (6.76, middles[b] + 0.04))
            board.words(6.8, (middles[a] + middles[b]) / 2, f"{value:.1f}", NORMAL, ha="left")
        else:
            across = 6.76, 7.15, 7.15, 6.76
            along = middles[a], middles[a], middles[b], middles[b]
            board.corner_arrow(*zip(across, along, strict=True))
            board.words(7.11, middles[1], f"{value:.1f}", NORMAL, ha="right")
    board.words(
        3.6,
        0.1,
        "$L_{eig}(t, \\hat{t}) = \\Vert \\Lambda_{\\hat{t}} - \\Lambda_t \\Vert_1$, over "
        f"{len(found.queries)} objects and {found.spectra.shape[-1]} eigenvalues. "
        "Matrices: pixels in order of their logit, which changes no eigenvalue.",
    )
