"""Notebook 04: what the losses of a box see of a picture, and the masks that they lead to."""

import io
from collections.abc import Mapping, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from evis.companion.plots import strips, style
from evis.data import masks
from evis.inference import drawing
from evis.losses import boxinst, tk
from evis.losses.neighbours import WINDOW
from evis.papers.eigencluster import box_cases
from evis.papers.eigencluster.fit import Boxed, Fit, ious

MARKS = ("#ff3b30", "#ffd60a", "#32d1ff", "#5ef08a", "#ff7af5")  # bright: drawn on photographs


def crop(clip: Boxed, margin: int = 10) -> tuple[slice, slice]:
    """Rows and columns around the first object's box."""
    box = clip.boxes[0, 0] > 0
    rows, columns = (torch.nonzero(box.any(axis)).flatten().tolist() for axis in (1, 0))
    return (
        slice(max(0, rows[0] - margin), rows[-1] + margin + 1),
        slice(max(0, columns[0] - margin), columns[-1] + margin + 1),
    )


def shadows(picture: np.ndarray, logits: Tensor, clip: Boxed) -> Figure:
    """A mask's maxima over columns and rows against its box's, and the projection's gradient."""
    box = clip.boxes[0, 0]
    tracked = logits[None].clone().requires_grad_()
    boxinst.projection_loss(tracked, box[None]).backward()
    slope, chances = -tracked.grad[0], logits.sigmoid()
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 2.7))
    style.bare(left).imshow(outlined(picture, logits > 0, box > 0))
    top, side = left.inset_axes((0, 1.04, 1, 0.3)), left.inset_axes((1.03, 0, 0.22, 1))
    columns, rows = np.arange(box.shape[1]), np.arange(len(box))
    for values, name, colour, width in (
        (box, "box", style.COLOURS[1], 2.5),
        (chances, "mask", style.COLOURS[0], 1.4),
    ):
        top.plot(columns, values.amax(0), color=colour, linewidth=width, label=name)
        side.plot(values.amax(1), rows, color=colour, linewidth=width)
    top.set(title="largest of each column", xticks=[], yticks=(0, 1), xlim=(0, columns[-1]))
    side.set(yticks=[], xticks=(0, 1), ylim=(rows[-1], 0), xlabel="of each row")
    top.legend(loc="center left", bbox_to_anchor=(1.0, 0.6))
    style.bare(right).imshow(outlined(picture, logits > 0, box > 0) // 2 + 128)
    for sign, name, colour in ((1, "pushed up", "#b2182b"), (-1, "pushed down", "#2166ac")):
        y, x = torch.nonzero(sign * slope > 0, as_tuple=True)
        right.scatter(x, y, s=4, color=colour, linewidths=0, label=f"{name}: {len(x)} pixels")
    touched = int((slope != 0).sum())
    right.set_title(f"a gradient for {touched} of {box.numel()} pixels")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, markerscale=2)
    return figure


def outlined(
    picture: np.ndarray, mask: Tensor, box: Tensor | None = None, scale: int = 1, index: int = 0
) -> np.ndarray:
    """The picture under a mask (h, w) bool, the box (h, w) in orange if given."""
    drawn = drawing.enlarge(picture, scale)
    if box is not None:
        edge = cv2.boundingRect(drawing.enlarge(np.uint8(box), scale))
        drawn = drawing.draw_box(drawn, edge, drawing.colour(1))
    covered = drawing.enlarge(np.asarray(mask, dtype=bool), scale)
    return drawing.draw_mask(drawn, covered, drawing.colour(index), 0.45)


def ends(picture: np.ndarray, clip: Boxed, runs: Mapping[str, Fit], truth: Tensor) -> Figure:
    """Start (above) and end (below) of runs on one box, with loss and IoU at the end."""
    down, across = crop(clip)
    seen, box = picture[down, across], clip.boxes[0, 0, down, across]
    rows = [
        [outlined(seen, run.masks(s)[0, 0, down, across], box, scale=2) for run in runs.values()]
        for s in (0, -1)
    ]
    titles = []
    for name, run in runs.items():
        loss, iou = run.terms["projection"].iloc[-1], float(ious(run.masks(), truth))
        titles.append(f"{name}\nloss {loss:.2f}, IoU {iou:.2f}")
    return strips.strip(rows, ["start", f"after {len(run.terms)} steps"], titles)


