"""Spatio-temporal IoU of tracks, worked out on runs: no mask is decoded into pixels.

The frames of a video are laid end to end on one line, frame t at t * height * width. A track is
then one sorted list of foreground intervals, whatever its number of frames. For an object, let
F(x) be its number of pixels before x. F is piecewise linear with its corners at the interval ends,
so a prediction's intersection with it is the sum of F(end) - F(start) over the prediction's runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evis.data.masks import RLE
from evis.data.types import Video

_LONGEST_CODE = 10  # characters a run; more would not fit 50 bits
_BLOCK = 128  # masks taken apart at a time: the arrays stay in the processor's cache


@dataclass(frozen=True)
class TrackRuns:
    """The foreground runs of several tracks of one video, on the line described above."""

    edges: np.ndarray  # (runs, 2) float64 whole numbers: start, end; by track, then by frame
    first: np.ndarray  # (tracks * frames + 1,) int: the runs of track n in frame t begin at
    # first[n * frames + t] and end before the next entry
    areas: np.ndarray  # (tracks, frames) int64, pixels; 0 where the track has no mask

    def between(self, track: int, begin: int, end: int) -> np.ndarray:
        """(runs, 2): a track's edges in the frames from `begin` to before `end`."""
        row = track * self.areas.shape[1]
        return self.edges[self.first[row + begin] : self.first[row + end]]

    def spans(self) -> tuple[np.ndarray, np.ndarray]:
        """(tracks, frames) each: where the foreground begins and ends; 0, 0 where there is none."""
        begins, ends = np.zeros(self.areas.shape), np.zeros(self.areas.shape)
        visible = self.areas > 0
        begins[visible] = self.edges[self.first[:-1][visible.ravel()], 0]
        ends[visible] = self.edges[self.first[1:][visible.ravel()] - 1, 1]
        return begins, ends

    def ious(self, objects: "TrackRuns", wanted: np.ndarray) -> np.ndarray:
        """Sum of intersections over sum of unions: (tracks, objects); 0 where both are empty.

        A frame in which only one of the two is visible adds its area to the union. Pairs that are
        not `wanted`, (tracks, objects) bool, are not looked at: 0.
        """
        return iou_of_sums(self._intersections(objects, wanted), self.areas, objects.areas)

    def _intersections(self, objects: "TrackRuns", wanted: np.ndarray) -> np.ndarray:
        """Pixels shared over all frames: (tracks, objects) float64, whole numbers."""
        shared = np.zeros(wanted.shape)
        begins, ends = self.spans()
        object_begins, object_ends = objects.spans()
        for column in np.flatnonzero(wanted.any(axis=0)):
            corners = objects.between(column, 0, objects.areas.shape[1])
            sizes = corners[:, 1] - corners[:, 0]
            before = np.cumsum(sizes)[:, None] - np.stack([sizes, np.zeros_like(sizes)], axis=1)
            # (tracks, frames): where the two may meet, since their stretches of the line do
            meet = (begins < object_ends[column]) & (object_begins[column] < ends)
            for row in np.flatnonzero(wanted[:, column] & meet.any(axis=1)):
                frames = np.flatnonzero(meet[row])
                edges = self.between(row, frames[0], frames[-1] + 1)
                covered = np.interp(edges.ravel(), corners.ravel(), before.ravel())  # F
                shared[row, column] = covered[1::2].sum() - covered[0::2].sum()
        return shared


def iou_of_sums(shared: np.ndarray, areas: np.ndarray, object_areas: np.ndarray) -> np.ndarray:
    """shared: (tracks, objects); areas of either: (its number, frames) -> (tracks, objects)."""
    unions = areas.sum(axis=1)[:, None] + object_areas.sum(axis=1) - shared
    return np.divide(shared, unions, out=np.zeros_like(shared), where=unions > 0)


