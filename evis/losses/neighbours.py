"""A pixel's dilated 3x3 window, and what two pixels cost if they should share a label."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Offsets = Sequence[tuple[int, int]]

WINDOW = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))  # in row order
RING = tuple(offset for offset in WINDOW if offset != (0, 0))


def shifted(picture: Tensor, dilation: int, offsets: Offsets = WINDOW) -> list[Tensor]:
    """One (..., h, w) an offset: at p its value at p + dilation * offset, 0 outside the picture."""
    height, width = picture.shape[-2:]
    padded = F.pad(picture, [dilation] * 4)
    tops_and_lefts = [(dilation * (y + 1), dilation * (x + 1)) for y, x in offsets]
    return [padded[..., y : y + height, x : x + width] for y, x in tops_and_lefts]


def inside_picture(picture: Tensor, dilation: int, offsets: Offsets = WINDOW) -> Tensor:
    """(offsets, h, w) bool: where p + dilation * offset is a pixel."""
    everywhere = torch.ones(picture.shape[-2:], device=picture.device)
    return torch.stack(shifted(everywhere, dilation, offsets)).bool()


def displaced(picture: Tensor, displacement: Tensor) -> tuple[Tensor, Tensor]:
    """(N, h, w) read at p + each displacement, (N, K, h, w), and which of these are inside it.

    displacement: (N or 1, K, 2, h, w), x and y in pixels. Bilinear between pixels; what lies
    outside reads the nearest pixel of the border.
    """
    height, width = picture.shape[-2:]
    x = displacement[:, :, 0] + torch.arange(width, device=picture.device)
    y = displacement[:, :, 1] + torch.arange(height, device=picture.device).unsqueeze(-1)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1).to(picture)
    read = F.grid_sample(
        picture.unsqueeze(1),
        grid.flatten(1, 2).expand(len(picture), -1, -1, -1),  # the K grids below one another
        padding_mode="border",
        align_corners=False,
    )
    return read.squeeze(1).unflatten(1, (-1, height)), inside


def label_cost(first: Tensor, second: Tensor) -> Tensor:
    """-log P(same label) of pixels with these mask logits (Eq. 11), elementwise, float32 at least.

    P = m n + (1 - m)(1 - n), in log space: finite, with finite gradients, for any finite logits.
    """
    return _cost(*_log_probabilities(first), *_log_probabilities(second))


def window_cost(first: Tensor, second: Tensor, dilation: int, offsets: Offsets = WINDOW) -> Tensor:
    """The cost between `second` at p and `first` at p + dilation * offset.

    (..., h, w) each -> (..., offsets, h, w). A neighbour outside the picture costs nothing.
    """
    foreground, background = _log_probabilities(first)
    here = _log_probabilities(second)
    there = zip(
        shifted(foreground, dilation, offsets), shifted(background, dilation, offsets), strict=True
    )
    cost = torch.stack([_cost(*logs, *here) for logs in there], dim=-3)
    return torch.where(inside_picture(second, dilation, offsets), cost, 0.0)


def _log_probabilities(logits: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.logsigmoid(logits), F.logsigmoid(-logits)


def _cost(foreground: Tensor, background: Tensor, other_foreground: Tensor, other_background):
    return -torch.logaddexp(foreground + other_foreground, background + other_background)


def weighted_mean(cost: Tensor, weight: Tensor) -> Tensor:
    """0, with a gradient of 0, where nothing has weight; less than one in all counts as one."""
    return (cost * weight).sum() / weight.sum().clamp(min=1)
