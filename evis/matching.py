"""Which query answers for which object: the Hungarian assignment of predictions to targets.

With masks, the cost of a pair is 2 * class + 5 * BCE + 5 * dice on random points. With boxes only,
predicted and target masks are first filled up to their tight box in every frame, and the cost is
2 * class + 5 * dice (Eigen-Cluster VIS, section III-E, last paragraph).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from evis.losses.masks import random_points, sample_points
from evis.losses.precision import full_precision

By = Literal["masks", "boxes"]

POINTS = 20_000


class Weights(NamedTuple):
    """Of the terms of a pair's cost."""

    classes: float = 2.0
    masks: float = 5.0  # of BCE, which boxes don't have
    dice: float = 5.0


WEIGHTS = Weights()


@torch.no_grad()
def match(
    class_logits: Tensor,
    mask_logits: Tensor,
    targets: Sequence[tuple[Tensor, Tensor]],
    by: By = "masks",
    points: Tensor | int | None = None,
    generator: torch.Generator | None = None,
    names: Sequence[str] | None = None,
    weights: Weights = WEIGHTS,
) -> list[tuple[Tensor, Tensor]]:
    """The cheapest assignment of every clip: its queries and their targets, as two CPU vectors.

    class_logits: (B, Q, C+1), the last class is "no object"; mask_logits: (B, Q, T, h, w);
    targets: (labels (N,), masks (N, T, H, W)) a clip, of any resolution; points: (1 or B, P, 2)
    x, y in [0, 1], or how many random ones a clip (20,000 by default). With more objects than
    queries every query is assigned and the dearest objects stay without one. `names` are what
    errors call the clips.
    """
    names = names or [f"clip {clip} of the batch" for clip in range(len(class_logits))]
    _check(class_logits, mask_logits, targets, by, names)
    if not isinstance(points, Tensor):
        number = POINTS if points is None else points
        if number < 1:
            raise ValueError(f"matching looks at one point a clip at least, not at {number}")
        points = random_points(len(targets), number, mask_logits.device, generator)
    check_finite(class_logits, mask_logits, names)
    pairs = []
    for clip, at in enumerate(points.expand(len(targets), -1, -1)):
        of_clip = class_logits[clip], mask_logits[clip], *targets[clip]
        queries, objects = assign(costs(*of_clip, by, at.unsqueeze(0), weights).cpu().numpy())
        pairs.append((torch.from_numpy(queries), torch.from_numpy(objects)))
    return pairs


