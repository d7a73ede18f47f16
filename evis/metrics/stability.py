"""How steady masks are over time: the IoU of an object's frames, and how much it changes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.metrics.overlaps import overlaps
from evis.metrics.ytvis import assign


def frame_ious(dataset: VISDataset, predictions: Sequence[PredictedTrack]) -> pd.DataFrame:
    """A row an object and frame in which it is seen: video, object (track id), frame, iou.

    An object is held against the prediction that mIoU assigns to it, whatever its class; without
    one it has 0.
    """
    rows = []
    for video in overlaps(dataset, predictions, class_agnostic=True, progress=False):
        objects = [track for track in video.objects if not track.is_crowd]
        for track, place in zip(objects, assign(video)[0], strict=True):
            found = predictions[video.positions[place]].masks if place >= 0 else None
            for frame, mask in enumerate(track.masks):
                if mask is None or not masks.area(mask):
                    continue
                iou = masks.iou(found[frame] if found else None, mask)
                rows.append((video.video.id, track.id, frame, iou))
    table = pd.DataFrame(rows, columns=["video", "object", "frame", "iou"])
    return table.astype({"video": int, "object": int, "frame": int, "iou": float})


def unsteadiness(frames: pd.DataFrame) -> float:
    """The mean absolute change of the IoU from one frame of an object to its next; NaN without any.

    0 where masks are equally good in all frames, however good or bad they are.
    """
    frames = frames.sort_values(["video", "object", "frame"])
    following = frames.groupby(["video", "object"])["frame"].diff() == 1
    change = frames.groupby(["video", "object"])["iou"].diff().abs()[following]
    return float(change.mean()) if len(change) else np.nan
