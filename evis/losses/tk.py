"""Temporal KNN-patch loss (Eigen-Cluster VIS, Eqs. 11-12): matching patches share a label.

Where a pixel's colours move to is searched in a 3x3 grid of candidates, three pixels apart, and the
best few are held against the pixel's own label. `released` is the mean over all matches seen from
the box, as the published code computes; `paper` divides by the number of pixels, as Eq. 12.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evis.losses.neighbours import WINDOW, edge_costs, inside_picture
from evis.losses.tensors import (
    FLAVOURS,
    Flavour,
    check_choice,
    check_count,
    check_shapes,
    full_precision,
    is_far,
    moved,
)

Pairs = Sequence[tuple[int, int]]

DILATION = 3
THRESHOLD = 0.05  # released


@torch.no_grad()
def patch_similarity(lab_a: Tensor, lab_b: Tensor) -> Tensor:
    """exp(-d / 2), d from the 3x3 patch at p in b to those at p + 3 * offset in a.

    (B, 3, h, w) each -> (B, 9, h, w), candidates in row order. Outside the picture all is 0, and a
    candidate centred there is an empty patch. The patches of one candidate are all compared at
    once: the squared difference of the shifted pictures, summed over 3x3 boxes. No patch is copied.
    """
    check_shapes(lab_a=(lab_a, "B 3 h w"), lab_b=(lab_b, "B 3 h w"))
    lab_a, lab_b = full_precision(lab_a), full_precision(lab_b)
    height, width = lab_a.shape[-2:]
    inside = inside_picture(lab_a, DILATION)
    wide, near = F.pad(lab_a, [DILATION + 1] * 4), F.pad(lab_b, [1] * 4)
    to_nothing = _box_sum(near.square().sum(1))  # (B, h, w)
    found = lab_a.new_empty(len(lab_a), len(WINDOW), height, width)
    for k, (y, x) in enumerate(WINDOW):
        top, left = DILATION * (y + 1), DILATION * (x + 1)
        candidate = wide[..., top : top + height + 2, left : left + width + 2]
        squared = _box_sum((candidate - near).square_().sum(1))
        found[:, k] = torch.where(inside[k], squared, to_nothing)
    return found.sqrt_().mul_(-0.5).exp_()


def _box_sum(picture: Tensor) -> Tensor:
    """(B, h + 2, w + 2) -> (B, h, w), rows first, then columns."""
    rows = picture[:, :-2] + picture[:, 1:-1] + picture[:, 2:]
    return rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]


def best_candidates(similarity: Tensor, top_k: int = 5) -> Tensor:
    """(..., 9, h, w) -> bool: each pixel's `top_k` most similar candidates; ties fall anyhow."""
    chosen = similarity.topk(top_k, dim=-3).indices
    return torch.zeros_like(similarity, dtype=torch.bool).scatter_(-3, chosen, True)


def matches(similarity: Tensor, top_k: int = 5, threshold: float = THRESHOLD) -> Tensor:
    """(..., 9, h, w) -> bool: those of each pixel's best `top_k` candidates that are alike.

    On a CPU the best are looked for only where more than `top_k` are alike. A GPU is as fast
    everywhere, and is not to wait until the host knows where.
    """
    check_count("top_k", top_k, len(WINDOW))
    alike = similarity >= threshold
    if is_far(similarity):
        return alike & best_candidates(similarity, top_k)
    *others, y, x = (alike.sum(-3) > top_k).nonzero(as_tuple=True)
    crowded = (*others, slice(None), y, x)
    best = best_candidates(similarity[crowded][..., None, None], top_k)  # (pixels, 9, 1, 1)
    alike[crowded] &= best.flatten(1)
    return alike


