"""Pictures that explain AP: what was predicted, what it overlaps, and what it scores."""

from collections.abc import Mapping, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from evis.companion import perturb
from evis.companion.plots import style
from evis.companion.plots.data import spread
from evis.data import masks
from evis.data.errors import DataError
from evis.data.masks import RLE
from evis.data.predictions import PredictedTrack
from evis.data.types import Track, Video, VISDataset
from evis.inference import drawing
from evis.metrics.average_precision import IOU_THRESHOLDS, RECALL_LEVELS
from evis.metrics.ytvis import Evaluation

SCALE = 4
SHARED, MISSED, EXTRA = style.COLOURS[2], style.COLOURS[0], style.COLOURS[3]


def prediction_panel(
    axis: plt.Axes,
    dataset: VISDataset,
    predictions: Sequence[PredictedTrack],
    video_id: int,
    frame: int,
    labels: bool = True,
) -> None:
    """Predicted masks in colour with class and score, the objects' outlines in white."""
    picture = drawing.draw_predictions(dataset, predictions, video_id, frame, SCALE)
    for track in dataset.tracks_of(video_id):
        if (mask := track.mask(frame)) is not None:
            outline, _ = cv2.findContours(
                drawing.enlarge(mask, SCALE).astype(np.uint8),
                cv2.RETR_EXTERNAL,
                cv2.CHAIN_APPROX_NONE,
            )
            picture = cv2.drawContours(picture, outline, -1, (255, 255, 255), 1)
    style.bare(axis).imshow(picture, interpolation="auto")
    if labels:
        _name_predictions(axis, dataset, predictions, video_id, frame)


def _name_predictions(axis, dataset, predictions, video_id: int, frame: int) -> None:
    """Class and score on each mask, moved down where another name stands already."""
    width, height, taken = SCALE * 29, SCALE * 6, []  # of a name, in picture pixels
    own = [track for track in predictions if track.video_id == video_id]
    for n, track in enumerate(own):
        if track.masks[frame] is None:
            continue
        x, y, box_width, box_height = (SCALE * side for side in masks.tight_box(track.masks[frame]))
        right = SCALE * dataset.video(video_id).width - width / 2
        middle, level = np.clip(x + box_width / 2, width / 2, right), y + box_height / 2
        while any(abs(middle - a) < width and abs(level - b) < height for a, b in taken):
            level += 1
        taken.append((middle, level))
        dark = np.array(drawing.colour(n)) / 255 * 0.6
        axis.text(
            middle,
            level,
            f"{dataset.category_names[track.category_id]} {track.score:.2f}",
            ha="center",
            va="center",
            fontsize=6,
            color="white",
            bbox={"facecolor": dark, "edgecolor": "none", "pad": 0.8},
            clip_on=True,
        ).set_in_layout(False)


