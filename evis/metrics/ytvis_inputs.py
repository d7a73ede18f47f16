"""What the YouTube-VIS metrics take in: ground truth and predictions, checked, in any form."""

import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evis.data import ytvis
from evis.data.errors import DataError
from evis.data.jsonfile import Record, load
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset

GroundTruth = VISDataset | dict[str, Any] | str | Path
Predictions = Sequence[PredictedTrack] | Sequence[dict[str, Any]] | str | Path


def read_ground_truth(ground_truth: GroundTruth) -> VISDataset:
    """A path, the parsed json or a data set, with masks."""
    if isinstance(ground_truth, VISDataset):
        dataset = ground_truth
    elif isinstance(ground_truth, dict):
        dataset = ytvis.parse(ground_truth)
    else:
        dataset = ytvis.read(ground_truth)
    if dataset.supervision != "mask":
        raise DataError(
            f'the ground truth holds no masks (its supervision is "{dataset.supervision}")',
            file=ground_truth if isinstance(ground_truth, str | Path) else None,
            field="annotations",
            remedy="The official valid and test splits keep theirs back: use a split with masks, "
            "or send the predictions to the evaluation server",
        )
    return dataset


class Rows:
    """The predictions as columns. `masks` are as they were given: not checked yet, since that
    is done for a whole video at once."""

    def __init__(self, predictions: Predictions, dataset: VISDataset):
        self.file = predictions if isinstance(predictions, str | Path) else None
        rows = predictions if self.file is None else _load(Path(self.file))
        if not isinstance(rows, Sequence):
            raise DataError("should be a list of predicted tracks", file=self.file)
        self._rows = rows
        names = {video.id: video.name for video in dataset.videos}
        checked = [self._checked(index, names, dataset) for index in range(len(rows))]
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

    def _checked(self, index: int, names: dict[int, str], dataset: VISDataset) -> tuple:
        record = self.record(index)
        video_id = record.integer("video_id")
        if video_id not in names:
            raise record.error(
                f"there is no video {video_id} in the ground truth",
                "video_id",
                remedy="Give the ground truth that belongs to these predictions",
            )
        record.video = names[video_id]
        category_id = record.integer("category_id")
        if category_id not in dataset.category_names:
            raise record.error(
                f"unknown category {category_id}",
                "category_id",
                remedy="Use an id of the ground truth's categories; for a class-agnostic "
                "evaluation any of them will do",
            )
        return video_id, category_id, record.number("score"), record.value.get("segmentations")


def _load(path: Path) -> Any:
    """A result file: json, or the zip with `results.json` that the servers take."""
    if path.suffix != ".zip":
        return load(path)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                unpacked = archive.extract("results.json", folder)
        except (OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(
                f"can't be read: {error}",
                file=path,
                remedy="A zip of predictions holds one file, results.json, at its top",
            ) from None
        try:
            return load(unpacked)
        except DataError as error:
            file = f"{path}/results.json"
            raise DataError(error.problem, file=file, remedy=error.remedy) from None
