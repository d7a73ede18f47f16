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

from evis.data import runs
from evis.data.masks import RLE
from evis.data.types import Video

_BLOCK = 1024  # masks taken apart at a time: a usual video, some ten megabytes of arrays


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
    step = max(1, min(_BLOCK // max(1, len(every)), runs.LONGEST_LINE // pixels))
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
                np.concatenate([edges[own] for own in both]) for edges in (block.starts, block.ends)
            )
            starts.sort(kind="stable")  # quick, since it merges what is sorted already
            stops.sort(kind="stable")
            shared[n, column] = np.maximum(stops[:-1] - starts[1:], 0).sum(dtype=np.int32)
    return shared


def take_apart(tracks: Sequence[Sequence[RLE | None]], pixels: int) -> Runs:
    """The runs of these masks, one or None a frame of so many pixels."""
    frames = len(tracks[0])
    masks = [rle for track in tracks for rle in track]
    slots = np.array([slot for slot, rle in enumerate(masks) if rle is not None], dtype=np.int64)
    first = np.zeros(len(masks) + 1, dtype=np.int64)
    areas = np.zeros((len(tracks), frames), dtype=np.int64)
    starts = ends = np.zeros(0, dtype=np.int32)
    if len(slots):
        counts = [rle["counts"] for rle in masks if rle is not None]
        starts, ends, pairs = runs.edges(counts, slots % frames * pixels, pixels)
        first[slots + 1] = pairs
        areas.flat[slots] = np.add.reduceat(ends - starts, np.cumsum(pairs) - pairs, dtype=np.int32)
    return Runs(starts, ends, np.cumsum(first), areas)
