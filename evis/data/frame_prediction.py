"""What a model says of each frame on its own, as losses and trackers read it."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class FramePrediction:
    """Q queries a frame. Query q of another frame may be another object: trackers link them."""

    class_logits: Tensor  # (B, T, Q, C), one sigmoid a class: "no object" is no class of its own
    boxes: Tensor  # (B, T, Q, 4) cx, cy, w, h in 0..1 of the picture without padding
    mask_logits: Tensor  # (B, T, Q, h, w): a logit stands for stride x stride pixels
    embeddings: Tensor | None = None  # (B, T, Q, E), what trackers compare; None in earlier layers
    layers: tuple["FramePrediction", ...] = ()  # the earlier decoder layers', first to last
    stride: int = 4
