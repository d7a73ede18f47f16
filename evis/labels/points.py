"""PointVIS's point matcher: which proposal each clicked object gets, and the masks that follow.

A proposal is a track of masks that an image model made of a video, class unknown. Each object that
people clicked on is given one of them, so that the sum of Eq. 4's costs is the least:

    annotated cost              5 for each of its clicks that the proposal gets wrong       (Eq. 3)
    cross-instance negatives    5 for each positive click of another object that it covers
    maskness                    -2 times how sure the proposal's mask is

An object shows in the frames in which it has a click, and only these count for it; afterwards it
loses its mask in all others. What follows from that in odd cases, on which the paper is silent:

- A frame in which an object has no click adds nothing to its costs, whatever others have there.
- Clicks are believed: one on an occluder draws the object to the occluder's proposal.
- Where two objects share a click, it is right and wrong at once for both, and tells nothing.
- More objects than proposals: those stay without whose lack costs least.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from evis.data import masks
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.types import Track, Video, VISDataset
from evis.labels.datasets import by_video, made

Click = tuple[int, int, int, bool]  # frame, x, y, positive: on the object or off it
WEIGHTS = (5.0, 5.0, 2.0)  # of the terms in Eq. 4, for all data sets
NO_CLASS = 0  # the category of a class-agnostic proposal


def maskness(soft: np.ndarray, flavour: Literal["paper", "cited"] = "paper") -> np.ndarray:
    """How sure each of the proposals is: soft masks (R, T, h, w) in 0..1 -> (R,).

    "paper": as printed, the mean over all pixels of the video, which grows with the object's area.
    "cited": as FreeSOLO defines it, the mean over the pixels of the binarised mask; 0 without any.
    """
    if flavour == "paper":
        return soft.mean((1, 2, 3), dtype=np.float64)
    if flavour != "cited":
        raise ValueError(f"flavour should be paper or cited, is {flavour!r}")
    inside = soft > 0.5
    total = soft.sum((1, 2, 3), where=inside, dtype=np.float64)
    return total / np.maximum(1, inside.sum((1, 2, 3)))


class Terms(NamedTuple):
    """The three costs of Eq. 4 before their weights, (N, R) each."""

    annotated: np.ndarray
    cross_instance: np.ndarray
    maskness: np.ndarray


def terms(proposals: np.ndarray, maskness: np.ndarray, clicks: Sequence[Sequence[Click]]) -> Terms:
    """What each of N objects would pay for each of R proposals, cost by cost.

    proposals: (R, T, h, w) bool. maskness: (R,), or the model's confidence in self-training.
    clicks: a list an object, of (frame, x, y, positive).
    """
    hits, rows = _hits(proposals, clicks)
    return _terms(hits, maskness, rows, len(clicks))


def terms_of(
    proposals: Sequence[PredictedTrack], video: Video, clicks: Sequence[Sequence[Click]]
) -> Terms:
    """As `terms`, of a video's proposals as `label` takes them."""
    rows = _rows(clicks, (video.length, video.height, video.width))
    scores = np.array([proposal.score for proposal in proposals])
    return _terms(_hits_of(proposals, video, rows), scores, rows, len(clicks))


def costs(
    proposals: np.ndarray,
    maskness: np.ndarray,
    clicks: Sequence[Sequence[Click]],
    weights: tuple[float, float, float] = WEIGHTS,
) -> np.ndarray:
    """Eq. 4: (N, R), for the inputs of `terms`."""
    return weighted(terms(proposals, maskness, clicks), weights)


def assign(
    proposals: np.ndarray,
    maskness: np.ndarray | None = None,
    clicks: Sequence[Sequence[Click]] | None = None,
    weights: tuple[float, float, float] = WEIGHTS,
) -> np.ndarray:
    """Eq. 2: the proposal of each object (N,), -1 for none; of the inputs of `costs`, or the costs.

    The least sum of costs, one to one. Proposals that no object gets are paired with "no object",
    at the same cost for all; so are objects with "no proposal" where there are too few.
    """
    cost = proposals if clicks is None else costs(proposals, maskness, clicks, weights)
    chosen = np.full(len(cost), -1)
    objects, columns = linear_sum_assignment(cost)
    chosen[objects] = columns
    return chosen


