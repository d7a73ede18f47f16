"""Training clips: a few frames of one video under one flip and one size, fixed by (seed, step)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from evis.data.errors import DataError
from evis.data.types import Box, Point, Track, VISDataset


@dataclass(frozen=True)
class Clip:
    """T frames of a video with N targets. What the supervision withholds is None."""

    frames: torch.Tensor  # (T, 3, h, w) uint8 RGB
    video_id: int
    frame_indices: tuple[int, ...]
    track_ids: tuple[int, ...]
    labels: torch.Tensor  # (N,) long: index into the data set's categories
    visible: torch.Tensor  # (N, T) bool: annotated as visible
    boxes: torch.Tensor | None = None  # (N, T, 4) float x0, y0, x1, y1; zero where not visible
    masks: torch.Tensor | None = None  # (N, T, h, w) bool
    points: torch.Tensor | None = None  # (M, 5) long rows: target, frame, x, y, positive


class ClipDataset(Dataset):
    """Clips as in the released training, one for every step number.

    A step's clip depends on (seed, step) alone, so any number of workers, and a run that is resumed
    at any step, see the same clips. Each pass over the videos is a new shuffle. Around a random
    reference frame, `frames - 1` others are drawn from at most `frame_range` frames before or after
    it, without repetition unless the video is too short. One flip and one size hold for the clip.
    Videos without any usable track are left out, crowds are no targets.
    """

    def __init__(
        self,
        dataset: VISDataset,
        frames: int = 3,
        frame_range: int = 20,
        shorter_sides: tuple[int, ...] = (360, 480),
        longest_side: int = 1333,
        flip: float = 0.5,
        seed: int = 0,
    ):
        if frames < 1 or frame_range < 1:
            raise ValueError("frames and frame_range should be at least 1")
        self.dataset, self.frames, self.frame_range = dataset, frames, frame_range
        self.shorter_sides, self.longest_side = shorter_sides, longest_side
        self.flip, self.seed = flip, seed
        self.video_ids = [
            video.id
            for video in dataset.videos
            if not dataset.kinds or _targets(dataset, video.id, range(video.length))
        ]
        if not self.video_ids:
            raise DataError(
                "no video has a track to learn from",
                remedy="Check that the annotations belong to this split",
            )

    def __len__(self) -> int:
        """Clips in one pass; higher steps go on into the next pass."""
        return len(self.video_ids)

    def __iter__(self) -> Iterator[Clip]:
        """The first pass."""
        return (self[step] for step in range(len(self)))

    def __getitem__(self, step: int) -> Clip:
        if step < 0:
            raise IndexError("steps count from 0")
        epoch, position = divmod(step, len(self))
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self))
        generator = np.random.default_rng([self.seed, 1, step])
        return self.clip(self.video_ids[order[position]], generator)

    def clip(self, video_id: int, generator: np.random.Generator) -> Clip:
        video = self.dataset.video(video_id)
        indices = self._frame_indices(video.length, generator)
        shorter_side = int(generator.choice(self.shorter_sides))
        flipped = bool(generator.random() < self.flip)
        size = video.height, video.width
        new_size = scaled(size, shorter_side, self.longest_side)
        return _clip(self.dataset, video_id, indices, Geometry(size, new_size, flipped))

    def _frame_indices(self, length: int, generator: np.random.Generator) -> tuple[int, ...]:
        reference = int(generator.integers(length))
        first = max(0, reference - self.frame_range)
        last = min(length - 1, reference + self.frame_range)
        others = np.delete(np.arange(first, last + 1), reference - first)
        wanted = self.frames - 1
        pool = others if len(others) else np.array([reference])
        drawn = generator.choice(pool, wanted, replace=len(pool) < wanted)
        return tuple(sorted([reference, *drawn.tolist()]))


def scaled(size: tuple[int, int], shorter: int, longest: int) -> tuple[int, int]:
    """The size whose shorter side is `shorter`, or less where its longer would pass `longest`."""
    scale = min(shorter / min(size), longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def cut(dataset: VISDataset, video_id: int, frames: Sequence[int]) -> Clip:
    """These frames of a video as they are: at their own size, not flipped."""
    video = dataset.video(video_id)
    size = video.height, video.width
    return _clip(dataset, video_id, tuple(frames), Geometry(size, size, flipped=False))


def _clip(
    dataset: VISDataset, video_id: int, indices: tuple[int, ...], geometry: "Geometry"
) -> Clip:
    frames = np.stack([geometry.picture(dataset.frame(video_id, i)) for i in indices])
    tracks = _targets(dataset, video_id, indices)
    visible = [[_is_visible(track, i) for i in indices] for track in tracks]
    labels = {category.id: index for index, category in enumerate(dataset.categories)}
    return Clip(
        frames=torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(),
        video_id=video_id,
        frame_indices=indices,
        track_ids=tuple(track.id for track in tracks),
        labels=torch.tensor([labels[track.category_id] for track in tracks], dtype=torch.long),
        visible=torch.tensor(visible, dtype=torch.bool).reshape(len(tracks), len(indices)),
        **_annotations(dataset.kinds, tracks, indices, geometry),
    )


def _targets(dataset: VISDataset, video_id: int, frames: Sequence[int]) -> list[Track]:
    """The video's objects that are annotated in one of these frames; crowds are no targets."""
    return [
        track
        for track in dataset.tracks_of(video_id)
        if not track.is_crowd and any(_is_visible(track, frame) for frame in frames)
    ]


