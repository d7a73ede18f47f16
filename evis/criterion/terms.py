"""The terms that every query-based method shares, for all decoder layers at once.

Each is a value a layer, (L,), and the part of one `Matched` in a sum: `summed` adds up the batch.
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from evis.criterion.matched import Matched
from evis.criterion.step import Step
from evis.data.clips import Clip
from evis.losses import boxinst, masks
from evis.losses.tensors import Flavour, full_precision, moved
from evis.matching import Clicks, Weights

Terms = dict[str, Tensor]


def objects_of(step: Step, clips: Sequence[Clip]) -> float:
    """What mask losses are divided by, the same in all parts of a step."""
    own = sum(len(clip.labels) for clip in clips)
    return (own if step.objects is None else step.objects) or 1.0


def class_term(
    matched: Matched,
    queries: int,
    objects: float,
    no_object_weight: float,
    drop_iou: float | None = None,
) -> Terms:
    """Cross-entropy of all queries, a weighted mean: queries without an object count for less.

    queries, objects: how many the batch has. The sum of their weights, which the mean divides by,
    is the same in all parts of a step too.
    drop_iou: DropLoss, see `MaskLoss`. The mean divides by the dropped ones' weights too, as
        released.
    """
    layers = [matched.group.layers[layer].class_logits for layer in matched.layers]
    logits = full_precision(torch.stack(layers)).flatten(1, 2)  # (L, B * Q, C + 1)
    no_object = logits.shape[-1] - 1
    wanted = torch.full(logits.shape[:2], no_object, device=logits.device)
    labels = matched.group.labels[matched.objects].expand_as(matched.queries)
    wanted.scatter_(1, matched.queries, labels)
    weight = logits.new_ones(no_object + 1)
    weight[no_object] = no_object_weight
    entropy = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), weight, reduction="none")
    entropy = entropy.view_as(wanted)
    if drop_iou is not None:
        entropy = entropy.masked_fill((wanted == no_object) & discoveries(matched, drop_iou), 0)
    weights = objects + no_object_weight * (queries - objects)
    return {"class": entropy.sum(1) / weights}


@torch.no_grad()
def discoveries(matched: Matched, most: float) -> Tensor:
    """(L, B * Q) bool: queries that show something where their clip has no label.

    Their masks, not empty, have an IoU of at most `most` with each label, all frames together.
    """
    group = matched.group
    batch, each, _, *size = group.layers[0].mask_logits.shape
    clips = torch.arange(batch, device=group.clip_of.device).repeat_interleave(each)
    own = clips[:, None] == group.clip_of  # (B * Q, N)
    # How much of a logit's pixels each label covers, so that IoUs are those at full size.
    of_labels = group.targets.float().unflatten(-1, (size[1], -1)).unflatten(-3, (size[0], -1))
    of_labels = of_labels.mean((-3, -1)).flatten(1)  # (N, T * h * w)
    found = []
    for layer in matched.layers:  # one by one: all masks of all layers would be large
        shown = (group.layers[layer].mask_logits > 0).flatten(0, 1).flatten(1).float()
        areas, shared = shown.sum(1, keepdim=True), shown @ of_labels.T
        overlaps = own & (shared / (areas + of_labels.sum(1) - shared) > most)
        found.append((areas > 0).squeeze(1) & ~overlaps.any(1))
    return torch.stack(found)


def mask_terms(
    matched: Matched, points: int, objects: float, generator: torch.Generator | None
) -> Terms:
    """BCE and dice on points, most of them where a mask is undecided, summed over frames."""
    of_layers = matched.logits.flatten(1, 2)  # (L, M * T, h, w)
    layers, logits = len(of_layers), of_layers.flatten(0, 1)
    at = torch.cat([masks.uncertain_points(x, points, generator=generator) for x in of_layers])
    targets = matched.group.targets[matched.objects].flatten(0, 1)  # (M * T, H, W), of all layers
    of_target = at.unflatten(0, (layers, -1)).transpose(0, 1).flatten(1, 2)  # (M * T, L * P, 2)
    wanted = masks.sample_points(targets, of_target).unflatten(1, (layers, -1)).transpose(0, 1)
    logits, wanted = masks.sample_points(logits, at), wanted.flatten(0, 1)
    return {
        name: loss(logits, wanted).unflatten(0, (layers, -1)).sum(1) / objects
        for name, loss in (("bce", masks.bce), ("dice", masks.dice))
    }


def click_terms(logits: Tensor, clicks: Clicks, objects: float) -> Terms:
    """BCE and dice where people clicked, summed over frames; logits (L, M, T, h, w), clicks of M.

    A frame of an object without a click costs nothing.
    """
    layers = len(logits)
    at, wanted, counted = (x.expand(layers, *x.shape).flatten(0, 2) for x in clicks)
    drawn = masks.sample_points(logits.flatten(0, 2), at)
    return {
        name: loss(drawn, wanted, counted).unflatten(0, (layers, -1)).sum(1) / objects
        for name, loss in (("bce", masks.bce), ("dice", masks.dice))
    }


def box_terms(
    logits: Tensor, boxes: Tensor, similar: Tensor, objects: float, flavour: Flavour
) -> Terms:
    """BoxInst's projection and pairwise term; every frame is a picture of its own.

    logits: (L, M, T, h, w); boxes: (M, T, h, w); similar: (M, T, 8, h, w) bool. The pairwise term
    is a mean over edges, as published: its sum is to be divided by that of "edges".
    """
    frames = boxes.shape[1]
    logits, boxes, similar = logits.flatten(1, 2), boxes.flatten(0, 1), similar.flatten(0, 1)
    pairwise, edges = boxinst.pairwise_sum(logits, similar, boxes, flavour=flavour)
    return {
        "projection": boxinst.projection_loss(logits, boxes) * len(boxes) / (objects * frames),
        "pairwise": pairwise,
        "edges": edges.expand_as(pairwise),
    }


def summed(parts: Iterable[tuple[Matched, Terms]], layers: int) -> Terms:
    """The batch's terms, (layers, ...) each."""
    sums: Terms = {}
    for matched, terms in parts:
        for name, value in terms.items():
            if len(matched.layers) < layers:
                places = moved(matched.layers, value.device)
                empty = value.new_zeros(layers, *value.shape[1:])
                value = empty.index_add(0, places, value)
            sums[name] = sums[name] + value if name in sums else value
    return sums


def weighed(parts: Iterable[tuple[Matched, Terms]], layers: int, weights: Weights) -> Terms:
    """The batch's terms of Mask2Former, by layer, and their weighted sum, "total"."""
    terms = summed(parts, layers)
    total = (
        weights.classes * terms["class"]
        + weights.masks * terms["bce"]
        + weights.dice * terms["dice"]
    ).sum()
    return by_layer(terms) | {"total": total}


def by_layer(terms: Terms) -> Terms:
    """(layers,) each -> scalars: `name` of the last layer, `name_i` of an earlier one."""
    named = {name: values[-1] for name, values in terms.items()}
    for name, values in terms.items():
        named |= {f"{name}_{layer}": value for layer, value in enumerate(values[:-1].unbind())}
    return named
