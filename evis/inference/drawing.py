"""Annotations and predictions drawn onto frames, pixel by pixel: masks, boxes, points."""

from collections.abc import Sequence

import cv2
import numpy as np

from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Point, VISDataset

# Okabe and Ito's palette, which colour-blind readers tell apart: RGB.
OBJECT_COLOURS = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (86, 180, 233),
    (240, 228, 66),
)


def colour(index: int) -> tuple[int, int, int]:
    """RGB of the n-th object; colours repeat after seven."""
    return OBJECT_COLOURS[index % len(OBJECT_COLOURS)]


def enlarge(picture: np.ndarray, scale: int) -> np.ndarray:
    """(h, w, 3) or (h, w) enlarged by a whole factor, pixels kept square."""
    if scale == 1:
        return picture
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def draw_mask(
    picture: np.ndarray, mask: np.ndarray, rgb: tuple[int, int, int], opacity: float = 0.5
) -> np.ndarray:
    """Tint the mask's pixels and trace its outline; picture (h, w, 3) uint8, mask (h, w) bool."""
    values = np.arange(256, dtype=np.float32)[:, None]
    tinted = ((1 - opacity) * values + opacity * np.float32(rgb)).round().astype(np.uint8)
    inside = mask.astype(np.uint8)
    drawn = cv2.copyTo(cv2.LUT(picture, tinted[None]), inside, picture.copy())
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(drawn, outlines, -1, rgb, 1, cv2.LINE_8)


def draw_box(
    picture: np.ndarray, box: Sequence[float], rgb: tuple[int, int, int], thickness: int = 1
) -> np.ndarray:
    """Outline the box x, y, width, height."""
    x, y, width, height = (round(side) for side in box)
    corner = x + max(width, 1) - 1, y + max(height, 1) - 1
    return cv2.rectangle(picture.copy(), (x, y), corner, rgb, thickness, cv2.LINE_8)


def draw_points(
    picture: np.ndarray, points: Sequence[Point], rgb: tuple[int, int, int], radius: int = 2
) -> np.ndarray:
    """Positive points as filled discs with a white rim, negative ones as crosses."""
    drawn = picture.copy()
    for point in points:
        centre = point.x, point.y
        if point.positive:
            cv2.circle(drawn, centre, radius + 1, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(drawn, centre, radius, rgb, -1, cv2.LINE_AA)
        else:
            cv2.drawMarker(
                drawn, centre, (255, 255, 255), cv2.MARKER_TILTED_CROSS, 2 * radius + 3, 3
            )
            cv2.drawMarker(drawn, centre, rgb, cv2.MARKER_TILTED_CROSS, 2 * radius + 2, 1)
    return drawn


def draw_annotations(dataset: VISDataset, video_id: int, frame: int, scale: int = 1) -> np.ndarray:
    """A frame under whatever the data set's supervision level holds of it."""
    picture = enlarge(dataset.frame(video_id, frame), scale)
    for index, track in enumerate(dataset.tracks_of(video_id)):
        rgb = colour(index)
        if track.masks is not None:
            mask = track.mask(frame)
            if mask is not None:
                picture = draw_mask(picture, enlarge(mask, scale), rgb)
        elif track.boxes is not None and track.boxes[frame] is not None:
            box = [scale * side for side in track.boxes[frame]]
            picture = draw_box(picture, box, rgb, thickness=max(1, 2 * scale // 3))
        elif track.points is not None and track.points[frame] is not None:
            middle = scale // 2
            scaled = [
                Point(scale * p.x + middle, scale * p.y + middle, p.positive)
                for p in track.points[frame]
            ]
            picture = draw_points(picture, scaled, rgb, radius=max(2, scale + 1))
    return picture


def draw_predictions(
    dataset: VISDataset,
    predictions: Sequence[PredictedTrack],
    video_id: int,
    frame: int,
    scale: int = 1,
) -> np.ndarray:
    """A frame under the predicted masks of its video, coloured in the order they come in."""
    picture = enlarge(dataset.frame(video_id, frame), scale)
    own = [track for track in predictions if track.video_id == video_id]
    for index, track in enumerate(own):
        if track.masks[frame] is not None:
            mask = masks.decode(track.masks[frame])
            picture = draw_mask(picture, enlarge(mask, scale), colour(index))
    return picture
