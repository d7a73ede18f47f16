"""Predictions held against the ground truth: ranked, and their IoUs, video by video."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from tqdm.auto import tqdm

from evis.data.errors import DataError
from evis.data.types import Track, Video, VISDataset
from evis.data.ytvis import parse_masks
from evis.metrics import box_iou
from evis.metrics.track_iou import TrackRuns, track_ious, track_runs
from evis.metrics.ytvis_inputs import Predictions, Rows

MOST_PREDICTIONS = 100  # a video and class; the lower-scored rest is left out
By = Literal["masks", "boxes"]
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
    if by == "boxes":
        found, which = _careful_masks(rows, own, video)
        predicted, annotated = box_iou.around_masks(found, video), box_iou.annotated(objects, video)
        areas, pair_ious = annotated.mean_areas(), box_iou.box_ious
    else:
        predicted, which = _predicted_runs(rows, own, video)
        annotated = _object_runs(objects, video)
        areas, pair_ious = _object_areas(objects, annotated), track_ious
    ranks = _ranks(groups)
    kept = ranks < MOST_PREDICTIONS
    own, groups, ranks, which = own[kept], groups[kept], ranks[kept], which[kept]
    same_group = groups[:, None] == object_groups[None, :]
    wanted = np.zeros((len(predicted), len(objects)), dtype=bool)
    np.logical_or.at(wanted, which, same_group)
    return VideoOverlaps(
        video=video,
        objects=objects,
        object_groups=object_groups,
        object_areas=areas,
        positions=own,
        groups=groups,
        scores=rows.scores[own],
        ranks=ranks,
        areas=predicted.mean_areas()[which],
        ious=np.where(same_group, pair_ious(predicted, annotated, wanted)[which], np.nan),
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


def _object_runs(objects: tuple[Track, ...], video: Video) -> TrackRuns:
    """A data set that was read is sound; one made by hand may not be."""
    size = [video.height, video.width]
    try:
        for track in objects:
            sizes = [mask["size"] for mask in track.masks if mask is not None]
            if len(track.masks) != video.length or any(found != size for found in sizes):
                raise ValueError(f"those of track {track.id} have another length or size")
        return track_runs([track.masks for track in objects], video.length, _pixels(video))
    except ValueError as error:
        raise DataError(
            f"the ground truth's masks do not fit the video: {error}",
            video=video.name,
            field="masks",
            remedy=f"Give each track one mask or None for each of {video.length} frames, "
            f"encoded at {video.height} x {video.width} (height x width)",
        ) from None


def _predicted_runs(rows: Rows, own: np.ndarray, video: Video) -> tuple[TrackRuns, np.ndarray]:
    """The runs of the distinct predictions, and which of them each of `own` is.

    Models that give one mask several classes repeat it; it is taken apart and compared once.
    """
    try:
        distinct, which = _distinct([rows.masks[index] for index in own], video)
        runs = track_runs(distinct, video.length, _pixels(video))
    except (AttributeError, KeyError, TypeError, ValueError):
        distinct, which = _careful_masks(rows, own, video)
        runs = track_runs(distinct, video.length, _pixels(video))
    return runs, which


def _careful_masks(rows: Rows, own: np.ndarray, video: Video) -> tuple[list, np.ndarray]:
    """As `_distinct`, of masks in any code that files may have; any fault is named."""
    return _distinct([parse_masks(rows.record(n, video.name), video) for n in own], video)


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
