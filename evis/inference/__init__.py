"""A model on videos: predicted tracks, overlays and tables."""

from evis.inference.datasets import predict_dataset
from evis.inference.frames import VideoFrames
from evis.inference.one_video import predict
from evis.inference.options import Options

__all__ = ["Options", "VideoFrames", "predict", "predict_dataset"]
