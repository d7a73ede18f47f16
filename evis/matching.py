"""Which query answers for which object: the Hungarian assignment of predictions to targets.

With masks, the cost of a pair is 2 * class + 5 * BCE + 5 * dice on random points. With boxes only,
predicted and target masks are first filled up to their tight box in every frame, and the cost is
2 * class + 5 * dice (Eigen-Cluster VIS, section III-E, last paragraph).
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from evis.losses.masks import full_precision, random_points, sample_points

By = Literal["masks", "boxes"]

CLASS_WEIGHT = 2.0
MASK_WEIGHT = 5.0
DICE_WEIGHT = 5.0
POINTS = 20_000


@torch.no_grad()
def match(
    class_logits: Tensor,
    mask_logits: Tensor,
    targets: Sequence[tuple[Tensor, Tensor]],
    by: By = "masks",
    points: Tensor | int | None = None,
    generator: torch.Generator | None = None,
    names: Sequence[str] | None = None,
) -> list[tuple[Tensor, Tensor]]:
    """The cheapest assignment of every clip: its queries and their targets, as two CPU vectors.

    class_logits: (B, Q, C+1), the last class is "no object"; mask_logits: (B, Q, T, h, w);
    targets: (labels (N,), masks (N, T, H, W)) a clip, of any resolution; points: (1, P, 2) x, y in
    [0, 1], or how many random ones a clip (20,000 by default). With more objects than queries every
    query is assigned and the dearest objects stay without one. `names` are what errors call the
    clips.
    """
    names = names or [f"clip {clip} of the batch" for clip in range(len(class_logits))]
    _check(class_logits, mask_logits, targets, by, names)
    pairs = []
    for classes, masks, (labels, target_masks) in zip(
        class_logits, mask_logits, targets, strict=True
    ):
        at = points
        if not isinstance(points, Tensor):
            at = random_points(1, points or POINTS, masks.device, generator)
        cost = costs(classes, masks, labels, target_masks, by, at)
        rows, columns = linear_sum_assignment(cost.cpu().numpy())
        pairs.append((torch.from_numpy(rows).long(), torch.from_numpy(columns).long()))
    return pairs


@torch.no_grad()
def costs(
    class_logits: Tensor,
    mask_logits: Tensor,
    labels: Tensor,
    target_masks: Tensor,
    by: By,
    points: Tensor,
) -> Tensor:
    """(Q, C+1), (Q, T, h, w), (N,), (N, T, H, W) and points (1, P, 2) -> (Q, N) float64."""
    with torch.autocast(class_logits.device.type, enabled=False):
        labels, target_masks = labels.to(class_logits.device), target_masks.to(mask_logits.device)
        likely = full_precision(class_logits).softmax(-1)[:, labels]
        logits = full_precision(mask_logits)
        if by == "boxes":
            guess = _at(fill_tight_boxes(logits.sigmoid() > 0.5), points)
            truth = _at(fill_tight_boxes(target_masks > 0.5), points)
            return -CLASS_WEIGHT * likely.double() + DICE_WEIGHT * _dice(guess, truth)
        guess, truth = _at(logits, points), _at(target_masks, points)
        return (
            -CLASS_WEIGHT * likely.double()
            + MASK_WEIGHT * _bce(guess, truth)
            + DICE_WEIGHT * _dice(guess.sigmoid(), truth)
        )


def fill_tight_boxes(masks: Tensor) -> Tensor:
    """(..., h, w) bool -> each mask's smallest enclosing box, filled; an empty mask stays empty."""
    rows, columns = _span(masks.any(-1)), _span(masks.any(-2))
    return rows.unsqueeze(-1) & columns.unsqueeze(-2)


def _span(occupied: Tensor) -> Tensor:
    """(..., n) bool -> True from the first occupied place to the last."""
    count = occupied.cumsum(-1)
    return (count > 0) & ((count < count[..., -1:]) | occupied)


def _at(masks: Tensor, points: Tensor) -> Tensor:
    """(N, T, h, w) at the same (1, P, 2) points of every frame -> (N, T * P)."""
    samples = sample_points(masks.flatten(0, 1), points)
    return samples.reshape(len(masks), masks.shape[1] * points.shape[1])


def _bce(logits: Tensor, targets: Tensor) -> Tensor:
    """(Q, P) logits against (N, P) targets -> (Q, N) mean binary cross-entropies."""
    targets = targets.to(logits) / logits.shape[1]
    rest = 1 / logits.shape[1] - targets
    return (F.softplus(-logits) @ targets.T + F.softplus(logits) @ rest.T).double()


def _dice(probabilities: Tensor, targets: Tensor) -> Tensor:
    """(Q, P) against (N, P) -> (Q, N) dice losses, as `evis.losses.masks.dice` of a row."""
    targets = targets.to(probabilities)
    both = probabilities @ targets.T
    either = probabilities.sum(1).unsqueeze(1) + targets.sum(1)
    return (1 - (2 * both + 1) / (either + 1)).double()


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
    for what, logits in (("class_logits", class_logits), ("mask_logits", mask_logits)):
        usable = logits.flatten(1).isfinite().all(1).tolist()
        for name, clip, fine in zip(names, logits, usable, strict=True):
            if not fine:
                kind = "NaN" if clip.isnan().any() else "infinity"
                raise ValueError(f"{name}: {what} hold {kind}: training diverged before this step")
