"""What a model says of a batch of clips, as losses and trackers read it."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ClipPrediction:
    """Q queries over T frames. Query q is one object through the whole clip, or none."""

    class_logits: Tensor  # (B, Q, C+1), the last class is "no object"
    mask_logits: Tensor  # (B, Q, T, h, w): a logit stands for stride x stride pixels
    layers: tuple["ClipPrediction", ...] = ()  # the earlier decoder layers', first to last
    embeddings: Tensor | None = None  # (B, Q, C), what trackers compare queries by
    stride: int = 4
