"""Quality Cluster Coefficient (Eigen-Cluster VIS, section III-C): do a clip's features cluster?

Every pixel of a clip is a point, described by its mask logits. K-means splits the points into as
many clusters as the clip has instances, and the Davies-Bouldin score says how wide the clusters are
for the distance between them: 0 is perfect. Q is one plus that score, and multiplies the loss.
"""

import operator
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from sklearn.metrics import davies_bouldin_score
from torch import Tensor

from evis.losses import tel
from evis.losses.tensors import (
    check_choice,
    check_finite,
    check_shapes,
    full_precision,
    is_far,
    moved,
)

FLAVOURS = ("paper", "released", "soft")
Flavour = Literal["paper", "released", "soft"]

_RESTARTS = 20
_CANDIDATES = 4  # points tried for each new centre
_FIRST_STEPS = 10  # of all restarts, after which only the best goes on
_STEPS = 300  # a bound only: ten to a hundred are taken
_LOOKS = 3  # steps from one look at what still moves to the next
_RARE_LOOKS = 12  # on a GPU, which waits at each
_SAME = 1e-14  # squared distance of two equal points by rounding, in a cloud of radius 1
_LARGE = 1e12  # squares of larger numbers may not fit float32, or float64
_ZERO = 1e-8  # lengths below are zero, as scikit-learn has it


def quality_cluster_coefficient(
    features: Tensor,
    clusters: Iterable[int],
    scale: int = 4,
    flavour: Flavour = "paper",
    seed: int = 0,
    temperature: float = 0.05,
) -> Tensor:
    """Eq. 3: Q, one plus the Davies-Bouldin score averaged over the clips.

    features: (B, C, T, h, w), any float type; clusters: K, the number of instances, of each of the
    B clips -> a scalar, float32 at least. A clip with K < 2 has score 0, as in the released code.
    `paper` and `released` carry no gradient: the former takes the best of several K-means, the
    latter scikit-learn's only one. `soft` is ours, not the paper's: every point belongs a little to
    every cluster (see `soft_memberships`), so that Q can be minimised. No other flavour uses
    `temperature`; as it goes to 0, `soft` tends to `paper`.
    """
    counts = [operator.index(count) for count in clusters]
    check_shapes(features=(features, "B C T h w"))
    if 0 in features.shape or len(counts) != len(features) or min(counts) < 0:
        raise ValueError(
            f"features {tuple(features.shape)}, of which none may be 0, need a number of clusters "
            f"a clip, 0 or more, got {counts}"
        )
    check_choice("flavour", flavour, FLAVOURS)
    if not temperature > 0:
        raise ValueError(f"temperature should be positive, got {temperature}")
    check_finite("features", features)
    features = full_precision(features)
    with torch.autocast(features.device.type, enabled=False):
        scores = cluster_scores(
            feature_points(_tame(features), scale), counts, flavour, seed, temperature
        )
        return (1 + scores.mean()).to(features.dtype)


def cluster_scores(
    points: Tensor,
    clusters: Sequence[int],
    flavour: Flavour = "paper",
    seed: int = 0,
    temperature: float = 0.05,
) -> Tensor:
    """Steps 2 and 3: (B, n, C), finite, and K of each clip -> (B,) float64."""
    points = _tame(points)
    if flavour == "released":
        return _released_scores(points, clusters, seed)
    counts = [max(count, 1) for count in clusters]
    labels, _ = kmeans(points.detach(), counts, seed)
    if flavour == "paper":
        return _score(points.detach().double(), _one_hot(labels, max(counts)))
    points = points.double()
    return _score(points, soft_memberships(points, labels, temperature))


def _tame(values: Tensor) -> Tensor:
    """(B, ...) with what is larger than any logit scaled down, which changes no score."""
    axes = tuple(range(1, values.ndim))
    largest = torch.linalg.vector_norm(values.detach(), torch.inf, axes, keepdim=True)
    return values / (largest / _LARGE).clamp_min(1)


def feature_points(features: Tensor, scale: int = 4) -> Tensor:
    """Step 1: (B, C, T, h, w) -> (B, T * h' * w', C), each frame resized by 1/scale a side."""
    pixels = tel.features(features.flatten(0, 1), scale)  # (B * C, T, h' * w')
    return pixels.flatten(1).unflatten(0, features.shape[:2]).mT


