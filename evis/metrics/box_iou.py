"""Spatio-temporal IoU of boxes: for annotations without masks, and as a laxer measure beside it."""

from collections.abc import Sequence

import numpy as np

from evis.data.types import Box, Video
from evis.metrics.track_iou import Overlap, iou_of_sums


def compare(
    tracks: Sequence[Sequence[Box | None]],
    objects: Sequence[Sequence[Box | None]],
    video: Video,
) -> Overlap:
    """Compare tracks with objects, one box or None a frame; only what lies in the frame counts."""
    corners, theirs = _corners(tracks, video), _corners(objects, video)
    shared = np.zeros((len(tracks), len(objects)))
    for column, of_object in enumerate(theirs):
        low = np.maximum(corners[..., :2], of_object[:, :2])
        high = np.minimum(corners[..., 2:], of_object[:, 2:])
        shared[:, column] = (high - low).clip(0).prod(-1).sum(-1)
    areas, object_areas = _areas(corners), _areas(theirs)
    return Overlap(iou_of_sums(shared, areas, object_areas), areas, object_areas)


def _corners(tracks: Sequence[Sequence[Box | None]], video: Video) -> np.ndarray:
    """(tracks, frames, 4) x0, y0, x1, y1 within the frame; all zero where there is no box."""
    sides = [[box or (0.0,) * 4 for box in track] for track in tracks]
    sides = np.array(sides, dtype=float).reshape(-1, video.length, 4)  # x, y, width, height
    corners = np.concatenate([sides[..., :2], sides[..., :2] + sides[..., 2:]], -1)
    return corners.clip(0, [video.width, video.height] * 2)


def _areas(corners: np.ndarray) -> np.ndarray:
    """(tracks, frames)"""
    return (corners[..., 2:] - corners[..., :2]).prod(-1)
