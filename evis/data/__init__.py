"""Data in the formats that the field uses: read, checked, weakened, sampled, written."""

from evis.data.errors import DataError
from evis.data.types import Category, Point, Track, Video, VISDataset

__all__ = ["Category", "DataError", "Point", "Track", "VISDataset", "Video"]