def _is_visible(track: Track, frame: int) -> bool:
    entries = track.masks or track.boxes or track.points
    return entries is not None and entries[frame] is not None


@dataclass(frozen=True)
class Geometry:
    """The clip's one resize and flip, for pictures, masks, boxes and points alike."""

    size: tuple[int, int]  # height, width
    new_size: tuple[int, int]
    flipped: bool

    def picture(self, picture: np.ndarray) -> np.ndarray:
        shrinks = self.new_size[0] < self.size[0]
        return self._resize(picture, cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

    def mask(self, mask: np.ndarray | None) -> np.ndarray:
        if mask is None:
            return np.zeros(self.new_size, dtype=bool)
        return self._resize(mask.astype(np.uint8), cv2.INTER_NEAREST_EXACT).astype(bool)

    def _resize(self, picture: np.ndarray, interpolation: int) -> np.ndarray:
        if self.size != self.new_size:
            picture = cv2.resize(picture, self.new_size[::-1], interpolation=interpolation)
        return picture[:, ::-1] if self.flipped else picture

    def corners(self, box: Box | None) -> tuple[float, float, float, float]:
        """x, y, width, height -> x0, y0, x1, y1 within the new frame; zeros for no box."""
        if box is None:
            return 0.0, 0.0, 0.0, 0.0
        (height, width), (new_height, new_width) = self.size, self.new_size
        x, y, across, down = box
        x0, x1 = (np.clip([x, x + across], 0, width) * new_width / width).tolist()
        y0, y1 = (np.clip([y, y + down], 0, height) * new_height / height).tolist()
        return (new_width - x1, y0, new_width - x0, y1) if self.flipped else (x0, y0, x1, y1)

    def pixel(self, point: Point) -> tuple[int, int]:
        (height, width), (new_height, new_width) = self.size, self.new_size
        x = int((point.x + 0.5) * new_width / width)
        y = int((point.y + 0.5) * new_height / height)
        return (new_width - 1 - x if self.flipped else x), y


def _annotations(
    kinds: frozenset[str], tracks: list[Track], indices: tuple[int, ...], geometry: Geometry
) -> dict[str, torch.Tensor]:
    """The targets' boxes, masks and points, as far as the data set holds these kinds."""
    shape = len(tracks), len(indices)
    held: dict[str, torch.Tensor] = {}
    if "boxes" in kinds:
        boxes = [[geometry.corners(track.boxes[i]) for i in indices] for track in tracks]
        held["boxes"] = torch.tensor(boxes, dtype=torch.float32).reshape(*shape, 4)
    if "masks" in kinds:
        bitmaps = [[geometry.mask(track.mask(i)) for i in indices] for track in tracks]
        bitmaps = np.array(bitmaps, dtype=bool).reshape(*shape, *geometry.new_size)
        held["masks"] = torch.from_numpy(bitmaps)
    if "points" in kinds:
        rows = [
            (n, t, *geometry.pixel(point), int(point.positive))
            for n, track in enumerate(tracks)
            for t, i in enumerate(indices)
            for point in track.points[i] or ()
        ]
        held["points"] = torch.tensor(rows, dtype=torch.long).reshape(-1, 5)
    return held
