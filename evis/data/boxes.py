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
    rates = []
    for frame, of_frame in enumerate(boxes):
        x, y, width, height = _visible(of_frame, frame)
        if len(x) < 2:
            rates += [0.0] * len(x)
            continue
        # The boxes' sides cut the plane into cells, each wholly inside or outside of a box.
        (across, columns), (down, rows) = _strips(x, x + width), _strips(y, y + height)
        cover = rows.T @ columns  # boxes over each cell, (rows, columns)
        area = down[:, None] * across
        rates.append(area[cover > 1].sum() / area[cover > 0].sum())
    return float(np.mean(rates)) if rates else 0.0


def _strips(begins: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The strips that (boxes,) sides cut a line into: their widths, and (boxes, strips) 1 or 0 for
    those inside each box."""
    sides = np.concatenate([begins, ends])
    sides.sort()
    low, high = sides[:-1], sides[1:]
    return high - low, ((begins[:, None] <= low) & (high <= ends[:, None])).astype(int)


def _visible(boxes: Sequence[Box | None] | np.ndarray, frame: int) -> np.ndarray:
    """The boxes with an area, (4, boxes) float: x, y, width, height."""
    try:
        if not isinstance(boxes, np.ndarray):
            boxes = [(np.nan,) * 4 if box is None else box for box in boxes]
        array = np.array(boxes, dtype=float).reshape(len(boxes), 4)
    except (TypeError, ValueError):
        raise DataError("a box should be 4 numbers or None", frame=frame, field="boxes") from None
    if np.isnan(array).any():
        array = array[~np.isnan(array).all(1)]
    if not np.isfinite(array).all() or (array[:, 2:] < 0).any():
        problem = "a box should be finite numbers x, y, width, height, the last two not negative"
        raise DataError(problem, frame=frame, field="boxes")
    return array[(array[:, 2:] > 0).all(1)].T
