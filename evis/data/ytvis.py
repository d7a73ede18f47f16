"""YouTube-VIS 2019/2021 and OVIS json."""

from pathlib import Path

from evis.data import annotations, fields
from evis.data.annotations import YTVIS, frame_values
from evis.data.jsonfile import Record
from evis.data.masks import RLE
from evis.data.types import Video, VISDataset


def read(annotations_json: str | Path, frames_root: str | Path | None = None) -> VISDataset:
    """Read an annotation file; frames stay on disk below `frames_root` until asked for.

    A track keeps what the file gives: masks, boxes and areas a frame (boxes and areas are taken
    from the masks where the file lists none), or evis's own `points`. An empty mask and an all-zero
    box count as "not visible", and so does a box in a frame whose mask is null. Files without
    annotations (the official valid and test splits) give a data set without tracks.
    """
    return annotations.read(annotations_json, frames_root, YTVIS)


def write(dataset: VISDataset, path: str | Path) -> Path:
    """Write the data set's annotations, at whatever level it holds, in the official layout."""
    return annotations.write(dataset, path, YTVIS)


def parse_masks(record: Record, video: Video) -> tuple[RLE | None, ...]:
    """The record's `segmentations`, one mask a frame of `video`, each checked against its size."""
    record.list("segmentations", length=video.length)
    return frame_values(record, "segmentations", video, YTVIS, fields.mask)
