"""The supervision firewall: a weakened data set physically lacks what its level forbids.

`VISDataset.supervision` says what people had to annotate: masks cost most, then boxes, points, and
nothing. Labels that an algorithm makes cost what they were made from. So masks that GrabCut makes
from boxes are a new data set whose supervision is still "box" and whose `origin` is "grabcut from
boxes". The rule, for a level that a method claims to learn from:

- *Annotated labels* (`origin` None) are cut down to the level. Asked for more than they hold, they
  are refused.
- *Made labels* pass whole at the level they were made from and at every stronger one: a method that
  learns from boxes may learn from masks made from boxes, and so may one that learns from masks.
  Below that level they are refused, since each of them carries what the level forbids. Weaken the
  annotations first and make the labels from what is left.

What a labelled set was made from is the set that `evis.labels` was given: give it the weakened one.
Networks that label (SAM, CLIP) have learnt from other data, which `origin` names and no level does.
"""

from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

import cv2
import numpy as np

from evis.data.errors import DataError
from evis.data.masks import around
from evis.data.types import Point, Supervision, Track, VISDataset

LEVELS: tuple[Supervision, ...] = ("mask", "box", "point", "none")  # from strong to weak


@dataclass(frozen=True)
class PointScheme:
    """How points are drawn from masks, following PointVIS's settings and its Table 3.

    Positives: `uniform` over the object, or by `distance`: with a probability that grows with the
    distance from the outline, as people click. Negatives: `in box` (inside the object's tight box,
    off the object) or `around box` (outside it, within the box scaled to 200%). Where fewer
    pixels qualify than points are asked for, all of them are taken. `frame_share` of a video's
    frames, at least one, carry points; the others carry none.
    """

    positives: int = 1
    negatives: int = 0
    positive_sampling: Literal["uniform", "distance"] = "uniform"
    negative_sampling: Literal["in box", "around box"] = "in box"
    frame_share: float = 1.0

    def __post_init__(self) -> None:
        if self.positives < 1 or self.negatives < 0:
            raise ValueError("a point scheme needs at least one positive and no negative count")
        _check_share(self.frame_share)
        if self.positive_sampling not in ("uniform", "distance"):
            raise ValueError(f"unknown positive_sampling {self.positive_sampling!r}")
        if self.negative_sampling not in ("in box", "around box"):
            raise ValueError(f"unknown negative_sampling {self.negative_sampling!r}")


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"frame_share should be in (0, 1], is {share}")


P1 = PointScheme(1, 0)
P10 = PointScheme(10, 0)
P1N1 = PointScheme(1, 1)
P5N5 = PointScheme(5, 5)


def weaken(
    dataset: VISDataset, level: Supervision, points: PointScheme = P1, seed: int = 0
) -> VISDataset:
    """The same videos with no more annotation than `level` allows; for made labels see above.

    "mask": everything. "box": boxes, no masks and no areas (an area tells about the mask).
    "point": points drawn by `points` and `seed`, no boxes. "none": no tracks at all.
    """
    if level not in LEVELS:
        raise DataError(f"unknown level {level!r}", remedy=f"Choose from {', '.join(LEVELS)}")
    weaker_by = LEVELS.index(level) - LEVELS.index(dataset.supervision)
    if dataset.origin is not None:
        if weaker_by > 0:
            raise DataError(
                f'the labels were made from "{dataset.supervision}" supervision '
                f'({dataset.origin}), "{level}" allows less',
                remedy=f'Weaken the annotations to "{level}" and make the labels from that',
            )
        return dataset
    if weaker_by < 0:
        raise DataError(
            f'the data set holds "{dataset.supervision}" supervision, "{level}" asks for more',
            remedy="Start from the stronger data set",
        )
    if level == "mask":
        return dataset
    if level == "none":
        return dataset.bare()
    if level == "box":
        tracks = [_only(track, boxes=track.boxes) for track in dataset.tracks]
    elif dataset.supervision == "point":  # as drawn
        tracks = [_only(track, points=track.points) for track in dataset.tracks]
    elif dataset.supervision == "mask":
        tracks = [_only(track, points=_draw(track, points, seed)) for track in dataset.tracks]
    else:
        remedy = 'Weaken the data set with masks to "point"'
        raise DataError("points are drawn from masks, and this data set has none", remedy=remedy)
    return replace(dataset, tracks=tuple(tracks), supervision=level)