@torch.no_grad()
def kmeans(points: Tensor, clusters: Iterable[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Step 2, Eq. 1: labels (B, n) and inertia (B,), the best of several starts, run to its end.

    points: (B, n, C), clusters: B numbers of at least 1. A clip with fewer distinct points than
    clusters gets a cluster for each point. A clip's result does not depend on the others.
    """
    counts = list(clusters)
    check_shapes(points=(points, "B n C"))
    if len(counts) != len(points) or min(counts) < 1:
        wanted = f"{len(points)} clouds of points need a number of clusters each, from 1 on"
        raise ValueError(f"{wanted}, got {counts}")
    cloud = points.double()
    cloud = cloud - cloud.mean(1, keepdim=True)
    radius = torch.linalg.vector_norm(cloud, dim=-1).amax(1)  # (B,)
    cloud = cloud / torch.where(radius > 0, radius, 1.0)[:, None, None]
    centres, exists = _seeds(cloud, counts, seed, _RESTARTS)
    _, centres, inertia = _lloyd(cloud, centres, exists, _FIRST_STEPS)
    best = inertia.argmin(-1)[:, None, None]
    centres, exists = centres.take_along_dim(best[..., None], 1), exists.take_along_dim(best, 1)
    members, _, inertia = _lloyd(cloud, centres, exists, _STEPS)
    return members.squeeze(1).argmax(1), inertia.squeeze(1) * radius**2


def _seeds(
    points: Tensor, counts: Sequence[int], seed: int, restarts: int
) -> tuple[Tensor, Tensor]:
    """k-means++: centres (B, R, K, C) among the points (B, n, C), and which exist (B, R, K).

    counts: how many centres each clip wants. A point is drawn with odds in proportion to its
    squared distance from the centres so far: the winner of a race where point i takes an
    exponential time of rate odds_i. Of a few such draws the one that lowers the inertia most is
    kept. No centre is put where a centre is.
    """
    batch, n, width = points.shape
    most = min(max(counts), n)
    squares = points.square().sum(-1, keepdim=True)
    turned = torch.cat((points, squares, torch.ones_like(squares)), -1).mT  # (B, C + 2, n)
    nearest = points.new_full((batch, restarts, 1), torch.inf)
    centres = points.new_zeros(batch, restarts, most, width)
    exists = torch.zeros(batch, restarts, most, dtype=torch.bool, device=points.device)
    for k, times in enumerate(_race(n, most, seed, restarts, points.device)):  # (R, L, n)
        drawn = (times / nearest.unsqueeze(2) if k else times).argmin(-1)
        candidates = _rows(points, drawn.expand(batch, -1, -1))  # (B, R, L, C)
        own = candidates.square().sum(-1, keepdim=True)
        sides = torch.cat((-2 * candidates, torch.ones_like(own), own), -1).flatten(1, 2)
        distance = F.threshold_(sides @ turned, _SAME, 0.0)
        after = torch.minimum(nearest.unsqueeze(2), distance.unflatten(1, times.shape[:2]))
        kept = after.sum(-1).argmin(-1)[..., None, None]  # (B, R, 1, 1)
        exists[:, :, k] = (nearest > 0).any(-1)
        centres[:, :, k] = candidates.take_along_dim(kept, 2).squeeze(2)
        nearest = after.gather(2, kept.expand(-1, -1, 1, n)).squeeze(2)
    wanted = np.arange(most) < np.array(counts)[:, None, None]  # (B, 1, K)
    return centres, exists & moved(wanted, exists.device)


@lru_cache(maxsize=8)  # 3 MB a centre of 5,000 points, which stay on the device
def _race(n: int, count: int, seed: int, restarts: int, device: torch.device) -> list[Tensor]:
    """Exponential times of n points, (R, L, n) for each centre: the same ones on every device."""
    random = torch.Generator().manual_seed(seed)
    how = {"generator": random, "dtype": torch.double, "device": "cpu"}
    draws = [torch.rand(n, restarts, _CANDIDATES, **how) for _ in range(count)]
    return [moved(-draw.permute(1, 2, 0).contiguous().log(), device) for draw in draws]


def _lloyd(
    points: Tensor, centres: Tensor, exists: Tensor, steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Lloyd's iteration, R at once: members, centres (B, R, K, C) and inertia (B, R).

    points (B, n, C), centres (B, R, K, C), exists (B, R, K); members (B, R, K, n) are 1 in each
    point's cluster, else 0. Every few steps it is seen whether anything still moves: what has come
    to rest stays as it is, however late that is seen. A cluster that has lost all its points starts
    again then at the point farthest from its centre, one at a time.

    A GPU waits at a look, so that it looks rarely. `_STEPS` steps without a look would give the
    same, but at some ten launches a step they are more than half of what a step of training may
    launch (5,000, with 20 waits: tests count both), where a few dozen steps do.
    """
    shape, turned = exists.shape, points.mT.contiguous()  # (B, C, n)
    counted = F.pad(turned, (0, 0, 0, 1), value=1.0)  # (B, C + 1, n): the last row counts
    absent = torch.where(exists, 0.0, torch.inf).flatten(1).unsqueeze(-1).to(points)
    centres = centres.flatten(1, 2)  # (B, R * K, C)
    looks = _RARE_LOOKS if is_far(points) else _LOOKS
    for step in range(1, steps + 1):
        own = centres.square().sum(-1, keepdim=True) + absent
        distance = torch.baddbmm(own, centres, turned, alpha=-2).view(*shape, -1)
        nearest = distance.amin(2, keepdim=True)  # (B, R, 1, n), less the points' own squares
        members = distance.eq_(nearest)  # (B, R, K, n) of 0 and 1
        sums = torch.bmm(counted, members.view(*own.shape[:2], -1).mT).mT  # (B, R * K, C + 1)
        total, sizes = sums.split((points.shape[-1], 1), -1)
        before, centres = centres, torch.where(sizes > 0, total / sizes, centres)
        if step % looks == 0 and torch.equal(before, centres):
            empty = exists & (sizes == 0).view(shape)
            if not empty.any():
                break
            apart = nearest.squeeze(2) + points.square().sum(-1)[:, None]
            farthest = _rows(points, apart.argmax(-1)).unsqueeze(2)  # (B, R, 1, C)
            first = (empty & (empty.cumsum(-1) == 1)).unsqueeze(-1)
            centres = torch.where(first, farthest, centres.unflatten(1, shape[1:])).flatten(1, 2)
    inertia = (nearest.squeeze(2) + points.square().sum(-1)[:, None]).clamp_min(0).sum(-1)
    return members, centres.unflatten(1, shape[1:]), inertia


def _rows(points: Tensor, index: Tensor) -> Tensor:
    """(B, n, C) and (B, ...) of row numbers -> (B, ..., C)."""
    clip = torch.arange(len(points), device=points.device)
    return points[clip.view(-1, *[1] * (index.ndim - 1)), index]


def davies_bouldin(points: Tensor, labels: Tensor) -> Tensor:
    """Step 3, Eq. 2: (B, n, C) and (B, n) of labels from 0 on -> (B,), as scikit-learn has it.

    Labels without a point are left out. Without two clusters left the score is 0.
    """
    check_shapes(points=(points, "B n C"), labels=(labels, "B n"))
    return _score(points.double(), _one_hot(labels, int(labels.max()) + 1))


def _one_hot(labels: Tensor, clusters: int) -> Tensor:
    """(B, n) -> (B, n, K) float64; torch's own looks at the labels first, for which a GPU waits."""
    return (labels.unsqueeze(-1) == torch.arange(clusters, device=labels.device)).double()


def _score(points: Tensor, members: Tensor) -> Tensor:
    """Eq. 2 for points that belong to clusters by weights `members` (B, n, K)."""
    sizes = members.sum(1)  # (B, K)
    exists = sizes > 0
    sizes = torch.where(exists, sizes, 1.0)
    centroids = members.mT @ points / sizes[..., None]  # (B, K, C)
    spread = (members * _distances(points, centroids)).sum(1) / sizes  # sigma, (B, K)
    apart = _distances(centroids, centroids)  # (B, K, K)
    pairs = exists[:, None] & exists[:, :, None]
    far = pairs & (apart > 0)  # a cluster is not compared with itself or its double
    ratio = (spread[:, None] + spread[:, :, None]) / torch.where(far, apart, 1.0)
    worst = torch.where(far, ratio, 0.0).amax(-1)
    score = worst.sum(-1) / exists.sum(-1).clamp_min(1)
    no_spread = (spread <= _ZERO).all(-1)
    one_place = ((apart <= _ZERO) | ~pairs).all((-1, -2))
    return torch.where(no_spread | one_place, 0.0, score)


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """(B, n, C) and (B, m, C) -> (B, n, m); equal points have 0, with gradient 0."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def soft_memberships(points: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Ours, not the paper's: how much each point belongs to each cluster, (B, n, K), sums of one.

    A softmax of the squared distances to the K-means centroids, which are held fixed, in units of
    the cloud's mean squared radius, so that Q still does not change when all features are scaled.
    """
    hard = F.one_hot(labels).to(points.dtype)
    sizes = hard.sum(1)  # (B, K)
    fixed = points.detach()
    centroids = hard.mT @ fixed / sizes.clamp_min(1)[..., None]
    centre = fixed.mean(1, keepdim=True)
    unit = (fixed - centre).square().sum(-1).mean(1)  # (B,)
    unit = torch.where(unit > 0, unit, 1.0)[:, None, None]
    closeness = -_distances(points, centroids).square() / (temperature * unit)
    return closeness.masked_fill(sizes[:, None] == 0, -torch.inf).softmax(-1)


def _released_scores(points: Tensor, counts: Sequence[int], seed: int) -> Tensor:
    """Steps 2 and 3 by scikit-learn, on the CPU, as published: (B, n, C) -> (B,).

    0 for what it refuses to score: one cluster, or one for each point.
    """
    scores = np.zeros(len(points))
    for clip, (cloud, count) in enumerate(zip(points.detach().cpu().numpy(), counts, strict=True)):
        if 2 <= count < len(np.unique(cloud, axis=0)):
            labels = KMeans(count, random_state=seed, n_init=1).fit_predict(cloud)
            scores[clip] = davies_bouldin_score(cloud, labels) if np.ptp(labels) else 0.0
    return torch.from_numpy(scores).to(points.device)
