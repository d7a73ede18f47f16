"""Mask2Former for video and IDOL: sizes, the networks, and weights in and out."""

from evis.models.checkpoints import load, load_reference, read_about, save
from evis.models.config import SIZES, ModelConfig, named
from evis.models.idol import IDOL
from evis.models.video_mask2former import VideoMask2Former

__all__ = [
    "IDOL",
    "SIZES",
    "ModelConfig",
    "VideoMask2Former",
    "load",
    "load_reference",
    "named",
    "read_about",
    "save",
]
