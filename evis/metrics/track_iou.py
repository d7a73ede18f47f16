"""Spatio-temporal IoU of tracks, worked out on runs: no mask is decoded into pixels.

A video is gone through in blocks of frames. A block's frames are laid end to end on one line, its
frame t at t * height * width. A track is then one sorted list of foreground intervals, its runs.
Let s be the starts of two tracks' runs in one sorted list, e the ends in another. A pixel x lies in
both tracks where two more runs have started than ended, s[i + 1] <= x < e[i] for one i: so they
share the sum of max(0, e[i] - s[i + 1]) pixels. What is kept of a block is sums, so memory does not
grow with a video's length.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evis.data.masks import RLE
from evis.data.types import Video

_BLOCK = 384  # masks taken apart at a time: the arrays stay in the processor's cache
_LONGEST_LINE = 2**30  # pixels: places on the line and their differences fit 32 bits
_LONGEST_CODE = 7  # characters a number; more would not fit 32 bits
_MORE = bytes(range(80, 112))  # the characters after which a number goes on
_LAST = bytes((code & 15) - (code & 16) & 255 for code in range(-48, 208))  # values of the others
_BOTH = 2**32 + 1  # times a number: that number in both halves of 64 bits


@dataclass(frozen=True)
class Overlap:
    """How tracks lie over a video's objects."""

    ious: np.ndarray  # (tracks, objects): sum of intersections over sum of unions
    areas: np.ndarray  # (tracks, frames) pixels; 0 where the track is not
    object_areas: np.ndarray  # (objects, frames)


@dataclass(frozen=True)
class Runs:
    """The foreground runs of several tracks in a block of frames, on the line described above."""

    starts: np.ndarray  # (runs,) int32: by track, then by frame. After the runs of each mask
    ends: np.ndarray  # (runs,) stands one of length zero at the frame's end
    first: np.ndarray  # (tracks * frames + 1,) int: the runs of track n in frame t begin at
    # first[n * frames + t] and end before the next entry
    areas: np.ndarray  # (tracks, frames) int64, pixels; 0 where the track has no mask

    def between(self, track: int, begin: int, end: int) -> slice:
        """A track's runs in the frames from `begin` to before `end`."""
        row = track * self.areas.shape[1]
        return slice(self.first[row + begin], self.first[row + end])

    def spans(self) -> tuple[np.ndarray, np.ndarray]:
        """(tracks, frames) each: where the foreground begins and ends; 0, 0 where there is none."""
        begins, ends = np.zeros((2, *self.areas.shape), np.int32)
        visible = self.areas > 0
        begins[visible] = self.starts[self.first[:-1][visible.ravel()]]
        ends[visible] = self.ends[self.first[1:][visible.ravel()] - 2]
        return begins, ends


def compare(
    tracks: Sequence[Sequence[RLE | None]],
    objects: Sequence[Sequence[RLE | None]],
    wanted: np.ndarray,
    video: Video,
) -> Overlap:
    """Compare tracks with objects, one mask or None a frame; ValueError where one is damaged.

    Only pairs that are `wanted`, (tracks, objects) bool, are looked at; the others' IoU is 0.
    """
    every = [*tracks, *objects]
    _check(every, video)
    areas = np.zeros((len(every), video.length), dtype=np.int64)
    shared = np.zeros(wanted.shape)
    pixels = video.height * video.width
    step = max(1, min(_BLOCK // max(1, len(every)), _LONGEST_LINE // pixels))
    for begin in range(0, video.length if every else 0, step):
        block = take_apart([track[begin : begin + step] for track in every], pixels)
        areas[:, begin : begin + step] = block.areas
        shared += _shared(block, wanted)
    areas, object_areas = areas[: len(tracks)], areas[len(tracks) :]
    return Overlap(iou_of_sums(shared, areas, object_areas), areas, object_areas)


def iou_of_sums(shared: np.ndarray, areas: np.ndarray, object_areas: np.ndarray) -> np.ndarray:
    """shared: (tracks, objects); areas of either: (its number, frames) -> (tracks, objects).

    A frame in which only one of the two is visible adds its area to the union. 0 where both are
    empty.
    """
    unions = areas.sum(axis=1)[:, None] + object_areas.sum(axis=1) - shared
    return np.divide(shared, unions, out=np.zeros_like(shared), where=unions > 0)


def _check(tracks: Sequence[Sequence[RLE | None]], video: Video) -> None:
    size = [video.height, video.width]
    if video.height * video.width > _LONGEST_LINE:
        raise ValueError(f"frames of {size} are too large")
    for track in tracks:
        if len(track) != video.length:
            raise ValueError(f"a track has {len(track)} entries for {video.length} frames")
        for rle in track:
            if rle is not None and rle["size"] != size:
                raise ValueError(f"a mask is of size {rle['size']}, its video {size}")


def _shared(block: Runs, wanted: np.ndarray) -> np.ndarray:
    """Pixels shared over the block: (tracks, objects) float64, whole numbers.

    The block holds the tracks, then the objects.
    """
    shared = np.zeros(wanted.shape)
    begins, ends = block.spans()
    for column in np.flatnonzero(wanted.any(axis=0)):
        row = len(wanted) + column
        # (tracks, frames): where the two may meet, since their stretches of the line do
        meet = (begins[: len(wanted)] < ends[row]) & (begins[row] < ends[: len(wanted)])
        for n in np.flatnonzero(wanted[:, column] & meet.any(axis=1)):
            met = np.flatnonzero(meet[n])
            both = [block.between(m, met[0], met[-1] + 1) for m in (n, row)]
            starts, stops = (
                np.concatenate([edges[runs] for runs in both])
                for edges in (block.starts, block.ends)
            )
            starts.sort(kind="stable")  # quick, since it merges what is sorted already
            stops.sort(kind="stable")
            shared[n, column] = np.maximum(stops[:-1] - starts[1:], 0).sum()
    return shared


def take_apart(tracks: Sequence[Sequence[RLE | None]], pixels: int) -> Runs:
    """The runs of these masks, one or None a frame of so many pixels.

    The code is described at `evis.data.masks.run_lengths`; here all are read together. With c the
    run lengths, the code holds the differences of every other one: x[k] = c[k] - c[k - 2]. So their
    running sum is c[k] + c[k - 1], the way from one start to the next and from one end to the next;
    and summing up every other of these gives the starts and the ends.
    """
    frames = len(tracks[0])
    masks = [rle for track in tracks for rle in track]
    slots = np.array([slot for slot, rle in enumerate(masks) if rle is not None], dtype=np.int64)
    first = np.zeros(len(masks) + 1, dtype=np.int64)
    areas = np.zeros((len(tracks), frames), dtype=np.int64)
    starts = ends = np.zeros(0, dtype=np.int32)
    if len(slots):
        counts = [rle["counts"] for rle in masks if rle is not None]
        starts, ends, pairs = _edges(counts, slots % frames * pixels, pixels)
        first[slots + 1] = pairs
        areas.flat[slots] = np.add.reduceat(ends - starts, np.cumsum(pairs) - pairs)
    return Runs(starts, ends, np.cumsum(first), areas)


def _edges(
    counts: list[str], places: np.ndarray, pixels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts and ends of runs, moved to `places`, where their frames begin; and how many a mask."""
    values, sizes = _values(counts, pixels)
    # One 0 stands after each code. With one more where that leaves an odd number, a mask's runs are
    # pairs of a start and an end; the last pair, made of a 0, becomes the run of length zero.
    is_even = sizes % 2 == 0
    if is_even.any():
        values = np.insert(values, np.cumsum(sizes + 1)[is_even], 0)
    pairs = sizes // 2 + 1
    last = np.cumsum(pairs) - 1
    first = last - pairs + 1
    start = 2 * first
    third = start[sizes > 2] + 2  # it and the two before stand in the code as they are
    values[third] -= values[third - 2]
    values[start[1:]] -= np.add.reduceat(values, start)[:-1]  # each mask's sum begins anew
    ways = np.cumsum(values, out=values)
    if ways.min() < 0 or ways.max() > pixels:
        raise ValueError("a run is negative or longer than the frame")
    steps = ways.view(np.int64)  # starts and ends are summed up together, as the halves of 64 bits
    reached = np.add.reduceat(steps, first) + places * _BOTH
    steps[first] += places * _BOTH
    steps[first[1:]] -= reached[:-1]
    line = np.cumsum(steps, out=steps).view(np.int32)
    frame_ends = places + pixels
    if (line[start] < places).any() or (line[start + sizes - 1] != frame_ends).any():
        raise ValueError("a mask does not cover its frame")
    starts, ends = line[0::2].copy(), line[1::2].copy()
    starts[last] = ends[last] = frame_ends
    gaps = starts[1:] >= ends[:-1]
    gaps[last[:-1]] = True  # from one mask to the next
    if not gaps.all() or (ends < starts).any():
        raise ValueError("a run is negative")
    return starts, ends, pairs


def _values(counts: list[str], pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers written in the codes (int32), a 0 after each code's, and how many each holds."""
    text = ("0".join(counts) + "0").encode("ascii")
    characters = np.frombuffer(text, dtype=np.uint8)
    stops = np.cumsum(np.fromiter(map(len, counts), dtype=np.int64, count=len(counts)) + 1) - 1
    lengths = np.diff(stops, prepend=-1) - 1
    if lengths.min() == 0 or characters.min() < 48 or characters.max() > 111:
        raise ValueError("a code is empty or holds a character that no encoder writes")
    if (characters[stops - 1] >= 80).any():
        raise ValueError("a code ends within a number")
    values = np.frombuffer(text.translate(_LAST, _MORE), dtype=np.int8).astype(np.int32)
    earlier = np.flatnonzero(characters >= 80)  # all but the last characters of longer numbers
    if len(earlier):
        of_number = earlier - np.arange(len(earlier))
        begins = np.flatnonzero(np.diff(of_number, prepend=-1))
        longer, extra = of_number[begins], np.diff(begins, append=len(earlier))
        if extra.max() >= _LONGEST_CODE:
            raise ValueError("a number is longer than any picture")
        shifts = 5 * (np.arange(len(earlier)) - np.repeat(begins, extra))
        low = np.add.reduceat((characters[earlier].astype(np.int64) - 80) << shifts, begins)
        large = (values[longer].astype(np.int64) << 5 * extra) + low
        if np.abs(large).max() > pixels:
            raise ValueError("a number is larger than the frame")
        values[longer] = large
    return values, np.diff(stops - np.searchsorted(earlier, stops), prepend=-1) - 1
