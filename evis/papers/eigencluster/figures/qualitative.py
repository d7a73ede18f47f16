"""Notebook 13: predictions on held-out videos (Fig. 1), and two models side by side (Fig. 5)."""

from collections.abc import Mapping, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from evis.companion.plots import strips, style
from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import drawing
from evis.inference.table import name
from evis.metrics.track_iou import track_ious, track_runs
from evis.papers.eigencluster.figures import rivals

SCALE = 3  # pictures are enlarged by it before masks are drawn
LEAST = 12  # pixels: smaller regions get no outline
COLUMNS = 5


def shown(
    dataset: VISDataset, tracks: Sequence[PredictedTrack], video_id: int, least_score: float
) -> list[PredictedTrack]:
    """A video's tracks from this score on, the best first; of two that share over half, the better.

    Shared is the IoU over all frames. Mask2Former itself leaves such doubles in.
    """
    video = dataset.video(video_id)
    own = [of for of in tracks if of.video_id == video_id and of.score >= least_score]
    own.sort(key=lambda track: -track.score)
    runs = track_runs([track.masks for track in own], video.length, video.height * video.width)
    ious = track_ious(runs, runs, np.ones((len(own), len(own)), dtype=bool))
    kept: list[int] = []
    for n in range(len(own)):
        if all(ious[n, better] <= 0.5 for better in kept) and any(own[n].masks):
            kept.append(n)
    return [own[n] for n in kept]


def spread(length: int) -> list[int]:
    """The frames of the columns, from first to last."""
    return [round(place * (length - 1) / (COLUMNS - 1)) for place in range(COLUMNS)]


def predictions(
    dataset: VISDataset,
    tracks: Sequence[PredictedTrack],
    rows: Mapping[int, str],
    least_score: float = 0.5,
) -> Figure:
    """Fig. 1: a row a video (its id and what to call it), masks with their classes and scores."""
    pictures, names = [], []
    for video_id in rows:
        found = shown(dataset, tracks, video_id, least_score)
        for t in spread(dataset.video(video_id).length):
            seen = {n: of.masks[t] for n, of in enumerate(found) if of.masks[t] is not None}
            pictures.append(_drawn(dataset, video_id, t, seen))
        names.append(
            [f"{name(of.category_id, dataset.category_names)} {of.score:.2f}" for of in found]
        )
    figure = _grid(pictures, list(rows.values()), len(rows))
    for axes, own in zip(figure.axes[::COLUMNS], names, strict=True):
        axes.set_xlabel(" ", fontsize=8)  # room for the legend, which is wider than its axes
        patches = [Patch(color=style.COLOURS[n % 7], label=text) for n, text in enumerate(own)]
        legend = axes.legend(
            handles=patches,
            loc="upper left",
            bbox_to_anchor=(0, 0),
            ncols=max(len(own), 1),
            borderpad=0.2,
            borderaxespad=0,
            handlelength=1,
            handletextpad=0.4,
            columnspacing=1.2,
        )
        legend.set_in_layout(False)
    return figure


def _drawn(dataset: VISDataset, video_id: int, t: int, found: Mapping[int, dict]) -> np.ndarray:
    """A frame under masks by their number, the first on top."""
    picture = drawing.enlarge(dataset.frame(video_id, t), SCALE)
    for n, mask in reversed(found.items()):
        large = drawing.enlarge(masks.decode(mask), SCALE)
        picture = drawing.draw_mask(picture, large, drawing.colour(n), 0.45)
    return picture


def _grid(pictures: Sequence[np.ndarray], labels: Sequence[str], lines: int) -> Figure:
    """A picture a place, with room for so many lines of words between the rows."""
    rows = [pictures[start : start + COLUMNS] for start in range(0, len(pictures), COLUMNS)]
    figure = strips.strip(rows, labels)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height - 0.25 + 0.19 * lines)
    return figure


