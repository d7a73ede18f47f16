"""Spatio-temporal IoU of boxes: for annotations without masks, and as a laxer measure beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evis.data import masks
from evis.data.masks import RLE
from evis.data.types import Track, Video
from evis.metrics.track_iou import iou_of_sums


@dataclass(frozen=True)
class TrackBoxes:
    """The boxes of several tracks of one video."""

    corners: np.ndarray  # (tracks, frames, 4) x0, y0, x1, y1; all zero where there is none

    @property
    def areas(self) -> np.ndarray:
        """(tracks, frames)"""
        return (self.corners[..., 2:] - self.corners[..., :2]).prod(-1)

    def ious(self, objects: "TrackBoxes", wanted: np.ndarray) -> np.ndarray:
        """As `TrackRuns.ious`; so few numbers that all pairs are looked at."""
        shared = np.zeros(wanted.shape)
        for column, theirs in enumerate(objects.corners):
            low = np.maximum(self.corners[..., :2], theirs[:, :2])
            high = np.minimum(self.corners[..., 2:], theirs[:, 2:])
            shared[:, column] = (high - low).clip(0).prod(-1).sum(-1)
        return iou_of_sums(shared, self.areas, objects.areas)


def around_masks(tracks: Sequence[Sequence[RLE | None]], video: Video) -> TrackBoxes:
    """The tight boxes of predicted masks, one mask or None a frame."""
    boxes = [[rle and masks.tight_box(rle) for rle in track] for track in tracks]
    return _from_sides(boxes, video)


def annotated(tracks: Sequence[Track], video: Video) -> TrackBoxes:
    """The boxes of a data set's tracks, within the frame."""
    return _from_sides([track.boxes for track in tracks], video)


def _from_sides(boxes: Sequence[Sequence], video: Video) -> TrackBoxes:
    sides = [[box or (0.0,) * 4 for box in track] for track in boxes]
    sides = np.array(sides, dtype=float).reshape(-1, video.length, 4)  # x, y, width, height
    corners = np.concatenate([sides[..., :2], sides[..., :2] + sides[..., 2:]], -1)
    return TrackBoxes(corners.clip(0, [video.width, video.height] * 2))