def similar_neighbours(
    picture: np.ndarray, clips: Mapping[str, Boxed], truth: Tensor, threshold: float = 0.3
) -> Figure:
    """How many of its eight neighbours each pixel resembles, and how that turns on the threshold.

    clips: the same picture, its LAB taken in different ways; the first is mapped.
    """
    figure, axes = plt.subplots(1, 4, figsize=(style.PAGE, 1.9), width_ratios=(1.6, 1.8, 1, 1))
    clip = next(iter(clips.values()))
    nothing = torch.zeros_like(clip.boxes[0, 0])
    style.bare(axes[0]).imshow(outlined(picture, nothing, clip.boxes[0, 0]))
    axes[0].set_title("photograph and box")
    count = (boxinst.color_similarity(clip.lab)[0] >= threshold).sum(0)
    image = style.bare(axes[1]).imshow(count, vmin=0, vmax=8)
    figure.colorbar(image, ax=axes[1], shrink=0.7, ticks=(0, 4, 8))
    axes[1].set_title("similar neighbours")
    thresholds = np.linspace(0.02, 0.6, 30)
    for (name, of), line in zip(clips.items(), ("-", "--"), strict=True):
        for axis, share in zip(
            axes[2:], box_cases.edges(of, truth, thresholds).values(), strict=True
        ):
            axis.plot(thresholds, np.multiply(share, 100), line, label=name)
    for axis, title, top in zip(axes[2:], ("pairs joined", "wrong joins"), (40, 6), strict=True):
        axis.axvline(threshold, color="#aaaaaa", linewidth=1, zorder=0)
        axis.set(title=title, xlabel="threshold", ylim=(0, top))
        axis.yaxis.set_major_formatter("{x:.0f}%")
    axes[3].legend()
    return figure


def film(picture: np.ndarray, clip: Boxed, runs: Mapping[str, Fit], steps: Sequence[int]) -> Figure:
    """A row a run, a column a step."""
    down, across = crop(clip)
    rows = [
        [outlined(picture[down, across], run.masks(s)[0, 0, down, across], scale=2) for s in steps]
        for run in runs.values()
    ]
    return strips.strip(rows, list(runs), [f"step {step}" for step in steps])


def instant(picture: np.ndarray, clip: Boxed, runs: Mapping[str, Fit], step: int) -> Figure:
    """All runs after one step, side by side."""
    down, across = crop(clip)
    row = [
        outlined(picture[down, across], run.masks(step)[0, 0, down, across], scale=2)
        for run in runs.values()
    ]
    return strips.strip([row], [f"step {step}"], list(runs))