def side_by_side(
    dataset: VISDataset,
    models: Mapping[str, Sequence[PredictedTrack]],
    table: pd.DataFrame,
    videos: Mapping[str, int],
) -> Figure:
    """Fig. 5: two rows a video, the baseline's and ours; outlined, what only this row misses.

    Of each object, seen from frame to frame, the mask that mIoU holds against it.
    """
    pictures, outlines, labels = [], [], []
    for video_id in videos.values():
        own = dataset.subset([video_id])
        found = [[of for of in tracks if of.video_id == video_id] for tracks in models.values()]
        seen = {(track.id, t): of for track, t, *of in rivals.masks_of(own, *found)}
        for row, (model, column) in enumerate(zip(models, ("baseline", "ours"), strict=True)):
            labels.append(f"{model}\nmIoU {table.loc[video_id, column]:.0f}")
            for t in spread(own.videos[0].length):
                drawn, lines = {}, []
                for n, track in enumerate(own.tracks):
                    if (track.id, t) in seen:
                        truth, *either = seen[track.id, t]
                        drawn[n] = masks.encode(either[row])
                        lines += regions(truth & ~either[row] & either[1 - row])
                pictures.append(_drawn(dataset, video_id, t, drawn))
                outlines.append(lines)
    figure = _grid(pictures, labels, len(videos))
    for axes, (why, video_id) in zip(figure.axes[:: 2 * COLUMNS], videos.items(), strict=True):
        text = f"{why}: {table.loc[video_id, 'difference']:+.1f} points"
        axes.set_title(text, loc="left", weight="bold", fontsize=8).set_in_layout(False)
        axes.set_title(" ", fontsize=8)  # room for the former, which is wider than its axes
    for axes, lines in zip(figure.axes, outlines, strict=True):
        for line in lines:
            closed = np.concatenate([line, line[:1]]).T
            axes.plot(*closed, color="black", lw=1.3)
            axes.plot(*closed, color="white", lw=0.9, ls=(0, (2.2, 1.6)))
    return figure


def regions(missed: np.ndarray) -> list[np.ndarray]:
    """Outlines (n, 2), x and y in the enlarged picture, of connected regions from LEAST pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(missed.astype(np.uint8), connectivity=4)
    outlines = []
    for number in range(1, len(stats)):
        if stats[number, cv2.CC_STAT_AREA] >= LEAST:
            large = drawing.enlarge(np.uint8(labels == number), SCALE)
            found, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            outlines += [contour[:, 0] for contour in found]
    return outlines


def differences(table: pd.DataFrame, marked: Mapping[str, int], models: Sequence[str]) -> Figure:
    """Every video's difference in order, those of Fig. 5 named."""
    ordered = table.difference.sort_values(kind="stable")
    places = np.arange(len(ordered))
    figure, axes = plt.subplots(figsize=(style.PAGE, 2.2))
    colours = np.where(ordered > 0, style.COLOURS[0], style.COLOURS[1])
    axes.bar(places, ordered, 0.8, color=colours)
    axes.axhline(0, color="black", lw=0.8)
    for why, video_id in marked.items():
        place = ordered.index.get_loc(video_id)
        value = ordered.iloc[place]
        axes.annotate(
            why,
            (place, value),
            (0, 10 if value > 0 else -10),
            textcoords="offset points",
            ha={0: "left", len(ordered) - 1: "right"}.get(place, "center"),
            va="bottom" if value > 0 else "top",
            fontsize=7.5,
            arrowprops={"arrowstyle": "-", "lw": 0.6, "shrinkB": 0},
        )
    for colour, model in zip(style.COLOURS[1::-1], models, strict=True):
        axes.bar(0, 0, color=colour, label=f"{model} is better")
    axes.set(xlabel="videos, in order", ylabel="difference of mIoU,\npoints (measured)")
    axes.set(xlim=(-0.8, len(ordered) - 0.2), xticks=[])
    axes.margins(y=0.2)
    axes.legend(loc="upper left")
    return figure
