"""Labels made from weaker ones: each step takes a data set and returns another, origin and all."""

from evis.labels.datasets import as_dataset
from evis.labels.detections import from_file

__all__ = ["as_dataset", "from_file"]
