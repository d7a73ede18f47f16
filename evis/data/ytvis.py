"""YouTube-VIS 2019/2021 and OVIS json."""

from pathlib import Path

from evis.data import annotations
from evis.data.annotations import YTVIS, read
from evis.data.types import VISDataset

__all__ = ["read", "write"]


def write(dataset: VISDataset, path: str | Path) -> Path:
    """Write the data set's annotations, at whatever level it holds, in the official layout."""
    return annotations.write(dataset, path, YTVIS)
