"""Predictions held against the ground truth: ranked, and their IoUs, video by video."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from evis.data import masks
from evis.data.errors import DataError
from evis.data.jsonfile import Record
from evis.data.masks import RLE
from evis.data.predictions import PredictedTrack, from_dataset, identify, parse_masks, read_rows
from evis.data.types import Track, Video, VISDataset
from evis.metrics import box_iou, track_iou
from evis.metrics.track_iou import Overlap

MOST_PREDICTIONS = 100  # a video and class; the lower-scored rest is left out
By = Literal["masks", "boxes"]
Predictions = VISDataset | Sequence[PredictedTrack] | Sequence[dict[str, Any]] | str | Path
ALL_CLASSES = 0  # the one group of a class-agnostic comparison


class Rows:
    """The predictions as columns, but for their masks: a whole video's are checked at once."""

    def __init__(self, predictions: Predictions, dataset: VISDataset, class_agnostic: bool):
        if isinstance(predictions, VISDataset):
            predictions = from_dataset(_as_named(predictions, dataset, class_agnostic))
        if class_agnostic:  # then any category will do
            dataset = replace(dataset, categories=())
        self.file = predictions if isinstance(predictions, str | Path) else None
        rows = predictions if self.file is None else read_rows(self.file)
        if not isinstance(rows, Sequence):
            raise DataError("should be a list of predicted tracks")
        self._rows = rows
        columns = _sound_columns(rows, dataset)
        if columns is None:  # read with care, which takes other numbers and names any fault
            identified = [identify(self.record(n), dataset) for n in range(len(rows))]
            columns = [[video.id for video, _, _ in identified]]
            columns += [[row[place] for row in identified] for place in (1, 2)]
        self.videos, self.categories = (np.array(ids, dtype=np.int64) for ids in columns[:2])
        self.scores = np.array(columns[2], dtype=np.float64)

    def masks(self, indices: np.ndarray) -> list:
        """One entry a row; nothing in them is checked."""
        rows = map(self._rows.__getitem__, indices.tolist())
        return [r.masks if isinstance(r, PredictedTrack) else r["segmentations"] for r in rows]

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


def _as_named(made: VISDataset, truth: VISDataset, class_agnostic: bool) -> VISDataset:
    """Labels under the truth's ids. Of classes and of videos a name is what says which is meant:
    ids count anew in every set."""
    remedy = "Label the videos of the annotation json itself"
    for video in made.videos:
        known = truth.videos_by_id.get(video.id)
        if made.tracks_of(video.id) and not (known and video.is_called_as(known)):
            problem = "is no video of these annotations, or has another id there"
            raise DataError(problem, video=video.name, field=f"video_id {video.id}", remedy=remedy)
    if class_agnostic:
        return made
    try:
        return made.under_classes(truth.categories)
    except DataError:
        names = ", ".join(category.name for category in truth.categories)
        raise DataError(
            "no class of the labels is a class of the annotations",
            remedy=f"Name them as there (evis label none --names), from {names}; or score objects "
            "whatever their class (--class-agnostic)",
        ) from None


def _sound_columns(rows: Sequence, dataset: VISDataset) -> list[list] | None:
    """Video ids, categories and scores, if all are plain numbers that `identify` would take."""
    try:
        columns = [[row[key] for row in rows] for key in ("video_id", "category_id", "score")]
    except (KeyError, TypeError):
        return None
    if not all(set(map(type, ids)) <= {int} for ids in columns[:2]):
        return None
    videos, categories = map(set, columns[:2])
    # Without any categories all numbers will do that json holds exactly.
    known = dataset.category_names.keys() or {id for id in categories if abs(id) < 2**53}
    if not (videos <= dataset.videos_by_id.keys() and categories <= known):
        return None
    are_scores = set(map(type, columns[2])) <= {float} and np.isfinite(columns[2]).all()
    return columns if are_scores else None


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
    rows = Rows(predictions, dataset, class_agnostic)
    groups = np.full_like(rows.categories, ALL_CLASSES) if class_agnostic else rows.categories
    order = np.lexsort((rows.categories, -rows.scores, groups, rows.videos))  # stable
    keys = [rows.videos[order], groups[order]]
    ranks = pd.Series(order).groupby(keys).cumcount().to_numpy()  # within a video and group
    videos = sorted(dataset.videos, key=lambda video: video.id)
    bounds = np.searchsorted(rows.videos[order], [video.id for video in videos] + [np.inf])
    for number, video in enumerate(tqdm(videos, desc="IoU", unit="video", disable=not progress)):
        part = slice(bounds[number], bounds[number + 1])
        own = order[part]
        yield _compare(dataset, video, rows, own, groups[own], ranks[part], class_agnostic, by)


