"""COCO instances json as a data set of one-frame videos.

A picture is a video of one frame, an instance a track of length one, so that stage one, which
trains on still pictures, runs through the same code as the stages that train on videos.
"""

from pathlib import Path

from evis.data import annotations
from evis.data.annotations import COCO
from evis.data.errors import DataError
from evis.data.types import VISDataset


def read(annotations_json: str | Path, frames_root: str | Path | None = None) -> VISDataset:
    """Read an instances file; pictures stay on disk below `frames_root` until asked for.

    As in `evis.data.ytvis.read`, boxes and areas are taken from the masks where the file lists
    none. A file without annotations (the official test split) gives a data set without tracks.
    """
    return annotations.read(annotations_json, frames_root, COCO)


def write(dataset: VISDataset, path: str | Path) -> Path:
    """Write a data set of one-frame videos, with its masks or boxes, in COCO's layout."""
    for video in dataset.videos:
        if video.length != 1:
            raise DataError(
                f"has {video.length} frames, COCO's layout holds single pictures",
                video=video.name,
                remedy="Write videos with evis.data.ytvis",
            )
    if "points" in dataset.kinds:
        raise DataError("COCO's layout holds no points", remedy="Write them with evis.data.ytvis")
    return annotations.write(dataset, path, COCO)
