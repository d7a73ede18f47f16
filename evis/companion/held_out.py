"""Toy videos that nothing was trained on, and what a model is scored by on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from evis.data import masks, toy
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import Options, predict_dataset
from evis.labels.datasets import OBJECT
from evis.metrics import attributes, davis, motion, stability, ytvis

VIDEOS = "toy-ytvis19"
SCORES = ("AP", "AP50", "AP75", "AR1", "AR10")
AGNOSTIC_SCORES = ("AP", "AP50", "AP75", "AP_S", "AP_M", "AP_L", "AR1", "AR10")
AT_ANY_SCORE = "AP, any score"
DAVIS_SCORES = ("J&F", "J", "F")
LEAST_SCORE, LEAST_OF_DAVIS = 0.8, 0.3  # of what counts as found (FlowCut, section 4.1)
SPLITS = ("mbor", "instances", "keypoints")
WHOLE = Options(window=None, shorter_side=None)  # a model for pictures, too
LINKED = Options(window=1, shorter_side=None)  # MinVIS: queries of a frame and the one before


@dataclass(frozen=True)
class Scoring:
    """The metrics of a row, and what finds them: (model, held-out set, options, progress) -> them.

    It may also find "per_video", a list with a score of every video.
    """

    metrics: tuple[str, ...]
    score: Callable[[nn.Module, "HeldOut", Options, bool], Mapping[str, Any]]
    in_percent: bool = True  # where tables show them


def scores(
    model: nn.Module, held_out: "HeldOut", options: Options = WHOLE, progress: bool = True
) -> dict[str, Any]:
    """What `of_tracks` says of a model's."""
    dataset = held_out.dataset()
    return of_tracks(predict_dataset(model, dataset, options, progress=progress), dataset, progress)


def of_tracks(
    tracks: Sequence[PredictedTrack], dataset: VISDataset, progress: bool = True
) -> dict[str, Any]:
    """AP and AR for classes and, as "agnostic ...", for objects alone; mIoU and how steady it is.

    "unsteadiness": how much an object's IoU changes from frame to frame, in the mean.
    """
    by_class = ytvis.evaluate(dataset, tracks, progress=progress).stats
    agnostic = ytvis.evaluate(dataset, tracks, class_agnostic=True, progress=progress).stats
    ious = ytvis.object_ious(dataset, tracks, progress=False)
    return (
        {name: by_class[name] for name in SCORES}
        | {f"agnostic {name}": agnostic[name] for name in SCORES}
        | {"mIoU": float(ious["iou"].mean()), "per_video": _per_video(dataset, ious)}
        | {"unsteadiness": stability.unsteadiness(stability.frame_ious(dataset, tracks))}
    )


def _per_video(dataset: VISDataset, ious: pd.DataFrame) -> list[float | None]:
    """Every video's mean of its objects' IoU, in the set's order; None without an object."""
    means = ious.groupby("video")["iou"].mean().round(3).to_dict()
    return [means.get(video.id) for video in dataset.videos]


def generalisation(
    model: nn.Module, held_out: "HeldOut", options: Options = WHOLE, progress: bool = True
) -> dict[str, Any]:
    """Class-agnostic mIoU, and on either side of the median of what makes videos hard (Fig. 6).

    The model's classes need not be the videos': what it finds counts as an object, no more.
    """
    dataset = held_out.dataset()
    first = dataset.categories[0]
    objects = tuple(replace(first, id=n, name=str(n)) for n in range(1, model.config.classes + 1))
    bare = replace(dataset, categories=objects, tracks=(), supervision="none")
    tracks = [
        replace(track, category_id=first.id)
        for track in predict_dataset(model, bare, options, progress=progress)
    ]
    ious = ytvis.object_ious(dataset, tracks, progress=False)
    hardness = _hardness(held_out)
    means = {"mIoU": float(ious["iou"].mean()), "per_video": _per_video(dataset, ious)}
    for name in SPLITS:
        side = ious["video"].map(attributes.median_split(hardness[name]))
        for half in ("low", "high"):
            means[f"mIoU, {half} {name}"] = float(ious["iou"][side == half].mean())
    return means


