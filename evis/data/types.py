"""The data set as plain frozen values: videos, tracks, categories, and frames read on demand."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from evis.data import masks
from evis.data.errors import DataError
from evis.data.masks import RLE

Box = tuple[float, float, float, float]  # x, y, width, height in pixels
Supervision = Literal["mask", "box", "point", "none"]


@dataclass(frozen=True)
class Category:
    id: int
    name: str


@dataclass(frozen=True)
class Video:
    """One video. `frames` are file names below the data set's frames root, in order."""

    id: int
    name: str
    height: int
    width: int
    frames: tuple[str, ...]

    @property
    def length(self) -> int:
        return len(self.frames)

    def is_called_as(self, other: "Video") -> bool:
        """Whether names, or paths of first frames, end alike: sets may begin in other folders."""
        ours, theirs = (PurePosixPath(video.frames[0]).parts for video in (self, other))
        shared = min(len(ours), len(theirs))
        of_one_name = PurePosixPath(self.name).name == PurePosixPath(other.name).name
        return of_one_name or ours[-shared:] == theirs[-shared:]


@dataclass(frozen=True)
class Point:
    """An annotated click at pixel (x, y): on the object or on something else."""

    x: int
    y: int
    positive: bool


@dataclass(frozen=True)
class Track:
    """One object through one video; every annotation tuple has one entry a frame.

    An entry is None where the object is not visible. A whole tuple is None where the supervision
    level withholds that kind of annotation: see `evis.data.supervision.weaken`.
    """

    id: int
    video_id: int
    category_id: int
    boxes: tuple[Box | None, ...] | None = None
    masks: tuple[RLE | None, ...] | None = None
    areas: tuple[float | None, ...] | None = None
    points: tuple[tuple[Point, ...] | None, ...] | None = None
    is_crowd: bool = False

    def __post_init__(self) -> None:
        for frame, box in enumerate(self.boxes or ()):
            if box is not None and not all(map(math.isfinite, box)):
                problem = f"a box of track {self.id} should be four finite numbers, is {box}"
                raise DataError(problem, video=self.video_id, frame=frame)

    def mask(self, frame: int) -> np.ndarray | None:
        """(h, w) bool, or None where the object is not visible."""
        if self.masks is None:
            problem, remedy = f"track {self.id} carries no masks", 'It is weaker than "mask"'
            raise DataError(problem, video=self.video_id, frame=frame, remedy=remedy)
        rle = self.masks[frame]
        return None if rle is None else masks.decode(rle)

    def with_masks(self, made: Sequence[RLE | None]) -> "Track":
        """The track under these masks; boxes and areas are theirs where it has none of its own.

        Where there is no mask there is no box either. An area of its own stays even there: the
        official metric takes the mean of all that a file states.
        """
        nothing = (None,) * len(made)
        boxes = zip(made, self.boxes or nothing, strict=True)
        areas = zip(made, self.areas or nothing, strict=True)
        return replace(
            self,
            masks=tuple(made),
            boxes=tuple(rle and (box or masks.tight_box(rle)) for rle, box in boxes),
            areas=tuple(masks.area(rle) if rle and area is None else area for rle, area in areas),
        )


FrameReader = Callable[[Video, int], np.ndarray]  # (video, frame) -> (h, w, 3) uint8 RGB


