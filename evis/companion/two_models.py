"""Two models on the same videos: where either is better, and which true pixels it alone misses."""

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
import pandas as pd

from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Track, VISDataset
from evis.metrics import track_iou, ytvis
from evis.metrics.overlaps import overlaps

SMALLEST = 12  # pixels: smaller missed regions are not shown

Tracks = Sequence[PredictedTrack]


def held_against(dataset: VISDataset, tracks: Tracks) -> dict[int, PredictedTrack]:
    """For each object (track id) the prediction that mIoU holds against it, whatever its class.

    An empty one where nothing is predicted there.
    """
    found = {}
    for video in overlaps(dataset, tracks, class_agnostic=True, progress=False):
        objects = [track for track in video.objects if not track.is_crowd]
        for track, place in zip(objects, ytvis.assign(video)[0], strict=True):
            nothing = PredictedTrack(track.video_id, 1, 0.0, (None,) * len(track.masks))
            found[track.id] = tracks[video.positions[place]] if place >= 0 else nothing
    return found


def by_video(dataset: VISDataset, baseline: Tracks, ours: Tracks) -> pd.DataFrame:
    """A row a video: mean IoU of its objects under either model, and the difference, in points."""
    table = pd.DataFrame()
    for column, tracks in (("baseline", baseline), ("ours", ours)):
        ious = ytvis.object_ious(dataset, tracks, progress=False)
        table[column] = 100 * ious.groupby("video")["iou"].mean()
    return table.assign(difference=table.ours - table.baseline)


def by_frame(dataset: VISDataset, baseline: Tracks, ours: Tracks) -> pd.DataFrame:
    """A row an object and frame: its true pixels, how many only one model misses, its speed.

    speed: how far the box's centre came from the frame before, over the root of the box's area;
    NaN where there is no such frame.
    """
    rows = []
    either = held_against(dataset, baseline), held_against(dataset, ours)
    for track, t, truth, theirs, mine in _masks(dataset, *either):
        missed = (truth & ~theirs & mine).sum(), (truth & ~mine & theirs).sum()
        rows.append((track.video_id, track.id, t, truth.sum(), *missed, _speed(track.boxes, t)))
    names = ["video", "object", "frame", "pixels", "only baseline misses", "only ours misses"]
    return pd.DataFrame(rows, columns=[*names, "speed"])


def only_missed_by(
    dataset: VISDataset, one: Mapping[int, PredictedTrack], other: Mapping[int, PredictedTrack]
) -> dict[tuple[int, int], np.ndarray]:
    """Video and frame -> (h, w) bool: the objects' pixels that `one` misses and `other` finds.

    one, other: of `held_against`. Connected regions below `SMALLEST` pixels are left out.
    """
    found = {}
    for track, t, truth, mine, theirs in _masks(dataset, one, other):
        regions = (truth & ~mine & theirs).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(regions, connectivity=4)
        large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= SMALLEST) + 1  # 0 is all the rest
        missed = np.isin(labels, large)
        found[track.video_id, t] = found.get((track.video_id, t), False) | missed
    return found


def confident(
    dataset: VISDataset, tracks: Tracks, video_id: int, least_score: float = 0.5
) -> list[PredictedTrack]:
    """A video's tracks from this score on, the best first; of two that share over half, the better.

    Shared is the IoU over all frames. Mask2Former itself leaves such doubles in.
    """
    video = dataset.video(video_id)
    own = [of for of in tracks if of.video_id == video_id and of.score >= least_score]
    own = sorted(filter(lambda track: any(track.masks), own), key=lambda track: -track.score)
    shapes = [track.masks for track in own]
    ious = track_iou.compare(shapes, shapes, np.ones((len(own), len(own)), bool), video).ious
    kept: list[int] = []
    for n in range(len(own)):
        if all(ious[n, better] <= 0.5 for better in kept):
            kept.append(n)
    return [own[n] for n in kept]


def _masks(
    dataset: VISDataset, one: Mapping[int, PredictedTrack], other: Mapping[int, PredictedTrack]
) -> Iterator[tuple[Track, int, np.ndarray, np.ndarray, np.ndarray]]:
    """Wherever an object is seen: its track, the frame, (h, w) bool of the truth and of either."""
    for track in dataset.tracks:
        for t, mask in enumerate(track.masks):
            if mask is not None and not track.is_crowd:
                truth = masks.decode(mask)
                predicted = (held[track.id].masks[t] for held in (one, other))
                yield (
                    track,
                    t,
                    truth,
                    *(np.zeros_like(truth) if of is None else masks.decode(of) for of in predicted),
                )


def _speed(boxes: Sequence[tuple | None], t: int) -> float:
    if t == 0 or boxes[t] is None or boxes[t - 1] is None:
        return np.nan
    (x, y, width, height), (x0, y0, width0, height0) = boxes[t], boxes[t - 1]
    move = x + width / 2 - x0 - width0 / 2, y + height / 2 - y0 - height0 / 2
    return float(np.hypot(*move) / np.sqrt(width * height))
