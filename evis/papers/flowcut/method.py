"""How FlowCut and VideoCutLER plug into the engine (`evis.training.Method`)."""

from evis.training.mask_stage import build, loss

__all__ = ["build", "loss"]
