"""Mask losses on point samples, as Mask2Former trains: BCE, dice, and where to sample.

Every loss takes (M, P) logits and targets in [0, 1] and returns one value a row, (M,): the caller
sums and normalises. Where rows have points of different numbers, `counted` (M, P) bool says which
count; a row without any costs nothing. Arithmetic is in float32 at least, under autocast too.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from evis.losses.tensors import check_shapes, full_precision

OVERSAMPLE, IMPORTANCE = 3, 0.75  # as Mask2Former chooses points


def bce(logits: Tensor, targets: Tensor, counted: Tensor | None = None) -> Tensor:
    """Binary cross-entropy, averaged over a row's points."""
    logits = full_precision(logits)
    entropy = F.binary_cross_entropy_with_logits(logits, targets.to(logits), reduction="none")
    if counted is None:
        return entropy.mean(1)
    return entropy.masked_fill(~counted, 0).sum(1) / counted.sum(1).clamp(min=1)


def dice(logits: Tensor, targets: Tensor, counted: Tensor | None = None) -> Tensor:
    """1 - (2 sum(p t) + 1) / (sum(p) + sum(t) + 1); the ones make two empty rows a match."""
    p = full_precision(logits).sigmoid()
    targets = targets.to(p)
    if counted is not None:
        p, targets = (values.masked_fill(~counted, 0) for values in (p, targets))
    return 1 - (2 * (p * targets).sum(1) + 1) / (p.sum(1) + targets.sum(1) + 1)


def sample_points(maps: Tensor, points: Tensor) -> Tensor:
    """Bilinear values of (M, h, w) maps at (M, P, 2) points -> (M, P).

    Or of (M, K, h, w), K maps that share their points -> (M, K, P). Points are x, y in [0, 1] over
    the whole map (0 and 1 are its outer edges, not pixel centres); beyond the edge the map is 0.
    """
    if maps.ndim == 3:
        return sample_points(maps.unsqueeze(1), points).squeeze(1)
    check_shapes(points=(points, "M P 2"), maps=(maps, "M K h w"))
    maps = full_precision(maps)
    grid = (2 * points.to(maps) - 1).unsqueeze(2)  # (M, P, 1, 2) in [-1, 1]
    return F.grid_sample(maps, grid, mode="bilinear", align_corners=False).squeeze(-1)


def random_points(
    rows: int, count: int, device: torch.device, generator: torch.Generator | None = None
) -> Tensor:
    """(rows, count, 2) uniform points; drawn where the generator lives, so equal on any device."""
    source = device if generator is None else generator.device
    drawn = torch.rand(rows, count, 2, generator=generator, device=source)
    return drawn.to(device, non_blocking=True)


@torch.no_grad()
def uncertain_points(
    mask_logits: Tensor, count: int, generator: torch.Generator | None = None
) -> Tensor:
    """(M, h, w) logits -> (M, count, 2) points, most of them where the mask is undecided.

    Of `OVERSAMPLE` * count uniform points, the `IMPORTANCE` * count with logits nearest to 0 are
    kept. The rest are uniform.
    """
    rows, device = len(mask_logits), mask_logits.device
    candidates = random_points(rows, OVERSAMPLE * count, device, generator)
    certainty = sample_points(mask_logits, candidates).abs()
    kept = certainty.topk(int(IMPORTANCE * count), dim=1, largest=False).indices
    chosen = candidates.gather(1, kept.unsqueeze(-1).expand(-1, -1, 2))
    others = random_points(rows, count - chosen.shape[1], device, generator)
    return torch.cat((chosen, others), dim=1)
