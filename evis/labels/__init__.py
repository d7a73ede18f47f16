"""Labels made from weaker ones: each step takes a data set and returns another, origin and all."""

from evis.labels.datasets import as_dataset

__all__ = ["as_dataset"]
