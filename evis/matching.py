"""Which query answers for which object: the Hungarian assignment of predictions to targets.

With masks, the cost of a pair is 2 * class + 5 * BCE + 5 * dice on random points. With boxes only,
predicted and target masks are first filled up to their tight box in every frame, and the cost is
2 * class + 5 * dice (Eigen-Cluster VIS, section III-E, last paragraph). With clicks, it is the
first sum, over what is known of an object at its own points.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from evis.losses.masks import bce, dice, random_points, sample_points
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
Assigned = list[tuple[np.ndarray, np.ndarray]]  # each clip's queries, ascending, and targets
Pairs = list[tuple[Tensor, Tensor]]  # the same, as CPU vectors

_WHOLE = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes
POINTS = 20_000
MOST_POINTS = 10_000_000  # a clip


class Weights(NamedTuple):
    """Of the terms of a pair's cost."""

    classes: float = 2.0
    masks: float = 5.0  # of BCE, which boxes don't have
    dice: float = 5.0


WEIGHTS = Weights()


class Clicks(NamedTuple):
    """What is known of N objects at K points at most of each frame."""

    places: Tensor  # (N, T, K, 2) x, y in [0, 1]
    positive: Tensor  # (N, T, K): 1 on the object, 0 off it
    counted: Tensor  # (N, T, K) bool: where there is a point


def match(
    class_logits: Tensor,
    mask_logits: Tensor,
    targets: Sequence[Target],
    by: By = "masks",
    points: Tensor | int | None = None,
    generator: torch.Generator | None = None,
) -> Pairs:
    """The cheapest assignment of every clip: its queries and their targets, as two CPU vectors.

    class_logits: (B, Q, C+1), the last class is "no object"; mask_logits: (B, Q, T, h, w);
    targets: (labels (N,), masks (N, T, H, W)) a clip, all of one size, not that of the logits;
    points: (1 or B, P, 2) x, y in [0, 1], or how many random ones a clip (20,000 by default). With
    more objects than queries every query is assigned and the dearest objects stay without one.
    """
    names = [f"clip {clip} of the batch" for clip in range(len(targets))]
    layers = [(class_logits, mask_logits)]
    (pairs,) = match_layers(layers, targets, by, points, generator, names, WEIGHTS)
    return [(torch.from_numpy(queries), torch.from_numpy(objects)) for queries, objects in pairs]


@torch.no_grad()
def match_layers(
    layers: Sequence[tuple[Tensor, Tensor]],
    targets: Sequence[Target],
    by: By,
    points: Tensor | int | None,
    generator: torch.Generator | None,
    names: Sequence[str],
    weights: Weights,
) -> list[Assigned]:
    """`match` of several decoder layers to the same targets, at the same points.

    layers: class and mask logits each. The host waits for a device once: for the costs of all
    layers, and whether their logits are finite.
    """
    check_choice("by", by, ("masks", "boxes"))
    _check(layers, targets, names)
    batch, device = len(targets), layers[0][1].device
    if not isinstance(points, Tensor):
        number = POINTS if points is None else points
        check_count("points", number, MOST_POINTS)
        points = random_points(batch, number, device, generator)
    if points.ndim != 3 or points.shape[0] not in (1, batch) or not points.shape[1]:
        raise ValueError(f"points should be (1 or B, P, 2), got {tuple(points.shape)}")
    points = points.to(device, non_blocking=True).expand(batch, -1, -1)
    labels, masks = _padded([(labels.long(), masks) for labels, masks in targets], device)
    truth = seen(masks, by, points)
    guess = _seen([mask_logits for _, mask_logits in layers], by, points)
    class_logits = torch.stack([class_logits for class_logits, _ in layers])
    found = costs(class_logits, guess, labels, truth, by, weights)
    return _assigned(found, layers, [len(labels) for labels, _ in targets], names)


@torch.no_grad()
def match_clicks(
    layers: Sequence[tuple[Tensor, Tensor]],
    labels: Sequence[Tensor],
    clicks: Sequence[Clicks],
    names: Sequence[str],
    weights: Weights = WEIGHTS,
) -> list[Assigned]:
    """As `match_layers`, to objects of which only clicks are known: labels (N,) and clicks a clip.

    All frames' points of an object are taken together, as those of a mask are.
    """
    _check(layers, [(of, known.places) for of, known in zip(labels, clicks, strict=True)], names)
    clips = [(of.long(), *known) for of, known in zip(labels, clicks, strict=True)]
    of_objects, places, positive, counted = _padded(clips, layers[0][1].device)
    batch, objects, frames, each = counted.shape
    at = places.transpose(1, 2).reshape(batch * frames, objects * each, 2)
    guess = torch.stack(
        [sample_points(masks.transpose(1, 2).flatten(0, 1), at) for _, masks in layers]
    )  # (L, B * T, Q, N * K)
    guess = guess.unflatten(3, (objects, each)).unflatten(1, (batch, frames))
    guess = guess.permute(0, 1, 3, 4, 2, 5)  # (L, B, Q, N, T, K)
    known = (x.unsqueeze(1).expand_as(guess).flatten(0, 3).flatten(1) for x in (positive, counted))
    rows = guess.flatten(0, 3).flatten(1), *known
    found = _class_costs(torch.stack([classes for classes, _ in layers]), of_objects, weights)
    for weight, loss in ((weights.masks, bce), (weights.dice, dice)):
        found += weight * loss(*rows).view(found.shape).double()
    return _assigned(found, layers, list(map(len, labels)), names)


