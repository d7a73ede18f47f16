"""What a model says of a batch of clips, as losses and trackers read it."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ClipPrediction:
    """Q queries over T frames. Query q is one object through the whole clip, or none."""

    class_logits: Tensor  # (B, Q, C+1), the last class is "no object"
    mask_logits: Tensor  # (B, Q, T, h, w) at a quarter of the frames' size
    layers: tuple["ClipPrediction", ...] = ()  # the earlier decoder layers', first to last
