"""Predicted tracks as the evaluation servers take them: one json list, or that list in a zip."""

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evis import files
from evis.data.errors import DataError
from evis.data.jsonfile import Record, load
from evis.data.masks import RLE
from evis.data.types import VISDataset
from evis.data.ytvis import parse_masks


@dataclass(frozen=True)
class PredictedTrack:
    """One predicted object in one video; `masks` has one entry a frame, None for "not there"."""

    video_id: int
    category_id: int
    score: float
    masks: tuple[RLE | None, ...]


def write(predictions: Iterable[PredictedTrack], path: str | Path) -> Path:
    """Write a result file. A path that ends in .zip gets `results.json` inside, as servers ask."""
    path = Path(path)
    rows = [
        {
            "video_id": track.video_id,
            "category_id": track.category_id,
            "score": float(track.score),
            "segmentations": list(track.masks),
        }
        for track in predictions
    ]
    if path.suffix != ".zip":
        return files.write_json(path, rows)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("results.json"), files.to_json(rows))
    return files.write_bytes(path, packed.getvalue())


def read(path: str | Path, dataset: VISDataset) -> tuple[PredictedTrack, ...]:
    """Read a result file and hold it against the data set it is about."""
    rows = load(path)
    if not isinstance(rows, list):
        raise DataError("should be a list of predicted tracks", file=path)
    return tuple(
        _track(Record(row, file=path, path=f"[{index}]"), dataset) for index, row in enumerate(rows)
    )


def _track(record: Record, dataset: VISDataset) -> PredictedTrack:
    video_id = record.integer("video_id")
    try:
        video = dataset.video(video_id)
    except DataError:
        raise record.error(f"there is no video {video_id} in the data set", "video_id") from None
    record.video = video.name
    category_id = record.integer("category_id")
    if category_id not in dataset.category_names:
        raise record.error(f"unknown category {category_id}", "category_id")
    return PredictedTrack(video_id, category_id, record.number("score"), parse_masks(record, video))
