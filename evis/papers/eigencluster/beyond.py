"""Temporal terms of our own beside the paper's: TEL without a scale, and TEL as a loss by itself.

They have the interface of `temporal`: what they return takes the place of TK and TEL.
Eigenvalues grow with the square of the logits and with the number of pixels, so that in Eq. 13 one
beta means another thing at every size; and the first three of a mask are two zeros and one that
hangs on a single pixel (notebook 05). The variants mend the first of these, or both. TK, and 3D
pairwise in its place, are means over matches here, as released; Eq. 12 divides by all pixels.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from evis.losses import tel
from evis.losses.tk import Pairs, check_clip
from evis.papers.eigencluster.temporal import Scheme, knn_patches, pairwise_3d


def relative_change(values: Tensor, pairs: Pairs) -> Tensor:
    """(N, T, Y) -> (pairs,): |a - b| / (a + b), at most 1 each, 0 where both are 0; a mean."""
    a, b = (torch.stack([values[:, t] for t in side], 1) for side in zip(*pairs, strict=True))
    share = (a - b).abs() / (a + b).clamp(min=torch.finfo(values.dtype).tiny)  # (N, pairs, Y)
    return share.mean((0, 2)) if len(values) else values.new_zeros(len(pairs))


def total_eigenvalue(mask_logits: Tensor) -> Tensor:
    """(N, T, h, w) -> (N, T, 1): the sum of all eigenvalues where E holds probabilities, full size.

    E >= 0 makes one block, A = E E^T, and the trace of its Laplacian is (sum p)^2 - sum p^2: the
    spectrum of the whole mask, rather than of one pixel, in a number that follows its area.
    """
    probabilities = mask_logits.float().sigmoid().flatten(2)
    trace = probabilities.sum(-1).square() - probabilities.square().sum(-1)
    return trace.unsqueeze(-1)


def scale_free(
    mask_logits: Tensor,
    pictures: Tensor,
    box_masks: Tensor,
    pairs: Pairs,
    matching: Scheme = knn_patches,
) -> Tensor:
    """Another scheme raised by at most its own size: Eq. 13, beta = 1, relative change of Eq. 8."""
    cost = matching(mask_logits, pictures, box_masks, pairs)
    return tel.psi(cost, relative_change(tel.eigenvalues(mask_logits), pairs), beta=1.0)


def own_loss(
    mask_logits: Tensor, pictures: Tensor, box_masks: Tensor, pairs: Pairs, with_tk: bool
) -> Tensor:
    """TEL as a loss by itself: the relative change of the total eigenvalue, with or without TK."""
    check_clip(mask_logits, pictures, box_masks, pairs)
    change = relative_change(total_eigenvalue(mask_logits), pairs)
    return change + knn_patches(mask_logits, pictures, box_masks, pairs) if with_tk else change


# TK at a threshold that more neighbours reach than the released one, which is 0.05.
more_matches = partial(knn_patches, threshold=0.001)

VARIANTS: dict[str, Callable[[], Scheme]] = {
    "scale-free TEL": lambda: scale_free,
    "TK with more matches": lambda: more_matches,
    "scale-free TEL, more matches": lambda: partial(scale_free, matching=more_matches),
    "TEL as a loss": lambda: partial(own_loss, with_tk=False),
    "TEL as a loss, and TK": lambda: partial(own_loss, with_tk=True),
    "3D pairwise": lambda: pairwise_3d,
    "3D pairwise, scale-free TEL": lambda: partial(scale_free, matching=pairwise_3d),
}