@dataclass(frozen=True)
class VISDataset:
    """A data set under one level of supervision. Holds no frame and no path to an annotation.

    supervision: the strongest kind of annotation by people that its labels were made from.
    origin: None where the tracks hold just these annotations; else what made masks, boxes or
        tracks from them, such as "grabcut from boxes". See `evis.data.supervision`.
    """

    videos: tuple[Video, ...]
    tracks: tuple[Track, ...]
    categories: tuple[Category, ...]
    read_frame: FrameReader | None = field(default=None, repr=False)
    supervision: Supervision = "mask"
    origin: str | None = None

    def __len__(self) -> int:
        return len(self.videos)

    @property
    def are_stills(self) -> bool:
        """Whether all videos are single pictures."""
        return all(video.length == 1 for video in self.videos)

    @cached_property
    def videos_by_id(self) -> dict[int, Video]:
        return {video.id: video for video in self.videos}

    @cached_property
    def _tracks_by_video(self) -> dict[int, tuple[Track, ...]]:
        grouped: dict[int, list[Track]] = {video.id: [] for video in self.videos}
        for track in self.tracks:
            grouped[track.video_id].append(track)
        return {video_id: tuple(tracks) for video_id, tracks in grouped.items()}

    @cached_property
    def tracks_by_id(self) -> dict[tuple[int, int], Track]:
        """By video and id, which labels that are made of an object keep."""
        return {(track.video_id, track.id): track for track in self.tracks}

    @cached_property
    def kinds(self) -> frozenset[str]:
        """What its tracks hold of "masks", "boxes" and "points", annotated or made."""
        if self.origin is not None and not self.tracks:
            return frozenset(("masks", "boxes"))  # of no object: whatever is asked for
        if self.origin is None:
            annotated = {"mask": ("masks", "boxes"), "box": ("boxes",), "point": ("points",)}
            return frozenset(annotated.get(self.supervision, ()))
        return frozenset(
            kind
            for kind in ("masks", "boxes", "points")
            if all(getattr(track, kind) is not None for track in self.tracks)
        )

    @cached_property
    def category_names(self) -> dict[int, str]:
        return {category.id: category.name for category in self.categories}

    def video(self, video_id: int) -> Video:
        try:
            return self.videos_by_id[video_id]
        except KeyError:
            raise DataError("no such video", field=f"video_id {video_id}") from None

    def tracks_of(self, video_id: int) -> tuple[Track, ...]:
        return self._tracks_by_video[self.video(video_id).id]

    def frame(self, video_id: int, frame: int) -> np.ndarray:
        """Read one frame: (h, w, 3) uint8 RGB, checked against the video's size."""
        video = self.video(video_id)
        place = {"video": video.name, "frame": frame}
        if not 0 <= frame < video.length:
            raise DataError(f"there is no such frame; the video has {video.length}", **place)
        if self.read_frame is None:
            remedy = "Pass frames_root when reading it"
            raise DataError("the data set was read without frames", **place, remedy=remedy)
        picture = self.read_frame(video, frame)
        size = video.height, video.width
        if picture.shape != (*size, 3):
            raise other_size(picture.shape, size, file=video.frames[frame], **place)
        return picture

    def mask_stack(self, video_id: int) -> np.ndarray:
        """All masks of a video, decoded: (tracks, frames, h, w) bool, in `tracks_of` order."""
        video, tracks = self.video(video_id), self.tracks_of(video_id)
        stack = np.zeros((len(tracks), video.length, video.height, video.width), dtype=bool)
        for n, t in np.ndindex(stack.shape[:2]):
            mask = tracks[n].mask(t)
            if mask is not None:
                stack[n, t] = mask
        return stack

    def subset(self, video_ids: list[int]) -> "VISDataset":
        """The same data set with these videos only, in the given order."""
        chosen = tuple(self.video(video_id) for video_id in video_ids)
        kept = {video.id for video in chosen}
        if len(kept) != len(chosen):
            raise DataError("a video is asked for twice", field="video_ids")
        tracks = tuple(track for track in self.tracks if track.video_id in kept)
        return replace(self, videos=chosen, tracks=tracks)

    def bare(self) -> "VISDataset":
        """The videos alone, without any label."""
        return replace(self, tracks=(), supervision="none", origin=None)

    def under_classes(
        self, categories: Sequence[Category], renames: Sequence[tuple[str, str]] = ()
    ) -> "VISDataset":
        """The same under another set's categories, matched by name; tracks of other classes go."""
        ids = {plain_name(category.name): category.id for category in categories}
        ids |= {plain_name(old): ids.get(plain_name(new)) for old, new in renames}
        matched = {category.id: ids.get(plain_name(category.name)) for category in self.categories}
        tracks = tuple(
            replace(track, category_id=matched[track.category_id])
            for track in self.tracks
            if matched[track.category_id] is not None
        )
        if self.tracks and not tracks:
            remedy = f"The first has {', '.join(c.name for c in categories)}; see Recipe.renames"
            raise DataError("no class of the added set is a class of the first", remedy=remedy)
        return replace(self, tracks=tracks, categories=tuple(categories))

    def __repr__(self) -> str:
        frames = sum(video.length for video in self.videos)
        made = f", origin={self.origin!r}" if self.origin else ""
        return (
            f"VISDataset({len(self.videos)} videos, {frames} frames, {len(self.tracks)} tracks, "
            f"{len(self.categories)} categories, supervision={self.supervision!r}{made})"
        )


def other_size(found: Sequence[int], wanted: tuple[int, int], **place: object) -> DataError:
    """The error of a picture that has not its video's height and width."""
    problem = f"the picture is {found[0]} x {found[1]} (height x width), its video"
    remedy = "All frames of a video have one size: the one they were annotated at"
    return DataError(f"{problem} {wanted[0]} x {wanted[1]}", **place, remedy=remedy)


def plain_name(name: str) -> str:
    """A class's name as it is compared: sets spell one as giant_panda or Giant Panda."""
    return name.lower().replace("_", " ").replace("-", " ")