def _compare(
    dataset: VISDataset,
    video: Video,
    rows: Rows,
    own: np.ndarray,
    groups: np.ndarray,
    ranks: np.ndarray,
    class_agnostic: bool,
    by: By,
) -> VideoOverlaps:
    """`own` are the video's rows, `groups` and `ranks` theirs, group after group, best first."""
    objects = tuple(sorted(dataset.tracks_of(video.id), key=lambda track: track.category_id))
    object_groups = np.array(
        [ALL_CLASSES if class_agnostic else track.category_id for track in objects], dtype=int
    )
    kept = ranks < MOST_PREDICTIONS
    same_group = (groups[:, None] == object_groups) & kept[:, None]
    overlap, which = _overlap(rows, own, objects, same_group, video, by)
    own, groups, ranks, which = own[kept], groups[kept], ranks[kept], which[kept]
    return VideoOverlaps(
        video=video,
        objects=objects,
        object_groups=object_groups,
        object_areas=_object_areas(objects, overlap.object_areas, by),
        positions=own,
        groups=groups,
        scores=rows.scores[own],
        ranks=ranks,
        areas=_mean_areas(overlap.areas)[which],
        ious=np.where(same_group[kept], overlap.ious[which], np.nan),
    )


def _mean_areas(areas: np.ndarray) -> np.ndarray:
    """(tracks, frames) -> (tracks,) over the frames with a track; 0 for one that is in none."""
    return areas.sum(axis=1) / np.maximum(np.count_nonzero(areas, axis=1), 1)


def _object_areas(objects: tuple[Track, ...], areas: np.ndarray, by: By) -> np.ndarray:
    """Of masks the mean of what the annotation states, as the official evaluator takes it."""
    means = _mean_areas(areas)
    for number, track in enumerate(objects):
        if track.areas is not None and by == "masks":
            stated = [area for area in track.areas if area]
            means[number] = sum(stated) / len(stated) if stated else 0.0
    return means


def _overlap(
    rows: Rows,
    own: np.ndarray,
    objects: tuple[Track, ...],
    wanted: np.ndarray,
    video: Video,
    by: By,
) -> tuple[Overlap, np.ndarray]:
    """Of the distinct predictions, and which of them each of `own` is; `wanted` pairs at least.

    Models that give one mask several classes repeat it; it is taken apart and compared once.
    """

    in_file = np.sort(own)  # as they lie in memory, which is read once

    def compared(tracks: list) -> tuple[Overlap, np.ndarray]:
        distinct, which = _distinct(tracks)
        which = which[np.searchsorted(in_file, own)]
        if by == "boxes":
            boxes = [[rle and masks.tight_box(rle) for rle in track] for track in distinct]
            return box_iou.compare(boxes, [track.boxes for track in objects], video), which
        pairs = np.zeros((len(distinct), len(objects)), dtype=bool)
        place, column = np.nonzero(wanted)
        pairs[which[place], column] = True
        of_objects = [track.masks for track in objects]
        return track_iou.compare(distinct, of_objects, pairs, video), which

    if by == "masks":
        with suppress(AttributeError, KeyError, TypeError, ValueError):
            return compared(rows.masks(in_file))
    # Not all compressed RLE: read with care, which takes other codes and names any fault.
    tracks = [parse_masks(rows.record(index, video.name), video) for index in in_file]
    try:
        return compared(tracks)
    except ValueError as error:  # a data set that was read is sound; one made by hand may not be
        raise DataError(
            f"the ground truth's {by} do not fit the video: {error}",
            video=video.name,
            field=by,
            remedy=f"Give each track one of the {by} or None for each of {video.length} frames, "
            f"of a picture of {video.height} x {video.width} (height x width)",
        ) from None


def _distinct(tracks: list) -> tuple[list, np.ndarray]:
    """The different ones of tracks of masks, and which of them each is."""
    places: dict[str | None, list[int]] = {}  # of those whose first masks are alike
    distinct, which = [], []
    for track in tracks:
        alike = places.setdefault(_first(track), [])
        for place in alike:
            if distinct[place] == track:
                break
        else:
            place = len(distinct)
            distinct.append(track)
            alike.append(place)
        which.append(place)
    return distinct, np.array(which, dtype=int)


def _first(track: Sequence[RLE | None]) -> str | None:
    """The code of a track's first mask."""
    for rle in track:
        if rle:
            return rle["counts"]
    return None
