"""Predictions held against the ground truth: ranked, and their IoUs, video by video."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from evis.data.errors import DataError
from evis.data.jsonfile import Record
from evis.data.predictions import PredictedTrack, from_dataset, identify, parse_masks, read_rows
from evis.data.types import Track, Video, VISDataset
from evis.metrics.box_iou import TrackBoxes, annotated, around_masks
from evis.metrics.track_iou import TrackRuns, track_runs

MOST_PREDICTIONS = 100  # a video and class; the lower-scored rest is left out
By = Literal["masks", "boxes"]
Predictions = VISDataset | Sequence[PredictedTrack] | Sequence[dict[str, Any]] | str | Path
ALL_CLASSES = 0  # the one group of a class-agnostic comparison


class Rows:
    """The predictions as columns, but for their masks: a whole video's are checked at once."""

    def __init__(self, predictions: Predictions, dataset: VISDataset):
        if isinstance(predictions, VISDataset):
            predictions = from_dataset(predictions)
        self.file = predictions if isinstance(predictions, str | Path) else None
        rows = predictions if self.file is None else read_rows(self.file)
        if not isinstance(rows, Sequence):
            raise DataError("should be a list of predicted tracks")
        self._rows = rows
        identified = [identify(self.record(index), dataset) for index in range(len(rows))]
        self.videos = np.array([video.id for video, _, _ in identified], dtype=np.int64)
        self.categories = np.array([category for _, category, _ in identified], dtype=np.int64)
        self.scores = np.array([score for _, _, score in identified], dtype=np.float64)

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


def overlaps(
    dataset: VISDataset,
    predictions: Predictions,
    class_agnostic: bool,
    progress: bool,
    by: By = "masks",
) -> Iterator[VideoOverlaps]:
    """Compare predictions with objects of the same group, one video at a time, by video id.

    `by` their masks, or the boxes around the predicted masks with the annotated boxes.
    """
    rows = Rows(predictions, dataset)
    groups = np.full_like(rows.categories, ALL_CLASSES) if class_agnostic else rows.categories
    order = np.lexsort((rows.categories, -rows.scores, groups, rows.videos))  # stable
    videos = sorted(dataset.videos, key=lambda video: video.id)
    bounds = np.searchsorted(rows.videos[order], [video.id for video in videos] + [np.inf])
    for number, video in enumerate(tqdm(videos, desc="IoU", unit="video", disable=not progress)):
        own = order[bounds[number] : bounds[number + 1]]
        yield _compare(dataset, video, rows, own, groups[own], class_agnostic, by)


def _compare(
    dataset: VISDataset,
    video: Video,
    rows: Rows,
    own: np.ndarray,
    groups: np.ndarray,
    class_agnostic: bool,
    by: By,
) -> VideoOverlaps:
    """`own` are the video's rows and `groups` theirs, group after group, best first."""
    objects = tuple(sorted(dataset.tracks_of(video.id), key=lambda track: track.category_id))
    object_groups = np.array(
        [ALL_CLASSES if class_agnostic else track.category_id for track in objects], dtype=int
    )
    predicted, which = _predicted(rows, own, video, by)
    truth = annotated(objects, video) if by == "boxes" else _object_runs(objects, video)
    ranks = _ranks(groups)
    kept = ranks < MOST_PREDICTIONS
    own, groups, ranks, which = own[kept], groups[kept], ranks[kept], which[kept]
    same_group = groups[:, None] == object_groups[None, :]
    wanted = np.zeros((len(predicted.areas), len(objects)), dtype=bool)
    np.logical_or.at(wanted, which, same_group)
    return VideoOverlaps(
        video=video,
        objects=objects,
        object_groups=object_groups,
        object_areas=_object_areas(objects, truth),
        positions=own,
        groups=groups,
        scores=rows.scores[own],
        ranks=ranks,
        areas=_mean_areas(predicted.areas)[which],
        ious=np.where(same_group, predicted.ious(truth, wanted)[which], np.nan),
    )


def _ranks(groups: np.ndarray) -> np.ndarray:
    """Each entry's place within its group; equal groups stand together."""
    begins = np.flatnonzero(np.diff(groups, prepend=-np.inf))
    sizes = np.diff(begins, append=len(groups))
    return np.arange(len(groups)) - np.repeat(begins, sizes)


def _mean_areas(areas: np.ndarray) -> np.ndarray:
    """(tracks, frames) -> (tracks,) over the frames with a track; 0 for one that is in none."""
    return areas.sum(axis=1) / np.maximum(np.count_nonzero(areas, axis=1), 1)


def _object_areas(objects: tuple[Track, ...], truth: TrackRuns | TrackBoxes) -> np.ndarray:
    """Of masks the mean of what the annotation states, as the official evaluator takes it."""
    means = _mean_areas(truth.areas)
    for number, track in enumerate(objects):
        if track.areas is not None and isinstance(truth, TrackRuns):
            stated = [area for area in track.areas if area]
            means[number] = sum(stated) / len(stated) if stated else 0.0
    return means


def _object_runs(objects: tuple[Track, ...], video: Video) -> TrackRuns:
    """A data set that was read is sound; one made by hand may not be."""
    try:
        return track_runs([track.masks for track in objects], video)
    except ValueError as error:
        raise DataError(
            f"the ground truth's masks do not fit the video: {error}",
            video=video.name,
            field="masks",
            remedy=f"Give each track one mask or None for each of {video.length} frames, "
            f"encoded at {video.height} x {video.width} (height x width)",
        ) from None


def _predicted(
    rows: Rows, own: np.ndarray, video: Video, by: By
) -> tuple[TrackRuns | TrackBoxes, np.ndarray]:
    """The distinct predictions, and which of them each of `own` is.

    Models that give one mask several classes repeat it; it is taken apart and compared once.
    """
    measured = around_masks if by == "boxes" else track_runs
    records = [rows.record(index, video.name) for index in own]
    try:
        distinct, which = _distinct([record.value.get("segmentations") for record in records])
        return measured(distinct, video), which
    except (AttributeError, KeyError, TypeError, ValueError):
        # Not all compressed RLE: read with care, which takes other codes and names any fault.
        distinct, which = _distinct([parse_masks(record, video) for record in records])
        return measured(distinct, video), which


def _distinct(tracks: list) -> tuple[list, np.ndarray]:
    """The different ones of tracks of masks, and which of them each is."""
    places: dict[tuple, int] = {}  # by the codes of all frames
    distinct, which = [], []
    for masks in tracks:
        codes = tuple(rle and (rle["counts"], *rle["size"]) for rle in masks)
        if codes not in places:
            places[codes] = len(distinct)
            distinct.append(masks)
        which.append(places[codes])
    return distinct, np.array(which, dtype=int)
