"""BoxInst's two terms: a mask fills its box, and neighbours of one colour share a label.

`released` is what the published code of the Eigen-Cluster paper computes, `paper` what the papers
write: Eqs. 1-3 of PM-VIS, section III-B, which repeats BoxInst's own.
"""

import torch
from torch import Tensor

from evis.losses.color import rgb_to_lab
from evis.losses.neighbours import RING, Offsets, edge_costs, inside_picture, shifted
from evis.losses.tensors import (
    FLAVOURS,
    Flavour,
    cell_means,
    check_choice,
    check_shapes,
    full_precision,
)


def lab(frames_rgb: Tensor, stride: int = 4, flavour: Flavour = "released") -> Tensor:
    """(F, 3, H, W) of 0..255 -> (F, 3, H // stride, W // stride): LAB at the logits' size.

    `released` cuts the averaged colours to whole numbers and reads them as BGR, though they are
    RGB: red and blue change places before LAB is taken.
    """
    check_shapes(frames_rgb=(frames_rgb, "F 3 H W"))
    if min(frames_rgb.shape[2:]) < stride:
        raise ValueError(f"{tuple(frames_rgb.shape)} frames should have sides of at least {stride}")
    check_choice("flavour", flavour, FLAVOURS)
    height, width = (side // stride * stride for side in frames_rgb.shape[2:])
    pooled = cell_means(frames_rgb[..., :height, :width], stride, range(stride))
    if flavour == "released":
        pooled = pooled.floor().flip(1)
    return rgb_to_lab(pooled)


def color_similarity(lab: Tensor, dilation: int = 2) -> Tensor:
    """(F, 3, h, w) -> (F, 8, h, w), of each pixel with its eight neighbours in row order."""
    check_shapes(lab=(lab, "F 3 h w"))
    lab = full_precision(lab)
    return similarity_between(lab, lab, dilation, RING)


@torch.no_grad()
def similarity_between(first: Tensor, second: Tensor, dilation: int, offsets: Offsets) -> Tensor:
    """exp(-d / 2), d from the colour of `second` at p to that of `first` at p + dilation * offset.

    (..., 3, h, w) each -> (..., offsets, h, w). Outside the picture all is 0, that is black: a dark
    pixel resembles it, as in the released code, but `window_cost` is 0 there.
    """
    squares = [(second - moved).square().sum(-3) for moved in shifted(first, dilation, offsets)]
    return torch.stack(squares, dim=-3).sqrt_().mul_(-0.5).exp_()


def projection_loss(mask_logits: Tensor, box_masks: Tensor) -> Tensor:
    """PM-VIS Eqs. 1-2: dice of the maxima over rows and over columns, a mean over M masks.

    mask_logits: (..., M, h, w), of any number of decoder layers; box_masks: (M, h, w) -> (...). 0
    without masks. An empty box costs 2 whatever the mask is, so this term does not teach that an
    object is absent.
    """
    check_shapes(mask_logits=(mask_logits, "... M h w"), box_masks=(box_masks, "M h w"))
    logits = full_precision(mask_logits)
    boxes = box_masks.to(logits.dtype)
    total = logits.new_zeros(())
    for axis in (-1, -2):
        mask, box = logits.amax(axis).sigmoid(), boxes.amax(axis)
        shared = (mask * box).sum(-1)
        total = total + (1 - 2 * shared / ((mask**2 + box**2).sum(-1) + 1e-5)).sum(-1)
    return total / max(len(boxes), 1)


def pairwise_loss(
    mask_logits: Tensor,
    similarity: Tensor,
    box_masks: Tensor,
    threshold: float = 0.3,
    dilation: int = 2,
    flavour: Flavour = "released",
) -> Tensor:
    """The cost of edges between pixels of similar colour, a mean over edges.

    mask_logits: (..., M, h, w), of any number of decoder layers; similarity: (M, 8, h, w);
    box_masks: (M, h, w) -> (...). `released`: over the similar edges, seen from the pixels in the
    box. `paper`, PM-VIS Eq. 3: edges with either end in the box, divided by the number of all of
    these, similar or not (the second m_{i,k} in the text above Eq. 3 must be m_{l,k}). PM-VIS uses
    threshold 0.2.
    """
    check_shapes(box_masks=(box_masks, "M h w"), similarity=(similarity, "M 8 h w"))
    similar = alike(similarity, threshold, flavour)
    cost, edges = pairwise_sum(mask_logits, similar, box_masks, dilation, flavour)
    return cost / edges.clamp(min=1)


def alike(similarity: Tensor, threshold: float = 0.3, flavour: Flavour = "released") -> Tensor:
    """Whose colours are similar, of any shape: at the threshold too, if `released`."""
    check_choice("flavour", flavour, FLAVOURS)
    return similarity >= threshold if flavour == "released" else similarity > threshold


def pairwise_sum(
    mask_logits: Tensor,
    similar: Tensor,
    box_masks: Tensor,
    dilation: int = 2,
    flavour: Flavour = "released",
) -> tuple[Tensor, Tensor]:
    """What `pairwise_loss` divides: the cost (...) and the number of edges (), by which it does.

    similar: (M, 8, h, w) bool, the neighbours that are `alike`.
    """
    check_shapes(mask_logits=(mask_logits, "... M h w"), box_masks=(box_masks, "M h w"))
    boxes = full_precision(box_masks)
    edges = boxes.unsqueeze(1)  # from the pixels in the box
    if flavour == "paper":
        ends = [torch.maximum(boxes, moved) for moved in shifted(boxes, dilation, RING)]
        edges = torch.stack(ends, dim=1) * inside_picture(boxes, dilation, RING)
    weight = edges * similar
    masks = torch.arange(len(boxes), device=boxes.device)
    costs, _ = edge_costs(mask_logits, masks, masks, weight, dilation, RING)
    return costs.sum(-1), (edges if flavour == "paper" else weight).sum()


def warm_up(step: int, steps: int) -> float:
    """The factor of the colour terms: from 0, linearly to 1 at `steps`."""
    return min(step / steps, 1.0) if steps else 1.0
