"""Which query answers for which object: the Hungarian assignment of predictions to targets.

With masks, the cost of a pair is 2 * class + 5 * BCE + 5 * dice on random points. With boxes only,
predicted and target masks are first filled up to their tight box in every frame, and the cost is
2 * class + 5 * dice (Eigen-Cluster VIS, section III-E, last paragraph).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from evis.losses.masks import random_points, sample_points
from evis.losses.tensors import (
    Diverged,
    check_choice,
    check_count,
    check_integers,
    check_shapes,
    full_precision,
)

By = Literal["masks", "boxes"]
Target = tuple[Tensor, Tensor]  # a clip's labels (N,) and masks (N, T, H, W)
Pairs = list[tuple[Tensor, Tensor]]  # each clip's queries, ascending, and their targets, on the CPU

POINTS = 20_000
MOST_POINTS = 10_000_000  # a clip


class Weights(NamedTuple):
    """Of the terms of a pair's cost."""

    classes: float = 2.0
    masks: float = 5.0  # of BCE, which boxes don't have
    dice: float = 5.0


WEIGHTS = Weights()


def match(
    class_logits: Tensor,
    mask_logits: Tensor,
    targets: Sequence[Target],
    by: By = "masks",
    points: Tensor | int | None = None,
    generator: torch.Generator | None = None,
    names: Sequence[str] | None = None,
    weights: Weights = WEIGHTS,
) -> Pairs:
    """The cheapest assignment of every clip: its queries and their targets, as two CPU vectors.

    class_logits: (B, Q, C+1), the last class is "no object"; mask_logits: (B, Q, T, h, w);
    targets: (labels (N,), masks (N, T, H, W)) a clip, all of one size, not that of the logits;
    points: (1 or B, P, 2) x, y in [0, 1], or how many random ones a clip (20,000 by default). With
    more objects than queries every query is assigned and the dearest objects stay without one.
    `names` are what errors call the clips.
    """
    names = names or [f"clip {clip} of the batch" for clip in range(len(targets))]
    layers = [(class_logits, mask_logits)]
    return match_layers(layers, targets, by, points, generator, names, weights)[0]


@torch.no_grad()
def match_layers(
    layers: Sequence[tuple[Tensor, Tensor]],
    targets: Sequence[Target],
    by: By,
    points: Tensor | int | None,
    generator: torch.Generator | None,
    names: Sequence[str],
    weights: Weights,
) -> list[Pairs]:
    """`match` of several decoder layers to the same targets, at the same points.

    layers: class and mask logits each. All costs are brought to the CPU at once.
    """
    _check(layers, targets, by, names)
    device = layers[0][1].device
    if not isinstance(points, Tensor):
        number = POINTS if points is None else points
        check_count("points", number, MOST_POINTS)
        points = random_points(len(targets), number, device, generator)
    if points.ndim != 3 or points.shape[0] not in (1, len(targets)) or not points.shape[1]:
        raise ValueError(f"points should be (1 or B, P, 2), got {tuple(points.shape)}")
    points = points.to(device).expand(len(targets), -1, -1)
    labels, masks = (
        pad_sequence(of_clips, batch_first=True).to(device)
        for of_clips in zip(*((labels.long(), masks) for labels, masks in targets), strict=True)
    )  # (B, N), (B, N, T, H, W)
    truth = seen(masks, by, points)
    on_cpu = torch.stack(
        [
            costs(class_logits, seen(mask_logits, by, points), labels, truth, by, weights)
            for class_logits, mask_logits in layers
        ]
    ).cpu()
    counts = [len(labels) for labels, _ in targets]
    return [
        [_assign(clip[:, :count]) for clip, count in zip(layer, counts, strict=True)]
        for layer in on_cpu
    ]


def _assign(cost: Tensor) -> tuple[Tensor, Tensor]:
    queries, objects = linear_sum_assignment(cost.numpy())
    return torch.from_numpy(queries), torch.from_numpy(objects)


