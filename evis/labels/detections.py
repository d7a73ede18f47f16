"""What any detector found, from its results file: CutLER's released one enters here."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evis.data.annotations import LAYOUTS, frame_masks
from evis.data.jsonfile import Record
from evis.data.predictions import PredictedTrack, read_rows
from evis.data.types import Category, VISDataset
from evis.labels.datasets import OBJECT, as_dataset


def from_file(
    results: str | Path,
    dataset: VISDataset,
    least: float = 0.7,
    classes: Sequence[Category] = (),
    origin: str | None = None,
) -> VISDataset:
    """The data set's videos under the detections of a results file in place of its own labels.

    results: one json list, or a zip that holds it, as COCO and YouTube-VIS have them. Of a picture,
        a video of one frame, an entry has `image_id` and `segmentation`; of a video `video_id` and
        `segmentations`, one or null a frame. All have `score` and `category_id`.
    least: the score from which on a detection is a label (0.7: UVIS, section 4.1).
    classes: what the file's `category_id` says. Without, it says nothing: all are objects.
    origin: what made the detections; by default, the file's name.

    Nothing of the set's own labels is read, so that the result costs no annotation of these videos;
    what the detector has learnt from elsewhere, `origin` names.
    """
    if not 0 <= least <= 1:
        raise ValueError(f"a score is in [0, 1], so that the least can't be {least}")
    unlabelled = replace(dataset.bare(), categories=tuple(classes) or (OBJECT,))
    found = [
        _detection(Record(row, file=Path(results), path=f"[{number}]"), unlabelled, bool(classes))
        for number, row in enumerate(read_rows(results))
    ]
    kept = [track for track in found if track.score >= least]
    made_by = origin or f"detections of {Path(results).name}"
    return as_dataset(unlabelled, kept, f"{made_by}, scores from {least:g}")


def _detection(record: Record, dataset: VISDataset, is_named: bool) -> PredictedTrack:
    kinds = [layout for layout in LAYOUTS.values() if record.has(layout.video_id)]
    if len(kinds) != 1:
        raise record.error("should have image_id, of a picture, or video_id, of a video")
    (layout,) = kinds
    video = dataset.video(record.one_of(layout.video_id, dataset.videos_by_id))
    record.video = video.name
    if not layout.lists and video.length > 1:
        remedy = "Give the frames as pictures of a set (COCO), or entries with video_id"
        problem = f"says a picture, and it is a video of {video.length} frames"
        raise record.error(problem, layout.video_id, remedy=remedy)
    category = OBJECT.id
    if is_named:
        category = record.one_of("category_id", dataset.category_names)
    score = record.number("score")
    if not record.has(layout.masks):
        raise record.error("is missing", layout.masks, remedy="Labels need masks, not boxes alone")
    return PredictedTrack(video.id, category, score, frame_masks(record, video, layout))
