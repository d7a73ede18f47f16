"""Training clips: a few frames of one video under one flip and one size, fixed by (seed, step)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from evis.data.errors import DataError
from evis.data.types import Track, VISDataset


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
        annotated = {t.video_id for t in dataset.tracks if _usable(t)}
        self.video_ids = [v.id for v in dataset.videos if v.id in annotated or not dataset.kinds]
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
        height, width = _target_size(video.height, video.width, shorter_side, self.longest_side)
        geometry = _Geometry(video.height, video.width, height, width, flipped)
        return _clip(self.dataset, video_id, indices, geometry)

    def _frame_indices(self, length: int, generator: np.random.Generator) -> tuple[int, ...]:
        reference = int(generator.integers(length))
        first = max(0, reference - self.frame_range)
        last = min(length - 1, reference + self.frame_range)
        others = np.delete(np.arange(first, last + 1), reference - first)
        wanted = self.frames - 1
        pool = others if len(others) else np.array([reference])
        drawn = generator.choice(pool, wanted, replace=len(pool) < wanted)
        return tuple(sorted([reference, *drawn.tolist()]))


def cut(dataset: VISDataset, video_id: int, frames: Sequence[int]) -> Clip:
    """These frames of a video as they are: at their own size, not flipped."""
    video = dataset.video(video_id)
    geometry = _Geometry(video.height, video.width, video.height, video.width, False)
    return _clip(dataset, video_id, tuple(frames), geometry)


def _clip(
    dataset: VISDataset, video_id: int, indices: tuple[int, ...], geometry: "_Geometry"
) -> Clip:
    frames = np.stack([geometry.picture(dataset.frame(video_id, i)) for i in indices])
    tracks = [t for t in dataset.tracks_of(video_id) if _usable(t, indices)]
    visible = [[_is_visible(t, i) for i in indices] for t in tracks]
    labels = {category.id: index for index, category in enumerate(dataset.categories)}
    return Clip(
        frames=torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(),
        video_id=video_id,
        frame_indices=indices,
        track_ids=tuple(track.id for track in tracks),
        labels=torch.tensor([labels[t.category_id] for t in tracks], dtype=torch.long),
        visible=torch.tensor(visible, dtype=torch.bool).reshape(len(tracks), len(indices)),
        **_annotations(dataset.kinds, tracks, indices, geometry),
    )


def _is_visible(track: Track, frame: int) -> bool:
    for entries in (track.masks, track.boxes, track.points):
        if entries is not None:
            return entries[frame] is not None
    return False


def _usable(track: Track, frames: tuple[int, ...] | None = None) -> bool:
    """Whether the track is a target and annotated in one of these frames (in any, for None)."""
    entries = next((e for e in (track.masks, track.boxes, track.points) if e is not None), ())
    frames = range(len(entries)) if frames is None else frames
    return not track.is_crowd and any(_is_visible(track, frame) for frame in frames)


def _target_size(height: int, width: int, shorter: int, longest: int) -> tuple[int, int]:
    scale = min(shorter / min(height, width), longest / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


@dataclass(frozen=True)
class _Geometry:
    """The clip's one resize and flip, for pictures, masks, boxes and points alike."""

    height: int
    width: int
    new_height: int
    new_width: int
    flipped: bool

    def picture(self, picture: np.ndarray) -> np.ndarray:
        shrinks = self.new_height < self.height
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return self._resize(picture, interpolation)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        return self._resize(mask.astype(np.uint8), cv2.INTER_NEAREST_EXACT).astype(bool)

    def _resize(self, picture: np.ndarray, interpolation: int) -> np.ndarray:
        if (self.height, self.width) != (self.new_height, self.new_width):
            picture = cv2.resize(
                picture, (self.new_width, self.new_height), interpolation=interpolation
            )
        return picture[:, ::-1] if self.flipped else picture

    def corners(self, box: tuple[float, float, float, float]) -> tuple[float, ...]:
        """x, y, width, height -> x0, y0, x1, y1 within the new frame."""
        x, y, width, height = box
        x0, x1 = (np.clip([x, x + width], 0, self.width) * self.new_width / self.width).tolist()
        y0, y1 = (np.clip([y, y + height], 0, self.height) * self.new_height / self.height).tolist()
        if self.flipped:
            x0, x1 = self.new_width - x1, self.new_width - x0
        return x0, y0, x1, y1

    def pixel(self, x: int, y: int) -> tuple[int, int]:
        new_x = int((x + 0.5) * self.new_width / self.width)
        new_y = int((y + 0.5) * self.new_height / self.height)
        return (self.new_width - 1 - new_x if self.flipped else new_x), new_y


def _annotations(
    kinds: frozenset[str], tracks: list[Track], indices: tuple[int, ...], geometry: _Geometry
) -> dict[str, torch.Tensor]:
    """The targets' boxes, masks and points, as far as the data set holds these kinds."""
    shape = len(tracks), len(indices)
    found: dict[str, torch.Tensor] = {}
    if "boxes" in kinds:
        boxes = np.zeros((*shape, 4), dtype=np.float32)
        for n, t, track, frame in _visits(tracks, indices):
            if track.boxes[frame] is not None:
                boxes[n, t] = geometry.corners(track.boxes[frame])
        found["boxes"] = torch.from_numpy(boxes)
    if "masks" in kinds:
        masks = np.zeros((*shape, geometry.new_height, geometry.new_width), dtype=bool)
        for n, t, track, frame in _visits(tracks, indices):
            if track.masks[frame] is not None:
                masks[n, t] = geometry.mask(track.mask(frame))
        found["masks"] = torch.from_numpy(masks)
    if "points" in kinds:
        rows = [
            (n, t, *geometry.pixel(point.x, point.y), int(point.positive))
            for n, t, track, frame in _visits(tracks, indices)
            for point in track.points[frame] or ()
        ]
        found["points"] = torch.tensor(rows, dtype=torch.long).reshape(-1, 5)
    return found


def _visits(tracks: list[Track], indices: tuple[int, ...]):
    for n, track in enumerate(tracks):
        for t, frame in enumerate(indices):
            yield n, t, track, frame
