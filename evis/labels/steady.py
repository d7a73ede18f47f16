"""A choice among pseudo masks without a third kind: the one that the frames around bear out.

PM-VIS's SHQM asks which of three kinds agrees best with the two others; of two kinds neither would
win. Here what the neighbouring frames show is carried into this one by optical flow, and each kind
is asked how well it agrees with that. It is ours, not the paper's, and needs boxes alone.
"""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from evis.data import masks
from evis.data.types import Track, VISDataset
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
        own = first.tracks_of(video.id)
        frames = [first.frame(video.id, n) for n in range(video.length if own else 0)]
        steps = list(zip(frames, frames[1:], strict=False))
        onward = [estimator(*pair) for pair in steps]
        back = [estimator(*pair[::-1]) for pair in steps]
        tracks += [_chosen(of_object(track, *others), onward, back) for track in own]
    sources = " and ".join(str(dataset.origin) for dataset in others) or "nothing"
    return made(first, tracks, f"the steadiest, with {sources}", *others)


def _chosen(
    kinds: Sequence[Track], onward: Sequence[np.ndarray], back: Sequence[np.ndarray]
) -> Track:
    """onward, back: the flow from each frame to the next, and from the next to it."""
    first, length = kinds[0], len(kinds[0].masks)
    shown = [[track.masks[n] for track in kinds if track.masks[n]] for n in range(length)]
    chosen = [None] * length
    for frame, (box, rles) in enumerate(zip(first.boxes, shown, strict=True)):
        if box is None or not rles:
            continue
        candidates = np.stack([masks.decode(rle) for rle in rles])
        around = [(frame - 1, back[frame - 1])] if frame else []
        around += [(frame + 1, onward[frame])] if frame + 1 < length else []
        carried_in = [carried(masks.decode(r), flow) for n, flow in around for r in shown[n]]
        witnesses = np.array(carried_in, dtype=bool).reshape(-1, *candidates.shape[1:])
        best = steadiest(candidates, witnesses, select.corners(box))
        chosen[frame] = rles[best]
    return replace(first, areas=None).with_masks(chosen)
