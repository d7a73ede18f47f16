"""Masks that an algorithm made, as a data set that can be trained on."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from evis.data import annotations, files
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.supervision import LEVELS, weaken
from evis.data.types import Category, Track, VISDataset

OBJECT = Category(1, "object")  # the class of what is found without names


def as_dataset(
    dataset: VISDataset, predictions: Sequence[PredictedTrack], origin: str
) -> VISDataset:
    """The data set's videos under predicted tracks in place of its own.

    `dataset` is what the predictions were made from: its supervision is what they cost, so give the
    weakened one. `origin` says what made them. Scores go: select tracks before. A track without any
    mask is left out.
    """
    tracks = []
    for number, track in enumerate(predictions):
        video = dataset.video(track.video_id)
        if len(track.masks) != video.length or track.category_id not in dataset.category_names:
            raise DataError(
                f"prediction {number} has {len(track.masks)} masks and category "
                f"{track.category_id}, its video {video.length} frames",
                video=video.name,
                remedy="Give one mask or None a frame, and a category of the data set's",
            )
        if any(mask is not None for mask in track.masks):
            bare = Track(len(tracks) + 1, video.id, track.category_id)
            tracks.append(bare.with_masks(track.masks))
    return made(dataset, tracks, origin)


def made(
    dataset: VISDataset, tracks: Sequence[Track], origin: str, *others: VISDataset
) -> VISDataset:
    """The data set with made tracks; what made an earlier set's labels stays part of its origin.

    others: what the tracks were made from beside the data set. They cost what the dearest cost.
    """
    if not origin:
        raise DataError("made labels need an origin", field="origin", remedy="Say what made them")
    # a file's name may be no text, which no json holds
    origin = origin.encode(errors="surrogateescape").decode(errors="backslashreplace")
    if dataset.origin is not None:
        origin = f"{origin}, from {dataset.origin}"
    cost = min((each.supervision for each in (dataset, *others)), key=LEVELS.index)
    return replace(dataset, tracks=tuple(tracks), origin=origin, supervision=cost)


def of_object(track: Track, *others: VISDataset) -> tuple[Track, ...]:
    """The track, and those of the same object, by video and id, in the others that have one."""
    key = track.video_id, track.id
    found = (track, *(other.tracks_by_id[key] for other in others if key in other.tracks_by_id))
    parts = (part for one in found for part in (one.boxes, one.masks) if part is not None)
    if len(set(map(len, parts))) > 1:
        problem = f"object {track.id}'s boxes and masks are of different numbers of frames"
        raise DataError(problem, video=track.video_id, remedy="Give labels of one set of videos")
    return found


def by_video(
    dataset: VISDataset, predictions: Sequence[PredictedTrack]
) -> dict[int, list[PredictedTrack]]:
    """Predictions of the data set's videos, by the video's id."""
    grouped: dict[int, list[PredictedTrack]] = {video.id: [] for video in dataset.videos}
    for track in predictions:
        video = dataset.video(track.video_id)
        if len(track.masks) != video.length:
            problem = f"a track has {len(track.masks)} entries for {video.length} frames"
            raise DataError(problem, video=video.name, remedy="Give one mask or None a frame")
        grouped[video.id].append(track)
    return grouped


def read_made(file: str) -> VISDataset:
    """Labels in a file. A process reads it once, as long as it is the same."""
    return _read(file, files.digest(file))


@lru_cache(maxsize=2)
def _read(file: str, digest: str) -> VISDataset:
    return annotations.read(file)


def made_before(file: str, dataset: VISDataset) -> VISDataset:
    """The data set, which has boxes, under the masks that a file has of its videos and objects.

    Classes are the data set's. Masks of other boxes, as where one was corrected since, are refused.
    """
    known = read_made(file)
    remedy = "Make them of these boxes: evis label boxes"
    if known.origin is None or any(None in (t.masks, t.boxes) for t in known.tracks):
        problem = "holds no masks that were made from boxes"
        raise DataError(problem, file=file, remedy=remedy)
    weaken(known, dataset.supervision)  # refuses masks that cost more than these boxes
    for video in dataset.videos:
        theirs = known.videos_by_id.get(video.id)
        if not (theirs and theirs.length == video.length and theirs.is_called_as(video)):
            raise DataError("has no such video", file=file, video=video.name, remedy=remedy)
    tracks = []
    for track in dataset.tracks:
        if found := known.tracks_by_id.get((track.video_id, track.id)):
            _check_boxes(track, found, file)
            tracks.append(replace(found, category_id=track.category_id))
    return made(dataset, tracks, str(known.origin))


def _check_boxes(track: Track, masked: Track, file: str) -> None:
    """Masks are of the boxes that they were made from, but for rounding."""
    for frame, (box, before) in enumerate(zip(track.boxes, masked.boxes, strict=True)):
        if before and (box is None or max(map(abs, np.subtract(box, before))) >= 1):
            problem = f"its masks of object {track.id} were made from another box than {box}"
            place = {"file": file, "video": track.video_id, "frame": frame}
            raise DataError(problem, **place, remedy="Make them anew: evis label boxes")
