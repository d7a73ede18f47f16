"""Pictures of TEL: a mask as a graph, its secular equation, its gradient, how it reacts."""

import time
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from evis.companion.plots import style
from evis.companion.store import ResultRow
from evis.losses import tel


def disc(
    centre: tuple[float, float] = (0.5, 0.5),
    radius: float = 0.25,
    confidence: float = 8.0,
    size: tuple[int, int] = (40, 56),
    softness: float = 2.0,
) -> Tensor:
    """(h, w) mask logits of a disc; centre and radius in frame heights, softness in pixels."""
    height, width = size
    rows = torch.arange(height).float()[:, None] + 0.5
    columns = torch.arange(width).float()[None, :] + 0.5
    y, x = centre[1] * height, centre[0] * height + (width - height) / 2
    distance = ((rows - y) ** 2 + (columns - x) ** 2).sqrt()
    return confidence * torch.tanh((radius * height - distance) / softness)


def scenarios(frames: int = 12, seed: int = 0) -> dict[str, Tensor]:
    """Five things that happen to a mask, each as (frames, h, w) logits."""
    time_ = torch.linspace(0, 1, frames)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(frames, 40, 56, generator=generator)
    still = torch.stack([disc()] * frames)
    gone = still.clone()
    gone[frames // 2 : frames // 2 + 3] = -8.0 + 0.2 * noise[:3]
    return {
        "moves": torch.stack([disc((0.4 + 0.2 * t, 0.5)) for t in time_.tolist()]),
        "flickers": still + 1.5 * noise,
        "grows": torch.stack([disc(radius=0.15 + 0.2 * t) for t in time_.tolist()]),
        "gets surer": torch.stack([disc(confidence=6.0 + 4 * t) for t in time_.tolist()]),
        "vanishes": gone,
    }


def graph(pixels: Tensor) -> Figure:
    """A small mask (h, w); affinity and Laplacian, pixels in order of their logit; spectrum."""
    order = pixels.flatten().argsort(descending=True)
    ordered = pixels.flatten()[order].double()
    laplacian = tel.laplacian(ordered)
    affinity = torch.outer(ordered, ordered).relu()
    figure, axes = plt.subplots(1, 4, figsize=(style.PAGE, 2.2))
    limit = float(pixels.abs().max())
    for axis, picture, title, colours in (
        (axes[0], pixels, "mask logits E", {"cmap": "RdBu", "vmin": -limit, "vmax": limit}),
        (axes[1], affinity, "affinity A", {"cmap": "Greys"}),
        (axes[2], laplacian, "Laplacian D - A", {"cmap": "RdBu_r", **_centred(laplacian)}),
    ):
        style.bare(axis).imshow(picture, **colours)
        axis.set_title(title)
    for row, column in np.ndindex(*pixels.shape):
        axes[0].text(
            column,
            row,
            f"{pixels[row, column]:.1f}",
            ha="center",
            va="center",
            size=6.5,
            color="white" if abs(pixels[row, column]) > 0.55 * limit else "black",
        )
    values = torch.linalg.eigvalsh(laplacian)
    axes[3].plot(range(1, len(values) + 1), values.clamp_min(0), "o", markersize=4)
    axes[3].set(title="eigenvalues", xlabel="number")
    return figure


def _centred(values: Tensor) -> dict[str, float]:
    limit = float(values.abs().max())
    return {"vmin": -limit, "vmax": limit}


def secular(weights: Sequence[float]) -> Figure:
    """g(mu) of one block: poles at the weights, roots at its eigenvalues over S."""
    poles = np.sort(np.asarray(weights, dtype=float))
    block = torch.tensor(poles).reshape(1, 1, 1, -1)
    roots = tel.eigenvalues(block, len(poles), scale=1).flatten().numpy()[1:] / poles.sum()
    figure, axis = plt.subplots(figsize=(style.PAGE, 2.8))
    edges = np.concatenate([[0.0], poles, [1.15 * poles[-1]]])
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        inside = np.linspace(begin, end, 400)[1:-1]
        value = (poles / (poles - inside[:, None])).sum(axis=1)
        axis.plot(inside, np.where(np.abs(value) < 40, value, np.nan), color=style.COLOURS[0])
    for pole in poles:
        axis.axvline(pole, color="#999999", linestyle=":", linewidth=1)
    axis.axhline(0, color="black", linewidth=0.8)
    label = "roots: eigenvalues / S"
    axis.plot(roots, np.zeros_like(roots), "o", color=style.COLOURS[3], label=label)
    axis.plot([], [], ":", color="#999999", label="poles: the weights")
    axis.set(ylim=(-40, 40), xlim=(0, edges[-1]), xlabel="mu", ylabel="g(mu)")
    axis.legend(loc="lower right")
    return figure


def gradient(logits: Tensor, count: int = 3) -> Figure:
    """A mask (h, w), and how its `count`-th eigenvalue changes with each pixel."""
    tracked = logits.clone().requires_grad_()
    value = tel.eigenvalues(tracked[None, None], count, scale=1)[0, 0, -1]
    (slope,) = torch.autograd.grad(value, tracked)
    sizes = slope.abs().flatten().sort(descending=True).values
    figure, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.0), width_ratios=(1, 1, 1.1))
    shown = style.bare(axes[0]).imshow(logits, cmap="RdBu", **_centred(logits))
    figure.colorbar(shown, ax=axes[0], shrink=0.8)
    axes[0].set_title("mask logits")
    size = torch.where(slope == 0, torch.nan, slope.abs().log10())
    colours = plt.get_cmap("magma").with_extremes(bad="#bbbbbb")
    shown = style.bare(axes[1]).imshow(size, cmap=colours, vmin=-3)
    row, column = np.unravel_index(int(slope.abs().argmax()), slope.shape)
    axes[1].plot(column, row, "o", mfc="none", mec="white", markersize=9)
    figure.colorbar(shown, ax=axes[1], shrink=0.8)
    axes[1].set_title(f"log10 |d eigenvalue {count} / d logit|")
    axes[2].semilogy(range(1, len(sizes) + 1), sizes, color=style.COLOURS[3])
    axes[2].set(xscale="log", xlabel="pixel, strongest first", title="the same, sorted")
    return figure


