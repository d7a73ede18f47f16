"""Temporal Eigenvalue Loss (Eigen-Cluster VIS, section III-D): keep a mask's graph spectrum steady.

`paper` is what Eqs. 4-10 define; `released` is what the published code computes. In the latter the
logits are L2-normalised over an axis of length one, which leaves their signs, the eigenproblem is
(D - A) v = lambda D v, and nothing is differentiated.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import torch
import torch.nn.functional as F
from torch import Tensor

from evis.losses.secular import nonzero_eigenvalues
from evis.losses.tensors import (
    TooSmall,
    check_choice,
    check_count,
    check_finite,
    check_shapes,
    is_far,
    resize,
)

Solver = Literal["secular", "dense", "released"]
Pairs = Sequence[tuple[int, int]]

_DENSE_LIMIT = 12_000  # pixels: beyond, one matrix takes more than a GiB


def eigenvalues(
    mask_logits: Tensor, count: int = 3, scale: int = 4, solver: Solver = "secular"
) -> Tensor:
    """The first eigenvalues of every instance's graph in every frame (Eqs. 4-8).

    mask_logits: (N, T, h, w), any float type -> (N, T, count), ascending, float32 at least. Frames
    are resized by 1/scale a side first. A frame of fewer pixels than `count` is filled up with
    zeros; values that the result's type can't hold are cut to its largest. `secular` is exact and
    differentiable in O(pixels) memory, `dense` is the same by `eigvalsh`, `released` is another
    quantity: see the module's text.
    """
    check_shapes(mask_logits=(mask_logits, "N T h w"))
    check_count("count", count)
    check_choice("solver", solver, _SOLVERS)
    check_finite("mask_logits", mask_logits)  # here, as the resize reads only some of the pixels
    with torch.autocast(mask_logits.device.type, enabled=False):
        return spectra(features(mask_logits, scale), count, solver)


def spectra(pixels: Tensor, count: int, solver: Solver) -> Tensor:
    """(N, T, pixels), finite -> (N, T, count)."""
    values = _SOLVERS[solver](pixels.double(), min(count, pixels.shape[-1]))
    values = values.clamp(max=torch.finfo(pixels.dtype).max).to(pixels.dtype)
    return F.pad(values, (0, count - values.shape[-1]))


def features(mask_logits: Tensor, scale: int = 4) -> Tensor:
    """Eq. 4: (N, T, h, w) -> (N, T, pixels), resized by 1/scale a side, float32 at least."""
    check_count("scale", scale)
    height, width = (side // scale for side in mask_logits.shape[-2:])
    if min(height, width) < 1:
        raise TooSmall(f"{tuple(mask_logits.shape[-2:])} logits can't be resized by 1/{scale}")
    return resize(mask_logits, (height, width)).flatten(2)


def _secular(pixels: Tensor, count: int) -> Tensor:
    """The spectra of both blocks, and a zero for each block and each pixel of weight 0, merged."""
    blocks = torch.stack((pixels, -pixels), dim=-2).relu_()  # (N, T, 2, n): A is p p^T on each
    zeros = (blocks > 0).any(-1).sum(-1) + (pixels == 0).sum(-1)  # (N, T)
    index = torch.arange(count, device=pixels.device)
    candidates = torch.where(index < zeros[..., None], 0.0, torch.inf).to(pixels)
    wanted = count - (1 if is_far(zeros) else int(zeros.min())) if zeros.numel() else 0
    if wanted < 1:
        return candidates + 0 * pixels[..., :1]  # zeros whatever the logits, still in the graph
    values, exists = nonzero_eigenvalues(blocks, wanted)
    values = torch.where(exists, values, torch.inf).flatten(-2)
    merged = torch.cat((candidates, values), dim=-1)
    return merged.topk(count, dim=-1, largest=False, sorted=True).values


def laplacian(pixels: Tensor) -> Tensor:
    """Eqs. 5-7: (..., n) -> (..., n, n), A = E E^T where that is positive, L = D - A."""
    affinity = (pixels.unsqueeze(-1) * pixels.unsqueeze(-2)).relu()
    return torch.diag_embed(affinity.sum(-1)) - affinity


def _dense(pixels: Tensor, count: int) -> Tensor:
    if pixels.shape[-1] > _DENSE_LIMIT:
        raise ValueError(
            f"a dense matrix for {pixels.shape[-1]} pixels is too large: use solver='secular'"
        )
    spectra = [torch.linalg.eigvalsh(laplacian(frame))[:count] for frame in pixels.flatten(0, 1)]
    if not spectra:
        return pixels.new_zeros(*pixels.shape[:2], count)
    return torch.stack(spectra).unflatten(0, pixels.shape[:2])


@torch.no_grad()
def _released(pixels: Tensor, count: int) -> Tensor:
    """The generalized problem on the signs, by scipy's Lanczos solver in float32, as published.

    The matrix is singular and its eigenvalues coincide, the worst case for this solver: it returns
    noise of 1e-8 to 1e-2, and beside a block of few pixels it can miss the block's eigenvalue 0.
    """
    signs = pixels.sign().flatten(0, 1).float().cpu().numpy()
    found = np.zeros((len(signs), count))
    for row, sign in zip(found, signs, strict=True):
        affinity = np.maximum(np.outer(sign, sign), 0)
        degree = affinity.sum(1)
        degree[degree == 0] = 1  # a pixel of weight 0 stands alone
        row[:] = _smallest(scipy.sparse.diags_array(degree).tocsr(), affinity, count)
    return torch.from_numpy(found).to(pixels).unflatten(0, pixels.shape[:2])


def _smallest(degree: scipy.sparse.csr_array, affinity: np.ndarray, count: int) -> np.ndarray:
    laplacian = degree - scipy.sparse.csr_array(affinity)
    start = np.random.default_rng(0).standard_normal(len(affinity)).astype(np.float32)
    settings = {"k": count, "M": degree, "v0": start, "return_eigenvectors": False}
    # Near 0 by inverting, unless the factorisation notices that it divides by 0; then without. Both
    # can give up, and neither can find all eigenvalues of a matrix.
    ways = ({"sigma": 0, "which": "LM"}, {"which": "SM"}) if count < len(affinity) else ()
    for way in ways:
        try:
            found = scipy.sparse.linalg.eigsh(laplacian, **way, **settings)
        except RuntimeError:
            continue
        if np.isfinite(found).all():
            return np.sort(found)
    dense = scipy.linalg.eigh(laplacian.toarray(), degree.toarray(), eigvals_only=True)
    return dense[:count]


def released_limit(mask_logits: Tensor, count: int = 3, scale: int = 4) -> Tensor:
    """What the released eigenvalues are without a solver's noise: (N, T, count) of zeros and ones.

    A block of equal weights has one eigenvalue 0 and else 1, so the spectrum counts the blocks.
    """
    pixels = features(mask_logits, scale)
    zeros = (pixels > 0).any(-1).long() + (pixels < 0).any(-1) + (pixels == 0).sum(-1)
    index = torch.arange(count, device=pixels.device)
    return ((index >= zeros[..., None]) & (index < pixels.shape[-1])).to(pixels)


_SOLVERS = {"secular": _secular, "dense": _dense, "released": _released}


def cyclic_pairs(frames: int) -> list[tuple[int, int]]:
    """Eq. 14: every frame with the next, the last with the first."""
    return [(t, (t + 1) % frames) for t in range(frames)]


def all_pairs(frames: int) -> list[tuple[int, int]]:
    """What the released code compares: (0, 1), (0, 2), (1, 2) of three frames."""
    return list(combinations(range(frames), 2))


def eigenvalue_loss(
    values: Tensor, pairs: Pairs, flavour: Literal["paper", "mean", "released"] = "paper"
) -> Tensor:
    """Eq. 10: (..., N, T, Y) -> (..., pairs); an L1 norm, as the equation has it.

    `mean`: over instances and eigenvalues, the "MAE" of the paper's words; `released`: detached.
    """
    check_choice("flavour", flavour, ("paper", "mean", "released"))
    frames = values.unbind(-2)
    change = torch.stack([frames[b] - frames[a] for a, b in pairs], dim=-2).abs()
    if flavour == "paper":
        return change.sum((-3, -1))
    instances, _, count = values.shape[-3:]
    change = change.detach() if flavour == "released" else change
    return change.sum((-3, -1)) / max(instances * count, 1)


def psi(tk: Tensor, eigenvalue: Tensor, beta: float) -> Tensor:
    """Eq. 13: L_tk + beta * L_tk * L_eig, a pair; (..., pairs) each."""
    return tk + beta * tk * eigenvalue


def temporal_loss(tk: Tensor, eigenvalue: Tensor, beta: float) -> Tensor:
    """Eq. 14: the sum of psi over the pairs; (..., pairs) each -> (...)."""
    return psi(tk, eigenvalue, beta).sum(-1)