def _padded(clips: Sequence[tuple[Tensor, ...]], device: torch.device) -> list[Tensor]:
    """Tensors a clip, (N, ...) each -> (B, most N, ...) each, on the device."""
    return [
        pad_sequence(of_clips, batch_first=True).to(device, non_blocking=True)
        for of_clips in zip(*clips, strict=True)
    ]


def _assigned(
    found: Tensor,
    layers: Sequence[tuple[Tensor, Tensor]],
    counts: Sequence[int],
    names: Sequence[str],
) -> list[Assigned]:
    """The cheapest pairs of costs (L, B, Q, most N)."""
    ends = [end for layer in layers for logits in layer for end in logits.aminmax()]
    together = torch.cat([found.flatten(), torch.stack(ends).double()]).cpu().numpy()
    cost, ends = np.split(together, [found.numel()])
    if not np.isfinite(ends).all():
        raise _diverged(layers, names)
    return [
        [linear_sum_assignment(clip[:, :count]) for clip, count in zip(layer, counts, strict=True)]
        for layer in cost.reshape(found.shape)
    ]


def seen(masks: Tensor, by: By, points: Tensor) -> Tensor:
    """(B, N, T, h, w) logits or bool masks, read between pixels at (B, P, 2) points of all frames.

    -> (B, N, T * P): the masks' values or, by boxes, those of the tight box of what is above 0,
    filled. A box is the product of what it spans across and down, and so is what is read of it: no
    box is ever drawn. An empty mask stays empty.
    """
    return _seen([masks], by, points)[0]


def _seen(masks: Sequence[Tensor], by: By, points: Tensor) -> Tensor:
    """What is `seen` of several layers: (L, B, N, T * P)."""
    if by == "masks":
        values = [sample_points(layer.flatten(1, 2), points) for layer in masks]  # (B, N * T, P)
        return torch.stack(values).unflatten(2, masks[0].shape[1:3]).flatten(3)
    height, width = masks[0].shape[-2:]
    # The bits of a float above 0 are a whole number above 0, and maxima of these are fast.
    whole = _WHOLE.get(masks[0].itemsize)
    masks = [layer.view(whole) if whole else layer.int() for layer in masks]
    x, y = points[:, None, None].unbind(-1)
    across = _span(torch.stack([layer.amax(-2) for layer in masks]) > 0, x * width - 0.5)
    down = _span(torch.stack([layer.amax(-1) for layer in masks]) > 0, y * height - 0.5)
    return across.mul_(down).flatten(3)


def _span(occupied: Tensor, place: Tensor) -> Tensor:
    """(..., n) bool -> at places (..., P): 1 from the first occupied one to the last, 0 around."""
    length = occupied.shape[-1]
    index = torch.arange(length, device=occupied.device)
    first = torch.where(occupied, index, length).amin(-1, keepdim=True)
    last = torch.where(occupied, index, -1).amax(-1, keepdim=True)
    inside = place - first
    return torch.minimum(inside, last - place, out=inside).add_(1).clamp_(0, 1)


def costs(
    class_logits: Tensor, guess: Tensor, labels: Tensor, truth: Tensor, by: By, weights: Weights
) -> Tensor:
    """Of L layers: (L, B, Q, C+1), guess (L, B, Q, P), labels (B, N), truth (B, N, P) -> float64.

    (L, B, Q, N). guess and truth: what is `seen` of predictions and targets.
    """
    with torch.autocast(class_logits.device.type, enabled=False):
        cost = _class_costs(class_logits, labels, weights)
        if by == "masks":
            cost += weights.masks * _bce(guess, truth)
            guess = guess.sigmoid()
        return cost + weights.dice * _dice(guess, truth)


def _class_costs(class_logits: Tensor, labels: Tensor, weights: Weights) -> Tensor:
    """(L, B, Q, C+1), (B, N) -> float64 (L, B, Q, N)"""
    chances = full_precision(class_logits).softmax(-1)
    of_labels = labels.unsqueeze(1).expand(*chances.shape[:-1], -1)
    return -weights.classes * chances.gather(-1, of_labels).double()


def _bce(logits: Tensor, targets: Tensor) -> Tensor:
    """(..., B, Q, P) logits against (B, N, P) targets -> (..., B, Q, N) mean cross-entropies."""
    targets = targets.to(logits) / logits.shape[-1]
    rest = 1 / logits.shape[-1] - targets
    return (F.softplus(-logits) @ targets.mT + F.softplus(logits) @ rest.mT).double()


def _dice(probabilities: Tensor, targets: Tensor) -> Tensor:
    """(..., B, Q, P), (B, N, P) -> (..., B, Q, N) dice losses, as `evis.losses.masks.dice`."""
    targets = targets.to(probabilities)
    both = probabilities @ targets.mT
    either = probabilities.sum(-1).unsqueeze(-1) + targets.sum(-1).unsqueeze(-2)
    return (1 - (2 * both + 1) / (either + 1)).double()


def _diverged(layers: Sequence[tuple[Tensor, Tensor]], names: Sequence[str]) -> Diverged:
    """What is to be said where not all logits are finite: whose first are not."""
    number, what, name = next(
        (number, what, name)
        for number, layer in enumerate(layers)
        for what, logits in zip(("class_logits", "mask_logits"), layer, strict=True)
        for name, of_clip in zip(names, logits, strict=True)
        if not of_clip.isfinite().all()
    )
    return Diverged(
        f"{name}, layer {number}: {what} hold NaN or infinity: training diverged before this step"
    )


def _check(
    layers: Sequence[tuple[Tensor, Tensor]],
    targets: Sequence[Target],
    names: Sequence[str],
) -> None:
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
        if not all(0 <= label < classes for label in labels.tolist()):
            raise ValueError(f"{name}: labels {labels.tolist()} are not all below {classes}")
