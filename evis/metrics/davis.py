"""J, F and J&F as the DAVIS-2017 unsupervised challenge computes them: predictions come without
identity, so each object first takes the prediction that fits it best over the whole video.

All frames count. The result table's `objects` has one row an object.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from tqdm.auto import tqdm

from evis.data.errors import DataError

MAX_PREDICTIONS = 20  # a video; the challenge takes no more, since spare ones can only help
TOLERANCE = 0.008  # of the frame's diagonal: how far apart two matching boundary pixels may lie
BLOCK = np.ones((2, 2), np.uint8)
PARTS = ("mean", "recall", "decay")


def evaluate(
    ground_truths: Sequence[np.ndarray], predictions: Sequence[np.ndarray], progress: bool = True
) -> dict[str, Any]:
    """Score predicted tracks, one (objects, frames, h, w) bool array a video in both lists.

    `J`, `F` and `J&F` are means over all objects of all videos; `J_recall`, `J_decay`, `F_recall`
    and `F_decay` too. `objects` is a DataFrame: `video` (the place in the list), `object`,
    `prediction` (the one it was matched to, missing where there was none left), `J_mean`,
    `J_recall`, `J_decay` and the same of F. The prediction files of the challenge can't overlap;
    arrays can, and are scored as they are. Void pixels are to be cut out of predictions before.
    """
    if len(ground_truths) != len(predictions):
        raise DataError(
            f"{len(predictions)} videos, but {len(ground_truths)} of ground truth",
            field="predictions",
            remedy="Pass one array a video; (0, frames, h, w) where nothing was found",
        )
    rows = []
    pairs = zip(ground_truths, predictions, strict=True)
    bar = tqdm(pairs, total=len(ground_truths), desc="J&F", unit="video", disable=not progress)
    for video, (truth, prediction) in enumerate(bar):
        _check(truth, prediction, video)
        rows += [{"video": video, **row} for row in _score_video(truth, prediction)]
    if not rows:
        raise DataError("no video has an object, so there is nothing to score")
    objects = pd.DataFrame(rows).astype({"prediction": "Int64"})
    means = objects.drop(columns=["video", "object", "prediction"]).mean()
    scores = {name.removesuffix("_mean"): float(value) for name, value in means.items()}
    return scores | {"J&F": (scores["J"] + scores["F"]) / 2, "objects": objects}


def j_measure(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Region similarity of two (h, w) bool masks: intersection over union, 1 if both are empty."""
    return float(_pair_j(truth[None], prediction[None])[0, 0])


def f_measure(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Boundary accuracy of two (h, w) bool masks: the F-measure of matching boundary pixels.

    A boundary pixel matches if the other boundary comes within 0.8% of the frame's diagonal
    (rounded up to whole pixels). 1 if neither mask has a boundary, 0 if only one has.
    """
    return float(_pair_f(truth[None], prediction[None], tolerance(truth))[0, 0])


def pairwise(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """J and F of every prediction with every object: two (predictions, objects, frames) arrays.

    truth: (objects, frames, h, w) bool; prediction: the same of predictions. Where there are fewer
    of these than objects, empty ones fill up.
    """
    missing = max(len(truth) - len(prediction), 0)
    radius = tolerance(truth)
    j, f = [], []
    for t in range(truth.shape[1]):
        rows, columns = _around(truth[:, t].any(0) | prediction[:, t].any(0), margin=1)
        objects, found = truth[:, t, rows, columns], prediction[:, t, rows, columns]
        found = np.pad(found, ((0, missing), (0, 0), (0, 0)))
        j.append(_pair_j(objects, found))
        f.append(_pair_f(objects, found, radius))
    return np.stack(j, axis=-1), np.stack(f, axis=-1)


def boundary(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool -> bool: pixels whose 2 x 2 block (right and down) holds both values.

    So a boundary is one pixel wide, and the frame's border is not a boundary.
    """
    pixels = np.ascontiguousarray(mask).view(np.uint8)
    return cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, BLOCK, anchor=(0, 0)).view(bool)


def mean_recall_decay(values: np.ndarray) -> tuple[float, float, float]:
    """One object's values over frames: mean, share above 0.5, first quarter minus last quarter.

    The quarters' ends are frames that neighbouring quarters share.
    """
    ends = np.round(np.linspace(0, len(values) - 1, 5) + 1e-10).astype(int)
    first, last = values[: ends[1] + 1], values[ends[3] :]
    return float(values.mean()), float((values > 0.5).mean()), float(first.mean() - last.mean())