def reactions(cases: Mapping[str, Tensor], count: int = 3) -> Figure:
    """A row a case: three of its frames, and L_eig of consecutive frames under both flavours."""
    figure = plt.figure(figsize=(style.PAGE, 1.15 * len(cases)))
    grid = figure.add_gridspec(len(cases), 5, width_ratios=(1, 1, 1, 2.3, 2.3))
    for row, (name, logits) in enumerate(cases.items()):
        frames = len(logits)
        for column, frame in enumerate((0, frames // 2, frames - 1)):
            axis = style.bare(figure.add_subplot(grid[row, column]))
            axis.imshow(logits[frame], cmap="RdBu", vmin=-10, vmax=10)
            if column == 0:
                axis.set_ylabel(name)
            if row == 0:
                axis.set_title(f"frame {frame}")
        pairs = [(t, t + 1) for t in range(frames - 1)]
        paper = tel.eigenvalue_loss(tel.eigenvalues(logits[None], count), pairs)
        released = tel.eigenvalue_loss(
            tel.eigenvalues(logits[None], count, solver="released"), pairs, "released"
        )
        for column, (values, title) in enumerate(((paper, "paper"), (released, "released")), 3):
            axis = figure.add_subplot(grid[row, column])
            axis.bar(range(1, frames), values, color=style.COLOURS[column - 3])
            axis.set_ylim(0, max(1.1 * float(values.max()), 1e-3))
            axis.locator_params(axis="y", nbins=3)
            axis.set_xticks(range(1, frames, 2))
            if row == 0:
                axis.set_title(f"L_eig, {title}")
            if row < len(cases) - 1:
                axis.set_xticklabels([])
            else:
                axis.set_xlabel("from one frame to the next")
    return figure


def costs(solvers: Mapping[str, Sequence[int]], repeats: int = 3) -> dict[str, dict[int, float]]:
    """Seconds that each solver takes for one frame of n pixels, best of a few."""
    measured: dict[str, dict[int, float]] = {}
    for solver, sizes in solvers.items():
        measured[solver] = {}
        for size in sizes:
            logits = disc(size=(size // 40, 40), softness=4.0)[None, None]
            run = _solve(logits, solver)
            run()
            times = [_timed(run) for _ in range(repeats)]
            measured[solver][size] = min(times)
    return measured


def _solve(logits: Tensor, solver: str) -> Callable[[], Tensor]:
    return lambda: tel.eigenvalues(logits, scale=1, solver=solver)


def _timed(run: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def cost_curves(measured: Mapping[str, Mapping[int, float]]) -> Figure:
    figure, axis = plt.subplots(figsize=(style.PAGE * 0.6, 2.8))
    for number, (solver, times) in enumerate(measured.items()):
        axis.loglog(
            list(times), [1e3 * t for t in times.values()], "o-", color=style.COLOURS[number]
        )
        size, last = list(times.items())[-1]
        lift = 5 - 5 * number  # the first two end close together
        axis.annotate(
            solver, (size, 1e3 * last), (6, lift), textcoords="offset points", va="center"
        )
    axis.set(xlabel="pixels n", ylabel="milliseconds a frame (measured here)")
    axis.margins(x=0.25)
    return figure


def growth(row: ResultRow) -> Figure:
    """The stored benchmark: time and memory of `secular` against n, beside the laws claimed."""
    figure, axes = plt.subplots(1, 2, figsize=(style.PAGE, 2.6))
    for axis, unit, label, law, shape in (
        (axes[0], "ms", "milliseconds a frame", "n log n", lambda n: n * np.log(n)),
        (axes[1], "MB", "MB at the peak", "n", lambda n: n),
    ):
        found = {
            int(name.split()[2]): value
            for name, value in row.metrics.items()
            if name.startswith(f"{unit} at")
        }
        sizes = np.array(sorted(found))
        values = [found[size] for size in sizes]
        axis.loglog(sizes, values, "o-", label="secular, measured")
        axis.loglog(sizes, values[-1] * shape(sizes) / shape(sizes[-1]), "--", label=law)
        axis.set(xlabel="pixels n", ylabel=label)
        axis.legend(loc="upper left")
    return figure