def assign(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(Q, N) costs of a clip -> the queries, ascending, and their objects."""
    return linear_sum_assignment(cost)


@torch.no_grad()
def costs(
    class_logits: Tensor,
    mask_logits: Tensor,
    labels: Tensor,
    target_masks: Tensor,
    by: By,
    points: Tensor,
    weights: Weights = WEIGHTS,
) -> Tensor:
    """Of one clip: (Q, C+1), (Q, T, h, w), (N,), (N, T, H, W) and (1, P, 2) -> (Q, N) float64."""
    device = mask_logits.device
    guess = seen(mask_logits.unsqueeze(0), by, points.to(device))
    truth = seen(target_masks.to(device).unsqueeze(0), by, points.to(device))
    labels = labels.to(device).unsqueeze(0)
    return costs_of_seen(class_logits.unsqueeze(0), guess, labels, truth, by, weights).squeeze(0)


def seen(masks: Tensor, by: By, points: Tensor) -> Tensor:
    """(B, N, T, h, w) logits or bool, at the same (B, P, 2) points of every frame.

    -> (B, N, T * P): the masks' values or, under boxes, those of their tight boxes, filled.
    """
    if by == "boxes":
        return boxes_at(masks, points)
    with torch.autocast(masks.device.type, enabled=False):
        values = sample_points(masks.flatten(1, 2), points)
    return values.unflatten(1, masks.shape[1:3]).flatten(2)


def boxes_at(masks: Tensor, points: Tensor) -> Tensor:
    """Every mask filled up to its tight box, of pixels above 0, and read between pixels.

    A box is the product of what it spans across and down, and so is what is read of it: no box is
    ever drawn. An empty mask stays empty.
    """
    height, width = masks.shape[-2:]
    x, y = (points * points.new_tensor([width, height]) - 0.5)[:, None, None].unbind(-1)
    across, down = _span(masks.amax(-2) > 0, x), _span(masks.amax(-1) > 0, y)
    return (across * down).flatten(2)


def _span(occupied: Tensor, place: Tensor) -> Tensor:
    """(..., n) bool -> at (..., P) places: 1 from the first occupied one to the last, 0 around."""
    length = occupied.shape[-1]
    index = torch.arange(length, device=occupied.device)
    first = torch.where(occupied, index, length).amin(-1, keepdim=True)
    last = torch.where(occupied, index, -1).amax(-1, keepdim=True)
    return torch.minimum(place - first, last - place).add_(1).clamp_(0, 1)


def costs_of_seen(
    class_logits: Tensor, guess: Tensor, labels: Tensor, truth: Tensor, by: By, weights: Weights
) -> Tensor:
    """(B, Q, C+1), (B, Q, P), (B, N) and (B, N, P) -> (B, Q, N) float64."""
    with torch.autocast(class_logits.device.type, enabled=False):
        chances = full_precision(class_logits).softmax(-1)
        of_labels = labels.unsqueeze(1).expand(-1, chances.shape[1], -1)
        cost = -weights.classes * chances.gather(2, of_labels).double()
        if by == "masks":
            cost += weights.masks * _bce(guess, truth)
            guess = guess.sigmoid()
        return cost + weights.dice * _dice(guess, truth)


def _bce(logits: Tensor, targets: Tensor) -> Tensor:
    """(B, Q, P) logits against (B, N, P) targets -> (B, Q, N) mean binary cross-entropies."""
    targets = targets.to(logits) / logits.shape[-1]
    rest = 1 / logits.shape[-1] - targets
    return (F.softplus(-logits) @ targets.mT + F.softplus(logits) @ rest.mT).double()


def _dice(probabilities: Tensor, targets: Tensor) -> Tensor:
    """(B, Q, P) against (B, N, P) -> (B, Q, N) dice losses, as `evis.losses.masks.dice`."""
    targets = targets.to(probabilities)
    both = probabilities @ targets.mT
    either = probabilities.sum(-1).unsqueeze(2) + targets.sum(-1).unsqueeze(1)
    return (1 - (2 * both + 1) / (either + 1)).double()


def finite(logits: Tensor) -> Tensor:
    """(B, ...) -> (B,) bool: whether a clip's logits hold neither NaN nor infinity."""
    flat = logits.flatten(1)
    return flat.amin(1).isfinite() & flat.amax(1).isfinite()


def check_finite(class_logits: Tensor, mask_logits: Tensor, names: Sequence[str]) -> None:
    """ValueError that names the first clip whose logits are not."""
    for what, logits in (("class_logits", class_logits), ("mask_logits", mask_logits)):
        for name, clip, fine in zip(names, logits, finite(logits).tolist(), strict=True):
            if not fine:
                kind = "NaN" if clip.isnan().any() else "infinity"
                raise ValueError(f"{name}: {what} hold {kind}: training diverged before this step")


def _check(
    class_logits: Tensor,
    mask_logits: Tensor,
    targets: Sequence[tuple[Tensor, Tensor]],
    by: str,
    names: Sequence[str],
) -> None:
    if by not in ("masks", "boxes"):
        raise ValueError(f'matching is by "masks" or by "boxes", not by {by!r}')
    if class_logits.ndim != 3 or mask_logits.ndim != 5:
        raise ValueError(
            f"logits should be (B, Q, C+1) and (B, Q, T, h, w), "
            f"got {tuple(class_logits.shape)} and {tuple(mask_logits.shape)}"
        )
    if class_logits.shape[:2] != mask_logits.shape[:2] or len(targets) != len(class_logits):
        raise ValueError(
            f"class logits {tuple(class_logits.shape)}, mask logits {tuple(mask_logits.shape)} and "
            f"the targets of {len(targets)} clips don't belong together"
        )
    classes, frames = class_logits.shape[2] - 1, mask_logits.shape[2]
    for name, (labels, masks) in zip(names, targets, strict=True):
        if masks.ndim != 4 or masks.shape[:2] != (len(labels), frames):
            raise ValueError(
                f"{name}: {len(labels)} labels and {frames} predicted frames need target masks "
                f"({len(labels)}, {frames}, H, W), got {tuple(masks.shape)}"
            )
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(f"{name}: labels {labels.tolist()} are not all below {classes}")