def of_seen_classes(
    model: nn.Module, held_out: "HeldOut", options: Options = WHOLE, progress: bool = True
) -> dict[str, Any]:
    """AP and AR over the classes that annotated stills have, too; of a model that knows them all.

    So PointVIS's Table 5 compares with models that get names from stills alone.
    """
    dataset = held_out.dataset()
    tracks = predict_dataset(model, dataset, options, progress=progress)
    seen = toy.SPECS[toy.TRAINING_SETS["stills"]].category_names
    stats = ytvis.evaluate(dataset, tracks, progress=progress).of_classes(seen).stats
    return {name: stats[name] for name in SCORES}


def objects(
    model: nn.Module, held_out: "HeldOut", options: Options = WHOLE, progress: bool = True
) -> dict[str, Any]:
    """AP and AR of a model that knows objects alone, and their mIoU."""
    dataset = _without_classes(held_out)
    found = predict_dataset(model, dataset.bare(), options, progress=progress)
    return _of_objects(found, dataset, progress)


def sure_objects(
    model: nn.Module, held_out: "HeldOut", options: Options = WHOLE, progress: bool = True
) -> dict[str, Any]:
    """As `objects`, of what scores `LEAST_SCORE` or more alone; and AP of whatever was found."""
    dataset = _without_classes(held_out)
    found = predict_dataset(model, dataset.bare(), options, progress=progress)
    sure = [track for track in found if track.score >= LEAST_SCORE]
    of_all = ytvis.evaluate(dataset, found, class_agnostic=True, progress=progress).stats
    return _of_objects(sure, dataset, progress) | {AT_ANY_SCORE: of_all["AP"]}


def _without_classes(held_out: "HeldOut") -> VISDataset:
    truth = held_out.dataset()
    merged = tuple(replace(track, category_id=OBJECT.id) for track in truth.tracks)
    return replace(truth, categories=(OBJECT,), tracks=merged)


def _of_objects(
    found: Sequence[PredictedTrack], dataset: VISDataset, progress: bool
) -> dict[str, Any]:
    stats = ytvis.evaluate(dataset, found, class_agnostic=True, progress=progress).stats
    ious = ytvis.object_ious(dataset, found, progress=False)
    means = {"mIoU": float(ious["iou"].mean()), "per_video": _per_video(dataset, ious)}
    return {name: stats[name] for name in AGNOSTIC_SCORES} | means


def davis_objects(
    model: nn.Module, held_out: "HeldOut", options: Options = WHOLE, progress: bool = True
) -> dict[str, Any]:
    """J&F, J and F of what scores `LEAST_OF_DAVIS` or more, matched with objects one to one.

    Under "motion ...", the same of the objects that move (`evis.metrics.motion`). As in the
    challenge's files, a pixel belongs to one prediction: to the surest.
    """
    truth = held_out.dataset()
    found = predict_dataset(model, truth.bare(), options, progress=progress)
    values: dict[str, Any] = {}
    for kind, labels in (("", truth), ("motion ", motion.moving(truth))):
        videos = [video.id for video in labels.videos if labels.tracks_of(video.id)]
        pairs = [(labels.mask_stack(number), _apart(found, labels, number)) for number in videos]
        scored = davis.evaluate(*zip(*pairs, strict=True), progress=False)
        values |= {kind + name: scored[name] for name in DAVIS_SCORES}
        if not kind:
            parts = scored["objects"].groupby("video")[["J_mean", "F_mean"]].mean().mean(axis=1)
            means = dict(zip(videos, parts.round(3).tolist(), strict=True))
            values["per_video"] = [means.get(video.id) for video in truth.videos]
    return values