def assign_per_frame(
    proposals: np.ndarray,
    maskness: np.ndarray,
    clicks: Sequence[Sequence[Click]],
    weights: tuple[float, float, float] = WEIGHTS,
) -> np.ndarray:
    """PointVIS (PF): as `assign` of `costs`, but each frame is matched for itself, as if alone.

    maskness: (R, T), in each frame. Gives (N, T): -1 where an object has no click, too.
    """
    hits, rows = _hits(proposals, clicks)
    maskness = np.asarray(maskness)
    if maskness.shape != np.shape(proposals)[:2]:
        wanted = np.shape(proposals)[:2]
        raise ValueError(f"maskness should be (R, T), {wanted}, is of the shape {maskness.shape}")
    return _per_frame(hits, maskness, rows, len(clicks), weights)


def clicks_of(dataset: VISDataset, video_id: int) -> list[list[Click]]:
    """The clicks on each object of a video, in `tracks_of` order."""
    if "points" not in dataset.kinds:
        problem = f'holds no clicks, but labels of the level "{dataset.supervision}"'
        raise DataError(problem, video=video_id, remedy='Weaken a data set with masks to "point"')
    return [_clicks(track) for track in dataset.tracks_of(video_id)]


def as_proposals(
    soft: np.ndarray, video_id: int, flavour: Literal["paper", "cited"] = "paper"
) -> list[PredictedTrack]:
    """Soft masks of a video (R, T, h, w) as proposals: binarised, their maskness as their score."""
    return [
        PredictedTrack(video_id, NO_CLASS, float(score), _encoded(of_proposal > 0.5))
        for of_proposal, score in zip(soft, maskness(soft, flavour), strict=True)
    ]


def label(
    dataset: VISDataset,
    proposals: Sequence[PredictedTrack],
    origin: str,
    per_frame: bool = False,
    weights: tuple[float, float, float] = WEIGHTS,
) -> VISDataset:
    """The data set under those of the proposals that its clicks choose; masks in it are not read.

    proposals: of all its videos, scored by maskness (`as_proposals`) or, in self-training, by the
        model's confidence, as `evis.inference` predicts them class-agnostically. Classes are those
        of the clicked objects.
    origin: what made the masks, the proposals' model included.
    per_frame: PF. The paper does not say which maskness it weighs; we take the track's, and 0 in
        frames where it is absent.

    Objects without any mask in the end are left out, and so are crowds.
    """
    of_video = by_video(dataset, proposals)
    labelled = []
    for video in dataset.videos:
        clicks = clicks_of(dataset, video.id)
        tracks = dataset.tracks_of(video.id)
        clicked = [n for n, track in enumerate(tracks) if clicks[n] and not track.is_crowd]
        own = of_video[video.id]
        chosen = _choose(own, video, [clicks[n] for n in clicked], per_frame, weights)
        for n, of_frames in zip(clicked, chosen, strict=True):
            found = [None if r < 0 else own[r].masks[t] for t, r in enumerate(of_frames)]
            if any(rle is not None for rle in found):
                labelled.append(replace(tracks[n], boxes=None, areas=None).with_masks(found))
    return made(dataset, labelled, origin)


def _choose(
    proposals: list[PredictedTrack],
    video: Video,
    clicks: list[list[Click]],
    per_frame: bool,
    weights: tuple[float, float, float],
) -> np.ndarray:
    """The proposal of each object in each frame, (N, T); -1 where it gets none or does not show."""
    rows = _rows(clicks, (video.length, video.height, video.width))
    if per_frame:
        hits = _hits_of(proposals, video, rows)
        scores = [[p.score * (rle is not None) for rle in p.masks] for p in proposals]
        shape = len(proposals), video.length
        return _per_frame(hits, np.array(scores).reshape(shape), rows, len(clicks), weights)
    found = assign(weighted(terms_of(proposals, video, clicks), weights))
    return np.where(_shows(rows, len(clicks), video.length), found[:, None], -1)


def _hits_of(proposals: Sequence[PredictedTrack], video: Video, rows: np.ndarray) -> np.ndarray:
    """Which proposals cover which click, (R, K) bool; masks in frames of clicks alone are read."""
    size = [video.height, video.width]
    hits = np.zeros((len(proposals), len(rows)), dtype=bool)
    for r, proposal in enumerate(proposals):
        sizes = {tuple(rle["size"]) for rle in proposal.masks if rle is not None}
        if len(proposal.masks) != video.length or sizes - {tuple(size)}:
            problem = f"proposal {r} has {len(proposal.masks)} masks of the sizes {sorted(sizes)}"
            remedy = f"Give one or None for each of {video.length} frames, of the size {size}"
            raise DataError(problem, video=video.name, remedy=remedy)
        for t in np.unique(rows[:, 1]):
            if proposal.masks[t] is not None:
                here = rows[:, 1] == t
                mask = masks.decode(proposal.masks[t])
                hits[r, here] = mask[rows[here, 3], rows[here, 2]]
    return hits


