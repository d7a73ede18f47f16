"""Pictures that explain the metrics: what was predicted, what it overlaps, and what it scores."""

import os
from collections.abc import Callable, Mapping, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from evis.data import masks
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.types import Track, VISDataset
from evis.metrics import davis, perturb
from evis.metrics.ytvis import IOU_THRESHOLDS, RECALL_LEVELS, Evaluation
from evis.viz import overlays, style
from evis.viz.data import spread

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
    picture = overlays.draw_predictions(dataset, predictions, video_id, frame, SCALE)
    for track in dataset.tracks_of(video_id):
        if (mask := track.mask(frame)) is not None:
            outline, _ = cv2.findContours(
                overlays.enlarge(mask, SCALE).astype(np.uint8),
                cv2.RETR_EXTERNAL,
                cv2.CHAIN_APPROX_NONE,
            )
            picture = cv2.drawContours(picture, outline, -1, (255, 255, 255), 1)
    style.bare(axis).imshow(picture, interpolation="auto")
    if labels:
        _name_predictions(axis, dataset, predictions, video_id, frame)


def _name_predictions(axis, dataset, predictions, video_id: int, frame: int) -> None:
    """Class and score on each mask, moved down where another name stands already."""
    width, height, taken = SCALE * 24, SCALE * 5.5, []  # of a name, in picture pixels
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
        dark = np.array(overlays.colour(n)) / 255 * 0.6
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
    figure.legend(loc="outside upper center", ncols=4)
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
    for name, marker in zip(scores, "o>< s".replace(" ", ""), strict=False):
        curves.plot(scores.index, scores[name], marker=marker, markersize=4, label=name)
    curves.set(xlabel=xlabel, ylabel="percent, measured", ylim=(-3, 104), xticks=scores.index)
    curves.legend(loc="upper left")
    return figure


def overlap(
    dataset: VISDataset, track: Track, prediction: PredictedTrack, count: int = 7
) -> Figure:
    """One object and one prediction, frame by frame: pixels shared, missed, and too many."""
    video = dataset.video(track.video_id)
    blank = np.zeros((video.height, video.width), dtype=bool)
    truth = [blank if rle is None else masks.decode(rle) for rle in track.masks]
    found = [blank if rle is None else masks.decode(rle) for rle in prediction.masks]
    parts = {
        "shared": (SHARED, [a & b for a, b in zip(truth, found, strict=True)]),
        "only in the object": (MISSED, [a & ~b for a, b in zip(truth, found, strict=True)]),
        "only in the prediction": (EXTRA, [b & ~a for a, b in zip(truth, found, strict=True)]),
    }
    shown = spread(video.length, count)
    figure = plt.figure(figsize=(style.PAGE, 3.3))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 2.6])
    for t, axis in zip(shown, top.subplots(1, count), strict=True):
        picture = overlays.enlarge(dataset.frame(video.id, t), SCALE)
        picture = (0.5 * picture + 100).astype(np.uint8)
        for rgb, part in parts.values():
            picture = overlays.draw_mask(
                picture, overlays.enlarge(part[t], SCALE), _bytes(rgb), opacity=0.75
            )
        style.bare(axis).imshow(picture, interpolation="auto")
        axis.set_title(f"t = {t}")
    bars, total = bottom.subplots(1, 2, width_ratios=[3.2, 1])
    areas = {name: np.array([p.sum() for p in part]) for name, (_, part) in parts.items()}
    base, whole = np.zeros(video.length), 0.0
    for name, (rgb, _) in parts.items():
        bars.bar(range(video.length), areas[name], bottom=base, color=rgb, width=0.8)
        total.bar(0, areas[name].sum(), bottom=whole, color=rgb, width=0.5, label=name)
        base, whole = base + areas[name], whole + areas[name].sum()
    for t in range(video.length):
        if base[t]:
            share = areas["shared"][t] / base[t]
            bars.annotate(
                f"{share:.2f}", (t, base[t]), (0, 2), textcoords="offset points", **_SMALL
            )
    bars.set(xlabel="frame (number on top: IoU of that frame)", ylabel="pixels")
    bars.set(xticks=range(video.length), ylim=(0, 1.15 * base.max()))
    bars.grid(axis="x", visible=False)
    share = areas["shared"].sum() / whole
    total.set(title=f"all frames: IoU = {share:.2f}", xticks=[], xlim=(-0.6, 0.6))
    total.grid(axis="x", visible=False)
    bottom.legend(loc="outside lower center", ncols=3)
    return figure


def _bytes(colour: str) -> tuple[int, int, int]:
    """A colour as RGB 0..255."""
    return tuple(round(255 * channel) for channel in to_rgb(colour))


_SMALL = {"ha": "center", "fontsize": 6.5, "color": "#333333"}


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


def boundaries(
    dataset: VISDataset, track: Track, frame: int, found: Mapping[str, np.ndarray]
) -> Figure:
    """DAVIS's view of one mask under several predictions (h, w): boundary pixels that match or not.

    The grey band is what lies within the tolerance of the object's boundary.
    """
    truth, (x, y, width, height) = track.mask(frame), masks.tight_box(track.masks[frame])
    edge = davis.boundary(truth)
    reach = int(np.ceil(davis.TOLERANCE * np.hypot(*truth.shape)))
    away = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    figure, axes = plt.subplots(1, len(found), figsize=(style.PAGE, 2.3))
    for axis, (name, mask) in zip(axes, found.items(), strict=True):
        own = davis.boundary(mask)
        picture = np.ones((*truth.shape, 3))
        picture[truth] = 0.93
        picture[away <= reach] = 0.78
        for pixels, rgb in ((own & (away <= reach), SHARED), (own & (away > reach), EXTRA)):
            picture[pixels] = to_rgb(rgb)
        style.bare(axis).imshow(picture)
        axis.set(xlim=(x - 5, x + width + 5), ylim=(y + height + 5, y - 5))
        j, f = davis.j_measure(truth, mask), davis.f_measure(truth, mask)
        axis.set_title(f"{name}\nJ {100 * j:.0f}, F {100 * f:.0f}")
    return figure


def region_and_boundary(table: pd.DataFrame) -> Figure:
    """A row a case: J and F in percent, joined by a line."""
    figure, axis = plt.subplots(figsize=(style.PAGE, 0.24 * len(table) + 0.8))
    places = np.arange(len(table))
    axis.hlines(places, table["J"], table["F"], color="#bbbbbb", linewidth=2, zorder=1)
    for name, marker, rgb in (("J", "s", style.COLOURS[0]), ("F", "o", style.COLOURS[1])):
        label = f"{name}, {'region' if name == 'J' else 'boundary'}"
        axis.scatter(table[name], places, marker=marker, s=34, color=rgb, label=label, zorder=2)
    axis.set(yticks=places, yticklabels=table.index, xlim=(-2, 104), xlabel="percent, measured")
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)
    axis.legend(loc="upper left")
    return figure


def slider(show: Callable[[int], None], values: Sequence[int], start: int, name: str) -> None:
    """A slider that calls `show`, in a live JupyterLab; elsewhere the picture it starts from.

    Jupyter's server names the session in the kernel's environment; papermill and nbval do not.
    """
    if "JPY_SESSION_NAME" not in os.environ:
        show(start)
        return
    import ipywidgets

    choice = ipywidgets.SelectionSlider(
        options=values, value=start, description=name, continuous_update=False
    )
    ipywidgets.interact(show, value=choice)
