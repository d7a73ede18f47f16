"""IDOL-BoxInst-masks (PM-VIS, section III-C 2): a model's predictions, given to the boxes' objects.

Which prediction is whose is told by SCM, by the object's box and the mask that another segmenter
made of it; predicted classes and identities are not asked.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Track, VISDataset
from evis.labels import select
from evis.labels.datasets import by_video, made, of_object
from evis.labels.from_boxes import seen

PREDICTIONS = 20  # a video's, from which its boxes take theirs


def by_scm(
    boxes: VISDataset, prompted: VISDataset, predicted: Sequence[PredictedTrack], origin: str
) -> VISDataset:
    """The data set's objects under the predictions that are theirs, frame by frame.

    prompted: masks made from these boxes, of the same objects by video and id. An object has no
    mask where no prediction is its own, and is left out where that is so in every frame: the paper
    counts such annotations as missing (Fig. 6). origin: what predicted, in words. Annotated masks
    are not read.
    """
    boxes = seen(boxes)
    select.check_made(prompted)
    found = by_video(boxes, predicted)
    labelled = []
    for video in boxes.videos:
        own = [track for track in boxes.tracks_of(video.id) if not track.is_crowd]
        pairs = [pair for track in own if len(pair := of_object(track, prompted)) == 2]
        chosen = [_frame(pairs, found[video.id], frame) for frame in range(video.length)]
        for (track, _), rles in zip(pairs, zip(*chosen, strict=True), strict=True):
            if any(rles):
                labelled.append(replace(track, areas=None).with_masks(rles))
    return made(boxes, labelled, f"{origin}, assigned by SCM with {prompted.origin}", prompted)


def _frame(
    pairs: Sequence[tuple[Track, Track]], predicted: Sequence[PredictedTrack], frame: int
) -> list[masks.RLE | None]:
    """Of each object its mask in this frame. An object without both box and prompted mask has
    none."""
    found: list[masks.RLE | None] = [None] * len(pairs)
    there = [
        number
        for number, (track, mask) in enumerate(pairs)
        if track.boxes[frame] is not None and mask.masks[frame] is not None
    ]
    rles = [track.masks[frame] for track in predicted if track.masks[frame] is not None]
    if there and rles:
        known = np.stack([pairs[number][1].mask(frame) for number in there])
        corners = np.array([select.corners(pairs[number][0].boxes[frame]) for number in there])
        rows, _ = select.assign(np.stack([masks.decode(rle) for rle in rles]), known, corners)
        for number, row in zip(there, rows, strict=True):
            found[number] = rles[row] if row >= 0 else None
    return found
