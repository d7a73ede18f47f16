"""A pixel's dilated 3x3 window, and what two pixels cost if they should share a label."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from evis.losses.tensors import check_count, full_precision, moved

Offsets = Sequence[tuple[int, int]]

WINDOW = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))  # in row order
RING = tuple(offset for offset in WINDOW if offset != (0, 0))


def shifted(picture: Tensor, dilation: int, offsets: Offsets = WINDOW) -> list[Tensor]:
    """One (..., h, w) an offset: at p its value at p + dilation * offset, 0 outside the picture."""
    check_count("dilation", dilation)
    height, width = picture.shape[-2:]
    padded = F.pad(picture, [dilation] * 4)
    rows = padded.unfold(-2, height, dilation).unfold(-2, width, dilation).unbind(-4)
    window = [shift for row in rows for shift in row.unbind(-3)]
    return [window[WINDOW.index(offset)] for offset in offsets]


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
    """-log P(same label) of pixels with these mask logits (Eq. 11), elementwise.

    P = m n + (1 - m)(1 - n), in log space: finite, with finite gradients, for any finite logits.
    """
    a, b = full_precision(first), full_precision(second)
    both = F.logsigmoid(a) + F.logsigmoid(b)
    neither = F.logsigmoid(-a) + F.logsigmoid(-b)
    return -torch.logaddexp(both, neither)


def window_cost(first: Tensor, second: Tensor, dilation: int, offsets: Offsets = WINDOW) -> Tensor:
    """The cost between `second` at p and `first` at p + dilation * offset.

    (..., h, w) each -> (..., offsets, h, w). A neighbour outside the picture costs nothing.
    """
    neighbours = torch.stack(shifted(first, dilation, offsets), dim=-3)
    cost = label_cost(neighbours, second.unsqueeze(-3))
    return torch.where(inside_picture(second, dilation, offsets), cost, 0.0)


def edge_costs(
    mask_logits: Tensor,
    there: Tensor,
    here: Tensor,
    weight: Tensor,
    dilation: int,
    offsets: Offsets = WINDOW,
) -> tuple[Tensor, Tensor]:
    """weight * window_cost of G pairs of pictures, where it counts: (..., E); and of which pair.

    Few neighbours have a weight, the same ones in all decoder layers: only their cost is computed.
    mask_logits: (..., P, h, w), P pictures a layer; there and here: (G,), which of these are
    `first` and `second` of `window_cost`; weight: (G, offsets, h, w).
    """
    height, width = mask_logits.shape[-2:]
    pixels, window = height * width, len(offsets) * height * width
    weight = (weight * inside_picture(weight, dilation, offsets)).flatten()
    chosen = weight.nonzero().squeeze(1)  # (E,): a GPU is waited for here alone
    pair, place = chosen // window, chosen % pixels
    steps = moved([dilation * (y * width + x) for y, x in offsets], chosen.device)
    step = steps[chosen // pixels % len(offsets)]
    logits = full_precision(mask_logits).flatten(-3)
    each_layer = (*logits.shape[:-1], -1)
    first = logits.gather(-1, (there[pair] * pixels + place + step).expand(each_layer))
    second = logits.gather(-1, (here[pair] * pixels + place).expand(each_layer))
    return label_cost(first, second) * weight[chosen], pair


def weighted_mean(cost: Tensor, weight: Tensor) -> Tensor:
    """0, with a gradient of 0, where nothing has weight; less than one in all counts as one."""
    return (cost * weight).sum() / weight.sum().clamp(min=1)
