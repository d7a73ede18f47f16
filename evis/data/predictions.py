"""Predicted tracks as the evaluation servers take them: one json list, or that list in a zip."""

import io
import math
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evis.data import files
from evis.data.annotations import LAYOUTS, frame_masks
from evis.data.errors import DataError
from evis.data.jsonfile import Record, load, parse
from evis.data.masks import RLE
from evis.data.types import Video, VISDataset

INSIDE = "results.json"  # the file's name within a zip
LARGEST = 2**30  # bytes of it: many times what the masks of any benchmark take
# Results become 8 to 15 times as small, and 50 times where each mask stands under 100 classes: what
# becomes smaller still is no results, unless it is small anyway.
MOST_TIMES, SMALL = 100, 2**24


@dataclass(frozen=True)
class PredictedTrack:
    """One predicted object in one video; `masks` has one entry a frame, None for "not there".

    They are a tuple, or `evis.data.masks.Kept`, which reads like one.
    """

    video_id: int
    category_id: int
    score: float
    masks: Sequence[RLE | None]


def from_dataset(dataset: VISDataset) -> tuple[PredictedTrack, ...]:
    """The tracks of a data set as predictions of score 1: to evaluate, draw or send made labels."""
    if any(track.masks is None and not track.is_crowd for track in dataset.tracks):
        problem = "predictions are masks, and this set has tracks without any"
        raise DataError(problem, remedy="Make them of its boxes: evis label boxes")
    return tuple(
        PredictedTrack(track.video_id, track.category_id, 1.0, track.masks)
        for track in dataset.tracks
        if not track.is_crowd
    )


def write(predictions: Iterable[PredictedTrack], path: str | Path) -> Path:
    """Write a result file. A path that ends in .zip gets `results.json` inside, as servers ask."""
    path = Path(path)
    if path.suffix != ".zip":
        return files.write_pieces(path, _pieces(predictions))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        text = b"".join(_pieces(predictions))
        archive.writestr(zipfile.ZipInfo(INSIDE), text, zipfile.ZIP_DEFLATED)
    return files.write_bytes(path, packed.getvalue())


def _pieces(predictions: Iterable[PredictedTrack]) -> Iterator[bytes]:
    """The list as json, mask by mask: those of a long video are never in memory together."""
    number = -1
    for number, track in enumerate(predictions):
        opened = files.to_json(_row(track)).removesuffix("]}\n")
        yield f"{',' if number else '['}{opened}".encode()
        for frame, mask in enumerate(track.masks):
            yield f"{',' if frame else ''}{files.to_json(mask).rstrip()}".encode()
        yield b"]}"
    yield b"[]\n" if number < 0 else b"]\n"


def _row(track: PredictedTrack) -> dict[str, Any]:
    """As in a result file, its masks still to come."""
    if not math.isfinite(track.score):
        problem, remedy = f"is {track.score}", "Look for NaN in the model's outputs"
        raise DataError(problem, video=track.video_id, field="score", remedy=remedy)
    return {
        "video_id": int(track.video_id),
        "category_id": int(track.category_id),
        "score": float(track.score),
        "segmentations": [],
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
    rows = parse(_unpacked(path), path) if path.suffix == ".zip" else load(path)
    if not isinstance(rows, list):
        remedy = "Is it an annotation file? Results are one list"
        raise DataError("should be a list of predicted tracks", file=path, remedy=remedy)
    return rows


def _unpacked(path: Path) -> bytes:
    files.regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            packed = archive.getinfo(INSIDE)
            taken = min(packed.compress_size, path.stat().st_size)  # the first is what it claims
            if packed.file_size > min(LARGEST, max(SMALL, MOST_TIMES * taken)):
                raise ValueError(f"{packed.file_size} bytes in it; give the json if you trust it")
            if packed.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("its compression can't be stopped at a size; use deflate")
            with archive.open(packed) as stream:  # where it holds more than it declares:
                return stream.read(packed.file_size)  # that much, whose checksum is wrong
    except Exception as error:  # a damaged archive can fail anywhere
        remedy = f"It should be a zip that holds {INSIDE}, in no folder"
        raise DataError(f"can't be unpacked ({error})", file=path, remedy=remedy) from None


def identify(record: Record, dataset: VISDataset) -> tuple[Video, int, float]:
    """The video, the category and the score of a predicted track; errors name its video then.

    A data set without categories, anyone's video, can't say which there are: any will do.
    """
    video = dataset.video(record.one_of("video_id", dataset.videos_by_id))
    record.video = video.name
    names = dataset.category_names
    category = record.one_of("category_id", names) if names else record.integer("category_id")
    return video, category, record.number("score")


def parse_masks(record: Record, video: Video) -> tuple[RLE | None, ...]:
    """The record's masks, one a frame of `video`, each checked against its size."""
    record.list("segmentations", length=video.length)
    return frame_masks(record, video, LAYOUTS["ytvis"])