def seen(masks: Tensor, by: By, points: Tensor) -> Tensor:
    """(B, N, T, h, w) logits or bool masks, read between pixels at (B, P, 2) points of all frames.

    -> (B, N, T * P): the masks' values or, by boxes, those of the tight box of what is above 0,
    filled. A box is the product of what it spans across and down, and so is what is read of it: no
    box is ever drawn. An empty mask stays empty.
    """
    if by == "masks":
        values = sample_points(masks.flatten(1, 2), points)  # (B, N * T, P)
        return values.unflatten(1, masks.shape[1:3]).flatten(2)
    height, width = masks.shape[-2:]
    masks = masks.byte() if masks.dtype == torch.bool else masks  # maxima of bool are slow
    x, y = points[:, None, None].unbind(-1)
    across = _span(masks.amax(-2) > 0, x * width - 0.5)
    down = _span(masks.amax(-1) > 0, y * height - 0.5)
    return (across * down).flatten(2)


def _span(occupied: Tensor, place: Tensor) -> Tensor:
    """(..., n) bool -> at places (..., P): 1 from the first occupied one to the last, 0 around."""
    length = occupied.shape[-1]
    index = torch.arange(length, device=occupied.device)
    first = torch.where(occupied, index, length).amin(-1, keepdim=True)
    last = torch.where(occupied, index, -1).amax(-1, keepdim=True)
    return torch.minimum(place - first, last - place).add_(1).clamp_(0, 1)


def costs(
    class_logits: Tensor, guess: Tensor, labels: Tensor, truth: Tensor, by: By, weights: Weights
) -> Tensor:
    """(B, Q, C+1), guess (B, Q, P), labels (B, N), truth (B, N, P) -> (B, Q, N) float64.

    guess and truth: what is `seen` of predictions and targets.
    """
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


def _check(
    layers: Sequence[tuple[Tensor, Tensor]],
    targets: Sequence[Target],
    by: str,
    names: Sequence[str],
) -> None:
    check_choice("by", by, ("masks", "boxes"))
    for class_logits, mask_logits in layers:
        check_shapes(class_logits=(class_logits, "B Q C"), mask_logits=(mask_logits, "B Q T h w"))
        if 0 in (*class_logits.shape, *mask_logits.shape):
            sizes = f"{tuple(class_logits.shape)} and {tuple(mask_logits.shape)}"
            raise ValueError(f"logits should hold a query, class and pixel at least, are {sizes}")
    batch, frames, classes = len(class_logits), mask_logits.shape[2], class_logits.shape[2] - 1
    if len(targets) != batch:
        raise ValueError(f"{batch} clips came with the targets of {len(targets)}")
    for name, (labels, masks) in zip(names, targets, strict=True):
        shape = len(labels), frames
        if masks.ndim != 4 or masks.shape[:2] != shape:
            raise ValueError(
                f"{name} needs target masks {shape} + (H, W), got {tuple(masks.shape)}"
            )
        if labels.ndim != 1 or 0 in masks.shape[1:]:
            sizes = tuple(labels.shape), tuple(masks.shape)
            raise ValueError(f"{name} needs labels (N,) and masks with pixels, got {sizes}")
        check_integers(f"labels of {name}", labels)
        labels = labels.long()  # of the unsigned kinds torch tells no least
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(f"{name}: labels {labels.tolist()} are not all below {classes}")
    clips = [logits.flatten(1) for layer in layers for logits in layer]
    finite = torch.stack([x.amin(1).isfinite() & x.amax(1).isfinite() for x in clips])
    if not finite.all():  # one look for all layers
        number, clip = finite.logical_not().nonzero()[0].tolist()
        layer, what = divmod(number, 2)
        raise Diverged(
            f"{names[clip]}, layer {layer}: {('class_logits', 'mask_logits')[what]} hold NaN or "
            "infinity: training diverged before this step"
        )
