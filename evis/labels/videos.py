"""Labels for the videos of a data set, one after another or some at a time, kept on the way.

    make(own.find("cat.mp4"), Cuts(), folder="out/parts")     # labels from nothing
    make(own.find("boxes.json"), Boxes(), jobs=2)             # masks from boxes

A labeller is plain data, so that workers get it and files tell what it was: it says what of a data
set it sees, and gives the tracks of one video.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import joblib
import numpy as np
from tqdm.auto import tqdm

from evis.data import annotations, masks, per_video
from evis.data.errors import DataError
from evis.data.masks import RLE, pairwise_iou
from evis.data.types import Track, VISDataset
from evis.foundation import colour, dino, flow, pretrained, sam, sam2, stand_in, toy_dino, toy_sam
from evis.labels import crf, curate, from_boxes, maskcut, select, tracking
from evis.labels.datasets import OBJECT, made
from evis.losses.tensors import Flavour

SAME_OBJECT = 0.5  # IoU above which masks of neighbouring frames are one object's
OF_BOXES: dict[str, from_boxes.Segmenter] = {
    "grabcut": from_boxes.grabcut,
    "ellipse": from_boxes.ellipse,
    "fill": from_boxes.fill,
}
TOY_SAM = "toy_sam"


class Labeller(Protocol):
    @property
    def origin(self) -> str:
        """What made the labels, in words."""

    weights: tuple[str, ...]  # files or folders of networks', or their names in a cache

    def seen(self, dataset: VISDataset) -> VISDataset:
        """The data set as weak as the labeller sees it: what its labels cost."""

    def __call__(self, dataset: VISDataset, progress: bool = False) -> Sequence[Track]:
        """The tracks of a data set of one video, so weakened."""


def make(
    dataset: VISDataset,
    labeller: Labeller,
    folder: str | Path | None = None,
    jobs: int | None = None,
    progress: bool = True,
) -> VISDataset:
    """The data set's videos under the labeller's tracks.

    folder: where each video's labels are kept, so that an interrupted run goes on; a video is done
        again if the labeller, any label it sees or any frame changed.
    jobs: videos at a time; None is one, or what `joblib.parallel_config` says. It changes no mask.
    """
    dataset = labeller.seen(dataset)
    made_by = per_video.made_by(labeller)
    alone = len(dataset.videos) == 1 and progress
    calls = [
        joblib.delayed(_labelled)(one, labeller, folder, made_by, alone)
        for one in per_video.one_by_one(dataset)
    ]
    videos = per_video.results(calls, jobs, "label", progress)
    tracks = [track for of_video in videos for track in of_video]
    if len({track.id for track in tracks}) < len(tracks):  # counted anew in each video
        tracks = [replace(track, id=number) for number, track in enumerate(tracks, start=1)]
    return made(dataset, tracks, labeller.origin)


def _labelled(
    dataset: VISDataset,
    labeller: Labeller,
    folder: str | Path | None,
    made_by: Sequence,
    progress: bool,
) -> tuple[Track, ...]:
    """What a worker does with one video, a data set of its own: its tracks, kept or new."""
    labelled = per_video.kept(
        lambda: made(dataset, labeller(dataset, progress), labeller.origin),
        dataset,
        made_by,
        folder,
        read=annotations.read,
        write=annotations.write,
    )
    return labelled.tracks


@dataclass(frozen=True)
class Cuts:
    """MaskCut frame by frame, of appearance, or of appearance and motion (FlowCut).

    features: "colour", "toy_dino", or a DINO's weights: a folder, its name in the cache, a .pth.
    alpha: the weight of appearance (FlowCut, Eq. 3); None for appearance alone.
    outlined: masks follow the picture's edges, by CRF; else they are blocks of patches.

    Masks of neighbouring frames that overlap by more than `SAME_OBJECT` are one track; neither
    paper needs tracks here, as both train on single frames or on pairs (`curate.pairs`).
    """

    features: str = "colour"
    alpha: float | None = None
    tau: float = 0.15
    count: int = 3
    flavour: Flavour = "paper"
    outlined: bool = True

    @property
    def weights(self) -> tuple[str, ...]:
        if self.features == "toy_dino":
            return (str(stand_in.committed("toy_dino")),)
        return () if self.features == "colour" else (self.features,)

    @property
    def origin(self) -> str:
        of = "" if self.alpha is None else f" and flow, alpha {self.alpha:g}"
        name = Path(self.features).name
        outlines = ", outlines by CRF" if self.outlined else ""
        return f"MaskCut ({self.flavour}) of {name} features{of}{outlines}"

    def seen(self, dataset: VISDataset) -> VISDataset:
        return replace(dataset.bare(), categories=(OBJECT,))

    def __call__(self, dataset: VISDataset, progress: bool = False) -> list[Track]:
        (video,) = dataset.videos
        if self.alpha is not None and video.length < 2:
            problem, remedy = "has one frame, in which nothing moves", "Label it without motion"
            raise DataError(problem, video=video.name, remedy=remedy)
        found = []
        frames = tqdm(range(video.length), "cut", unit="frame", leave=False, disable=not progress)
        for frame in frames:
            of_frame = self.masks(dataset, frame)
            found.append([masks.encode(mask) for mask in of_frame if mask.any()])
        return [
            Track(number, video.id, OBJECT.id).with_masks(rles)
            for number, rles in enumerate(self.tracked(found), start=1)
        ]

    def tracked(self, found: Sequence[Sequence[RLE]]) -> list[list[RLE | None]]:
        """The masks of each frame -> those of each track."""
        return linked(found)

    def masks(self, dataset: VISDataset, frame: int) -> np.ndarray:
        """(count, h, w) bool of one frame of a video, empty ones too."""
        (video,) = dataset.videos
        picture, extract = dataset.frame(video.id, frame), extractor(self.features)
        patches = extract(picture)
        if self.alpha is not None:
            other = dataset.frame(video.id, flow.partner(frame, video.length))
            moved = extract(flow.colours(flow.dis(picture, other)))
            patches = maskcut.combined(patches, moved, self.alpha)
        cut = maskcut.masks(patches, self.tau, self.count, self.flavour)
        return crf.outline(picture, cut) if self.outlined else crf.enlarged(picture, cut)


@cache
def extractor(features: str) -> Callable[[np.ndarray], np.ndarray]:
    """A frame -> features of its patches; weights are read once a process."""
    if features == "colour":
        return colour.features
    return toy_dino.load() if features == "toy_dino" else dino.load(features)


def linked(found: Sequence[Sequence[RLE]]) -> list[list[RLE | None]]:
    """The masks of each frame -> those of each track, None in frames where it has none."""
    tracks: list[list[RLE | None]] = []
    before: list[int] = []  # the track of each mask of the last frame
    for frame, here in enumerate(found):
        pairs: list[tuple[int, int]] = []
        if before and here:
            last = [tracks[number][frame - 1] for number in before]
            pairs = curate.by_assignment(pairwise_iou(last, here), SAME_OBJECT)
        goes_on = {now: before[earlier] for earlier, now in pairs}
        before = []
        for number, rle in enumerate(here):
            if number not in goes_on:
                goes_on[number] = len(tracks)
                tracks.append([None] * len(found))
            tracks[goes_on[number]][frame] = rle
            before.append(goes_on[number])
    return tracks


@dataclass(frozen=True)
class Boxes:
    """Masks from boxes, object by object.

    by: one of `OF_BOXES`, "toy_sam", or the weights of SAM or SAM-HQ: a folder, or its name in the
        cache.
    tidy: DOOB, section III-D of PM-VIS: overlaps go, and what sticks out of a box.
    """

    by: str = "grabcut"
    tidy: bool = False

    @property
    def weights(self) -> tuple[str, ...]:
        return weights_of(self.by)

    @property
    def origin(self) -> str:
        name = self.by if self.by in OF_BOXES else Path(self.by).name
        return f"{name} from boxes" + ", DOOB" * self.tidy

    def seen(self, dataset: VISDataset) -> VISDataset:
        return from_boxes.seen(dataset)

    def __call__(self, dataset: VISDataset, progress: bool = False) -> tuple[Track, ...]:
        labelled = from_boxes.label(dataset, segmenter(self.by), progress=progress)
        return (select.tidied(labelled) if self.tidy else labelled).tracks


def weights_of(by: str) -> tuple[str, ...]:
    """Of what makes masks from boxes."""
    if by == TOY_SAM:
        return (str(stand_in.committed(TOY_SAM)),)
    return () if by in OF_BOXES else (by,)


@cache
def segmenter(by: str) -> from_boxes.Segmenter:
    """(picture, box) -> mask; weights are read once a process."""
    if by == TOY_SAM:
        return toy_sam.load()
    return OF_BOXES[by] if by in OF_BOXES else sam.load(by)


@dataclass(frozen=True)
class Tracked:
    """Masks from boxes at each object's keyframes, carried through its video: PM-VIS's Track-masks.

    by: what makes the keyframes' masks, as in `Boxes`; they are tidy always, as in the paper.
    through: what carries them: likeness of "colour", or of the features of a DINO, or SAM 2; of
        these two the weights, as in `Cuts`.
    every: a keyframe for so many frames: the paper's K, 10 for YouTube-VIS, 100 for OVIS.
    tidy: DOOB for what comes of it too.
    """

    by: str = "grabcut"
    through: str = "colour"
    every: int = 10
    tidy: bool = False

    @property
    def weights(self) -> tuple[str, ...]:
        return weights_of(self.by) + (() if self.through == "colour" else (self.through,))

    @property
    def origin(self) -> str:
        keys = Boxes(self.by, tidy=True).origin
        how = f"tracked by {Path(self.through).name}, K = {self.every}"
        return f"{how}, from {keys}" + ", DOOB" * self.tidy

    def seen(self, dataset: VISDataset) -> VISDataset:
        return from_boxes.seen(dataset)

    def __call__(self, dataset: VISDataset, progress: bool = False) -> tuple[Track, ...]:
        keys = made(dataset, Boxes(self.by, tidy=True)(dataset, progress), self.by)
        carry, origin = carrier(self.through), self.origin
        labelled = tracking.label(dataset, keys, carry, origin, self.every, progress=progress)
        return (select.tidied(labelled) if self.tidy else labelled).tracks


@cache
def carrier(through: str) -> tracking.Carrier:
    """What carries a mask through a video; weights are read once a process."""
    if through == "colour":
        return tracking.BY_COLOUR
    if Path(through).is_file() or pretrained.model_type(through, sam2.EXAMPLE) != sam2.KIND:
        return tracking.by_likeness(extractor(through))
    return sam2.load(through)
