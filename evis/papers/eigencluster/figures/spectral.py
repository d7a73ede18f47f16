"""Drawn masks, TEL's secular equation, and how TEL reacts to them (notebook 02)."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from evis.companion.plots import style


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
    time = torch.linspace(0, 1, frames)
    noise = torch.randn(frames, 40, 56, generator=torch.Generator().manual_seed(seed))
    still = torch.stack([disc()] * frames)
    gone = still.clone()
    gone[frames // 2 : frames // 2 + 3] = -8.0 + 0.2 * noise[:3]
    return {
        "moves": torch.stack([disc((0.4 + 0.2 * t, 0.5)) for t in time.tolist()]),
        "flickers": still + 1.5 * noise,
        "grows": torch.stack([disc(radius=0.15 + 0.2 * t) for t in time.tolist()]),
        "gets surer": torch.stack([disc(confidence=6.0 + 4 * t) for t in time.tolist()]),
        "vanishes": gone,
    }


def secular(weights: Sequence[float], roots: Sequence[float]) -> Figure:
    """g(mu) of one block: poles at the weights, roots at its eigenvalues over S."""
    poles = np.sort(weights)
    figure, axis = plt.subplots(figsize=(style.PAGE, 2.8))
    edges = np.concatenate([[0.0], poles, [1.15 * poles[-1]]])
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        inside = np.linspace(begin, end, 400)[1:-1]
        value = (poles / (poles - inside[:, None])).sum(axis=1)
        axis.plot(inside, np.where(np.abs(value) < 40, value, np.nan), color=style.COLOURS[0])
    for pole in poles:
        axis.axvline(pole, color="#999999", linestyle=":", linewidth=1)
    axis.axhline(0, color="black", linewidth=0.8)
    roots_look = {"color": style.COLOURS[3], "label": "roots: eigenvalues / S"}
    axis.plot(roots, np.zeros(len(roots)), "o", **roots_look)
    axis.plot([], [], ":", color="#999999", label="poles: the weights")
    axis.set(ylim=(-40, 40), xlim=(0, edges[-1]), xlabel="mu", ylabel="g(mu)")
    axis.legend(loc="lower right")
    return figure


def reactions(cases: Mapping[str, Tensor], losses: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """A row a case: three of its frames, and L_eig of consecutive frames, a column a flavour."""
    figure = plt.figure(figsize=(style.PAGE, 1.15 * len(cases)))
    grid = figure.add_gridspec(len(cases), 5, width_ratios=(1, 1, 1, 2.3, 2.3))
    for row, (name, logits) in enumerate(cases.items()):
        last = len(logits) - 1
        for column, frame in enumerate((0, len(logits) // 2, last)):
            axis = style.bare(figure.add_subplot(grid[row, column]))
            axis.imshow(logits[frame], cmap="RdBu_r", vmin=-10, vmax=10)
            axis.set(ylabel="" if column else name, title="" if row else f"frame {frame}")
        for column, (flavour, of_cases) in enumerate(losses.items()):
            axis, values = figure.add_subplot(grid[row, 3 + column]), of_cases[name].numpy()
            axis.bar(range(1, last + 1), values, color=style.COLOURS[column])
            axis.set_ylim(0, max(1.1 * float(values.max()), 1e-3))
            axis.locator_params(axis="y", nbins=3)
            axis.set_xticks(range(1, last + 1, 2))
            axis.set_title("" if row else f"L_eig, {flavour}")
            axis.tick_params(labelbottom=row == len(cases) - 1)
            axis.set_xlabel("from one frame to the next" if row == len(cases) - 1 else "")
    return figure
