"""Errors made on purpose: ground truth handed in as predictions, then spoilt in one way at a time.

Each function takes predicted tracks and returns new ones, so they chain, and a metric's answer to
one kind of error can be seen alone. The same seed spoils the same tracks.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from evis.data import masks
from evis.data.errors import DataError
from evis.data.masks import RLE
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset

Tracks = tuple[PredictedTrack, ...]


def perfect(dataset: VISDataset, lowest: float = 0.6, seed: int = 0) -> Tracks:
    """Every object but crowds as its own prediction, its score drawn from `lowest` to 1."""
    tracks = [track for track in dataset.tracks if not track.is_crowd]
    if any(track.masks is None for track in tracks):
        raise DataError(
            "perfect predictions are made of masks, and the data set has none",
            remedy='Its supervision should be "mask"',
        )
    scores = np.random.default_rng(seed).uniform(lowest, 1, len(tracks))
    return tuple(
        PredictedTrack(track.video_id, track.category_id, float(score), track.masks)
        for track, score in zip(tracks, scores, strict=True)
    )


# Wrong outlines


def grow(predictions: Tracks, pixels: float) -> Tracks:
    """Add all within `pixels` of a mask; negative: keep what is more than that from its outline.

    The frame's edge is no outline. A mask that vanishes becomes None.
    """
    if pixels >= 0:
        return _each_mask(predictions, lambda mask: _distance(~mask) <= pixels)
    return _each_mask(predictions, lambda mask: _distance(mask) > -pixels)


def shift(predictions: Tracks, right: int = 0, down: int = 0) -> Tracks:
    """Move every mask by whole pixels; what leaves the frame is lost."""

    def moved(mask: np.ndarray) -> np.ndarray:
        height, width = mask.shape
        out = np.zeros_like(mask)
        rows, columns = max(0, height - abs(down)), max(0, width - abs(right))
        top, left, to_top, to_left = max(0, -down), max(0, -right), max(0, down), max(0, right)
        out[to_top : to_top + rows, to_left : to_left + columns] = mask[
            top : top + rows, left : left + columns
        ]
        return out

    return _each_mask(predictions, moved)


def fill_boxes(predictions: Tracks) -> Tracks:
    """The tight box of every mask in its place, filled."""

    def filled(mask: np.ndarray) -> np.ndarray:
        return _between(mask.any(axis=1))[:, None] & _between(mask.any(axis=0))

    return _each_mask(predictions, filled)


def coarsen(predictions: Tracks, factor: int) -> Tracks:
    """Masks of 1/`factor` of the resolution, blown up again: a block is in if half of it was."""

    def coarse(mask: np.ndarray) -> np.ndarray:
        height, width = mask.shape
        padded = np.pad(mask, ((0, -height % factor), (0, -width % factor)))
        blocks = padded.reshape(len(padded) // factor, factor, -1, factor).mean((1, 3)) >= 0.5
        return np.kron(blocks, np.ones((factor, factor), bool))[:height, :width]

    return _each_mask(predictions, coarse)


# Wrong identity over time


def switch_identities(predictions: Tracks, at: float = 0.5) -> Tracks:
    """From the share `at` of a video on, each track goes on with the next track's masks.

    The tracks of a video form a ring, so two change places. A lone track stays as it is.
    """
    _check_share(at)
    switched = list(predictions)
    for places in _places_by_video(predictions):
        for place, source in zip(places, places[1:] + places[:1], strict=True):
            own, other = predictions[place].masks, predictions[source].masks
            start = round(at * len(own))
            switched[place] = replace(predictions[place], masks=own[:start] + other[start:])
    return tuple(switched)


def split(predictions: Tracks, at: float = 0.5) -> Tracks:
    """Cut every track in two predictions of the same score: before and from the share `at` on."""
    _check_share(at)
    parts = []
    for track in predictions:
        start, length = round(at * len(track.masks)), len(track.masks)
        parts.append(replace(track, masks=track.masks[:start] + (None,) * (length - start)))
        parts.append(replace(track, masks=(None,) * start + track.masks[start:]))
    return tuple(part for part in parts if any(mask is not None for mask in part.masks))


def drop_frames(predictions: Tracks, share: float, seed: int = 0) -> Tracks:
    """Lose every track in this share of the frames it has a mask in, drawn at random."""
    _check_share(share)
    thinned = []
    for number, track in enumerate(predictions):
        seen = [t for t, mask in enumerate(track.masks) if mask is not None]
        generator = np.random.default_rng([seed, number])
        lost = set(generator.permutation(seen)[: round(share * len(seen))].tolist())
        kept = tuple(None if t in lost else mask for t, mask in enumerate(track.masks))
        thinned.append(replace(track, masks=kept))
    return tuple(thinned)


# Wrong list


def drop(predictions: Tracks, share: float, seed: int = 0) -> Tracks:
    """Leave out this share of the tracks, drawn at random."""
    _check_share(share)
    order = np.random.default_rng(seed).permutation(len(predictions))
    lost = set(order[: round(share * len(predictions))].tolist())
    return tuple(track for place, track in enumerate(predictions) if place not in lost)


def duplicate(predictions: Tracks, factor: float) -> Tracks:
    """Every track a second time, its score multiplied by `factor`."""
    return predictions + rescore(predictions, lambda score: factor * score)


def clutter(predictions: Tracks, score: float, size: float = 0.15, seed: int = 0) -> Tracks:
    """For every track one more that holds nothing: a square that stands still at a random place.

    Its side is `size` of the frame's height, its class the track's.
    """
    generator = np.random.default_rng(seed)
    false = []
    for track in predictions:
        height, width = next(rle["size"] for rle in track.masks if rle is not None)
        side = max(1, round(size * height))
        top = int(generator.integers(height - side + 1))
        left = int(generator.integers(width - side + 1))
        square = np.zeros((height, width), dtype=bool)
        square[top : top + side, left : left + side] = True
        still = (masks.encode(square),) * len(track.masks)
        false.append(replace(track, score=score, masks=still))
    return predictions + tuple(false)


# Wrong class, other scores


def relabel(predictions: Tracks, categories: Sequence[int]) -> Tracks:
    """Give every track the category that follows its own in `categories`, the last one the first.

    `categories` are at least two ids, with all of the predictions' among them.
    """
    following = dict(zip(categories, [*categories[1:], *categories[:1]], strict=True))
    unknown = {track.category_id for track in predictions} - set(following)
    if unknown or len(following) < 2:
        raise DataError(
            f"can't give another class to category {min(unknown)}"
            if unknown
            else "there is no other class to give",
            field="categories",
            remedy="Pass the ids of all categories of the data set",
        )
    return tuple(replace(t, category_id=following[t.category_id]) for t in predictions)


def rescore(predictions: Tracks, change: Callable[[float], float]) -> Tracks:
    return tuple(replace(track, score=float(change(track.score))) for track in predictions)


def as_arrays(predictions: Tracks, dataset: VISDataset) -> list[np.ndarray]:
    """What `evis.metrics.davis` scores: (tracks, frames, h, w) bool a video, in their order."""
    arrays = []
    for video in dataset.videos:
        tracks = [track for track in predictions if track.video_id == video.id]
        stack = np.zeros((len(tracks), video.length, video.height, video.width), dtype=bool)
        for n, track in enumerate(tracks):
            for t, rle in enumerate(track.masks):
                if rle is not None:
                    stack[n, t] = masks.decode(rle)
        arrays.append(stack)
    return arrays


def _each_mask(predictions: Tracks, change: Callable[[np.ndarray], np.ndarray]) -> Tracks:
    def changed(rle: RLE | None) -> RLE | None:
        if rle is None:
            return None
        mask = change(masks.decode(rle))
        return masks.encode(mask) if mask.any() else None

    return tuple(
        replace(track, masks=tuple(changed(rle) for rle in track.masks)) for track in predictions
    )


def _distance(inside: np.ndarray) -> np.ndarray:
    """(h, w) float: how far each pixel inside is from the nearest one outside; 0 outside."""
    return cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def _between(flags: np.ndarray) -> np.ndarray:
    """(n,) bool: from the first to the last True; nothing where there is none."""
    return np.maximum.accumulate(flags) & np.maximum.accumulate(flags[::-1])[::-1]


def _places_by_video(predictions: Tracks) -> list[list[int]]:
    places: dict[int, list[int]] = {}
    for place, track in enumerate(predictions):
        places.setdefault(track.video_id, []).append(place)
    return list(places.values())


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise DataError(f"a share should be from 0 to 1, is {share}")
