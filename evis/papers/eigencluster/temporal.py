"""The temporal matching schemes of Eigen-Cluster VIS, Table II, behind one interface.

    scheme = SCHEMES[name]()
    values = scheme(mask_logits, pictures, box_masks, pairs)  # one a pair (a, b) of frames

mask_logits, box_masks: (N, T, h, w); pictures: LAB of each instance's clip at that size,
(N, T, 3, h, w), or (1, T, 3, h, w) where all instances are of one clip. A scheme says which pixels
of frame a match a pixel of frame b; what it returns is the mean cost of the matches (Eq. 11) seen
from pixels in the box in any frame, before weight and warm-up. The schemes that learn to match are
modules: give their parameters to the optimiser.

The paper names the schemes, says which have parameters, and refers to [28] for the rest. TK has
golden numbers; the details of the other five are ours, the least that name and text ask for.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from evis.foundation.flow import search
from evis.losses import tel
from evis.losses.boxinst import similarity_between
from evis.losses.neighbours import WINDOW, displaced, label_cost, weighted_mean, window_cost
from evis.losses.tensors import full_precision
from evis.losses.tk import THRESHOLD, Pairs, check_clip, in_any_box, patch_similarity, tk_loss
from evis.papers.eigencluster.temporal_learned import DeformableMatching, LearnableMatching

Scheme = Callable[[Tensor, Tensor, Tensor, Pairs], Tensor]
Flow = Callable[[Tensor, Tensor], Tensor]

_ALIKE, _DILATION = 0.3, 2  # BoxInst's threshold of similar colours, and how far its ring lies


def no_matching(mask_logits: Tensor, pictures: Tensor, box_masks: Tensor, pairs: Pairs) -> Tensor:
    """The baseline: frames teach each other nothing."""
    check_clip(mask_logits, pictures, box_masks, pairs)
    return torch.zeros(len(pairs), device=mask_logits.device)


def pairwise_3d(mask_logits: Tensor, pictures: Tensor, box_masks: Tensor, pairs: Pairs) -> Tensor:
    """BoxInst's pairwise term with the neighbours in another frame, the pixel's own place too."""
    check_clip(mask_logits, pictures, box_masks, pairs)
    seen = in_any_box(box_masks)
    values = []
    for a, b in pairs:
        cost = window_cost(mask_logits[:, a], mask_logits[:, b], _DILATION)
        alike = similarity_between(pictures[:, a], pictures[:, b], _DILATION, WINDOW) >= _ALIKE
        values.append(weighted_mean(cost, alike * seen))
    return torch.stack(values)


def dis_flow(start: Tensor, end: Tensor) -> Tensor:
    """OpenCV's DIS optical flow of the lightness: (P, 3, h, w) LAB each -> (P, 2, h, w), x and y.

    What is at p in `start` is at p + flow in `end`. On the CPU, without gradient.
    """
    grey = [
        (side[:, 0].detach().float() * 2.55).clamp(0, 255).round().byte().cpu().numpy()
        for side in (start, end)
    ]
    flows = [search(*both) for both in zip(*grey, strict=True)]
    return torch.from_numpy(np.stack(flows)).permute(0, 3, 1, 2).to(start)


def flow_based(
    mask_logits: Tensor,
    pictures: Tensor,
    box_masks: Tensor,
    pairs: Pairs,
    flow: Flow = dis_flow,
) -> Tensor:
    """One match a pixel of frame b: where optical flow says that it was in frame a, if in sight.

    `flow` maps pictures b and a, (P, 3, h, w) each, to displacements (P, 2, h, w) in pixels.
    Occluded pixels get a match like any other, the weakness that the paper names. Its Table II
    counts RAFT's parameters; the default here has none.
    """
    check_clip(mask_logits, pictures, box_masks, pairs)
    seen = in_any_box(box_masks)
    logits = full_precision(mask_logits)
    values = []
    for a, b in pairs:
        back = flow(pictures[:, b], pictures[:, a]).unsqueeze(1)
        there, inside = displaced(logits[:, a], back)
        values.append(weighted_mean(label_cost(there, logits[:, b : b + 1]), inside * seen))
    return torch.stack(values)


def knn_patches(
    mask_logits: Tensor,
    pictures: Tensor,
    box_masks: Tensor,
    pairs: Pairs,
    threshold: float = THRESHOLD,
) -> Tensor:
    """TK with the released settings."""
    check_clip(mask_logits, pictures, box_masks, pairs)
    similarity = [patch_similarity(pictures[:, a], pictures[:, b]) for a, b in pairs]
    return tk_loss(mask_logits, similarity, box_masks, pairs, threshold=threshold)


def eigenvalue_and_knn(
    mask_logits: Tensor, pictures: Tensor, box_masks: Tensor, pairs: Pairs, beta: float = 0.04
) -> Tensor:
    """psi of Eq. 13, a pair: TK raised by the mean change of the mask's spectrum.

    beta: of the toy rows' scan for a mean, the best.
    """
    tk = knn_patches(mask_logits, pictures, box_masks, pairs)
    eigenvalue = tel.eigenvalue_loss(tel.eigenvalues(mask_logits), pairs, "mean")
    return tel.psi(tk, eigenvalue, beta)


SCHEMES: dict[str, Callable[[], Scheme]] = {
    "Baseline (No Matching)": lambda: no_matching,
    "3D Pairwise Matching": lambda: pairwise_3d,
    "Learnable Pixel Matching": partial(LearnableMatching, side=1),
    "Temporal Deformable Matching": DeformableMatching,
    "Flow-based Matching": lambda: flow_based,
    "Learnable Patch Matching": partial(LearnableMatching, side=3),
    "Temporal KNN-Matching (TK)": lambda: knn_patches,
    "Temporal EigenValue + TK": lambda: eigenvalue_and_knn,
}
