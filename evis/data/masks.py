"""Masks as run-length encodings (COCO: column-major runs, compressed counts) and back."""

import re
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from pycocotools import mask as coco

from evis.data.errors import DataError
from evis.data.files import Spill

_LONGEST_RUN = 2**32  # pycocotools counts in 32 bits
# Runs of up to 7 groups, which hold 34 bits and the sign: those that go on are "P" to "o".
_CODE = re.compile("([P-o]{0,6}[0-O])*")


class RLE(TypedDict):
    """One frame's mask: `size` is [height, width], `counts` the compressed string."""

    size: list[int]
    counts: str


def encode(mask: np.ndarray) -> RLE:
    """(h, w) bool -> RLE."""
    encoded = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return RLE(size=[int(side) for side in encoded["size"]], counts=encoded["counts"].decode())


def encode_columns(columns: np.ndarray) -> list[RLE]:
    """(N, w, h) bool, masks as their columns lie in run lengths -> N RLEs. Nothing is copied."""
    return [
        RLE(size=list(rle["size"]), counts=rle["counts"].decode())
        for rle in coco.encode(columns.view(np.uint8).transpose(2, 1, 0))
    ]


def decode(rle: RLE) -> np.ndarray:
    """RLE -> (h, w) bool."""
    return coco.decode(rle).astype(bool)


def area(rle: RLE) -> float:
    return float(coco.area(rle))


def tight_box(rle: RLE) -> tuple[float, float, float, float]:
    """The smallest (x, y, width, height) around the mask; all zero if it is empty."""
    x, y, width, height = (float(side) for side in coco.toBbox(rle))
    return x, y, width, height


def around(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The smallest x0, y0, x1, y1 around a mask (h, w) bool; all zero if it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def pairwise_iou(first: list[RLE], second: list[RLE]) -> np.ndarray:
    """(N, M); 0 where both masks are empty."""
    if not first or not second:
        return np.zeros((len(first), len(second)))
    sizes = {tuple(rle["size"]) for rle in (*first, *second)}
    if len(sizes) > 1:  # pycocotools says -1
        problem = f"masks of the sizes {sorted(sizes)} can't be compared"
        raise DataError(problem, remedy="Give masks of the frames' own size")
    return coco.iou(first, second, [0] * len(second))


def iou(first: RLE | None, second: RLE | None) -> float:
    """0 where one of them is missing or both are empty."""
    return float(pairwise_iou([first], [second])[0, 0]) if first and second else 0.0


def from_runs(runs: list[int], height: int, width: int) -> RLE:
    """Uncompressed counts (as in the official YouTube-VIS files) -> RLE."""
    encoded = coco.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    return RLE(size=[height, width], counts=encoded["counts"].decode())


def from_polygons(polygons: list[list[float]], height: int, width: int) -> RLE:
    """A list of x, y, x, y, ... outlines -> RLE of their union, rasterised as COCO does."""
    parts = coco.frPyObjects(polygons, height, width)
    while len(parts) > 1:  # in pairs: one after another, time grows with the square of their number
        parts = [coco.merge(parts[first : first + 2]) for first in range(0, len(parts), 2)]
    return RLE(size=[height, width], counts=parts[0]["counts"].decode())


class Kept(Sequence):
    """An object's masks, an RLE or None a frame, which reads like a tuple and takes less memory.

    The run lengths, and those of a video's other objects, are in a `Spill`. Pickled, it is a tuple.
    """

    def __init__(self, size: tuple[int, int], length: int, spill: Spill):
        self._size, self._spill = size, spill
        self._spans = np.zeros((length, 2), dtype=np.int64)  # start and number of bytes there

    def put(self, frame: int, rle: RLE) -> None:
        counts = rle["counts"].encode()
        self._spans[frame] = self._spill.append(counts), len(counts)

    def __len__(self) -> int:
        return len(self._spans)

    def __getitem__(self, index):
        frames = range(len(self))[index]
        if isinstance(index, slice):
            return tuple(self[frame] for frame in frames)
        start, length = self._spans[frames].tolist()
        if not length:
            return None
        return RLE(size=list(self._size), counts=self._spill.read(start, length).decode())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple | Kept) and tuple(self) == tuple(other)

    __hash__ = None  # RLEs have none

    def __reduce__(self) -> tuple:
        return tuple, (list(self),)

    def __repr__(self) -> str:
        return repr(tuple(self))


def run_lengths(counts: str) -> np.ndarray:
    """The runs (background first) in a compressed counts string; ValueError where it is not one.

    pycocotools trusts its input and can read past the end of a string, so strings from outside
    are decoded here first. A run is written as 5-bit groups, low bits first, one character each
    (value + 48), where bit 5 says that the run goes on and bit 4 of its last group is the sign;
    from the fourth run on the difference from two runs before is written.
    """
    if not counts:
        return np.zeros(0, dtype=np.int64)
    if not _CODE.fullmatch(counts):
        raise ValueError("it is cut off, or no encoder wrote it")
    groups = np.frombuffer(counts.encode(), dtype=np.uint8).astype(np.int64) - 48
    is_last = (groups & 0x20) == 0
    starts = np.concatenate(([0], np.flatnonzero(is_last)[:-1] + 1))
    sizes = np.diff(np.append(starts, len(groups)))
    shifts = 5 * (np.arange(len(groups)) - np.repeat(starts, sizes))
    runs = np.add.reduceat((groups & 0x1F) << shifts, starts)
    runs -= ((groups[is_last] & 0x10) > 0).astype(np.int64) << (5 * sizes)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    if runs.min() < 0:
        raise ValueError("a run is negative")
    if runs.max() >= _LONGEST_RUN:
        raise ValueError("a run is longer than any picture")
    return runs
