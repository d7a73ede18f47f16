"""Who takes which object, and the precision and recall that follow: COCO's protocol on tracks.

The predictions of a class are ranked over all videos. Each, best first, takes the object of its
video and class with the highest spatio-temporal IoU, if that reaches the threshold and is not
taken. Crowds, and objects outside the area range, are ignored: a prediction that has to take one
counts neither as right nor as wrong, and any number may take a crowd (with the plain IoU, not
COCO's share of the prediction). So do predictions outside the area range that take nothing.
"""

from collections.abc import Sequence

import numpy as np

from evis.data.types import Category
from evis.metrics.overlaps import VideoOverlaps

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_LEVELS = np.linspace(0.0, 1.0, 101)
AREA_RANGES = {  # a track's mean area over its visible frames, pixels; both ends belong to it
    "all": (0.0, 1e10),
    "S": (0.0, 128.0**2),
    "M": (128.0**2, 256.0**2),
    "L": (256.0**2, 1e10),
}
MAX_PREDICTIONS = (1, 10, 100)  # the best a video and class
_SMALLEST, _LARGEST = np.array(list(AREA_RANGES.values())).T[:, :, None]  # (area ranges, 1) each


def accumulate(
    videos: Sequence[VideoOverlaps], classes: Sequence[Category]
) -> tuple[np.ndarray, np.ndarray]:
    """Precision (T, recall levels, classes, A, numbers of predictions), recall without the levels.

    T stands for the IoU thresholds, A for the area ranges; NaN where no object counts.
    """
    shape = (len(classes), len(AREA_RANGES), len(MAX_PREDICTIONS))
    precision = np.full((len(IOU_THRESHOLDS), len(RECALL_LEVELS), *shape), np.nan)
    recall = np.full((len(IOU_THRESHOLDS), *shape), np.nan)
    matched = [_match(video) for video in videos]
    hit = np.concatenate([video_hit for video_hit, _ in matched], axis=-1)
    ignored = np.concatenate([video_ignored for _, video_ignored in matched], axis=-1)
    counted = np.concatenate([~_ignored_objects(video) for video in videos], axis=-1)
    groups, scores, ranks, object_groups = (
        np.concatenate([getattr(video, name) for video in videos])
        for name in ("groups", "scores", "ranks", "object_groups")
    )
    for k, category in enumerate(classes):
        objects = counted[:, object_groups == category.id].sum(axis=-1)  # (area ranges,)
        ranked = np.flatnonzero(groups == category.id)
        ranked = ranked[np.argsort(-scores[ranked], kind="stable")]
        some = objects > 0
        hits, left_out = hit[..., ranked][some], ignored[..., ranked][some]
        curves = {}  # by how many predictions take part: a limit may leave none out
        for m, most in enumerate(MAX_PREDICTIONS):
            best = ranks[ranked] < most
            if (taking_part := best.sum()) not in curves:
                part = hits[..., best], left_out[..., best], objects[some]
                curves[taking_part] = _curves(*part)
            precision[:, :, k, some, m], recall[:, k, some, m] = curves[taking_part]
    return precision, recall


def _curves(
    hit: np.ndarray, ignored: np.ndarray, objects: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Precision at the recall levels (T, 101, A), and the highest recall (T, A), of one class.

    `hit` and `ignored` are (A, T, predictions) by falling score, `objects` (A,) how many there are
    to find. Only where an object is found does precision rise, so only there it is worked out.
    """
    counts = ~ignored
    right = hit & counts
    found = right.sum(axis=-1)  # (A, T)
    a, t, place = np.nonzero(right)
    number = np.arange(1, len(place) + 1) - np.repeat(found.cumsum() - found.ravel(), found.ravel())
    seen = np.cumsum(counts, axis=-1)[a, t, place]
    precision = np.zeros((*found.shape, objects.max(initial=0) + 1))
    precision[a, t, number] = number / (seen + np.spacing(1))  # the official guard against 0 / 0
    envelope = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    # How many have to be found for each recall level.
    enough = [np.searchsorted(np.arange(n + 1) / n, RECALL_LEVELS) for n in objects]
    enough = np.array(enough, dtype=int).reshape(-1, 1, len(RECALL_LEVELS))
    at_levels = np.take_along_axis(envelope, enough, axis=-1)
    return at_levels.transpose(1, 2, 0), (found / objects[:, None]).T


def _ignored_objects(video: VideoOverlaps) -> np.ndarray:
    """(area ranges, objects) bool"""
    return video.crowds | _is_outside(video.object_areas)


def _is_outside(areas: np.ndarray) -> np.ndarray:
    """(n,) -> (area ranges, n) bool"""
    return (areas < _SMALLEST) | (areas > _LARGEST)


def _match(video: VideoOverlaps) -> tuple[np.ndarray, np.ndarray]:
    """Which predictions take an object, and which are ignored: (A, T, predictions) bool each."""
    outside = _is_outside(video.areas)[:, None]
    shape = (len(AREA_RANGES), len(IOU_THRESHOLDS), len(video.positions))
    hit, ignored = np.zeros(shape, dtype=bool), np.broadcast_to(outside, shape).copy()
    ignored_objects = _ignored_objects(video)
    for group in np.unique(video.object_groups):
        rows = np.flatnonzero(video.groups == group)
        columns = video.object_groups == group
        _match_class(
            video.ious[np.ix_(rows, columns)],
            video.crowds[columns],
            ignored_objects[:, columns],
            rows,
            hit,
            ignored,
        )
    return hit, ignored


def _match_class(
    ious: np.ndarray,
    crowds: np.ndarray,
    ignored_objects: np.ndarray,
    rows: np.ndarray,
    hit: np.ndarray,
    ignored: np.ndarray,
) -> None:
    """Let the predictions `rows` choose in turn; fills `hit` and `ignored` at `rows`.

    A prediction takes an object that counts before one that is ignored, then the one of highest
    IoU, then the last one in the file.
    """
    thresholds = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)[:, None]
    # Place of each object in a prediction's order of IoU, 0 .. objects - 1, the later if equal.
    places = np.argsort(np.argsort(ious, axis=1, kind="stable"), axis=1)
    preference = np.where(ignored_objects, 0, ious.shape[1])[:, None]  # (A, 1, objects)
    free = np.ones((*hit.shape[:2], ious.shape[1]), dtype=bool)
    for n in np.flatnonzero(ious.max(axis=1) >= IOU_THRESHOLDS[0]):
        open_to = (ious[n] >= thresholds) & free
        choice = np.where(open_to, places[n] + preference, -1).argmax(axis=-1)  # (A, T)
        took = open_to.any(axis=-1)
        a, t = np.nonzero(took)
        chosen = choice[a, t]
        free[a, t, chosen] = crowds[chosen]
        hit[a, t, rows[n]] = True
        ignored[a, t, rows[n]] = ignored_objects[a, chosen]
