"""A drawn mask, for notebooks that look at spectra."""

import torch
from torch import Tensor


def disc(
    centre: tuple[float, float] = (0.5, 0.5),
    radius: float = 0.25,
    confidence: float = 8.0,
    size: tuple[int, int] = (40, 56),
    softness: float = 2.0,
) -> Tensor:
    """(h, w) mask logits of a disc; centre and radius in frame heights, softness in pixels."""
    height, width = size
    rows = torch.arange(height).float()[:, None] + 0.5
    columns = torch.arange(width).float()[None, :] + 0.5
    y, x = centre[1] * height, centre[0] * height + (width - height) / 2
    distance = ((rows - y) ** 2 + (columns - x) ** 2).sqrt()
    return confidence * torch.tanh((radius * height - distance) / softness)
