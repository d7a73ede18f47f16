"""A model on videos: predicted tracks, overlays and tables."""

from evis.inference.datasets import predict_dataset
from evis.inference.one_video import predict
from evis.inference.options import Options

__all__ = ["Options", "predict", "predict_dataset"]