def _apart(found: Sequence[PredictedTrack], dataset: VISDataset, video_id: int) -> np.ndarray:
    """(predictions, T, h, w) bool of a video's sure ones, none of which overlap."""
    video = dataset.video(video_id)
    own = [t for t in found if t.video_id == video_id and t.score >= LEAST_OF_DAVIS]
    stack = np.zeros((len(own), video.length, video.height, video.width), dtype=bool)
    taken = np.zeros(stack.shape[1:], dtype=bool)
    for mine, track in zip(stack, sorted(own, key=lambda t: t.score, reverse=True), strict=True):
        for frame, rle in enumerate(track.masks):
            if rle is not None:
                mine[frame] = masks.decode(rle) & ~taken[frame]
        taken |= mine
    return stack


@cache
def _hardness(held_out: "HeldOut") -> pd.DataFrame:
    """By video id; the same for every row, and SIFT takes as long as predicting."""
    return attributes.table(held_out.dataset(), progress=False).set_index("video")


BY_CLASS = Scoring(
    (*SCORES, *(f"agnostic {name}" for name in SCORES), "mIoU", "unsteadiness"), scores
)
IN_HALVES = Scoring(
    ("mIoU", *(f"mIoU, {half} {name}" for name in SPLITS for half in ("low", "high"))),
    generalisation,
)

OF_SEEN = Scoring(SCORES, of_seen_classes)
OF_OBJECTS = Scoring((*AGNOSTIC_SCORES, "mIoU"), objects)
OF_SURE = Scoring((*AGNOSTIC_SCORES, "mIoU", AT_ANY_SCORE), sure_objects)
OF_DAVIS = Scoring(
    tuple(kind + name for kind in ("", "motion ") for name in DAVIS_SCORES), davis_objects
)


@dataclass(frozen=True)
class HeldOut:
    """A held-out set, and how models are scored on it."""

    name: str
    videos: int
    seed: int  # of the toy set: other seeds, other videos
    toy_set: str = VIDEOS
    scoring: Scoring = BY_CLASS

    def dataset(self) -> VISDataset:
        return toy.sample(self.toy_set, self.videos, self.seed, split="valid")

    def score(
        self, model: nn.Module, options: Options = WHOLE, progress: bool = True
    ) -> Mapping[str, Any]:
        """On one thread, so that a row does not depend on the number of cores."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self.scoring.score(model, self, options, progress)
        finally:
            torch.set_num_threads(before)

    def __str__(self) -> str:
        return f"{self.toy_set} {self.name} ({self.videos} videos, seed {self.seed})"


VALIDATION = HeldOut("validation", 100, 1)  # for choices
TEST = HeldOut("test", 300, 2)  # for what is reported
# By class, on videos of the set that was trained on.
OF_SET = {
    VIDEOS: TEST,
    "toy-ytvis21": HeldOut("test", 150, 2, "toy-ytvis21"),
    "toy-ovis": HeldOut("test", 60, 2, "toy-ovis"),
}
IN_CLAIMS = dict(zip(("test", "ytvis21", "ovis"), OF_SET.values(), strict=True))  # their names
SEEN = replace(TEST, name="test, classes of stills", scoring=OF_SEEN)
# The same for models of objects alone (FlowCut), and DAVIS.
SURE = {on: replace(OF_SET[on], name="objects", scoring=OF_SURE) for on in (VIDEOS, "toy-ytvis21")}
DAVIS = HeldOut("objects", 60, 2, "toy-davis", OF_DAVIS)
# For detectors of objects: pictures, each a video of one frame.
STILLS = HeldOut("validation", 300, 1, "toy-coco", OF_OBJECTS)
# Other sets, never trained on: Table V and Fig. 6.
UNSEEN = HeldOut("unseen", 150, 2, "toy-ytvis21", IN_HALVES)
CROWDED = HeldOut("unseen", 60, 2, "toy-ovis", IN_HALVES)


def validation(test: HeldOut) -> HeldOut:
    """Videos to choose on, scored as the test's are. Rows are found by the name, which tells the
    scoring. A test that is one of validation already stays.
    """
    if test.name.startswith("validation"):
        return test
    name = f"validation, {test.name}".replace(", test", "")
    return replace(test, name=name, videos=VALIDATION.videos, seed=VALIDATION.seed)