def tk_loss(
    mask_logits: Tensor,
    similarity: Sequence[Tensor] | Tensor,
    box_masks: Tensor,
    pairs: Pairs,
    top_k: int = 5,
    threshold: float = THRESHOLD,
    flavour: Flavour = "released",
) -> Tensor:
    """One value a pair (a, b) of frames, before weight and warm-up.

    mask_logits, box_masks: (N, T, h, w); similarity: one (N, 9, h, w) a pair, or (1, 9, h, w) where
    all instances are of one clip. Matches are the best `top_k` that reach `threshold`. `paper`:
    their costs, summed over the whole frame, by its number of pixels, a mean over instances.
    """
    check_masks(mask_logits, box_masks, pairs)
    check_choice("flavour", flavour, FLAVOURS)
    if len(similarity) != len(pairs):
        raise ValueError(f"similarity should be one for each of {len(pairs)} pairs")
    for alike in similarity:
        clips = "1" if len(alike) == 1 else "N"
        shapes = {"mask_logits": (mask_logits, "N T h w"), "similarity": (alike, f"{clips} 9 h w")}
        check_shapes(**shapes)
    of_pairs = [matches(alike, top_k, threshold) for alike in similarity]
    matched = [found.expand(len(mask_logits), -1, -1, -1) for found in of_pairs]
    cost, parts = matched_sum(mask_logits, torch.stack(matched, 1), box_masks, pairs, flavour)
    return cost / parts.clamp(min=1)


def matched_sum(
    mask_logits: Tensor,
    matched: Tensor,
    box_masks: Tensor,
    pairs: Pairs,
    flavour: Flavour,
) -> tuple[Tensor, Tensor]:
    """What `tk_loss` divides, of known matches and in any number of decoder layers: the cost
    (..., pairs), and the number of matches or pixels (pairs,), by which it does.

    mask_logits: (..., N, T, h, w); matched: (N, pairs, 9, h, w) bool; box_masks: (N, T, h, w).
    """
    instances, frames, height, width = box_masks.shape
    if flavour == "released":
        matched = matched * in_any_box(box_masks).unsqueeze(1)
        parts = matched.sum((0, 2, 3, 4))  # (pairs,)
    else:
        pixels = float(instances * height * width)
        parts = full_precision(box_masks).new_full((len(pairs),), pixels)
    numbers = frames * np.arange(instances)[:, None, None] + np.array(pairs)  # (N, pairs, 2)
    there, here = moved(numbers.reshape(-1, 2).T, matched.device)  # (N * pairs,) each
    frames_of_all = mask_logits.flatten(-4, -3)
    costs, edge_of = edge_costs(frames_of_all, there, here, matched.flatten(0, 1), DILATION)
    of_pair = torch.arange(len(pairs), device=matched.device)[:, None] == edge_of % len(pairs)
    return (costs.unsqueeze(-2) * of_pair).sum(-1), parts  # in a fixed order on any device


def in_any_box(box_masks: Tensor) -> Tensor:
    """(N, T, h, w) -> (N, 1, h, w): 1 where the frames' boxes together cover a whole pixel."""
    covered = full_precision(box_masks).sum(1, keepdim=True)
    return (covered >= 1).to(covered.dtype)


def check_masks(mask_logits: Tensor, box_masks: Tensor, pairs: Pairs) -> None:
    """ValueError unless shapes fit and every pair names two frames."""
    check_shapes(mask_logits=(mask_logits, "N T h w"), box_masks=(box_masks, "N T h w"))
    frames = mask_logits.shape[1]
    if not pairs or any(not 0 <= frame < frames for pair in pairs for frame in pair):
        raise ValueError(f"pairs should hold frames 0 to {frames - 1}, got {list(pairs)}")


def check_clip(mask_logits: Tensor, pictures: Tensor, box_masks: Tensor, pairs: Pairs) -> None:
    """Also the pictures: (N or 1, T, 3, h, w)."""
    check_masks(mask_logits, box_masks, pairs)
    clips = "1" if len(pictures) == 1 else "N"
    check_shapes(mask_logits=(mask_logits, "N T h w"), pictures=(pictures, f"{clips} T 3 h w"))