def _clicks(track: Track) -> list[Click]:
    return [
        (frame, point.x, point.y, point.positive)
        for frame, points in enumerate(track.points)
        for point in points or ()
    ]


def _encoded(binary: np.ndarray) -> tuple:
    """(T, h, w) bool -> a run-length code a frame, None where it is empty."""
    return tuple(masks.encode(mask) if mask.any() else None for mask in binary)


def _rows(clicks: Sequence[Sequence[Click]], shape: tuple[int, ...]) -> np.ndarray:
    """Clicks, checked, as (K, 5) whole numbers: object, frame, x, y, positive; shape: (T, h, w)."""
    flat = [(n, *click) for n, of_object in enumerate(clicks) for click in of_object]
    for n, *click in flat:
        if click[3] not in (0, 1) or not all(float(value).is_integer() for value in click[:3]):
            problem = f"the click {tuple(click)} on object {n} is not (frame, x, y, on or off)"
            raise DataError(problem, remedy="Give whole numbers; off the object is False, or 0")
    rows = np.array(flat, dtype=np.int64).reshape(-1, 5)
    frames, height, width = shape
    outside = (rows[:, 1:4] < 0) | (rows[:, 1:4] >= [frames, width, height])
    for n, frame, x, y, _ in rows[outside.any(1)]:
        problem = f"the click ({x}, {y}) on object {n} lies outside the video"
        said = f"It has {frames} frames, {width} wide and {height} high"
        raise DataError(problem, frame=int(frame), remedy=said)
    return rows


def _hits(
    proposals: np.ndarray, clicks: Sequence[Sequence[Click]]
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the proposals (R, T, h, w) cover which click, (R, K) bool, and the clicks' rows."""
    proposals = np.asarray(proposals)
    if proposals.ndim != 4 or proposals.dtype != bool:
        told = f"{proposals.shape} {proposals.dtype}"
        raise ValueError(f"proposals should be (R, T, h, w) bool, are {told}: binarise soft masks")
    rows = _rows(clicks, proposals.shape[1:])
    return proposals[:, rows[:, 1], rows[:, 3], rows[:, 2]], rows


def _shows(rows: np.ndarray, objects: int, frames: int) -> np.ndarray:
    """(N, T) bool: whether the object has a click in the frame."""
    shows = np.zeros((objects, frames), dtype=bool)
    shows[rows[:, 0], rows[:, 1]] = True
    return shows


def _terms(hits: np.ndarray, scores: np.ndarray, rows: np.ndarray, objects: int) -> Terms:
    """Of hits (R, K), scores (R,) and the K clicks."""
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (len(hits),) or not np.isfinite(scores).all():
        problem = f"maskness should be a finite number for each of {len(hits)} proposals"
        raise ValueError(f"{problem}, is of the shape {scores.shape}")
    owner, frame, _, _, positive = rows.T
    own = owner == np.arange(objects)[:, None]  # (N, K)
    frames = frame.max(initial=-1) + 1
    negative = ~own & (positive == 1) & _shows(rows, objects, frames)[:, frame]
    return Terms(
        annotated=own.astype(np.float64) @ (hits != positive).T,
        cross_instance=negative.astype(np.float64) @ hits.T,
        maskness=np.tile(-scores, (objects, 1)),
    )


def weighted(of_terms: Terms, weights: tuple[float, float, float] = WEIGHTS) -> np.ndarray:
    """Eq. 4 of its terms: (N, R)."""
    return sum(weight * term for weight, term in zip(weights, of_terms, strict=True))


def _per_frame(
    hits: np.ndarray,
    scores: np.ndarray,
    rows: np.ndarray,
    objects: int,
    weights: tuple[float, float, float],
) -> np.ndarray:
    """hits (R, K), scores (R, T) -> (N, T)"""
    chosen = np.full((objects, scores.shape[1]), -1)
    for t in np.unique(rows[:, 1]):
        here = rows[:, 1] == t
        shown, owner = np.unique(rows[here, 0], return_inverse=True)
        alone = np.column_stack([owner, np.zeros_like(owner), rows[here, 2:]])
        of_terms = _terms(hits[:, here], scores[:, t], alone, len(shown))
        chosen[shown, t] = assign(weighted(of_terms, weights))
    return chosen
