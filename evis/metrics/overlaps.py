"""Predictions held against the ground truth: checked, ranked, and their IoUs, video by video."""

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from evis.data import ytvis
from evis.data.errors import DataError
from evis.data.jsonfile import Record, load
from evis.data.predictions import PredictedTrack
from evis.data.types import Track, Video, VISDataset
from evis.data.ytvis import parse_masks
from evis.metrics.track_iou import TrackRuns, track_ious, track_runs

GroundTruth = VISDataset | dict[str, Any] | str | Path
Predictions = Sequence[PredictedTrack] | Sequence[dict[str, Any]] | str | Path

MOST_PREDICTIONS = 100  # a video and class; the lower-scored rest is left out
ALL_CLASSES = 0  # the one group of a class-agnostic comparison


@dataclass(frozen=True)
class VideoOverlaps:
    """One video's objects and its best predictions, group after group, best first in a group.

    A group is a category, or `ALL_CLASSES`. Predictions of equal score keep the order of their
    category and then of the file, as in the official evaluator.
    """

    video: Video
    objects: tuple[Track, ...]
    object_groups: np.ndarray  # (objects,)
    object_areas: np.ndarray  # (objects,) mean area over the frames with the object, pixels
    positions: np.ndarray  # (predictions,) places in the list that was given
    groups: np.ndarray  # (predictions,)
    scores: np.ndarray  # (predictions,)
    ranks: np.ndarray  # (predictions,) 0 is the best of the video and group
    areas: np.ndarray  # (predictions,) mean area over the frames with a mask, pixels
    ious: np.ndarray  # (predictions, objects) spatio-temporal; NaN across groups

    @property
    def crowds(self) -> np.ndarray:
        """(objects,) bool"""
        return np.array([track.is_crowd for track in self.objects], dtype=bool)


def _parse(content: dict[str, Any]) -> VISDataset:
    root = Record(content, file=None, path="")
    categories, videos = ytvis._categories(root), ytvis._videos(root)
    if not root.has("annotations"):
        return VISDataset(videos, (), categories, supervision="none")
    by_id = {video.id: video for video in videos}
    tracks = ytvis._tracks(root, by_id, {category.id for category in categories})
    return VISDataset(videos, tracks, categories, supervision=ytvis._level(root, tracks))


def read_ground_truth(ground_truth: GroundTruth) -> VISDataset:
    """A path, the parsed json or a data set, with masks."""
    if isinstance(ground_truth, VISDataset):
        dataset = ground_truth
    elif isinstance(ground_truth, dict):
        dataset = _parse(ground_truth)
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


class _Rows:
    """The predictions as columns, and each row's masks as they were given."""

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
        except (OSError, KeyError, zipfile.BadZipFile) as error:
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


def overlaps(
    dataset: VISDataset, predictions: Predictions, class_agnostic: bool, progress: bool
) -> Iterator[VideoOverlaps]:
    """Compare predictions with objects of the same group, one video at a time, by video id."""
    rows = _Rows(predictions, dataset)
    groups = np.full_like(rows.categories, ALL_CLASSES) if class_agnostic else rows.categories
    order = np.lexsort((rows.categories, -rows.scores, groups, rows.videos))  # stable
    videos = sorted(dataset.videos, key=lambda video: video.id)
    bounds = np.searchsorted(rows.videos[order], [video.id for video in videos] + [np.inf])
    for number, video in enumerate(tqdm(videos, desc="IoU", unit="video", disable=not progress)):
        own = order[bounds[number] : bounds[number + 1]]
        yield _compare(dataset, video, rows, own, groups[own], class_agnostic)


