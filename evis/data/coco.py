"""COCO instances json as a data set of one-frame videos.

A picture is a video of one frame, an instance a track of length one, so that stage one, which
trains on still pictures, runs through the same code as the stages that train on videos.
"""

from pathlib import Path

from evis.data import annotations
from evis.data.annotations import COCO, read
from evis.data.errors import DataError
from evis.data.types import VISDataset

__all__ = ["read", "write"]


def write(dataset: VISDataset, path: str | Path) -> Path:
    """Write a data set of one-frame videos, with its masks or boxes, in COCO's layout."""
    longer = next((video for video in dataset.videos if video.length != 1), None)
    if longer is not None or "points" in dataset.kinds:
        raise DataError(
            "COCO's layout holds single pictures, and no points",
            video=longer and longer.name,
            remedy="Write it with evis.data.ytvis",
        )
    return annotations.write(dataset, path, COCO)
