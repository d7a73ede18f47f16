"""Predicted tracks over a video: filmstrips and timelines."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from evis.companion.plots import strips, style
from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import drawing
from evis.inference.table import name


def filmstrip(
    dataset: VISDataset,
    rows: dict[str, Sequence[PredictedTrack] | None],
    frames: Sequence[int],
    scale: int = 1,
    boxes: dict[int, Sequence[float]] | None = None,
) -> Figure:
    """Some frames of a data set's first video, a row for each set of tracks; None: as they are.

    boxes: by frame, x, y, width and height, drawn in white over every row.
    """
    video = dataset.videos[0]
    pictures = [
        [
            _boxed(
                drawing.draw_predictions(dataset, tracks or (), video.id, frame, scale),
                (boxes or {}).get(frame),
                scale,
            )
            for frame in frames
        ]
        for tracks in rows.values()
    ]
    return strips.strip(pictures, list(rows), [f"frame {frame}" for frame in frames])


def _boxed(picture: np.ndarray, box: Sequence[float] | None, scale: int) -> np.ndarray:
    if box is None:
        return picture
    return drawing.draw_box(picture, [scale * side for side in box], (255, 255, 255), 2)


def timeline(dataset: VISDataset, tracks: Sequence[PredictedTrack]) -> Figure:
    """Share of the frame that each track covers, over the frames of a data set's first video."""
    video = dataset.videos[0]
    figure, axis = plt.subplots(figsize=(style.PAGE, 2.2), layout="constrained")
    for index, track in enumerate(tracks):
        share = [0.0 if mask is None else masks.decode(mask).mean() * 100 for mask in track.masks]
        label = f"{index + 1} {name(track.category_id, dataset.category_names)} {track.score:.2f}"
        axis.plot(range(video.length), share, color=style.COLOURS[index % 7], label=label)
    axis.set_xlabel("frame")
    axis.set_ylabel("% of the frame")
    axis.set_ylim(bottom=0)
    axis.legend(title="track", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def box_iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Of two boxes x, y, width, height."""
    sides = [
        min(one[i] + one[i + 2], other[i] + other[i + 2]) - max(one[i], other[i]) for i in (0, 1)
    ]
    shared = max(0.0, sides[0]) * max(0.0, sides[1])
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
