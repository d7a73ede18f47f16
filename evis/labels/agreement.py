"""Beyond PointVIS: proposals scored by how well they agree with themselves from frame to frame.

A model of pictures sees every frame for itself. Where it draws one object alike in neighbouring
frames, nothing but the object tells it to; where it is not sure, outlines jump. So agreement can
stand in maskness's place in Eq. 4, and no soft mask is needed. What moves fast agrees less, but
that is so for all proposals of it, among which clicks have to choose.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from evis.data import masks
from evis.data.masks import RLE
from evis.data.predictions import PredictedTrack


def agreement(of_frames: Sequence[RLE | None]) -> float:
    """The mean IoU of a track's masks in neighbouring frames, over those pairs that show it at all.

    0 to 1: 0 for a pair of which one frame lacks it, and for a track without any pair.
    """
    shown = [pair for pair in pairwise(of_frames) if any(rle is not None for rle in pair)]
    return sum(masks.iou(*pair) for pair in shown) / max(1, len(shown))


def by_agreement(proposals: Sequence[PredictedTrack]) -> list[PredictedTrack]:
    """The same proposals, with this as their score."""
    return [replace(track, score=agreement(track.masks)) for track in proposals]
