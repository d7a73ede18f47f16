"""PM-VIS's choice among pseudo masks (section III-D): how well two agree, and which is best.

A box is x0, y0, x1, y1 in pixels. Nothing here sees an annotated mask: the masks are made from
boxes, and the boxes are the annotation.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from evis.data import masks
from evis.data.errors import DataError
from evis.data.masks import around
from evis.data.types import Box, Track, VISDataset
from evis.labels.datasets import made, of_object

Corners = Sequence[float]  # x0, y0, x1, y1


def scm(a: np.ndarray, b: np.ndarray, box: Corners) -> float:
    """Score of corresponding masks, Eqs. 4-5: IoU of two masks, times that of each with the box.

    (h, w) bool each. An empty mask scores 0. The paper cites generalised IoU beside Eq. 5 and
    writes IoU; we take IoU.
    """
    _check(np.stack([a, b]) if a.shape == b.shape else None, [box] * 2)
    union = (a | b).sum()
    if not union:
        return 0.0
    return float((a & b).sum() / union * box_iou(around(a), box) * box_iou(around(b), box))


def shqm(masks: np.ndarray, box: Corners) -> int:
    """Selection of high-quality masks, Eqs. 6-8: which of (3, h, w) agrees best with the others.

    Any number of masks will do. The paper does not say who wins a tie; we take the first.
    """
    _check(masks, [box] * len(masks))
    if not len(masks):
        raise ValueError("there is no mask to choose from")
    scores = np.zeros(len(masks))
    for i, j in combinations(range(len(masks)), 2):
        scores[[i, j]] += scm(masks[i], masks[j], box)
    return int(scores.argmax())


def doob(masks: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The masks of one frame without overlaps and what is out of their boxes: (N, h, w) bool.

    Two masks' overlap stays with the one whose box is nearer (by IoU) to the rectangle around it;
    then each mask is cut to the pixels that its box touches. The paper does not say who keeps an
    overlap at equal IoU, nor what happens to three on one place; we take the first, pair by pair.
    """
    _check(masks, boxes)
    tidy = masks.copy()
    for i, j in combinations(range(len(tidy)), 2):
        overlap = tidy[i] & tidy[j]
        if overlap.any():
            rectangle = around(overlap)
            loser = j if box_iou(rectangle, boxes[i]) >= box_iou(rectangle, boxes[j]) else i
            tidy[loser] &= ~overlap
    rows, columns = np.ogrid[: tidy.shape[1], : tidy.shape[2]]
    for mask, (x0, y0, x1, y1) in zip(tidy, boxes, strict=True):
        mask &= (columns + 1 > x0) & (columns < x1) & (rows + 1 > y0) & (rows < y1)
    return tidy


def assign(
    predicted: np.ndarray, prompted: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which prediction of IDOL-BoxInst is each object's mask: (N,), -1 for none, and its SCM (N,).

    predicted: (P, h, w); prompted: (N, h, w), HQ-SAM's mask of each of the boxes (N, 4), all of one
    frame. A prediction belongs to the object with which its SCM is highest, an object takes the
    best of its predictions. The paper does not say what becomes of predictions that agree with no
    object; we leave them out, whatever class was predicted.
    """
    _check(prompted, boxes)
    pairs = zip(prompted, boxes, strict=True)
    scores = [[scm(mask, truth, box) for mask in predicted] for truth, box in pairs]
    scores = np.array(scores, dtype=float).reshape(len(boxes), len(predicted))
    if not scores.size:
        return np.full(len(boxes), -1), np.zeros(len(boxes))
    own = np.where(scores.argmax(0) == np.arange(len(boxes))[:, None], scores, 0)
    best = own.max(1)
    return np.where(best > 0, own.argmax(1), -1), best


def keyframes(scores: Sequence[float], every: int = 10) -> list[int]:
    """Frames in which tracking an object starts: len(video) / `every` with the highest SCM.

    scores: one a frame, 0 where the object has no mask. The paper does not say how to round; we
    round down, to one at least. `every` is its K, 100 for OVIS.
    """
    count = max(1, len(scores) // every)
    best = np.argsort(-np.asarray(scores, dtype=float), kind="stable")[:count]
    return sorted(int(frame) for frame in best if scores[frame] > 0)


def tidied(dataset: VISDataset) -> VISDataset:
    """DOOB in every frame of a data set of pseudo masks, by the boxes of its own tracks."""
    check_made(dataset)
    tracks = []
    for video in dataset.videos:
        own = [track for track in dataset.tracks_of(video.id) if not track.is_crowd]
        encoded = [list(track.masks) for track in own]
        for frame in range(video.length):
            seen = [n for n, track in enumerate(own) if track.masks[frame] is not None]
            if seen:
                stack = np.stack([own[n].mask(frame) for n in seen])
                kept = doob(stack, np.array([corners(own[n].boxes[frame]) for n in seen]))
                for n, mask in zip(seen, kept, strict=True):
                    encoded[n][frame] = masks.encode(mask) if mask.any() else None
        tracks += [_under(track, rles) for track, rles in zip(own, encoded, strict=True)]
    return made(dataset, tracks, "DOOB")


def best_of(first: VISDataset, *others: VISDataset) -> VISDataset:
    """SHQM, track by track and frame by frame: of each object's masks that which agrees best.

    Tracks are the same objects where video and id are; boxes are those of `first`, Track-masks in
    the paper. Where it has no mask the object stays without one, as the paper has it (Fig. 6).
    """
    for dataset in (first, *others):
        check_made(dataset)
    tracks = []
    for track in first.tracks:
        kinds = of_object(track, *others)
        chosen = list(track.masks)
        for frame, box in enumerate(track.boxes):
            rles = [t.masks[frame] for t in kinds if t.masks[frame] is not None]
            if track.masks[frame] is not None and len(rles) > 1:
                stack = np.stack([masks.decode(rle) for rle in rles])
                chosen[frame] = rles[shqm(stack, corners(box))]
        tracks.append(_under(track, chosen))
    sources = " and ".join(str(dataset.origin) for dataset in others) or "nothing"
    return made(first, tracks, f"SHQM with {sources}", *others)


def corners(box: Box) -> tuple[float, float, float, float]:
    """x, y, width, height -> x0, y0, x1, y1."""
    x, y, width, height = box
    return x, y, x + width, y + height


def box_iou(a: Corners, b: Corners) -> float:
    """Of two boxes; 0 where neither has an area."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(across, 0) * max(down, 0)
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - shared
    return float(shared / union) if union > 0 else 0.0


def _under(track: Track, chosen: Sequence[masks.RLE | None]) -> Track:
    """The track with other masks: areas are theirs, boxes stay where there is one."""
    return replace(track, areas=None).with_masks(chosen)


def _check(of_frame: np.ndarray | None, boxes: Sequence[Corners]) -> None:
    if of_frame is None or of_frame.ndim != 3 or of_frame.dtype != bool:
        raise ValueError("masks should be (h, w) bool, all of one size")
    if np.shape(boxes) != (len(of_frame), 4) and len(of_frame) + len(boxes):
        raise ValueError(f"{len(of_frame)} masks need one box x0, y0, x1, y1 each")
    if not np.isfinite(boxes).all():
        raise ValueError(f"a box holds NaN or infinity: {np.asarray(boxes).tolist()}")


def check_made(dataset: VISDataset) -> None:
    if dataset.origin is None or any(None in (t.masks, t.boxes) for t in dataset.tracks):
        problem = "pseudo masks and their boxes are asked for, and this set has no such masks"
        raise DataError(problem, remedy="Make them from boxes: see evis.labels.from_boxes")
