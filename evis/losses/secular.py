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

_STEPS = 100  # a bound only: five to ten are taken
_CLOSE = 1e-9  # relative
_START = 1e-3  # of the distance to the right pole


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
        gradient = torch.zeros_like(p)
        for k in range(delta.shape[-1]):
            left, right = poles[..., k : k + 1], poles[..., k + 1 : k + 2]
            gap = delta[..., k : k + 1]
            smooth = gap > 0
            w = p / torch.where(smooth, (p - left) - gap, 1.0)
            w = torch.where(smooth, w, _pair(p, left, right))
            largest = w.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(p.dtype).tiny)
            w = w / largest
            norm = torch.linalg.vector_norm(w, dim=-1, keepdim=True)
            v = w / norm.clamp_min(torch.finfo(p.dtype).tiny)
            along = torch.where(smooth, total / (norm * largest), 0.0)  # p.v
            squares = v * v
            slope = total * squares - 2 * along * v + (p * squares).sum(-1, keepdim=True)
            wanted = torch.where(exists, upstream, 0.0)[..., k : k + 1]
            gradient += wanted * scale * slope
        return gradient * (p > 0), None


def _pair(p: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The eigenvector of an eigenvalue between two equal weights: 1 on one, -1 on the other."""
    tied = (p == left) & (left == right)
    order = tied.cumsum(-1)
    return (tied & (order == 1)).to(p.dtype) - (tied & (order == 2)).to(p.dtype)


def _roots(p: Tensor, poles: Tensor, exists: Tensor) -> Tensor:
    """Distances (..., K) of the roots from their left poles; 0 where the two poles coincide.

    Each step replaces the terms left and right of the root by one pole each, with the same value
    and slope (as in divide-and-conquer eigensolvers), and solves the quadratic that remains. It
    stays inside a bracket that every step tightens. With many pixels the root lies close to its
    left pole, so the search starts there.
    """
    left, right = poles[..., :-1], poles[..., 1:]  # (..., K)
    width = right - left
    open_ = exists & (width > 0)
    width = torch.where(open_, width, 1.0)
    below = left.unsqueeze(-1) - left.unsqueeze(-2)  # (..., K, K): left poles, seen from each other
    counted = torch.ones_like(below, dtype=torch.bool).tril()  # the first k of them lie below
    low, high = torch.zeros_like(width), width.clone()
    delta = _START * width
    gaps = p.unsqueeze(-2) - left.unsqueeze(-1)  # from the left pole up, (..., K, n)
    weights = torch.where(gaps > 0, p.unsqueeze(-2), 0.0)
    for _ in range(_STEPS):
        # The terms of g right of the root, all positive, then those left of it.
        inverse = (gaps - delta.unsqueeze(-1)).reciprocal_()
        term = weights * inverse
        above, above_slope = term.sum(-1), term.mul_(inverse).sum(-1)
        inverse = torch.where(counted, 1 / (below + delta.unsqueeze(-1)), 0.0)
        term = left.unsqueeze(-2) * inverse
        under, under_slope = -term.sum(-1), (term * inverse).sum(-1)
        value = under + above
        low = torch.where(value <= 0, delta, low)
        high = torch.where(value >= 0, delta, high)
        proposal = _two_pole_root(delta, width, under, under_slope, above, above_slope)
        close = (proposal - delta).abs() <= _CLOSE * delta  # the next error is about its square
        inside = (proposal > low) & (proposal < high)
        delta = torch.where(close | inside, proposal.clamp(low, high), (low + high) / 2)
        if (close | ~open_).all():
            break
    return torch.where(open_, delta, 0.0)


def _two_pole_root(
    delta: Tensor, width: Tensor, under: Tensor, under_slope: Tensor, above: Tensor, above_slope
) -> Tensor:
    """Root in (0, width) of c - s / x + t / (width - x), which has the sums' values and slopes."""
    s = under_slope * delta**2
    t = above_slope * (width - delta) ** 2
    c = (under + under_slope * delta) + (above - above_slope * (width - delta))
    # c x (width - x) - s (width - x) + t x = 0, solved without cancellation
    b = c * width + s + t
    discriminant = (b * b - 4 * c * s * width).clamp_min(0).sqrt()
    return torch.where(b > 0, 2 * s * width / (b + discriminant), (b - discriminant) / (2 * c))
