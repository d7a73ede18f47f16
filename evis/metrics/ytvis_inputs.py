"""What the YouTube-VIS metrics take in: ground truth and predictions, checked, in any form."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evis.data import annotations
from evis.data.errors import DataError
from evis.data.jsonfile import Record
from evis.data.predictions import PredictedTrack, from_dataset, identify, read_rows
from evis.data.types import VISDataset

GroundTruth = VISDataset | dict[str, Any] | str | Path
Predictions = VISDataset | Sequence[PredictedTrack] | Sequence[dict[str, Any]] | str | Path


def read_ground_truth(ground_truth: GroundTruth, kind: str = "masks") -> VISDataset:
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


class Rows:
    """The predictions as columns. `masks` are as they were given: not checked yet, since that
    is done for a whole video at once."""

    def __init__(self, predictions: Predictions, dataset: VISDataset):
        if isinstance(predictions, VISDataset):
            predictions = from_dataset(predictions)
        self.file = predictions if isinstance(predictions, str | Path) else None
        rows = predictions if self.file is None else read_rows(self.file)
        if not isinstance(rows, Sequence):
            raise DataError("should be a list of predicted tracks")
        self._rows = rows
        checked = [self._checked(index, dataset) for index in range(len(rows))]
        self.videos = np.array([row[0] for row in checked], dtype=np.int64)
        self.categories = np.array([row[1] for row in checked], dtype=np.int64)
        self.scores = np.array([row[2] for row in checked], dtype=np.float64)
        self.masks = [row[3] for row in checked]

    def record(self, index: int, video: str | None = None) -> Record:
        row = self._rows[index]
        if isinstance(row, PredictedTrack):
            row = {
                "video_id": int(row.video_id),
                "category_id": int(row.category_id),
                "score": float(row.score),
                "segmentations": list(row.masks),
            }
        return Record(row, file=self.file, path=f"predictions[{index}]", video=video)

    def _checked(self, index: int, dataset: VISDataset) -> tuple[int, int, float, Any]:
        record = self.record(index)
        video, category_id, score = identify(record, dataset)
        return video.id, category_id, score, record.value.get("segmentations")