def track_runs(tracks: Sequence[Sequence[RLE | None]], video: Video) -> TrackRuns:
    """Take apart all masks of a video; ValueError where one doesn't fit it or is damaged.

    `tracks` holds one mask or None a frame.
    """
    frames, pixels, size = video.length, video.height * video.width, [video.height, video.width]
    counts, slots = [], []  # slot: track * frames + frame
    for number, track in enumerate(tracks):
        if len(track) != frames:
            raise ValueError(f"a track has {len(track)} entries for {frames} frames")
        for frame, rle in enumerate(track):
            if rle is not None:
                if rle["size"] != size:
                    raise ValueError(f"a mask is of size {rle['size']}, its video {size}")
                counts.append(rle["counts"])
                slots.append(number * frames + frame)
    slot = np.array(slots, dtype=np.int64)
    areas = np.zeros((len(tracks), frames), dtype=np.int64)
    runs = np.zeros(len(tracks) * frames + 1, dtype=np.int64)
    edges = [np.zeros((0, 2))]
    for begin in range(0, len(counts), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        places = slot[block] % frames * pixels
        block_edges, areas.flat[slot[block]], runs[slot[block] + 1] = _take_apart(
            counts[block], places, pixels
        )
        edges.append(block_edges)
    return TrackRuns(np.concatenate(edges), np.cumsum(runs), areas)


def _take_apart(
    counts: list[str], places: np.ndarray, pixels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges of the masks' runs, moved to `places`, where their frames begin; areas, runs a mask.

    The code is described at `evis.data.masks.run_lengths`; here many codes are read together.
    """
    values, sizes = _values(counts, pixels)
    # Pairs of a gap and the foreground after it. A code that ends in background gets a last pair
    # without foreground, a tail.
    in_background = sizes % 2 == 1
    values = np.insert(values, np.cumsum(sizes)[in_background], 0)
    pairs = (sizes + 1) // 2
    last = np.cumsum(pairs) - 1
    first = last - pairs + 1
    tails = last[in_background]
    gaps, lengths = values[0::2].copy(), values[1::2].copy()
    leading = gaps[first]  # the first gap stands outside the differences
    gaps[first] = 0
    _sum_up(gaps, first)
    _sum_up(lengths, first)
    gaps[first] = leading
    lengths[tails] = 0
    if min(gaps.min(), lengths.min()) < 0 or max(gaps.max(), lengths.max()) > pixels:
        raise ValueError("a run is negative or longer than the frame")
    areas = np.add.reduceat(lengths, first)
    steps = gaps + lengths
    if (np.add.reduceat(steps, first) != pixels).any():
        raise ValueError("a mask does not cover its frame")
    steps[tails] = 0  # they stay where the foreground ends
    reached = places + np.add.reduceat(steps, first)
    steps[first] += places - np.append(0, reached[:-1])
    edges = np.empty((len(steps), 2))
    edges[:, 1] = np.cumsum(steps)
    edges[:, 0] = edges[:, 1] - lengths
    return edges, areas, pairs


def _values(counts: list[str], pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers written in the codes, one code after the other, and how many each holds."""
    characters = np.fromiter(map(len, counts), dtype=np.int64, count=len(counts))
    codes = np.frombuffer("".join(counts).encode("ascii"), dtype=np.uint8) - np.uint8(48)
    if characters.min() == 0 or codes.max() > 63:
        raise ValueError("a code is empty or holds a character that no encoder writes")
    text_last = np.cumsum(characters) - 1
    if (codes[text_last] >= 32).any():
        raise ValueError("a code ends within a number")
    last = np.flatnonzero(codes < 32)  # the last character of each number: 5 bits with sign
    values = ((codes ^ 16).view(np.int8) - np.int8(16))[last].astype(np.int64)
    earlier = np.flatnonzero(codes >= 32)  # the other characters of the longer numbers
    if len(earlier):
        longer, begins, extra = np.unique(
            np.searchsorted(last, earlier), return_index=True, return_counts=True
        )
        if extra.max() >= _LONGEST_CODE:
            raise ValueError("a number is longer than any picture")
        shifts = 5 * (np.arange(len(earlier)) - np.repeat(begins, extra))
        low = np.add.reduceat((codes[earlier].astype(np.int64) - 32) << shifts, begins)
        values[longer] = (values[longer] << 5 * extra) + low
        if np.abs(values[longer]).max() > pixels:
            raise ValueError("a number is larger than the frame")
    return values, np.diff(np.searchsorted(last, text_last), prepend=-1)


def _sum_up(values: np.ndarray, starts: np.ndarray) -> None:
    """Replace values by their running sums, which begin anew at each of `starts`."""
    values[starts[1:]] -= np.add.reduceat(values, starts)[:-1]
    np.cumsum(values, out=values)