def where_lost(
    dataset: VISDataset, before: Sequence[PredictedTrack], after: Sequence[PredictedTrack]
) -> tuple[int, int]:
    """A (video, frame) with two masks before and one after: a place to show a loss at."""
    pairs = zip(perturb.as_arrays(before, dataset), perturb.as_arrays(after, dataset), strict=True)
    for video, (full, thinned) in zip(dataset.videos, pairs, strict=True):
        there, left = full.any((2, 3)).sum(0), thinned.any((2, 3)).sum(0)  # masks a frame
        frames = np.flatnonzero((there == 2) & (left == 1))
        if len(frames):
            return video.id, int(frames[len(frames) // 2])
    raise DataError("no frame with two masks loses one of them")


def gallery(
    dataset: VISDataset,
    cases: Mapping[str, Sequence[PredictedTrack]],
    scores: pd.Series,
    place: tuple[int, int],
    other_places: Mapping[str, tuple[int, int]],
    columns: int = 4,
) -> Figure:
    """A panel a case at (video, frame), titled with its AP in percent."""
    rows = -(-len(cases) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(style.PAGE, 1.42 * rows))
    for axis, (name, predictions) in zip(axes.flat, cases.items(), strict=False):
        prediction_panel(axis, dataset, predictions, *other_places.get(name, place))
        axis.set_title(f"{name}: AP {100 * scores[name]:.0f}", fontsize=7.5)
    for axis in axes.flat[len(cases) :]:
        axis.set_visible(False)
    return figure


def score_bars(table: pd.DataFrame) -> Figure:
    """A row a case: a bar of AP, marks for AP50, AP75 and class-agnostic AP; all in percent."""
    figure, axis = plt.subplots(figsize=(style.PAGE, 0.24 * len(table) + 0.8))
    places = np.arange(len(table))
    axis.barh(places, table["AP"], height=0.62, color="#b9cfe0", label="AP")
    for place, value in zip(places, table["AP"], strict=True):
        axis.text(109, place, f"{value:.0f}", ha="right", va="center", fontsize=7.5)
    axis.text(109, -0.9, "AP", ha="right", va="center", fontsize=7.5, weight="bold")
    for name, marker, rgb in (("AP50", ">", style.COLOURS[2]), ("AP75", "<", style.COLOURS[3])):
        axis.scatter(table[name], places, marker=marker, s=28, color=rgb, label=name, zorder=3)
    axis.scatter(
        table["class-agnostic AP"],
        places,
        marker="o",
        s=52,
        facecolor="none",
        edgecolor="black",
        linewidth=0.9,
        label="class-agnostic AP",
        zorder=3,
    )
    axis.set(yticks=places, yticklabels=table.index, xlim=(-2, 110), xlabel="percent, measured")
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)
    axis.set(xticks=range(0, 101, 20))
    *marks, bar = axis.get_legend_handles_labels()[0]
    figure.legend(handles=[bar, *marks], loc="outside upper center", ncols=4)
    return figure


def sweep(
    dataset: VISDataset,
    cases: Mapping[float, Sequence[PredictedTrack]],
    scores: pd.DataFrame,
    place: tuple[int, int],
    shown: Sequence[float],
    xlabel: str,
) -> Figure:
    """Pictures of the `shown` cases above curves of every column of `scores` (percent)."""
    figure, axes = plt.subplot_mosaic(
        [[f"picture {n}" for n in range(len(shown))], ["curves"] * len(shown)],
        figsize=(style.PAGE, 4.2),
        height_ratios=[1, 2.1],
    )
    for n, value in enumerate(shown):
        axis = axes[f"picture {n}"]
        prediction_panel(axis, dataset, cases[value], *place, labels=False)
        axis.set_title(f"{value:+g}".replace("+0", "0").replace("-", "\N{MINUS SIGN}"))
    curves = axes["curves"]
    for name, marker in zip(scores, "o><s", strict=False):
        curves.plot(scores.index, scores[name], marker=marker, markersize=4, label=name)
    curves.set(xlabel=xlabel, ylabel="percent, measured", ylim=(-3, 104), xticks=scores.index)
    curves.legend(loc="upper left")
    return figure


def overlap(
    dataset: VISDataset, track: Track, prediction: PredictedTrack, count: int = 7
) -> Figure:
    """One object and one prediction, frame by frame: pixels shared, missed, and too many."""
    video = dataset.video(track.video_id)
    truth, found = _stack(video, track.masks), _stack(video, prediction.masks)
    parts = {
        "shared": (SHARED, truth & found),
        "only in the object": (MISSED, truth & ~found),
        "only in the prediction": (EXTRA, found & ~truth),
    }
    figure = plt.figure(figsize=(style.PAGE, 3.3))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 2.6])
    shown = spread(video.length, count)
    for t, axis in zip(shown, top.subplots(1, count), strict=True):
        picture = (0.5 * dataset.frame(video.id, t) + 100).astype(np.uint8)
        picture = drawing.enlarge(picture, SCALE)
        for rgb, part in parts.values():
            mask = drawing.enlarge(part[t], SCALE)
            picture = drawing.draw_mask(picture, mask, _bytes(rgb), opacity=0.75)
        style.bare(axis).imshow(picture, interpolation="auto")
        axis.set_title(f"t = {t}")
    bars, total = bottom.subplots(1, 2, width_ratios=[3.2, 1])
    base = np.zeros(video.length)
    for name, (rgb, part) in parts.items():
        areas = part.sum((1, 2))
        drawn = bars.bar(range(video.length), areas, bottom=base, color=rgb, width=0.8)
        total.bar(0, areas.sum(), bottom=base.sum(), color=rgb, width=0.5, label=name)
        base += areas
    shared = parts["shared"][1].sum((1, 2))
    shares = [f"{a / b:.2f}" if b else "" for a, b in zip(shared, base, strict=True)]
    bars.bar_label(drawn, shares, padding=2, fontsize=6.5)
    bars.set(xlabel="frame (number on top: IoU of that frame)", ylabel="pixels")
    bars.set(xticks=range(video.length), ylim=(0, 1.15 * base.max()))
    total.set(title=f"all frames: IoU = {shared.sum() / base.sum():.2f}", xticks=[])
    total.set(xlim=(-0.6, 0.6))
    for axis in (bars, total):
        axis.grid(axis="x", visible=False)
    bottom.legend(loc="outside lower center", ncols=3)
    return figure


def _stack(video: Video, track: Sequence[RLE | None]) -> np.ndarray:
    """(frames, h, w) bool"""
    blank = np.zeros((video.height, video.width), dtype=bool)
    return np.stack([blank if rle is None else masks.decode(rle) for rle in track])


def _bytes(colour: str) -> tuple[int, int, int]:
    """A colour as RGB 0..255."""
    return tuple(round(255 * channel) for channel in to_rgb(colour))


def precision_recall(evaluations: Mapping[str, Evaluation]) -> Figure:
    """Precision at each recall of the first class, a line an IoU threshold; one panel a name."""
    figure, axes = plt.subplots(
        1, len(evaluations), figsize=(style.PAGE, 2.8), sharey=True, squeeze=False
    )
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.92, len(IOU_THRESHOLDS)))
    for axis, (name, evaluation) in zip(axes[0], evaluations.items(), strict=True):
        curves = evaluation.precision[:, :, 0, 0, -1]  # (thresholds, recall levels)
        for threshold, curve, rgb in zip(IOU_THRESHOLDS, curves, colours, strict=True):
            axis.plot(
                RECALL_LEVELS,
                curve,
                color=rgb,
                drawstyle="steps-post",
                label=f"{threshold:.2f}",
            )
        axis.set(xlabel="recall", xlim=(0, 1.01), ylim=(0, 1.04))
        ap, ap50, ap75 = (100 * part.mean() for part in (curves, curves[0], curves[5]))
        axis.set_title(f"{name}\nAP {ap:.0f}, AP50 {ap50:.0f}, AP75 {ap75:.0f}")
    axes[0, 0].set_ylabel("precision")
    lines, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, title="IoU threshold", loc="outside right center")
    return figure
