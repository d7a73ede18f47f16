"""Boxes (x, y, width, height) of one frame: the pixels of one, and how much several overlap."""

from collections.abc import Sequence

import numpy as np

from evis.data.errors import DataError
from evis.data.types import Box


def touched(box: Box, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of every pixel of a frame that the box touches, at least one."""
    x, y, across, down = box
    top, left = min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)
    return (
        slice(top, max(top + 1, min(height, int(np.ceil(y + down))))),
        slice(left, max(left + 1, min(width, int(np.ceil(x + across))))),
    )


def mbor(boxes: Sequence[Sequence[Box | None]] | np.ndarray) -> float:
    """OVIS's mean bounding-box overlap rate of a video: the mean of BOR over frames with a box.

    BOR is the area that two or more boxes cover over the area of their union,
    |union over i < j of (B_i and B_j)| / |union over i of B_i|.

    `boxes` has one entry a frame: boxes (x, y, width, height), None where an object is not visible;
    or it is one (frames, objects, 4) array. A box without area counts as not visible, and so does
    a row of NaN. A video without any box has no overlap: 0.
    """
    array = _checked(boxes if isinstance(boxes, np.ndarray) else _padded(boxes))
    begins, ends = array[..., :2], array[..., :2] + array[..., 2:]
    sides = np.concatenate([begins, ends], axis=1)
    sides.sort(axis=1)
    # They cut a frame into columns and rows of cells, each wholly inside or outside of a box.
    low, high = sides[:, :-1], sides[:, 1:]
    inside = (begins[:, :, None] <= low[:, None]) & (high[:, None] <= ends[:, :, None])
    columns, rows = np.moveaxis(inside.astype(float), -1, 0)  # (frames, boxes, strips) each
    cover = rows.swapaxes(1, 2) @ columns  # boxes over each cell
    lengths = high - low
    areas = lengths[:, :, None, 1] * lengths[:, None, :, 0]
    union = (areas * (cover > 0)).sum((1, 2))
    shared = (areas * (cover > 1)).sum((1, 2))
    some = union > 0
    return float((shared[some] / union[some]).mean()) if some.any() else 0.0


def _checked(boxes: np.ndarray) -> np.ndarray:
    """(frames, boxes, 4) float; a box that is not there has no area."""
    if np.isfinite(boxes).all() and boxes[..., 2:].min(initial=0) >= 0:
        return boxes.astype(float)
    missing = np.isnan(boxes).all(-1)
    bad = (~np.isfinite(boxes).all(-1) | (boxes[..., 2:] < 0).any(-1)) & ~missing
    if bad.any():
        problem = "a box should be finite numbers x, y, width, height, the last two not negative"
        raise DataError(problem, frame=int(bad.any(1).argmax()), field="boxes")
    return np.where(missing[..., None], 0.0, boxes)


def _padded(boxes: Sequence[Sequence[Box | None]]) -> np.ndarray:
    """(frames, boxes, 4) float, NaN where there is no box."""
    array = np.full((len(boxes), max(map(len, boxes), default=0), 4), np.nan)
    for frame, of_frame in enumerate(boxes):
        for n, box in enumerate(of_frame):
            if box is not None:
                try:
                    x, y, width, height = box
                    array[frame, n] = x, y, width, height
                except (TypeError, ValueError):
                    problem = "a box should be 4 numbers or None"
                    raise DataError(problem, frame=frame, field="boxes") from None
    return array
