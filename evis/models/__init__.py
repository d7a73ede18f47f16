"""Mask2Former for video: sizes, the network, and weights in and out."""

from evis.models.checkpoints import (
    load,
    load_backbone,
    load_into,
    load_reference,
    load_with_report,
    read_about,
    save,
)
from evis.models.config import SIZES, ModelConfig, named
from evis.models.report import Report
from evis.models.video_mask2former import VideoMask2Former

__all__ = [
    "SIZES",
    "ModelConfig",
    "Report",
    "VideoMask2Former",
    "load",
    "load_backbone",
    "load_into",
    "load_reference",
    "load_with_report",
    "named",
    "read_about",
    "save",
]