def _only(track: Track, **annotation: tuple) -> Track:
    """The track with this annotation, and without all others that a file may give beside it."""
    nothing = dict.fromkeys(("masks", "boxes", "areas", "points"))
    return replace(track, **(nothing | annotation))


def _draw(track: Track, scheme: PointScheme, seed: int) -> tuple[tuple[Point, ...] | None, ...]:
    """Points of one object, in the frames of its video that carry any: the same for all objects."""
    length = len(track.masks)
    drawn: list[tuple[Point, ...] | None] = [None] * length
    for frame in frames_of(track.video_id, length, scheme.frame_share, seed):
        mask = track.mask(frame)
        if mask is not None:
            generator = _generator(seed, track.video_id, track.id, frame)
            drawn[frame] = sample_points(mask, scheme, generator)
    return tuple(drawn)


def frames_of(video_id: int, length: int, share: float, seed: int) -> list[int]:
    """Which of a video's frames are annotated if a share of them is: one at least, ascending."""
    count = max(1, ceil(share * length - 1e-9))
    return sorted(_generator(seed, video_id).choice(length, count, replace=False).tolist())


def in_frames(dataset: VISDataset, frame_share: float, seed: int = 0) -> VISDataset:
    """Videos of those frames alone that `weaken` clicks on, given the same share and seed.

    To learn from few annotated frames: where the others stay, they count as showing no object.
    """
    _check_share(frame_share)
    kept = {
        video.id: frames_of(video.id, video.length, frame_share, seed) for video in dataset.videos
    }

    def cut(values: tuple | None, video_id: int) -> tuple | None:
        return None if values is None else tuple(values[frame] for frame in kept[video_id])

    kinds = ("boxes", "masks", "areas", "points")
    return replace(
        dataset,
        videos=tuple(
            replace(video, frames=cut(video.frames, video.id)) for video in dataset.videos
        ),
        tracks=tuple(
            replace(track, **{kind: cut(getattr(track, kind), track.video_id) for kind in kinds})
            for track in dataset.tracks
        ),
    )


def _generator(seed: int, *identifiers: int) -> np.random.Generator:
    """The same draws for the same object, whatever else the data set holds."""
    return np.random.default_rng([seed, *(identifier % 2**63 for identifier in identifiers)])


def sample_points(
    mask: np.ndarray, scheme: PointScheme, generator: np.random.Generator
) -> tuple[Point, ...]:
    """Draw points for one object in one frame; mask (h, w) bool, not empty."""
    left, top, right, bottom = around(mask)
    weights = mask.astype(float)
    if scheme.positive_sampling == "distance":
        framed = np.pad(mask.astype(np.uint8), 1)  # the frame's edge counts as outline
        weights = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    positives = _choose(weights, scheme.positives, generator)

    off = np.zeros(mask.shape)  # 1 where a negative may lie
    if scheme.negative_sampling == "in box":
        off[top:bottom, left:right] = ~mask[top:bottom, left:right]
    else:
        above, beside = (bottom - top) // 2, (right - left) // 2
        off[max(0, top - above) : bottom + above, max(0, left - beside) : right + beside] = 1
        off[top:bottom, left:right] = 0
    negatives = _choose(off, scheme.negatives, generator)
    return tuple(
        Point(int(x), int(y), positive)
        for group, positive in ((positives, True), (negatives, False))
        for y, x in group
    )


def _choose(weights: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """(k, 2) rows and columns of k <= count different pixels, by weight."""
    flat = weights.ravel()
    candidates = np.flatnonzero(flat > 0)
    count = min(count, len(candidates))
    if count == 0:
        return np.zeros((0, 2), dtype=np.int64)
    shares = flat[candidates] / flat[candidates].sum()
    picked = generator.choice(candidates, count, replace=False, p=shares)
    return np.stack(np.unravel_index(picked, weights.shape), axis=1)
