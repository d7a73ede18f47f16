"""What IDOL learns from: which queries answer for which object, and the terms of its loss.

An object is answered for by several queries: its dynamic k, the whole part of the sum of its best
IoUs and at least one. Boxes are cx, cy, w, h in 0..1: in the released code of each picture without
its padding; of the batch's canvas where the criterion puts pictures of several sizes on one.
Arithmetic is in float32 at least, under autocast too. The numbers are the released code's; PM-VIS
keeps them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from evis.losses.tensors import check_finite, check_integers, check_shapes, full_precision

Target = tuple[Tensor, Tensor]  # a picture's labels (N,) and boxes (N, 4)

ALPHA, GAMMA = 0.25, 2.0  # of the focal loss: weight of a positive, and how fast easy ones fade
GIOU_COST = 3.0
OFF_CENTRE, OUTSIDE, TAKEN = 1e2, 1e4, 1e5  # added to the cost of a pair
CENTRE_RADIUS = 2.5 / 32  # a share of the picture's sides
BEST, BEST_OF_NEGATIVES = 10, 100  # IoUs that are summed for the dynamic k
NEGATIVES_PER_POSITIVE = 10  # in the cosine loss
SMALLEST_UNION = 1e-12  # that an IoU is divided by
ADDED = 1e-7  # as released: to hulls that are divided by, and in the loss to unions, too


@torch.no_grad()
def assign(class_logits: Tensor, boxes: Tensor, targets: Target) -> tuple[Tensor, Tensor]:
    """The target of each query, (Q,) long, -1 for none, and the best query of each target, (N,).

    class_logits: (Q, C), boxes: (Q, 4), targets: labels (N,) and boxes (N, 4), all of one picture.
    A query that several targets want goes to its cheapest of all, be that one of them or not; a
    target that is left without any takes its cheapest among the free ones. Two such targets may
    take the same query, as in the released code: it learns the first and is the best of both.
    """
    cost, iou = costs(class_logits, boxes, targets)
    if not len(targets[0]):
        return torch.full_like(cost.sum(1), -1, dtype=torch.long), targets[0].new_zeros(0).long()
    matched, cost = repaired(cost, dynamic(cost, iou, BEST))
    learns = torch.where(matched.any(1), matched.byte().argmax(1), -1)
    return learns, cost.masked_fill(~matched, torch.inf).argmin(0)


def costs(class_logits: Tensor, boxes: Tensor, targets: Target) -> tuple[Tensor, Tensor]:
    """What each pair of query and target costs, and their IoU: (Q, N) each.

    The focal cost and GIoU, and what makes a query dear whose centre is not both in the target's
    box and near the box's centre, or in no box and near no centre at all.
    """
    labels, wanted = targets
    check_shapes(
        class_logits=(class_logits, "Q C"),
        boxes=(boxes, "Q 4"),
        labels=(labels, "N"),
        target_boxes=(wanted, "N 4"),
    )
    check_integers("labels", labels)
    labels = labels.long()
    _check_values(class_logits, boxes, labels, wanted)
    boxes, wanted = full_precision(boxes), full_precision(wanted)
    iou, giou = overlaps(boxes.unsqueeze(1), wanted)

    chance = full_precision(class_logits).sigmoid()[:, labels]
    present = -ALPHA * (1 - chance) ** GAMMA * (chance + 1e-8).log()
    absent = -(1 - ALPHA) * chance**GAMMA * (1 - chance + 1e-8).log()

    centre, low, high = boxes[:, None, :2], *corners(wanted).chunk(2, dim=-1)
    in_box = ((centre > low) & (centre < high)).all(-1)
    in_middle = ((centre - wanted[:, :2]).abs() < CENTRE_RADIUS).all(-1)
    cost = present - absent - GIOU_COST * giou + OFF_CENTRE * ~(in_box & in_middle)
    return cost + OUTSIDE * ~(in_box | in_middle).any(1, keepdim=True), iou


def _check_values(class_logits: Tensor, boxes: Tensor, labels: Tensor, wanted: Tensor) -> None:
    """All at one look, for which a GPU is waited for; what is wrong is asked for afterwards."""
    classes = class_logits.shape[1]
    numbers = [class_logits, boxes, wanted]
    sound = [(labels >= 0).all(), (labels < classes).all(), *(x.isfinite().all() for x in numbers)]
    if all(x.is_floating_point() for x in numbers) and torch.stack(sound).all():
        return
    if not wanted.isfinite().all():
        raise ValueError("the target's boxes hold NaN or infinity: check the annotations")
    if not ((labels >= 0) & (labels < classes)).all():
        raise ValueError(f"labels {labels.tolist()} are not all below {classes}")
    check_finite("class_logits", class_logits)
    check_finite("boxes", boxes)


def dynamic(cost: Tensor, iou: Tensor, best: int) -> Tensor:
    """(Q, N) each, N at least 1 -> (Q, N) bool: the k cheapest queries of each target.

    k: the whole part of the sum of its `best` highest IoUs, at least 1. A query of several
    goes to its cheapest target.
    """
    k = iou.topk(min(best, len(iou)), dim=0).values.sum(0).long().clamp(min=1)
    matched = cost.argsort(dim=0, stable=True).argsort(dim=0) < k
    cheapest = F.one_hot(cost.argmin(1), cost.shape[1]).bool()
    return torch.where(matched.sum(1, keepdim=True) > 1, cheapest, matched)


def repaired(cost: Tensor, matched: Tensor) -> tuple[Tensor, Tensor]:
    """(Q, N) each: targets without any query take their cheapest free one; and the costs by then.

    Where a target was left out, queries that were matched have become dearer.
    """
    left_out = ~matched.any(0)
    cost = torch.where(left_out.any() & matched.any(1, keepdim=True), cost + TAKEN, cost)
    return matched | left_out & F.one_hot(cost.argmin(0), len(cost)).T.bool(), cost


@torch.no_grad()
def candidates(class_logits: Tensor, boxes: Tensor, targets: Target) -> tuple[Tensor, Tensor]:
    """What a target is held against in a reference frame: its positives and negatives, (N, Q) bool.

    All of the reference frame, as `assign` takes it, with the targets that are visible there and in
    the key frame. Queries that are alike enough to be no negative, but not enough to be positive,
    are neither. As in the released code, negatives go by the costs that the repair of the positives
    leaves, and among crowded targets a query can be both.
    """
    cost, iou = costs(class_logits, boxes, targets)
    if not len(targets[0]):
        return (torch.zeros_like(cost, dtype=torch.bool).T,) * 2
    positives, cost = repaired(cost, dynamic(cost, iou, BEST))
    alike, _ = repaired(cost, dynamic(cost, iou, BEST_OF_NEGATIVES))
    return positives.T, ~alike.T


def contrastive(key: Tensor, reference: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """log(1 + sum over positives p and negatives n of exp(n . key - p . key)), of one item.

    key: (E,), of a target's best query in the key frame; reference: (Q, E), of all queries in the
    reference frame; positives, negatives: (Q,) bool -> (). Or any number of items: (..., E) and so
    on -> (...). The loss is the mean over items.
    """
    _check_item(key, reference, positives, negatives)
    products = (full_precision(reference) * full_precision(key).unsqueeze(-2)).sum(-1)
    apart = products.masked_fill(~negatives, -torch.inf).logsumexp(-1)
    together = (-products).masked_fill(~positives, -torch.inf).logsumexp(-1)
    return F.softplus(apart + together)


def cosine(key: Tensor, reference: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """The squared distance of cosines to 1 or 0, a mean over positives and negatives, of one item.

    Shapes as in `contrastive`; negatives: those that were drawn. A query that is both counts twice.
    """
    _check_item(key, reference, positives, negatives)
    alike = F.cosine_similarity(full_precision(reference), full_precision(key).unsqueeze(-2), -1)
    off = (alike - 1) ** 2 * positives + alike**2 * negatives
    return off.sum(-1) / (positives.sum(-1) + negatives.sum(-1)).clamp(min=1)


def draw_negatives(
    positives: Tensor, negatives: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """(..., Q) bool each -> (..., Q): ten random negatives a positive, or all; ten without any."""
    count = NEGATIVES_PER_POSITIVE * positives.sum(-1, keepdim=True).clamp(min=1)
    source = negatives.device if generator is None else generator.device
    order = torch.rand(negatives.shape, generator=generator, device=source)
    order = order.to(negatives.device, non_blocking=True)
    order = order.masked_fill(~negatives, 2.0)  # after all that are drawn
    return negatives & (order.argsort(-1).argsort(-1) < count)


def focal(logits: Tensor, targets: Tensor) -> Tensor:
    """The sigmoid focal loss, elementwise, for targets of 0 and 1."""
    logits = full_precision(logits)
    targets = targets.to(logits)
    cost = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    chance = logits.sigmoid()
    wrong = chance + targets - 2 * chance * targets
    return (ALPHA * targets + (1 - ALPHA) * (1 - targets)) * wrong**GAMMA * cost


def class_focal(class_logits: Tensor, labels: Tensor) -> Tensor:
    """(..., Q, C), (..., Q) long with -1 for none -> its sum over everything."""
    check_shapes(class_logits=(class_logits, "... Q C"), labels=(labels, "... Q"))
    wanted = F.one_hot(labels.long() + 1, class_logits.shape[-1] + 1)[..., 1:]
    return focal(class_logits, wanted).sum()


def mask_focal(mask_logits: Tensor, masks: Tensor) -> Tensor:
    """(M, h, w) each -> (M,), means over pixels. The dice loss is `evis.losses.masks.dice`."""
    check_shapes(mask_logits=(mask_logits, "M h w"), masks=(masks, "M h w"))
    return focal(mask_logits, masks).mean((-2, -1))


def subsampled(masks: Tensor, stride: int = 4) -> Tensor:
    """(..., H, W) -> (..., H / stride, W / stride), one pixel of each: as mask losses see targets.

    The targets' sides must be those of the padded picture, multiples of the stride.
    """
    return masks[..., stride // 2 :: stride, stride // 2 :: stride]


def box_l1(boxes: Tensor, targets: Tensor) -> Tensor:
    """(M, 4) each -> (M,), sums over the four numbers."""
    check_shapes(boxes=(boxes, "M 4"), targets=(targets, "M 4"))
    return (full_precision(boxes) - full_precision(targets)).abs().sum(-1)


def box_giou(boxes: Tensor, targets: Tensor) -> Tensor:
    """(M, 4) each -> (M,), 1 - GIoU."""
    check_shapes(boxes=(boxes, "M 4"), targets=(targets, "M 4"))
    shared, union, hull = areas(full_precision(boxes), full_precision(targets))
    return 1 - (shared / (union + ADDED) - (hull - union) / (hull + ADDED))


def overlaps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU of boxes, (..., 4) each, broadcast -> (...) each."""
    shared, union, hull = areas(first, second)
    iou = shared / union.clamp(min=SMALLEST_UNION)
    return iou, iou - (hull - union) / (hull + ADDED)


def areas(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What boxes share, their union, and the box around both; shapes as in `overlaps`."""
    first, second = corners(first), corners(second)
    shared = _area(torch.maximum(first, second)[..., :2], torch.minimum(first, second)[..., 2:])
    hull = _area(torch.minimum(first, second)[..., :2], torch.maximum(first, second)[..., 2:])
    own = [_area(box[..., :2], box[..., 2:]) for box in (first, second)]
    return shared, own[0] + own[1] - shared, hull


def corners(boxes: Tensor) -> Tensor:
    """cx, cy, w, h -> x0, y0, x1, y1, (..., 4)."""
    centre, size = boxes.chunk(2, dim=-1)
    return torch.cat((centre - size / 2, centre + size / 2), dim=-1)


def _area(low: Tensor, high: Tensor) -> Tensor:
    width, height = (high - low).clamp(min=0).unbind(-1)
    return width * height


def _check_item(key: Tensor, reference: Tensor, positives: Tensor, negatives: Tensor) -> None:
    check_shapes(
        key=(key, "... E"),
        reference=(reference, "... Q E"),
        positives=(positives, "... Q"),
        negatives=(negatives, "... Q"),
    )
