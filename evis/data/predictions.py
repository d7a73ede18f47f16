"""Predicted tracks as the evaluation servers take them: one json list, or that list in a zip."""

import io
import math
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evis.data import files
from evis.data.errors import DataError
from evis.data.jsonfile import Record, load, parse
from evis.data.masks import RLE
from evis.data.types import Video, VISDataset
from evis.data.ytvis import parse_masks

INSIDE = "results.json"  # the file's name within a zip


@dataclass(frozen=True)
class PredictedTrack:
    """One predicted object in one video; `masks` has one entry a frame, None for "not there"."""

    video_id: int
    category_id: int
    score: float
    masks: tuple[RLE | None, ...]


def from_dataset(dataset: VISDataset) -> tuple[PredictedTrack, ...]:
    """The tracks of a data set as predictions of score 1: to evaluate, draw or send made labels."""
    return tuple(
        PredictedTrack(track.video_id, track.category_id, 1.0, track.masks)
        for track in dataset.tracks
        if track.masks is not None and not track.is_crowd
    )


def write(predictions: Iterable[PredictedTrack], path: str | Path) -> Path:
    """Write a result file. A path that ends in .zip gets `results.json` inside, as servers ask."""
    path = Path(path)
    rows = [_row(track) for track in predictions]
    if path.suffix != ".zip":
        return files.write_json(path, rows)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(INSIDE), files.to_json(rows), zipfile.ZIP_DEFLATED)
    return files.write_bytes(path, packed.getvalue())


def _row(track: PredictedTrack) -> dict[str, Any]:
    if not math.isfinite(track.score):
        raise DataError(
            f"a score should be a number, is {track.score}",
            video=track.video_id,
            field="score",
            remedy="Look for NaN in the model's outputs",
        )
    return {
        "video_id": int(track.video_id),
        "category_id": int(track.category_id),
        "score": float(track.score),
        "segmentations": list(track.masks),
    }


def read(path: str | Path, dataset: VISDataset) -> tuple[PredictedTrack, ...]:
    """Read a result file, json or zip, and hold it against the data set it is about."""
    tracks = []
    for index, row in enumerate(read_rows(path)):
        record = Record(row, file=Path(path), path=f"[{index}]")
        video, category_id, score = identify(record, dataset)
        tracks.append(PredictedTrack(video.id, category_id, score, parse_masks(record, video)))
    return tuple(tracks)


def read_rows(path: str | Path) -> list:
    """The list of a result file, json or zip, nothing in it checked yet."""
    path = Path(path)
    rows = _unpack(path) if path.suffix == ".zip" else load(path)
    if not isinstance(rows, list):
        raise DataError(
            "should be a list of predicted tracks",
            file=path,
            remedy="Is it an annotation file? Results are one list",
        )
    return rows


def identify(record: Record, dataset: VISDataset) -> tuple[Video, int, float]:
    """The video, the category and the score of a predicted track; errors name its video then.

    A data set without categories, anyone's video, can't say which there are: any will do.
    """
    video_id = record.integer("video_id")
    try:
        video = dataset.video(video_id)
    except DataError:
        raise record.error(
            f"there is no video {video_id} in the data set",
            "video_id",
            remedy="Predictions and annotations should be of one split",
        ) from None
    record.video = video.name
    names = dataset.category_names
    category = record.category(names) if names else record.integer("category_id")
    return video, category, record.number("score")


def _unpack(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            content = archive.read(INSIDE)
    except FileNotFoundError:
        raise DataError("there is no such file", file=path, remedy="Check the path") from None
    except KeyError:
        raise DataError(
            f"holds no {INSIDE}", file=path, remedy="Pack the file under this name, in no folder"
        ) from None
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"can't be unpacked ({error})", file=path, remedy="Pack or copy it again"
        ) from None
    return parse(content, path)
