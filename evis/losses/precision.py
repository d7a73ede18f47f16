"""What losses compute in: float32 at least, under autocast and on half-precision logits too."""

import torch
from torch import Tensor


def full_precision(values: Tensor) -> Tensor:
    """float64 as it is, anything else as float32."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
