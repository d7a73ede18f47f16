"""Track-masks (PM-VIS, section III-C): an object's best masks, carried through its video.

What carries is a plain function. It gets a video, frame by frame where it asks for one, and gives a
function of frames in the order to go and the first one's mask:

    carry = BY_COLOUR(lambda frame: dataset.frame(video_id, frame))
    carry([7, 6, 5], mask)  # (h, w) bool of frame 7 -> (2, h, w) bool of frames 6 and 5

SAM 2 (`evis.foundation.sam2`) fits in the same place, where the paper has DeAOT.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from evis.data import masks
from evis.data.types import Track, VISDataset
from evis.foundation import colour
from evis.labels import select
from evis.labels.datasets import made, of_object
from evis.labels.from_boxes import seen
from evis.trackers.propagate import hard, propagate

Read = Callable[[int], np.ndarray]  # the number of a frame -> (h, w, 3) uint8 RGB
Carry = Callable[[Sequence[int], np.ndarray], np.ndarray]  # n frames, (h, w) -> (n - 1, h, w) bool
Carrier = Callable[[Read], Carry]
KEPT_BYTES = 2**31  # of features of one video: 200 frames of DINO's ViT-S/8 at 480 x 854


def by_likeness(
    extract: Callable[[np.ndarray], np.ndarray], last_frames: int = 7, radius: int = 12
) -> Carrier:
    """Label propagation by an extractor's features, frame -> (rows, columns, C).

    Needs no training. last_frames, radius: of `evis.trackers.propagate`; DINO's protocol by
    default.
    """

    def look(read: Read) -> Carry:
        kept: dict[int, Tensor] = {}  # the frames seen last: those of a long video fill any memory

        def features(frame: int) -> Tensor:
            seen = kept.pop(frame, None)
            if seen is None:
                seen = torch.from_numpy(extract(read(frame)))
                if kept and (len(kept) + 1) * seen.nbytes > KEPT_BYTES:
                    del kept[next(iter(kept))]
            kept[frame] = seen
            return seen

        def carry(order: Sequence[int], mask: np.ndarray) -> np.ndarray:
            seen = torch.stack([features(frame) for frame in order])
            inside = torch.from_numpy(mask)[None, None].float()
            inside = F.interpolate(inside, seen.shape[1:3], mode="area")[0, 0]
            first = torch.stack([1 - inside, inside])  # background and object, of each patch
            soft = propagate(seen, first, last_frames, radius=radius)
            return (hard(soft, mask.shape) == 1).numpy()

        return carry

    return look


# Colours recur all over a frame, so that only what is near in place and time is compared.
BY_COLOUR = by_likeness(partial(colour.features, cells=48), last_frames=1, radius=4)


def through(carry: Carry, starts: Mapping[int, np.ndarray], length: int) -> np.ndarray:
    """One object's masks at keyframes, carried both ways: {frame: (h, w) bool} -> (length, h, w).

    The paper "amalgamates" what comes of several keyframes and does not say how: each frame takes
    that of the nearest one, of two as near the earlier, so that an object is carried until another
    keyframe is nearer.
    """
    if not starts or not all(0 <= key < length for key in starts):
        raise ValueError(f"keyframes should be among {length} frames, are {sorted(starts)}")
    keys = sorted(starts)
    nearest = [min(keys, key=lambda key: abs(key - frame)) for frame in range(length)]
    found = np.zeros((length, *starts[keys[0]].shape), dtype=bool)
    for key in keys:
        found[key] = starts[key]
        first, last = nearest.index(key), length - 1 - nearest[::-1].index(key)
        for way in (range(key, last + 1), range(key, first - 1, -1)):  # forwards, backwards
            if len(way) > 1:
                found[way[1:]] = carry(way, starts[key])
    return found


def scm_by_frame(boxes: Track, first: Track, other: Track) -> list[float]:
    """How well two kinds of one object's masks agree: SCM (Eqs. 4-5) in each frame, 0 where one has
    no mask. Of one kind with itself: how well its masks fit the boxes."""
    scores = []
    for box, *both in zip(boxes.boxes, first.masks, other.masks, strict=True):
        pair = [] if None in (box, *both) else [masks.decode(rle) for rle in both]
        scores.append(select.scm(*pair, select.corners(box)) if pair else 0.0)
    return scores


def label(
    boxes: VISDataset,
    masked: VISDataset,
    carrier: Carrier,
    origin: str,
    every: int = 10,
    other: VISDataset | None = None,
    progress: bool = True,
) -> VISDataset:
    """Track-masks of a data set with boxes, from pseudo masks that were made of them.

    Of each object len(video) / `every` keyframes, the paper's K, are those in which its masks agree
    most (SCM) with those of another kind, as in the paper, or, without any, with its boxes. An
    object has no mask where it has no box, and none at all without a keyframe; such an object is
    left out, and so are crowds. Masks may overlap and leave their boxes: `select.tidied` ends it.

    origin: what carries, in words. Annotated masks are not read, and none are taken.
    """
    if every < 1:
        raise ValueError(f"every should be at least 1, is {every}")
    boxes, kinds = seen(boxes), [masked] if other is None else [masked, other]
    for kind in kinds:
        select.check_made(kind)
    labelled = []
    for video in boxes.videos:
        carry = carrier(partial(boxes.frame, video.id))
        own = [track for track in boxes.tracks_of(video.id) if not track.is_crowd]
        for track in tqdm(own, "track", unit="object", leave=False, disable=not progress):
            _, *found = of_object(track, *kinds)
            if len(found) == len(kinds):
                scores = scm_by_frame(track, found[0], found[-1])
                starts = {key: found[0].mask(key) for key in select.keyframes(scores, every)}
                if starts:
                    labelled.append(_under(track, through(carry, starts, video.length)))
    sources = " by agreement with ".join(str(kind.origin) for kind in kinds)
    return made(boxes, labelled, f"{origin} from {sources}", *kinds)


def _under(track: Track, found: np.ndarray) -> Track:
    """The track under masks (T, h, w), where it has boxes."""
    rles = [
        masks.encode(mask) if box is not None and mask.any() else None
        for box, mask in zip(track.boxes, found, strict=True)
    ]
    return replace(track, areas=None).with_masks(rles)
