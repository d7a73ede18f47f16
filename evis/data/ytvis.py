"""YouTube-VIS 2019/2021 and OVIS json, read and written; COCO json is read, too."""

from evis.data.annotations import read, write

__all__ = ["read", "write"]
