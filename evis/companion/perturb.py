"""Errors made on purpose: ground truth handed in as predictions, then spoilt in one way at a time.

Each function takes predicted tracks and returns new ones, so they chain, and a metric's answer to
one kind of error can be seen alone. The same seed spoils the same tracks. Shares are from 0 to 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from evis.data import masks, predictions
from evis.data.masks import RLE
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.labels import from_boxes

Tracks = tuple[PredictedTrack, ...]


def perfect(dataset: VISDataset, seed: int = 0) -> Tracks:
    """Every object but crowds as its own prediction, its score drawn from 0.6 to 1."""
    tracks = predictions.from_dataset(dataset)
    scores = iter(np.random.default_rng(seed).uniform(0.6, 1, len(tracks)))
    return rescore(tracks, lambda _: next(scores))


def each_mask(tracks: Tracks, change: Callable[[np.ndarray], np.ndarray]) -> Tracks:
    """Every mask (h, w) bool changed by itself; one that is empty then is gone."""

    def changed(rle: RLE | None) -> RLE | None:
        mask = rle and change(masks.decode(rle))
        return masks.encode(mask) if np.any(mask) else None

    return tuple(replace(t, masks=tuple(changed(rle) for rle in t.masks)) for t in tracks)


def grow(tracks: Tracks, pixels: float) -> Tracks:
    """Add all within `pixels` of a mask; negative: keep what is more than that from its outline."""

    def grown(mask: np.ndarray) -> np.ndarray:
        inside = mask if pixels < 0 else ~mask
        away = cv2.distanceTransform(np.uint8(inside), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return away > -pixels if pixels < 0 else away <= pixels

    return each_mask(tracks, grown)


def shift(tracks: Tracks, right: int = 0, down: int = 0) -> Tracks:
    """Move every mask by whole pixels; what leaves the frame is lost."""
    move = np.float32([[1, 0, right], [0, 1, down]])
    return each_mask(tracks, lambda m: cv2.warpAffine(np.uint8(m), move, m.shape[::-1]) > 0)


def fill_boxes(tracks: Tracks) -> Tracks:
    """The tight box of every mask in its place, filled."""
    return each_mask(tracks, lambda m: from_boxes.fill(m, masks.tight_box(masks.encode(m))))


def coarsen(tracks: Tracks, factor: int) -> Tracks:
    """Masks of 1/`factor` of the resolution, blown up again: a block is in if half of it was."""

    def coarse(mask: np.ndarray) -> np.ndarray:
        height, width = mask.shape
        size = width // factor, height // factor
        blocks = cv2.resize(np.float32(mask), size, interpolation=cv2.INTER_AREA)
        return cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST) >= 0.5

    return each_mask(tracks, coarse)


def switch_identities(tracks: Tracks, at: float = 0.5) -> Tracks:
    """From the share `at` of a video on, each track goes on with the masks of the video's next.

    The last goes on with the first's, so two change places. A lone track stays as it is.
    """
    switched = []
    for track in tracks:
        ring = [other for other in tracks if other.video_id == track.video_id]
        following = ring[(ring.index(track) + 1) % len(ring)]
        start = round(at * len(track.masks))
        switched.append(replace(track, masks=track.masks[:start] + following.masks[start:]))
    return tuple(switched)


def split(tracks: Tracks) -> Tracks:
    """Cut every track in two predictions of the same score, in the middle of its video."""
    parts = []
    for track in tracks:
        start, nothing = round(len(track.masks) / 2), (None,) * len(track.masks)
        parts.append(replace(track, masks=track.masks[:start] + nothing[start:]))
        parts.append(replace(track, masks=nothing[:start] + track.masks[start:]))
    return tuple(part for part in parts if any(part.masks))


def drop_frames(tracks: Tracks, share: float, seed: int = 0) -> Tracks:
    """Lose every track in this share of the frames it has a mask in, drawn at random."""
    thinned = []
    for number, track in enumerate(tracks):
        seen = np.flatnonzero([mask is not None for mask in track.masks])
        order = np.random.default_rng([seed, number]).permutation(seen)
        lost = set(order[: round(share * len(seen))].tolist())
        kept = (None if t in lost else mask for t, mask in enumerate(track.masks))
        thinned.append(replace(track, masks=tuple(kept)))
    return tuple(thinned)


def drop(tracks: Tracks, share: float, seed: int = 0) -> Tracks:
    """Leave out this share of the tracks, drawn at random."""
    lost = np.random.default_rng(seed).permutation(len(tracks))[: round(share * len(tracks))]
    return tuple(track for number, track in enumerate(tracks) if number not in lost)


def duplicate(tracks: Tracks, factor: float) -> Tracks:
    """Every track a second time, its score multiplied by `factor`."""
    return tracks + rescore(tracks, lambda score: factor * score)


def clutter(tracks: Tracks, score: float, seed: int = 0) -> Tracks:
    """For every track one more of its class: a square that stands still at a random place.

    Its side is 15% of the frame's height.
    """
    generator = np.random.default_rng(seed)
    false = []
    for track in tracks:
        size = next((rle["size"] for rle in track.masks if rle is not None), None)
        if size is None:  # a track that is nowhere
            continue
        height, width = size
        side = max(1, round(0.15 * height))
        top, left = (int(generator.integers(room - side + 1)) for room in (height, width))
        square = from_boxes.fill(np.empty((height, width)), (left, top, side, side))
        still = (masks.encode(square),) * len(track.masks)
        false.append(replace(track, score=score, masks=still))
    return tracks + tuple(false)


def relabel(tracks: Tracks, categories: Sequence[int]) -> Tracks:
    """Give every track the category that follows its own in the list, in a ring."""
    following = dict(zip(categories, [*categories[1:], *categories[:1]], strict=True))
    return tuple(replace(t, category_id=following[t.category_id]) for t in tracks)


def rescore(tracks: Tracks, change: Callable[[float], float]) -> Tracks:
    return tuple(replace(track, score=float(change(track.score))) for track in tracks)
