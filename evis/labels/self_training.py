"""CutLER's self-training: what a model is sure of are the next one's labels; what it missed stays.

Its first round learns from MaskCut's masks, with DropLoss (`evis.criterion.mask_loss`), since these
miss objects, and with small pasted ones (`evis.data.copy_paste`). The two rounds that follow learn
from `next_labels`, without DropLoss.
"""

from collections.abc import Sequence

import numpy as np

from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack, from_dataset
from evis.data.types import Video, VISDataset
from evis.labels.datasets import as_dataset, by_video
from evis.metrics import track_iou

ROUNDS = (0.7, 0.65)  # from which score on a prediction is a label, in CutLER's two rounds
MOST = 30  # predictions a picture
SAME = 0.5  # IoU from which on a label is of an object that was predicted


def next_labels(
    labels: VISDataset,
    predictions: Sequence[PredictedTrack],
    least: float,
    most: int = MOST,
    same: float = SAME,
) -> VISDataset:
    """The same videos under the best predictions, and those of the old labels that they lack.

    labels: the pseudo masks that the model has learnt from.
    predictions: the model's, of these pictures or videos, under the labels' categories. Those with
        a score of `least` or more are kept, at most `most` a video. A label goes where its IoU with
        one of these is `same` or more, over all frames, whatever the categories say.
    """
    if labels.origin is None or any(track.masks is None for track in labels.tracks):
        problem = "self-training goes on from pseudo masks, and this set has none"
        raise DataError(problem, remedy="Make them first, for instance with evis.labels.videos")
    if not 0 <= least <= 1:
        raise ValueError(f"a score is in [0, 1], so that the least can't be {least}")
    sure = [track for track in predictions if track.score >= least]
    new = by_video(labels, sorted(sure, key=lambda track: -track.score))
    old, tracks = by_video(labels, from_dataset(labels)), []
    for video in labels.videos:
        kept = new[video.id][:most]
        tracks += [*kept, *_missed(old[video.id], kept, same, video)]
    return as_dataset(labels, tracks, f"predictions with scores from {least:g} and what they lack")


def _missed(
    old: Sequence[PredictedTrack], kept: Sequence[PredictedTrack], same: float, video: Video
) -> list[PredictedTrack]:
    """Of the old tracks those that are none of the kept ones' objects."""
    wanted = np.ones((len(kept), len(old)), dtype=bool)
    try:
        found = track_iou.compare([t.masks for t in kept], [t.masks for t in old], wanted, video)
    except ValueError as error:
        remedy = "Give one mask or None a frame, at the video's size"
        raise DataError(str(error), video=video.name, remedy=remedy) from None
    known = (found.ious >= same).any(0)  # (old,)
    return [track for track, is_known in zip(old, known, strict=True) if not is_known]
