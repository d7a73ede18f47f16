"""Where a pixel lies, as a vector of sines: what attention adds to tell places apart."""

import math

import torch
from torch import Tensor


def plane(height: int, width: int, channels: int, device: torch.device | None = None) -> Tensor:
    """(height, width, channels): the code of y fills the first half, that of x the second."""
    y = sines(height, channels // 2, device)[:, None].expand(-1, width, -1)
    x = sines(width, channels // 2, device)[None].expand(height, -1, -1)
    return torch.cat([y, x], -1)


def sines(length: int, channels: int, device: torch.device | None = None) -> Tensor:
    """(length, channels): sine, cosine in turn; wavelengths from the length to 10,000 times it."""
    turns = torch.arange(1, length + 1, device=device) / (length + 1e-6) * 2 * math.pi
    powers = torch.arange(0, channels, 2, device=device) / channels
    angles = turns[:, None] / 10_000**powers
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
