"""Frames of videos as pictures, and pictures side by side."""

import base64
from collections.abc import Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from evis.companion.plots import style
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import drawing

WHITE = (255, 255, 255)


def strip(
    rows: Sequence[Sequence[np.ndarray]],
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    titles: Sequence[Sequence[str]] = (),
    width: float = style.PAGE,
    interpolation: str = "auto",  # smooth where they are made smaller
    **colours,
) -> Figure:
    """A grid of pictures, one list a row, with labels at the left and on top.

    Maps of numbers (h, w) share one colour scale a row. titles: a list a row, in place of
    column_labels. interpolation: of photographs. colours: how `imshow` paints numbers.
    """
    columns = max(len(row) for row in rows)
    height, picture_width = rows[0][0].shape[:2]
    tall = width / columns * height / picture_width + (0.17 if titles else 0)
    figure, axes = plt.subplots(
        len(rows),
        columns,
        figsize=(width, tall * len(rows) + 0.25),
        squeeze=False,
        gridspec_kw={"wspace": 0.02, "hspace": 0.02},
    )
    for axis in axes.flat:
        style.bare(axis)
    for line, row in zip(axes, rows, strict=True):
        numbers = [np.asarray(picture) for picture in row if np.ndim(picture) == 2]
        scale = {"vmin": np.min(numbers), "vmax": np.max(numbers)} if numbers else {}
        for axis, picture in zip(line, row, strict=False):
            photograph = {"interpolation": interpolation}
            kind = scale | colours if np.ndim(picture) == 2 else photograph
            axis.imshow(picture, **kind)
    for axis, label in zip(axes[:, 0], row_labels, strict=False):
        axis.set_ylabel(label)
    for line, labels in zip(axes, titles or [column_labels], strict=False):
        for axis, label in zip(line, labels, strict=False):
            axis.set_title(label)
    return figure


def spread(length: int, count: int) -> list[int]:
    """`count` frame numbers from the first to the last of `length`, evenly apart."""
    return np.linspace(0, length - 1, count).round().astype(int).tolist()


def film(
    dataset: VISDataset, video_id: int, count: int = 6, scale: int = 3, annotated: bool = True
) -> list[np.ndarray]:
    """Frames of a video at even distances, under what the data set holds of them."""
    frames = spread(dataset.video(video_id).length, count)
    if annotated:
        return [drawing.draw_annotations(dataset, video_id, t, scale) for t in frames]
    return [drawing.enlarge(dataset.frame(video_id, t), scale) for t in frames]


def moving(frames: Sequence[np.ndarray], name: str, told: str, seconds: float = 0.12) -> HTML:
    """An animation, saved as figures/<name>.gif, to be shown in a notebook. told: what one sees."""
    content = base64.b64encode(style.save_animation(frames, name, seconds)).decode()
    return HTML(f'<img alt="{told}" src="data:image/gif;base64,{content}">')


def judged(
    picture: np.ndarray, found: ArrayLike, truth: ArrayLike | None = None, scale: int = 4
) -> np.ndarray:
    """A picture (h, w, 3) as a mask (h, w) leaves it: colours inside, dim grey outside.

    With the true mask, what is wrongly inside is pink, what is wrongly outside yellow, and the
    outline that would be right is white.
    """
    found = np.asarray(found, bool)
    dim = (0.3 * picture.mean(-1, keepdims=True)).astype(np.uint8)
    drawn = np.where(found[..., None], picture, dim)
    if truth is None:
        return drawing.enlarge(drawn, scale)
    truth = np.asarray(truth, bool)
    for wrong, colour in ((found & ~truth, style.TOO_MUCH), (truth & ~found, style.MISSED)):
        drawn[wrong] = (0.3 * picture[wrong] + 0.7 * np.array(colour)).astype(np.uint8)
    drawn, large = drawing.enlarge(drawn, scale), drawing.enlarge(truth, scale).astype(np.uint8)
    outline, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.ascontiguousarray(drawn), outline, -1, WHITE, 1)


def against_truth(
    dataset: VISDataset,
    predictions: Sequence[PredictedTrack],
    video_id: int,
    frame: int,
    scale: int = 4,
) -> np.ndarray:
    """A frame with the predicted masks in colour and the objects' true outlines in white."""
    picture = drawing.draw_predictions(dataset, predictions, video_id, frame, scale)
    for track in dataset.tracks_of(video_id):
        if (mask := track.mask(frame)) is not None:
            large = drawing.enlarge(mask, scale).astype(np.uint8)
            outline, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            picture = cv2.drawContours(picture, outline, -1, WHITE, 1)
    return picture