def descent(runs: Mapping[str, Fit], truth: Tensor, rules: Mapping[str, Tensor]) -> Figure:
    """IoU with the true mask, and each term, over the steps; rules: masks without any steps."""
    names = ("projection", "pairwise")
    figure, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.9), width_ratios=(1.3, 1, 1))
    for number, (name, run) in enumerate(runs.items()):
        colour = style.COLOURS[number]
        found = [float(ious(run.masks(step), truth).mean()) for step in range(len(run.path))]
        axes[0].plot(found, color=colour, label=name)
        for axis, term in zip(axes[1:], names, strict=True):
            if term in run.terms:
                axis.plot(run.terms[term], color=colour)
    for name, mask in rules.items():
        height = float(ious(mask, truth).mean())
        axes[0].axhline(height, color="#888888", linewidth=0.8, linestyle="--", zorder=0)
        axes[0].annotate(
            name,
            (1, height),
            (3, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color="#666666",
            fontsize=7,
        )
    axes[0].set(ylabel="IoU with the true mask", xlabel="step", ylim=(0.7, 1))
    figure.legend(loc="outside lower center", ncols=4)
    for axis, term in zip(axes[1:], names, strict=True):
        axis.set(title=term, xlabel="step", ylim=(0, None))
    return figure


def animation(picture: np.ndarray, clip: Boxed, runs: Mapping[str, Fit], every: int = 4) -> bytes:
    """A GIF: the picture, then each run's probabilities in grey, with the mask's outline."""
    down, across = crop(clip)
    still = drawing.enlarge(picture[down, across], 2)  # the same in each, so stored once
    longest = max(len(run.path) for run in runs.values())
    images = []
    for step in range(0, longest, every):
        panels = [still]
        for run in runs.values():
            logits = run.path[min(step, len(run.path) - 1), 0, 0, down, across]
            grey = (logits.sigmoid() * 7).round().byte().numpy() * 36
            shown = drawing.enlarge(np.stack([grey] * 3, axis=-1), 2)
            mask = drawing.enlarge((logits > 0).numpy(), 2)
            panels.append(drawing.draw_mask(shown, mask, drawing.colour(1), 0.0))
        gap = np.full((len(still), 4, 3), 255, np.uint8)
        spaced = [part for panel in panels for part in (panel, gap)][:-1]
        images.append(Image.fromarray(np.hstack(spaced)).quantize(32, dither=Image.Dither.NONE))
    content = io.BytesIO()
    durations = [120] * (len(images) - 1) + [1500]
    images[0].save(
        content, "gif", save_all=True, append_images=images[1:], duration=durations, loop=0
    )
    return content.getvalue()


def matches(frames: np.ndarray, clip: Boxed, pair: tuple[int, int], apart: int = 6) -> Figure:
    """Every few pixels of frame b, around the first object, and where TK finds them in frame a.

    A pixel without a match is a grey dot. At the right, how many matches every pixel has.
    """
    a, b = pair
    chosen = box_cases.chosen(clip.patches[clip.pairs.index(pair)])[0]
    down, across = crop(clip, margin=8)
    figure, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.1), width_ratios=(1, 1, 1.12))
    for axis, time in ((axes[0], b), (axes[1], a)):
        style.bare(axis).imshow(frames[time])
        axis.set_title(f"frame {time}")
    for number, y in enumerate(range(down.start + 3, down.stop, apart)):
        for x in range(across.start + 3, across.stop, apart):
            found = torch.nonzero(chosen[:, y, x]).flatten().tolist()
            colour = MARKS[(number + x // apart) % len(MARKS)] if found else "#888888"
            size = 4 if found else 2
            axes[0].plot(x, y, "o", color=colour, markersize=size, markeredgewidth=0)
            for k in found:
                there = x + tk.DILATION * WINDOW[k][1], y + tk.DILATION * WINDOW[k][0]
                axes[1].plot(*zip((x, y), there, strict=True), color=colour, linewidth=1)
                axes[1].plot(*there, "o", color=colour, markersize=2.5, markeredgewidth=0)
    image = style.bare(axes[2]).imshow(chosen.sum(0), vmin=0, vmax=5)
    axes[2].set_title("matches of each pixel")
    for axis in axes:
        axis.set(xlim=(across.start - 0.5, across.stop - 0.5))
        axis.set(ylim=(down.stop - 0.5, down.start - 0.5))
    figure.colorbar(image, ax=axes[2], shrink=0.8)
    return figure


def clip_masks(frames: np.ndarray, found: Mapping[str, Tensor], truth: Tensor) -> Figure:
    """A row a way to get masks (N, T, h, w), a column a frame, with the IoU of the first object."""
    rows = [
        [_tinted(frame, of[:, t : t + 1]) for t, frame in enumerate(frames)]
        for of in found.values()
    ]
    labels = [f"{name}\n{float(ious(of, truth).mean()):.2f}" for name, of in found.items()]
    return strips.strip(rows, labels, [f"frame {t}" for t in range(len(frames))])


def failures(
    cases: Mapping[str, tuple[np.ndarray, Tensor, Boxed]], found: Mapping[str, Mapping[str, Tensor]]
) -> Figure:
    """A column a case (picture, true masks, clip); below the boxes a row a way to find masks."""
    rows = [[_tinted(picture, truth, outline=True) for picture, truth, _ in cases.values()]]
    for of_kind in found.values():
        rows.append([_tinted(cases[title][0], masks_) for title, masks_ in of_kind.items()])
    figure = strips.strip(rows, ["true", *found], list(cases))
    columns = len(cases)
    for number, of_kind in enumerate(found.values(), start=1):
        for column, (title, masks_) in enumerate(of_kind.items()):
            iou = float(ious(masks_, cases[title][1]).mean())
            figure.axes[number * columns + column].set_xlabel(f"IoU {iou:.2f}", labelpad=1)
    return figure


def _tinted(
    picture: np.ndarray, found: Tensor, outline: bool = False, scale: int = 3
) -> np.ndarray:
    """The picture under masks (N, 1, h, w), each in its colour, with their boxes if asked."""
    drawn = drawing.enlarge(picture, scale)
    for n, mask in enumerate(found[:, 0].numpy()):
        drawn = drawing.draw_mask(drawn, drawing.enlarge(mask, scale), drawing.colour(n), 0.4)
        if outline:
            box = [scale * side for side in masks.tight_box(masks.encode(mask))]
            drawn = drawing.draw_box(drawn, box, drawing.colour(n), 2)
    return drawn


def losses(table: pd.DataFrame) -> Figure:
    """A group of bars a case (index), a bar a column."""
    figure, axis = plt.subplots(figsize=(style.PAGE, 2.1))
    places, width = np.arange(len(table)), 0.8 / len(table.columns)
    for number, name in enumerate(table):
        offset = (number - (len(table.columns) - 1) / 2) * width
        colour = (*style.COLOURS[2:3], *style.COLOURS[:2])[number]
        bars = axis.bar(places + offset, table[name], width, color=colour, label=name)
        axis.bar_label(bars, fmt="%.2f", padding=1, fontsize=6.5)
    axis.set(xticks=places, xticklabels=table.index, ylabel="loss, weighted")
    axis.grid(axis="x", visible=False)
    axis.legend(loc="upper left")
    return figure


def against_contrast(table: pd.DataFrame) -> Figure:
    """Dots of IoU over the contrast, one a seed, and their mean; columns contrast, seed, kinds."""
    figure, axis = plt.subplots(figsize=(style.COLUMN * 1.3, 2.3))
    for number, name in enumerate(table.columns.drop(["contrast", "seed"])):
        colour = style.COLOURS[number]
        axis.plot(table.contrast, table[name], "o", color=colour, alpha=0.5, markersize=4)
        axis.plot(table.groupby("contrast")[name].mean(), color=colour, label=name)
    axis.set(xlabel="contrast, grey levels of green", ylabel="IoU, measured", ylim=(-0.02, 1.02))
    axis.legend(loc="lower right")
    return figure


def floor(table: pd.DataFrame, of: str = "mean IoU of a video's objects") -> Figure:
    """A dot an entry in each column's row, the median as a bar."""
    figure, axis = plt.subplots(figsize=(style.PAGE, 0.32 * len(table.columns) + 0.7))
    for place, name in enumerate(table):
        axis.scatter(table[name], [place] * len(table), s=22, alpha=0.6, color=style.COLOURS[0])
        axis.plot(
            [table[name].median()] * 2, [place - 0.3, place + 0.3], color="black", linewidth=2
        )
    names = [f"{name}  {table[name].median():.2f}" for name in table]
    axis.set(yticks=range(len(table.columns)), yticklabels=names, xlim=(0, 1))
    axis.set(xlabel=f"{of}, measured (black: the median, given beside the name)")
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    return figure
