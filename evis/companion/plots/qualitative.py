"""Predictions on frames of videos, of one model and of two, as papers show them.

Frames keep their own pixels; outlines are lines, which print at any size.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from evis.companion.plots import pictures
from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import drawing

COLUMNS = 4


@dataclass(frozen=True)
class Frame:
    """A picture and the masks that lie on it: number -> (h, w) bool, the first on top."""

    picture: np.ndarray
    masks: dict[int, np.ndarray]


def frames(dataset: VISDataset, tracks: Sequence[PredictedTrack], video_id: int) -> list[Frame]:
    """A row of either figure: frames of a video, and the tracks that are seen in each."""
    return [
        Frame(
            dataset.frame(video_id, t),
            {n: masks.decode(of.masks[t]) for n, of in enumerate(tracks) if of.masks[t]},
        )
        for t in pictures.spread(dataset.video(video_id).length, COLUMNS)
    ]


def predictions(
    rows: Sequence[Sequence[Frame]], labels: Sequence[str], tracks: Sequence[Sequence[str]]
) -> Figure:
    """A row of `frames` a video; at the right, what each of its tracks is called."""
    figure = _strip(rows, labels)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, 0.87 * height)  # since names take a part of the width
    for axes, names in zip(figure.axes[COLUMNS - 1 :: COLUMNS], tracks, strict=True):
        patches = [Patch(color=_colour(n), label=name) for n, name in enumerate(names)]
        look = {"handlelength": 1, "handletextpad": 0.4, "borderpad": 0, "borderaxespad": 0}
        axes.legend(handles=patches, loc="center left", bbox_to_anchor=(1.02, 0.5), **look)
    return figure


def comparison(
    rows: Sequence[Sequence[Frame]],
    labels: Sequence[str],
    missed: Sequence[Sequence[np.ndarray | None]],
) -> Figure:
    """A row of `frames` a video and model; dashed lines surround what this row misses.

    missed: (h, w) bool a picture, None where no object is seen.
    """
    figure = _strip(rows, labels)
    for axes, mask in zip(figure.axes, itertools.chain(*missed), strict=True):
        if mask is not None and mask.any():
            _outline(axes, mask, "black", 2.2)
            _outline(axes, mask, "white", 1.3, [(0, (1.8, 1.4))])
    return figure


def _strip(rows: Sequence[Sequence[Frame]], labels: Sequence[str]) -> Figure:
    tinted = [[_tinted(frame) for frame in row] for row in rows]
    figure = pictures.strip(tinted, labels, interpolation="nearest")
    for axes, frame in zip(figure.axes, itertools.chain(*rows), strict=True):
        for n, mask in list(frame.masks.items())[::-1]:
            _outline(axes, mask, "white", 2.0)
            _outline(axes, mask, _colour(n), 1.2)
    return figure


def _tinted(frame: Frame) -> np.ndarray:
    """A little paler, so that masks and lines stand out."""
    picture = (0.8 * frame.picture + 0.2 * 255).astype(np.float32)
    for n, mask in list(frame.masks.items())[::-1]:
        picture[mask] = 0.6 * picture[mask] + 0.4 * np.array(drawing.colour(n))
    return picture.astype(np.uint8)


def _colour(n: int) -> tuple[float, ...]:
    return tuple(channel / 255 for channel in drawing.colour(n))


def _outline(axes: Axes, mask: np.ndarray, colour, width: float, dashes="solid") -> None:
    """Closed at the frame's edge too."""
    y, x = (np.arange(-1, side + 1) for side in mask.shape)
    look = {"colors": [colour], "linewidths": width, "linestyles": dashes}
    axes.contour(x, y, np.pad(mask, 1), levels=[0.5], **look)