def _score_video(truth: np.ndarray, prediction: np.ndarray) -> list[dict[str, Any]]:
    """Match predictions to objects by the mean of J and F over frames: one row an object."""
    j, f = pairwise(truth, prediction)
    pairs = zip(*linear_sum_assignment((j + f).mean(-1), maximize=True), strict=True)
    rows = []
    for place, n in sorted(pairs, key=lambda pair: pair[1]):
        row = {"object": n, "prediction": place if place < len(prediction) else None}
        for name, values in (("J", j[place, n]), ("F", f[place, n])):
            for part, value in zip(PARTS, mean_recall_decay(values), strict=True):
                row[f"{name}_{part}"] = value
        rows.append(row)
    return rows


def _pair_j(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """(N, h, w), (P, h, w) bool -> (P, N)."""
    shared = _shared_pixels(prediction, truth)
    areas = prediction.sum((1, 2))[:, None] + truth.sum((1, 2))
    return _share(shared, areas - shared)


def _pair_f(truth: np.ndarray, prediction: np.ndarray, radius: int) -> np.ndarray:
    """(N, h, w), (P, h, w) bool -> (P, N)."""
    truth_edges, truth_reach = _edges(truth, radius)
    edges, reach = _edges(prediction, radius)
    precision = _share(_shared_pixels(edges, truth_reach), edges.sum((1, 2))[:, None])
    recall = _share(_shared_pixels(reach, truth_edges), truth_edges.sum((1, 2)))
    total = precision + recall
    return np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)


def _edges(masks: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, h, w) bool -> the boundaries, and all pixels within `radius` of them."""
    x, y = np.meshgrid(*[np.arange(-radius, radius + 1)] * 2)
    disk = (x**2 + y**2 <= radius**2).astype(np.uint8)
    edges, reach = np.zeros_like(masks), np.zeros_like(masks)
    for n, mask in enumerate(masks):
        part = _around(mask, margin=radius + 1)
        edges[n][part] = boundary(mask[part])
        reach[n][part] = cv2.dilate(edges[n][part].view(np.uint8), disk)
    return edges, reach


def tolerance(masks: np.ndarray) -> int:
    """(..., h, w): how many pixels apart two matching boundary pixels may lie."""
    return int(np.ceil(TOLERANCE * np.hypot(*masks.shape[-2:])))


def _around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The rows and columns of the box around the mask, `margin` pixels wider where there is room.

    One pixel is enough for the boundary to come out the same as in the whole frame.
    """
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
    rows = slice(max(y - margin, 0), y + height + margin)
    return rows, slice(max(x - margin, 0), x + width + margin)


def _shared_pixels(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(A, h, w), (B, h, w) bool -> (A, B): how many pixels each pair has in common."""
    pixels = first.shape[1] * first.shape[2]
    a, b = (np.packbits(m.reshape(len(m), pixels), axis=1) for m in (first, second))
    return np.bitwise_count(a[:, None] & b).sum(-1, dtype=np.int64)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 1 where the whole is nothing: nothing was missed."""
    return np.divide(part, whole, out=np.ones(part.shape), where=whole > 0)


def _check(truth: np.ndarray, prediction: np.ndarray, video: int) -> None:
    for name, masks in (("ground_truths", truth), ("predictions", prediction)):
        if not isinstance(masks, np.ndarray) or masks.dtype != bool or masks.ndim != 4:
            what = f"{masks.dtype} {masks.shape}" if isinstance(masks, np.ndarray) else type(masks)
            raise DataError(
                f"should be a bool array (objects, frames, height, width), is {what}",
                video=video,
                field=name,
                remedy="Compare labels or scores first, e.g. labels == index or scores > 0",
            )
    if truth.shape[1:] != prediction.shape[1:]:
        raise DataError(
            f"is {prediction.shape[1:]}, the ground truth {truth.shape[1:]} "
            "(frames, height, width)",
            video=video,
            field="predictions",
            remedy="Predict every frame, and resize masks to the size of the ground truth",
        )
    if 0 in truth.shape[1:]:
        raise DataError("has no frame or no pixel", video=video, field="ground_truths")
    if len(prediction) > MAX_PREDICTIONS:
        raise DataError(
            f"{len(prediction)} predictions; DAVIS allows {MAX_PREDICTIONS} a video",
            video=video,
            field="predictions",
            remedy="Keep those with the best scores",
        )
