"""Masks made from boxes without any learning: the floor that a box-supervised method has to beat.

A segmenter is a plain function (picture, box) -> mask: a foundation model fits in the same place.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from tqdm.auto import tqdm

from evis.data import masks
from evis.data.boxes import touched
from evis.data.errors import DataError
from evis.data.masks import RLE
from evis.data.supervision import weaken
from evis.data.types import Box, VISDataset
from evis.labels.datasets import made

Segmenter = Callable[[np.ndarray, Box], np.ndarray]  # (h, w, 3) uint8 RGB, box -> (h, w) bool


def fill(picture: np.ndarray, box: Box) -> np.ndarray:
    """Everything inside the box."""
    mask = np.zeros(picture.shape[:2], dtype=bool)
    mask[touched(box, *picture.shape[:2])] = True
    return mask


def ellipse(picture: np.ndarray, box: Box) -> np.ndarray:
    """The ellipse that touches all four sides of the box.

    Where no pixel's middle lies in it, as in a box without width, the box is filled.
    """
    x, y, width, height = box
    if not (width and height):
        return fill(picture, box)
    rows, columns = np.ogrid[: picture.shape[0], : picture.shape[1]]
    across = (columns + 0.5 - x - width / 2) / (width / 2)
    down = (rows + 0.5 - y - height / 2) / (height / 2)
    mask = across**2 + down**2 <= 1
    return mask if mask.any() else fill(picture, box)


def grabcut(picture: np.ndarray, box: Box, iterations: int = 5) -> np.ndarray:
    """GrabCut (OpenCV): colour models of inside and outside, and a graph cut between the two.

    Where the cut finds nothing, or the box leaves no outside to learn from, the box is filled.
    """
    rows, columns = touched(box, *picture.shape[:2])
    labels = np.full(picture.shape[:2], cv2.GC_BGD, dtype=np.uint8)
    labels[rows, columns] = cv2.GC_PR_FGD
    if (labels == cv2.GC_PR_FGD).all():
        return fill(picture, box)
    cv2.setRNGSeed(0)  # its mixture models start from random clusters
    colours = np.zeros((1, 65)), np.zeros((1, 65))  # the models of outside and inside
    bgr = np.ascontiguousarray(picture[..., ::-1])
    cv2.grabCut(bgr, labels, None, *colours, iterations, cv2.GC_INIT_WITH_MASK)
    mask = labels == cv2.GC_PR_FGD
    return mask if mask.any() else fill(picture, box)


def seen(dataset: VISDataset) -> VISDataset:
    """What masks may be made from: the boxes, annotated or made, without annotated masks."""
    if "boxes" not in dataset.kinds:
        problem = f'masks are made from boxes, and this set holds "{dataset.supervision}" labels'
        raise DataError(problem, remedy="Give an annotation json that has boxes")
    return dataset if dataset.origin is not None else weaken(dataset, "box")


def label(
    dataset: VISDataset, segmenter: Segmenter, origin: str | None = None, progress: bool = True
) -> VISDataset:
    """The data set under masks made from its boxes; annotated masks are not read.

    A frame is read once and its boxes come one after another, since what a segmenter makes of the
    picture is most of its work. The result costs no more than boxes, and says what made it: by
    default, the segmenter's name. Crowds are left out, and boxes that no mask was found in count as
    not visible.
    """
    dataset = seen(dataset)
    origin = origin or f"{getattr(segmenter, '__name__', type(segmenter).__name__)} from boxes"
    # Areas, which a set of made labels has, will be those of the new masks.
    tracks = [replace(track, areas=None) for track in dataset.tracks if not track.is_crowd]
    encoded: list[list[RLE | None]] = [[None] * len(track.boxes) for track in tracks]
    boxed: dict[tuple[int, int], list[int]] = {}  # video and frame -> whose boxes it shows
    for number, track in enumerate(tracks):
        for frame, box in enumerate(track.boxes):
            if box is not None:
                boxed.setdefault((track.video_id, frame), []).append(number)
    for video, frame in tqdm(sorted(boxed), "boxes to masks", unit="frame", disable=not progress):
        picture = dataset.frame(video, frame)
        for number in boxed[video, frame]:
            mask = segmenter(picture, tracks[number].boxes[frame])
            encoded[number][frame] = masks.encode(mask) if mask.any() else None
    labelled = [track.with_masks(rles) for track, rles in zip(tracks, encoded, strict=True)]
    return made(dataset, labelled, origin)
