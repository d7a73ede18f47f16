"""A choice among pseudo masks without a third kind: the one that the frames around bear out.

PM-VIS's SHQM asks which of three kinds agrees best with the two others; of two kinds neither would
win. Here what the neighbouring frames show is carried into this one by optical flow, and each kind
is asked how well it agrees with that. It is ours, not the paper's, and needs boxes alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from evis.data import masks
from evis.data.masks import RLE
from evis.data.types import Track, Video, VISDataset
from evis.foundation import flow as flows
from evis.labels import select
from evis.labels.datasets import made, of_object
from evis.labels.select import Corners


def carried(mask: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """A neighbouring frame's mask (h, w) bool as this frame would show it, by this frame's flow
    (h, w, 2) to the neighbour: each pixel is looked up where it went, the nearest one there."""
    if flow.shape != (*mask.shape, 2):
        raise ValueError(f"a mask {mask.shape} needs a flow of its size, not {flow.shape}")
    rows, columns = np.indices(mask.shape, dtype=np.float32)
    places = columns + flow[..., 0].astype(np.float32), rows + flow[..., 1].astype(np.float32)
    return cv2.remap(mask.astype(np.uint8), *places, cv2.INTER_NEAREST, borderValue=0) > 0


def steadiest(candidates: np.ndarray, witnesses: np.ndarray, box: Corners) -> int:
    """Which of an object's masks (K, h, w) agrees best with what its neighbouring frames show.

    witnesses: (W, h, w) bool, masks of the frames around, of all kinds, carried into this one. A
    mask's score is its mean IoU with them, times that of the rectangle around it with the object's
    box, as in Eq. 5; without a witness the box alone decides. Of equals the first wins.
    """
    if not len(candidates):
        raise ValueError("there is no mask to choose from")
    scores = []
    for mask in candidates:
        unions = (mask | witnesses).sum((1, 2))
        ious = (mask & witnesses).sum((1, 2)) / np.maximum(unions, 1)
        agreement = ious.mean() if len(witnesses) else 1.0
        scores.append(agreement * select.box_iou(select.around(mask), box))
    return int(np.argmax(scores))


def steadiest_of(
    first: VISDataset, *others: VISDataset, estimator: flows.Estimator = flows.dis
) -> VISDataset:
    """Track by track and frame by frame, of each object's masks the steadiest.

    Tracks are the same objects where video and id are. Of an object's frame, whichever kinds have a
    mask are asked; objects and boxes are those of `first`, as in `select.best_of`.
    """
    for dataset in (first, *others):
        select.check_made(dataset)
    tracks = []
    for video in first.videos:
        objects = [of_object(track, *others) for track in first.tracks_of(video.id)]
        chosen = [
            [_best(kinds, frame, around) for kinds in objects]
            for frame, around in enumerate(_around(first, video, estimator) if objects else ())
        ]
        tracks += [
            replace(kinds[0], areas=None).with_masks(own)
            for kinds, own in zip(objects, zip(*chosen, strict=True), strict=True)
        ]
    sources = " and ".join(str(dataset.origin) for dataset in others) or "nothing"
    return made(first, tracks, f"the steadiest, with {sources}", *others)


Around = Sequence[tuple[int, np.ndarray]]  # the frames next to one, and its flow (h, w, 2) to each


def _around(dataset: VISDataset, video: Video, estimator: flows.Estimator) -> Iterator[Around]:
    """Frame by frame; of pictures and flows no more are kept than two of each."""
    here, before = dataset.frame(video.id, 0), []
    for after in range(1, video.length):
        there = dataset.frame(video.id, after)
        yield [*before, (after, estimator(here, there))]
        before = [(after - 1, estimator(there, here))]
        here = there
    yield before


def _best(kinds: Sequence[Track], frame: int, around: Around) -> RLE | None:
    """Of one object's masks in a frame, of whichever kinds have one."""
    box, rles = kinds[0].boxes[frame], [track.masks[frame] for track in kinds]
    rles = [rle for rle in rles if rle]
    if box is None or not rles:
        return None
    candidates = np.stack([masks.decode(rle) for rle in rles])
    carried_in = [
        carried(masks.decode(rle), flow)
        for n, flow in around
        for rle in (track.masks[n] for track in kinds)
        if rle
    ]
    witnesses = np.array(carried_in, dtype=bool).reshape(-1, *candidates.shape[1:])
    return rles[steadiest(candidates, witnesses, select.corners(box))]
