"""What annotations hold a frame: masks, boxes, areas and points, each checked as it is read.

Every function takes the json value, the video it belongs to, and `fail`, which makes the error that
names the place: `fail(problem, remedy=...)`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from evis.data import masks, runs
from evis.data.errors import DataError
from evis.data.jsonfile import brief, is_number
from evis.data.masks import RLE
from evis.data.types import Box, Point, Video

Fail = Callable[..., DataError]
LONGEST_OUTLINE = 1_000_000  # pixels a frame; rasterising takes about 100 bytes each
OVERHANG = 0.02  # of the frame's side, or 2 pixels: how far real sets' boxes stick out at most


def mask(entry: Any, video: Video, fail: Fail) -> RLE | None:
    """Compressed or plain RLE, or polygons; None where it holds no pixel."""
    if isinstance(entry, list):
        rle = _from_polygons(entry, video, fail)
    elif isinstance(entry, dict) and "counts" in entry and "size" in entry:
        rle = _from_rle(entry["size"], entry["counts"], video, fail)
    else:
        raise fail("should be an RLE ({size, counts}), a list of polygons, or null")
    return rle if rle and masks.area(rle) else None


def masks_together(entries: list, video: Video) -> tuple[RLE | None, ...] | None:
    """What `mask` gives for each entry or null, if all are sound compressed RLE; else None."""
    frame = [video.height, video.width]
    held = [entry for entry in entries if entry is not None]
    try:
        if any(entry["size"] != frame for entry in held):
            return None
        areas = runs.areas([entry["counts"] for entry in held], video.height * video.width)
    except (KeyError, TypeError, ValueError):
        return None
    found = iter(areas)
    return tuple(
        RLE(size=frame, counts=entry["counts"]) if entry is not None and next(found) else None
        for entry in entries
    )


def _from_rle(size: Any, counts: Any, video: Video, fail: Fail) -> RLE:
    again = "Encode the mask at the size of the frames, (height, width)"
    frame = [video.height, video.width]
    if not isinstance(size, list | tuple) or list(size) != frame:
        raise fail(f"the RLE's size is {brief(size)}, the video's is {frame}", remedy=again)
    if isinstance(counts, str):
        try:
            total = int(masks.run_lengths(counts).sum())
        except ValueError as error:
            raise fail(f"the RLE is damaged: {error}", remedy="Encode the mask again") from None
    elif isinstance(counts, list) and all(type(run) is int and run >= 0 for run in counts):
        total = sum(counts)
    else:
        raise fail("the RLE's counts should be a text or a list of runs")
    pixels = video.height * video.width
    if total != pixels:
        raise fail(f"the RLE covers {brief(total)} pixels, the frame has {pixels}", remedy=again)
    if isinstance(counts, list):
        return masks.from_runs(counts, video.height, video.width)
    return RLE(size=frame, counts=counts)


def _from_polygons(polygons: list, video: Video, fail: Fail) -> RLE | None:
    for polygon in polygons:
        if not isinstance(polygon, list) or not all(map(is_number, polygon)):
            raise fail("a polygon should be a list of numbers x, y, x, y, ...")
        count = len(polygon)
        if count < 6 or count % 2:
            raise fail(f"a polygon needs at least 3 points as x, y pairs, has {count} numbers")
        xs, ys = polygon[::2], polygon[1::2]
        _refuse_outside("polygon", (min(xs), min(ys), max(xs), max(ys)), video, fail)
    if sum(map(_outline, polygons)) > LONGEST_OUTLINE:
        raise fail(f"the polygons' outlines are longer than {LONGEST_OUTLINE:,} pixels")
    return masks.from_polygons(polygons, video.height, video.width) if polygons else None


def _outline(polygon: list[float]) -> float:
    """About how many pixels the closed outline passes."""
    corners = np.array(polygon).reshape(-1, 2)
    return float(np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1).sum())


def box(entry: Any, video: Video, fail: Fail) -> Box | None:
    if not isinstance(entry, list) or len(entry) != 4 or not all(map(is_number, entry)):
        raise fail("a box should be four numbers: x, y, width, height")
    x, y, width, height = map(float, entry)
    if width < 0 or height < 0:
        remedy = "Boxes are x, y, width, height, not two corners"
        raise fail(f"the box has a negative side: {entry}", remedy=remedy)
    _refuse_outside("box", (x, y, x + width, y + height), video, fail)
    return (x, y, width, height) if any((x, y, width, height)) else None


def _refuse_outside(
    what: str, corners: tuple[float, float, float, float], video: Video, fail: Fail
) -> None:
    left, top, right, bottom = corners
    beside, above = max(2, OVERHANG * video.width), max(2, OVERHANG * video.height)
    is_across = left < -beside or right > video.width + beside
    if is_across or top < -above or bottom > video.height + above:
        raise fail(
            f"the {what} reaches from ({left:g}, {top:g}) to ({right:g}, {bottom:g}), outside the "
            f"frame, which is {video.width} wide and {video.height} high",
            remedy="Give pixels of the frames as they are stored; a box is x, y, width, height",
        )


def are_shares(boxes: list[Box]) -> bool:
    """Whether these are boxes of shares of the frame, 0 to 1, rather than of pixels.

    A box over the corner pixel alone is (0, 0, 1, 1) too, in whole numbers.
    """
    values = np.array(boxes).reshape(-1, 4)
    within = (values[:, :2] + values[:, 2:] <= 1 + 1e-6).all() and (values >= 0).all()
    return bool(within and (values % 1 > 0).any())


def area(entry: Any, video: Video, fail: Fail) -> float:
    if not is_number(entry) or entry < 0:
        raise fail("an area should be a number of pixels")
    return float(entry)


def points(entry: Any, video: Video, fail: Fail) -> tuple[Point, ...]:
    if not isinstance(entry, list):
        raise fail("should be a list of points [x, y, 1 or 0]")
    checked = []
    for point in entry:
        if not isinstance(point, list) or len(point) != 3 or not all(map(is_number, point)):
            raise fail("a point should be [x, y, 1 or 0]")
        x, y, positive = point
        if positive not in (0, 1):
            raise fail(f"the point {point} should end in 1 or 0")
        if not (0 <= x < video.width and 0 <= y < video.height):
            raise fail(f"the point {point} lies outside the frame")
        checked.append(Point(int(x), int(y), bool(positive)))
    return tuple(checked)
