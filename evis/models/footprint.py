"""How much memory a clip takes where no gradient is wanted, worked out from sizes alone."""

from evis.models.config import ModelConfig
from evis.models.pixel_decoder import LEVELS
from evis.models.video_mask2former import SEEN_AT_ONCE

_FLOAT = 4  # bytes
_SEEING = 100  # floats a pixel that backbone and pixel decoder hold at their worst, about


def of_frame(config: ModelConfig, height: int, width: int) -> int:
    """Bytes that each frame of a clip adds, the last layer's prediction included.

    An estimate from above: the largest tensors of the video decoder that live at the same time.
    """
    strides = config.backbone.strides
    height, width = (side + -side % strides[-1] for side in (height, width))
    embedded = height * width // strides[0] ** 2
    tokens = [height * width // stride**2 for stride in strides[-LEVELS:]]
    features = 2 * config.hidden * sum(tokens) + 2 * config.mask_channels * embedded
    # Keys and values of the finest level, and what each head of each query may not read there.
    attention = 4 * config.hidden * tokens[0] + 1.25 * config.heads * config.queries * tokens[0]
    masks = 3 * config.queries * embedded
    return int(_FLOAT * (features + attention + masks))


def of_seeing(height: int, width: int) -> int:
    """Bytes that the features of one frame, or of a few small ones, take while they are made."""
    return _FLOAT * _SEEING * max(height * width, SEEN_AT_ONCE)
