"""The lead paper's Figs 1 and 5: predictions on frames of videos that no model has seen."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from evis.companion.plots import pictures
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import drawing

SCALE = 3  # pictures are enlarged by it before masks are drawn
COLUMNS = 5


def frames(
    dataset: VISDataset, tracks: Sequence[PredictedTrack], video_id: int
) -> list[np.ndarray]:
    """A row of either figure: frames of a video under these tracks, the first on top."""
    shown = pictures.spread(dataset.video(video_id).length, COLUMNS)
    return [drawing.draw_predictions(dataset, tracks[::-1], video_id, t, SCALE) for t in shown]


def figure_one(
    rows: Sequence[Sequence[np.ndarray]], labels: Sequence[str], tracks: Sequence[Sequence[str]]
) -> Figure:
    """Fig. 1: a row of `frames` a video; at the right, what each of its tracks is called."""
    figure = pictures.strip(rows, labels)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, 0.85 * height)  # since names take a part of the width
    for axes, names in zip(figure.axes[COLUMNS - 1 :: COLUMNS], tracks, strict=True):
        colours = [np.divide(drawing.colour(n), 255) for n in range(len(names))][::-1]
        patches = [Patch(color=c, label=name) for c, name in zip(colours, names, strict=True)]
        look = {"handlelength": 1, "handletextpad": 0.4, "borderpad": 0, "borderaxespad": 0}
        axes.legend(handles=patches, loc="center left", bbox_to_anchor=(1.02, 0.5), **look)
    return figure


def figure_five(
    rows: Sequence[Sequence[np.ndarray]],
    labels: Sequence[str],
    missed: Sequence[Sequence[np.ndarray | None]],
) -> Figure:
    """Fig. 5: a row of `frames` a video and model; dashed lines surround what this row misses.

    missed: (h, w) bool a picture, None where no object is seen.
    """
    figure = pictures.strip(rows, labels)
    for axes, mask in zip(figure.axes, itertools.chain(*missed), strict=True):
        if mask is not None and mask.any():
            for colour, dashes in (("black", "solid"), ("white", [(0, (2.2, 1.6))])):
                look = {"colors": colour, "linewidths": 1.1, "linestyles": dashes}
                axes.contour(drawing.enlarge(mask, SCALE), levels=[0.5], **look)
    for axes in figure.axes:
        axes.yaxis.label.set_fontsize(7)
    return figure
