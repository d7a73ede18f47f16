"""Smallest Laplacian eigenvalues of rank-one graphs, exactly and without any matrix.

A block of m pixels with weights p > 0 has the affinity A = p p^T and the Laplacian
L = S diag(p) - p p^T, S = sum(p). Its eigenvalues are 0 and S * mu for the m - 1 roots mu of

    g(mu) = sum_i p_i / (p_i - mu) = 0,

one between every two neighbours of the sorted weights, where g rises from -inf to +inf. A root is
kept as its distance from the pole on its left, so that no digits are lost near it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from evis.losses.tensors import is_far

_STEPS = 100  # a bound only: three or four are taken
_RARE_LOOKS = 5  # steps from one look at whether all are close to the next; a CPU looks at each
_CLOSE = 1e-9  # relative


def nonzero_eigenvalues(weights: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` smallest nonzero eigenvalues of each block, ascending, and which of them exist.

    weights: (..., n), a block's weights where positive; zeros are no part of it. A block of m
    pixels has m - 1 nonzero eigenvalues. Both results are (..., count); what is not there is 0.
    Differentiable once; where neighbours coincide, so that the eigenvalue is not smooth, the
    gradient is that of the eigenvector which sets these two against each other.
    """
    return _Nonzero.apply(weights, count)


class _Nonzero(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weights: Tensor, count: int):
        scale = weights.amax(-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
        p = weights / scale  # (..., n) in [0, 1]
        positive = torch.where(p > 0, p, torch.inf)
        poles = positive.topk(min(count + 1, p.shape[-1]), dim=-1, largest=False).values
        # (..., count + 1) ascending, inf where there are fewer
        poles = F.pad(poles, (0, count + 1 - poles.shape[-1]), value=torch.inf)
        exists = poles[..., 1:].isfinite()
        poles = torch.where(poles.isfinite(), poles, 2.0)
        left = poles[..., :-1]
        delta = _roots(p, poles, exists)
        total = p.sum(-1, keepdim=True)
        ctx.save_for_backward(p, scale, total, poles, delta, exists)
        ctx.mark_non_differentiable(exists)
        values = scale * (scale * (total * (left + delta)))
        return torch.where(exists, values, 0.0), exists

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor, _):
        """d lambda / d p_j = S v_j^2 - 2 (p.v) v_j + sum_i p_i v_i^2, v the unit eigenvector."""
        p, scale, total, poles, delta, exists = ctx.saved_tensors
        p, scale, total = (x.unsqueeze(-2) for x in (p, scale, total))  # (..., 1, n) or 1
        left, right, gap = (x.unsqueeze(-1) for x in (poles[..., :-1], poles[..., 1:], delta))
        smooth = gap > 0
        w = p / torch.where(smooth, (p - left) - gap, 1.0)  # (..., K, n)
        w = torch.where(smooth, w, _pair(p, left, right))
        largest = w.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(p.dtype).tiny)
        w = w / largest
        norm = torch.linalg.vector_norm(w, dim=-1, keepdim=True)
        v = w / norm.clamp_min(torch.finfo(p.dtype).tiny)
        along = torch.where(smooth, total / (norm * largest), 0.0)  # p.v
        squares = v * v
        slope = total * squares - 2 * along * v + (p * squares).sum(-1, keepdim=True)
        wanted = torch.where(exists, upstream, 0.0).unsqueeze(-1)
        return ((wanted * scale * slope).sum(-2) * (p.squeeze(-2) > 0)), None


def _pair(p: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The eigenvector of an eigenvalue between two equal weights: 1 on one, -1 on the other."""
    tied = (p == left) & (left == right)
    order = tied.cumsum(-1)
    return (tied & (order == 1)).to(p.dtype) - (tied & (order == 2)).to(p.dtype)


def _roots(p: Tensor, poles: Tensor, exists: Tensor) -> Tensor:
    """Distances (..., K) of the roots from their left poles; 0 where the two poles coincide.

    g = above - under, of which the terms right of the root and those left of it are both positive.
    Newton's method on 1 / above - 1 / under, each of which is nearly linear: it replaces either sum
    by one pole with the same value and slope, as divide-and-conquer eigensolvers do. A step that
    leaves the bracket, which every step tightens, halves it instead. The search starts where the
    root would be if `above` were the same everywhere and the left pole alone were left of it.
    """
    left, right = poles[..., :-1], poles[..., 1:]  # (..., K)
    width = right - left
    open_ = exists & (width > 0)
    low, high = torch.zeros_like(width), torch.where(open_, width, 1.0)
    weights = p.unsqueeze(-2)
    gaps = weights - left.unsqueeze(-1)  # from the left pole up, (..., K, n)
    gaps = torch.where(gaps > 0, gaps, torch.inf)
    delta = left / (weights / gaps).sum(-1)
    below = left.unsqueeze(-1) - left.unsqueeze(-2)  # (..., K, K): left poles, seen from each other
    below = below + below.new_full(below.shape[-2:], torch.inf).triu(1)  # the first k lie below
    looks = _RARE_LOOKS if is_far(p) else 1
    for step in range(1, _STEPS + 1):
        distance = delta.unsqueeze(-1)
        above, falls = _inverse_sum(weights, gaps - distance)
        under, rises = _inverse_sum(left.unsqueeze(-2), below + distance)
        is_left = above > under
        low, high = torch.where(is_left, delta, low), torch.where(is_left, high, delta)
        before, delta = delta, delta + (above - under) / (falls + rises)
        inside = (delta >= low) & (delta <= high)
        delta = torch.where(inside, delta, (low + high) / 2)
        if step % looks == 0:
            close = (delta - before).abs() <= _CLOSE * before  # the next error is about its square
            if (close | ~open_).all():
                break
    return torch.where(open_, delta, 0.0)


def _inverse_sum(weights: Tensor, distances: Tensor) -> tuple[Tensor, Tensor]:
    """1 / sum(weights / distances), and how fast that changes with the distances; (..., n) each."""
    inverse = distances.reciprocal_()
    terms = weights * inverse
    one_over = terms.sum(-1).reciprocal_()
    return one_over, terms.mul_(inverse).sum(-1) * one_over * one_over
