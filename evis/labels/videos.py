"""Labels for the videos of a data set, one after another or some at a time, kept on the way.

    make(own.find("cat.mp4"), Cuts(), folder="out/parts")     # labels from nothing
    make(own.find("boxes.json"), Boxes(), jobs=2)             # masks from boxes

A labeller is plain data, so that workers get it and files tell what it was: it says what of a data
set it sees, and gives the tracks of one video.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import joblib
import numpy as np
from tqdm.auto import tqdm

from evis.data import annotations, masks, per_video
from evis.data.errors import DataError
from evis.data.masks import RLE, pairwise_iou
from evis.data.per_video import YOUNG
from evis.data.types import Track, VISDataset
from evis.foundation import flow
from evis.labels import crf, curate, from_boxes, maskcut, select, tracking
from evis.labels.datasets import OBJECT, made, made_before, read_made
from evis.labels.networks import (
    DIS,
    OF_BOXES,
    carrier,
    estimator,
    extractor,
    segmenter,
    weights_of,
)
from evis.losses.tensors import Flavour

SAME_OBJECT = 0.5  # IoU above which masks of neighbouring frames are one object's


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
    if not dataset.tracks:  # counted anew in each video; what is made of objects keeps their ids
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
    size: pixels that the longer side of frames is resized to for a DINO; None leaves them as large
        as they are.
    flow: what the motion is told by: "dis", or a file of torchvision's weights for RAFT.

    Masks of neighbouring frames that overlap by more than `SAME_OBJECT` are one track; neither
    paper needs tracks here, as both train on single frames or on pairs (`curate.pairs`).
    """

    features: str = "colour"
    alpha: float | None = None
    tau: float = 0.15
    count: int = 3
    flavour: Flavour = "paper"
    outlined: bool = True
    size: int | None = field(default=None, metadata=YOUNG)
    flow: str = field(default=DIS, metadata=YOUNG)
    device: str = field(default="cpu", compare=False)

    @property
    def weights(self) -> tuple[str, ...]:
        return weights_of(self.features, self.flow)

    @property
    def origin(self) -> str:
        name = Path(self.features).name
        seen = "" if self.size is None else f" at {self.size} pixels"
        by = "" if self.flow == DIS else f" by {Path(self.flow).name}"
        of = "" if self.alpha is None else f" and flow{by}, alpha {self.alpha:g}"
        outlines = ", outlines by CRF" if self.outlined else ""
        return f"MaskCut ({self.flavour}) of {name} features{seen}{of}{outlines}"

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
        picture = dataset.frame(video.id, frame)
        extract = extractor(self.features, self.size, self.device)
        patches = extract(picture)
        if self.alpha is not None:
            other = dataset.frame(video.id, flow.partner(frame, video.length))
            moved = extract(flow.colours(estimator(self.flow, self.device)(picture, other)))
            patches = maskcut.combined(patches, moved, self.alpha)
        cut = maskcut.masks(patches, self.tau, self.count, self.flavour)
        return crf.outline(picture, cut) if self.outlined else crf.enlarged(picture, cut)


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
        cache; or the .json of masks that were made of these boxes before.
    tidy: DOOB, section III-D of PM-VIS: overlaps go, and what sticks out of a box.
    """

    by: str = "grabcut"
    tidy: bool = False
    device: str = field(default="cpu", compare=False)

    @property
    def weights(self) -> tuple[str, ...]:
        return weights_of(self.by)

    @property
    def origin(self) -> str:
        name = self.by if self.by in OF_BOXES else Path(self.by).name
        how = read_made(self.by).origin if _are_made(self.by) else f"{name} from boxes"
        return how + ", DOOB" * self.tidy

    def seen(self, dataset: VISDataset) -> VISDataset:
        return from_boxes.seen(dataset)

    def masks(self, dataset: VISDataset, progress: bool = False) -> VISDataset:
        """The data set under these masks."""
        if _are_made(self.by):
            labelled = made_before(self.by, dataset)
        else:
            by = segmenter(self.by, self.device)
            labelled = from_boxes.label(dataset, by, progress=progress)
        return select.tidied(labelled) if self.tidy else labelled

    def __call__(self, dataset: VISDataset, progress: bool = False) -> tuple[Track, ...]:
        return self.masks(dataset, progress).tracks


def _are_made(by: str) -> bool:
    return by.endswith(".json")


@dataclass(frozen=True)
class Tracked:
    """Masks from boxes at each object's keyframes, carried through its video: PM-VIS's Track-masks.

    by: what makes the keyframes' masks, as in `Boxes`; they are tidy always, as in the paper.
    through: what carries them: likeness of "colour", of "toy_dino" or of a DINO's features, or
        SAM 2; of the last two the weights, as in `Cuts`.
    every: a keyframe for so many frames: the paper's K, 10 for YouTube-VIS, 100 for OVIS.
    tidy: DOOB for what comes of it too.
    other: what makes a second kind, tidy too: keyframes are where the two agree, as in the paper;
        without it, where the masks fit their boxes.
    size: of a DINO that carries, as in `Cuts`.
    """

    by: str = "grabcut"
    through: str = "colour"
    every: int = 10
    tidy: bool = False
    other: str | None = field(default=None, metadata=YOUNG)
    size: int | None = field(default=None, metadata=YOUNG)
    device: str = field(default="cpu", compare=False)

    @property
    def kinds(self) -> list[Boxes]:
        return [Boxes(by, tidy=True, device=self.device) for by in (self.by, self.other) if by]

    @property
    def weights(self) -> tuple[str, ...]:
        return weights_of(*(kind.by for kind in self.kinds), self.through)

    @property
    def origin(self) -> str:
        sources = " by agreement with ".join(kind.origin for kind in self.kinds)
        how = f"tracked by {Path(self.through).name}, K = {self.every}"
        return f"{how}, from {sources}" + ", DOOB" * self.tidy

    def seen(self, dataset: VISDataset) -> VISDataset:
        return from_boxes.seen(dataset)

    def __call__(self, dataset: VISDataset, progress: bool = False) -> tuple[Track, ...]:
        first, *others = (kind.masks(dataset, progress) for kind in self.kinds)
        carry = carrier(self.through, self.size, self.device)
        labelled = tracking.label(
            dataset, first, carry, self.origin, self.every, *others, progress=progress
        )
        return (select.tidied(labelled) if self.tidy else labelled).tracks