def _compare(
    dataset: VISDataset,
    video: Video,
    rows: _Rows,
    own: np.ndarray,
    groups: np.ndarray,
    class_agnostic: bool,
) -> VideoOverlaps:
    """`own` are the video's rows and `groups` theirs, group after group, best first."""
    objects = tuple(sorted(dataset.tracks_of(video.id), key=lambda track: track.category_id))
    object_groups = np.array(
        [ALL_CLASSES if class_agnostic else track.category_id for track in objects], dtype=int
    )
    object_runs = track_runs(_checked_masks(objects, video), video.length, _pixels(video))
    runs, which = _predicted_runs(rows, own, video)
    ranks = _ranks(groups)
    kept = ranks < MOST_PREDICTIONS
    own, groups, ranks, which = own[kept], groups[kept], ranks[kept], which[kept]
    same_group = groups[:, None] == object_groups[None, :]
    wanted = np.zeros((len(runs), len(objects)), dtype=bool)
    np.logical_or.at(wanted, which, same_group)
    return VideoOverlaps(
        video=video,
        objects=objects,
        object_groups=object_groups,
        object_areas=_object_areas(objects, object_runs),
        positions=own,
        groups=groups,
        scores=rows.scores[own],
        ranks=ranks,
        areas=runs.mean_areas()[which],
        ious=np.where(same_group, track_ious(runs, object_runs, wanted)[which], np.nan),
    )


def _ranks(groups: np.ndarray) -> np.ndarray:
    """Each entry's place within its group; equal groups stand together."""
    begins = np.flatnonzero(np.diff(groups, prepend=-np.inf))
    sizes = np.diff(begins, append=len(groups))
    return np.arange(len(groups)) - np.repeat(begins, sizes)


def _pixels(video: Video) -> int:
    return video.height * video.width


def _object_areas(objects: tuple[Track, ...], runs: TrackRuns) -> np.ndarray:
    """The mean of the areas that the annotation states, as the official evaluator takes them."""
    means = runs.mean_areas()
    for number, track in enumerate(objects):
        if track.areas is not None:
            stated = [area for area in track.areas if area]
            means[number] = sum(stated) / len(stated) if stated else 0.0
    return means


def _checked_masks(objects: tuple[Track, ...], video: Video) -> list:
    """The objects' masks. A data set that was read is sound; one made by hand may not be."""
    size = [video.height, video.width]
    for track in objects:
        sizes = [mask["size"] for mask in track.masks if mask is not None]
        if len(track.masks) != video.length or any(found != size for found in sizes):
            raise DataError(
                f"the masks of track {track.id} do not fit the video: {video.length} frames of "
                f"{video.height} x {video.width} (height x width)",
                video=video.name,
                field="masks",
                remedy="Give one mask or None a frame, encoded at the size of the frames",
            )
    return [track.masks for track in objects]


def _predicted_runs(rows: _Rows, own: np.ndarray, video: Video) -> tuple[TrackRuns, np.ndarray]:
    """The runs of the distinct predictions, and which of them each of `own` is.

    Models that give one mask several classes repeat it; it is taken apart and compared once.
    """
    try:
        distinct, which = _distinct([rows.masks[index] for index in own], video)
        runs = track_runs(distinct, video.length, _pixels(video))
    except (AttributeError, KeyError, TypeError, ValueError):
        # Not all compressed RLE: read with care, which takes other codes and names any fault.
        parsed = [parse_masks(rows.record(index, video.name), video) for index in own]
        distinct, which = _distinct(parsed, video)
        runs = track_runs(distinct, video.length, _pixels(video))
    return runs, which


def _distinct(tracks: list, video: Video) -> tuple[list, np.ndarray]:
    """The different ones of `tracks`, and which of them each is; ValueError for a wrong size."""
    size = [video.height, video.width]
    distinct: list = []
    which = np.zeros(len(tracks), dtype=int)
    alike: dict[str, list[int]] = {}  # candidates by their first visible mask
    for index, masks in enumerate(tracks):
        key = next((rle["counts"] for rle in masks if rle is not None), "")
        candidates = alike.setdefault(key, [])
        for candidate in candidates:
            if distinct[candidate] == masks:
                which[index] = candidate
                break
        else:
            if len(masks) != video.length:
                raise ValueError("the numbers of frames differ")
            if any(rle is not None and rle["size"] != size for rle in masks):
                raise ValueError("the sizes differ")
            which[index] = len(distinct)
            candidates.append(len(distinct))
            distinct.append(masks)
    return distinct, which
