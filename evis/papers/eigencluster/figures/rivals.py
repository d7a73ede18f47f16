"""Two models on the same videos: where either is better, and which true pixels it alone misses."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.metrics import ytvis
from evis.metrics.overlaps import overlaps

RESAMPLES = 2000

Tracks = Sequence[PredictedTrack]


def assigned(dataset: VISDataset, tracks: Tracks) -> dict[int, PredictedTrack | None]:
    """For each object (track id) the prediction that mIoU holds against it, whatever its class."""
    found: dict[int, PredictedTrack | None] = {}
    for video in overlaps(dataset, tracks, class_agnostic=True, progress=False):
        objects = [track for track in video.objects if not track.is_crowd]
        for track, place in zip(objects, ytvis.assign(video)[0], strict=True):
            found[track.id] = tracks[video.positions[place]] if place >= 0 else None
    return found


def by_video(dataset: VISDataset, baseline: Tracks, ours: Tracks) -> pd.DataFrame:
    """A row a video: mean IoU of its objects under either model, and the difference, in points."""
    table = pd.DataFrame(
        {
            column: 100
            * ytvis.object_ious(dataset, of, progress=False).groupby("video")["iou"].mean()
            for column, of in (("baseline", baseline), ("ours", ours))
        }
    )
    return table.assign(difference=table.ours - table.baseline)


def chosen(table: pd.DataFrame) -> dict[str, int]:
    """The rule for Fig. 5: both ends and the middle of all videos in order of the difference."""
    order = table.difference.sort_values(kind="stable").index
    return {
        "largest gain": int(order[-1]),
        "median": int(order[len(order) // 2]),
        "largest loss": int(order[0]),
    }


def by_frame(dataset: VISDataset, baseline: Tracks, ours: Tracks) -> pd.DataFrame:
    """A row an object and frame: its true pixels, how many only one model misses, its speed.

    speed: how far the box's centre came from the frame before, over the root of the box's area;
    NaN where there is no such frame.
    """
    rows = []
    for track, t, truth, first, second in masks_of(dataset, baseline, ours):
        missed = (truth & ~first & second).sum(), (truth & ~second & first).sum()
        rows.append((track.video_id, track.id, t, truth.sum(), *missed, _speed(track.boxes, t)))
    names = ["video", "object", "frame", "pixels", "only baseline misses", "only ours misses"]
    return pd.DataFrame(rows, columns=[*names, "speed"])


def masks_of(dataset: VISDataset, baseline: Tracks, ours: Tracks) -> Iterator[tuple]:
    """Track, frame, and (h, w) bool: truth, baseline's and our mask, wherever an object is seen."""
    either = assigned(dataset, baseline), assigned(dataset, ours)
    for track in dataset.tracks:
        for t, mask in enumerate(track.masks):
            if mask is not None and not track.is_crowd:
                truth = masks.decode(mask)
                own = [_mask(of[track.id], t, truth.shape) for of in either]
                yield track, t, truth, *own


def _mask(track: PredictedTrack | None, t: int, shape: tuple[int, int]) -> np.ndarray:
    if track is None or track.masks[t] is None:
        return np.zeros(shape, dtype=bool)
    return masks.decode(track.masks[t])


def _speed(boxes: Sequence[tuple | None], t: int) -> float:
    if t == 0 or boxes[t] is None or boxes[t - 1] is None:
        return np.nan
    (x, y, width, height), (x0, y0, width0, height0) = boxes[t], boxes[t - 1]
    move = x + width / 2 - x0 - width0 / 2, y + height / 2 - y0 - height0 / 2
    return float(np.hypot(*move) / np.sqrt(width * height))


def recovered(frames: pd.DataFrame, seed: int = 0) -> tuple[float, float, float]:
    """Of all true pixels of `by_frame`, the percentage that only the baseline misses, less the
    percentage that only we miss; then its 95% interval over resampled videos."""
    sums = frames.groupby("video")[["pixels", "only baseline misses", "only ours misses"]].sum()
    pixels, theirs, ours = sums.to_numpy().T
    draws = np.random.default_rng(seed).integers(len(sums), size=(RESAMPLES, len(sums)))
    net = 100 * (theirs - ours)[draws].sum(1) / pixels[draws].sum(1)
    return (100 * (theirs - ours).sum() / pixels.sum(), *np.quantile(net, [0.025, 0.975]))
