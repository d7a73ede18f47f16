"""YouTube-VIS average precision and recall, with the official evaluator's numbers, and mIoU."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from evis.data import annotations
from evis.data.errors import DataError
from evis.data.types import Category, VISDataset
from evis.metrics.average_precision import AREA_RANGES, MAX_PREDICTIONS, accumulate
from evis.metrics.overlaps import ALL_CLASSES, By, Predictions, VideoOverlaps, overlaps

GroundTruth = VISDataset | dict[str, Any] | str | Path


@dataclass(frozen=True, repr=False, eq=False)
class Evaluation:
    """What the predictions reach, as fractions; NaN where there is no object to find.

    precision: (IoU thresholds, recall levels, classes, area ranges, numbers of predictions), in the
        order of the constants of `average_precision`: the best precision at that recall or beyond.
    recall: (IoU thresholds, classes, area ranges, numbers of predictions): the highest reached.
    videos: the IoU of every prediction with every object of its class, a video each, by id.
    """

    classes: tuple[Category, ...]
    precision: np.ndarray
    recall: np.ndarray
    videos: tuple[VideoOverlaps, ...]

    @property
    def stats(self) -> dict[str, float]:
        """The official summary."""
        sizes = list(enumerate(AREA_RANGES))[1:]
        most = list(enumerate(MAX_PREDICTIONS))
        return {
            "AP": _mean(self.precision[..., 0, -1]),
            "AP50": _mean(self.precision[0, ..., 0, -1]),
            "AP75": _mean(self.precision[5, ..., 0, -1]),
            **{f"AP_{name}": _mean(self.precision[..., a, -1]) for a, name in sizes},
            **{f"AR{number}": _mean(self.recall[..., 0, m]) for m, number in most},
            **{f"AR_{name}": _mean(self.recall[..., a, -1]) for a, name in sizes},
        }

    def __repr__(self) -> str:
        summary = ", ".join(f"{name} {value:.4f}" for name, value in self.stats.items())
        return f"Evaluation({summary})"

    def of_classes(self, names: Collection[str]) -> "Evaluation":
        """Of these alone: scores leave out the others, as if they were not there.

        `videos`, and so what `per_video` counts, stay those of all classes.
        """
        kept = [k for k, category in enumerate(self.classes) if category.name in names]
        classes = tuple(self.classes[k] for k in kept)
        return replace(
            self,
            classes=classes,
            precision=self.precision[:, :, kept],
            recall=self.recall[:, kept],
        )

    def table(self) -> pd.DataFrame:
        """`stats`, a row each: metric, value."""
        return pd.DataFrame(self.stats.items(), columns=["metric", "value"])

    def per_class(self) -> pd.DataFrame:
        """A row a class: category (its id), name, objects without crowds, and the scores."""
        groups = np.concatenate([video.object_groups[~video.crowds] for video in self.videos])
        return pd.DataFrame(
            {
                "category": category.id,
                "name": category.name,
                "objects": int((groups == category.id).sum()),
                "AP": _mean(self.precision[:, :, k, 0, -1]),
                "AP50": _mean(self.precision[0, :, k, 0, -1]),
                "AP75": _mean(self.precision[5, :, k, 0, -1]),
                **{
                    f"AR{number}": _mean(self.recall[:, k, 0, m])
                    for m, number in enumerate(MAX_PREDICTIONS)
                },
            }
            for k, category in enumerate(self.classes)
        )

    def per_video(self) -> pd.DataFrame:
        """A row a video: its objects without crowds, the predictions that count, and

        mean_best_iou: the mean over its objects of the best IoU among predictions of their class;
        AP, AR100: what they would be if the video were the whole data set.
        """
        rows = []
        for video in self.videos:
            best = np.nan_to_num(video.ious[:, ~video.crowds]).max(axis=0, initial=0.0)
            precision, recall = accumulate([video], self.classes)
            rows.append(
                {
                    "video": video.video.id,
                    "name": video.video.name,
                    "objects": len(best),
                    "predictions": len(video.positions),
                    "mean_best_iou": _mean(best),
                    "AP": _mean(precision[..., 0, -1]),
                    "AR100": _mean(recall[..., 0, -1]),
                }
            )
        return pd.DataFrame(rows)


def evaluate(
    ground_truth: GroundTruth,
    predictions: Predictions,
    class_agnostic: bool = False,
    progress: bool = True,
    by: By = "masks",
) -> Evaluation:
    """Evaluate predicted tracks against an annotation file in the YouTube-VIS, OVIS or COCO layout.

    `ground_truth` is a path, the parsed json or a `VISDataset`; `predictions` a path (json, or zip
    with results.json), the parsed list, `PredictedTrack`s, or a data set of made labels.
    Class-agnostic: every class counts as the same, and the best 100 predictions a video are taken,
    not a video and class. `by="boxes"` takes the IoU of boxes, for annotations without masks: the
    tight boxes of the predicted masks and the annotated ones.

    One process does it: 302 videos with 100 predictions each take about two seconds, less than it
    takes to send their masks to others. A cluster has the whole as one task, with the same numbers.
    """
    dataset = _read_ground_truth(ground_truth, by)
    classes = tuple(sorted(dataset.categories, key=lambda category: category.id))
    if class_agnostic:
        classes = (Category(ALL_CLASSES, "all classes"),)
    videos = tuple(overlaps(dataset, predictions, class_agnostic, progress, by))
    return Evaluation(classes, *accumulate(videos, classes), videos)


def object_ious(
    ground_truth: GroundTruth,
    predictions: Predictions,
    class_agnostic: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """A row an object: video, object (track id), iou with the prediction assigned to it.

    Predictions are assigned one to one so that a video's sum of IoUs is highest (Hungarian); an
    object left without one has 0. Crowds are left out. Scores only choose the best 100.
    """
    rows = []
    dataset = _read_ground_truth(ground_truth)
    for video in overlaps(dataset, predictions, class_agnostic, progress):
        _, assigned = assign(video)
        objects = [track for track in video.objects if not track.is_crowd]
        rows += [
            (video.video.id, track.id, iou) for track, iou in zip(objects, assigned, strict=True)
        ]
    table = pd.DataFrame(rows, columns=["video", "object", "iou"])
    return table.astype({"video": int, "object": int, "iou": float})


def mean_iou(
    ground_truth: GroundTruth,
    predictions: Predictions,
    class_agnostic: bool = True,
    progress: bool = True,
) -> float:
    """mIoU: the mean of `object_ious` over all objects of the data set; NaN without objects."""
    table = object_ious(ground_truth, predictions, class_agnostic, progress)
    return _mean(table["iou"].to_numpy())


def _read_ground_truth(ground_truth: GroundTruth, kind: str = "masks") -> VISDataset:
    """A path, the parsed json or a data set, with annotated masks (or boxes, for that `kind`)."""
    file = ground_truth if isinstance(ground_truth, str | Path) else None
    if isinstance(ground_truth, VISDataset):
        dataset = ground_truth
    elif isinstance(ground_truth, dict):
        dataset = annotations.parse(ground_truth)
    else:
        dataset = annotations.read(ground_truth)
    if dataset.origin is not None:
        raise DataError(
            f"labels that were made ({dataset.origin}) are no ground truth",
            file=file,
            remedy="Use annotated ones; made labels can be the predictions",
        )
    if kind not in dataset.kinds:
        remedy = (
            'Boxes are evaluated with by="boxes"'
            if "boxes" in dataset.kinds
            else f"The official valid and test splits keep theirs back: use a split with {kind}, "
            "or send the predictions to the evaluation server"
        )
        raise DataError(
            f'the ground truth holds no {kind} (its supervision is "{dataset.supervision}")',
            file=file,
            field="annotations",
            remedy=remedy,
        )
    return dataset


def assign(video: VideoOverlaps) -> tuple[np.ndarray, np.ndarray]:
    """A prediction for each object but crowds, one to one, so that the sum of IoUs is highest.

    -> (objects,) the prediction's place among the video's, -1 for none; (objects,) their IoU.
    """
    ious = np.nan_to_num(video.ious[:, ~video.crowds])
    places, assigned = np.full(ious.shape[1], -1), np.zeros(ious.shape[1])
    row, column = linear_sum_assignment(ious, maximize=True)
    places[column], assigned[column] = row, ious[row, column]
    return places, assigned


def _mean(values: np.ndarray) -> float:
    """The mean of the entries that are not NaN; NaN if there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan
