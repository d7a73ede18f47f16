"""Quantities of one batch, with the paper's choices or with the released code's.

differences.toml names a function and what it is called with for either side. Without arguments each
gives what the released code makes of the batch, but for TEL and QCC, where it is the paper.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from evis.losses import boxinst, masks, qcc, tel
from evis.losses.tensors import Flavour
from evis.papers.eigencluster import one_batch
from evis.papers.eigencluster.one_batch import SETTINGS, Batch

_PAIRS = tel.cyclic_pairs(3)
_CLIPS = 12

# TEL ----------------------------------------------------------------------------------------------


def spectrum(pixels: Tensor, generalised: bool = False) -> np.ndarray:
    """All eigenvalues of D - A, or of (D - A) v = lambda D v: (n,) logits -> (n,), ascending."""
    pixels = pixels.double()
    laplacian = tel.laplacian(pixels)
    if not generalised:
        return scipy.linalg.eigvalsh(laplacian.numpy())
    degree = laplacian.diagonal() + pixels**2  # the diagonal of D: that of A is E^2
    degree = torch.where(degree > 0, degree, 1.0)
    return scipy.linalg.eigh(laplacian.numpy(), torch.diag(degree).numpy(), eigvals_only=True)


def third_eigenvalue(b: Batch, signs: bool = False, generalised: bool = False) -> float:
    """The mean over objects and frames."""
    pixels = tel.features(b.instances, SETTINGS.scale).flatten(0, 1)
    pixels = pixels.sign() if signs else pixels
    return np.mean([spectrum(frame, generalised)[2] for frame in pixels])


def solver_error(b: Batch, solver: str) -> float:
    """Of the third eigenvalue, the largest (relative: evis's), as a bound for any machine."""
    if solver == "released":
        errors = tel.eigenvalues(b.instances, solver=solver) - tel.released_limit(b.instances)
    else:
        exact, found = (tel.eigenvalues(b.instances.double(), solver=s) for s in ("dense", solver))
        errors = ((found - exact) / exact)[..., 2]
    return next(limit for limit in (1e-8, 1e-2, np.inf) if errors.abs().max() < limit)


def of_pairs(
    logits: Tensor, scale: int = 4, solver: tel.Solver = "secular", norm: Flavour = "paper"
) -> Tensor:
    """L_eig, one value a pair of frames. norm: a sum over objects and eigenvalues, or a mean."""
    return tel.eigenvalue_loss(tel.eigenvalues(logits, scale=scale, solver=solver), _PAIRS, norm)


def l_eig(b: Batch, half: bool = False, **how) -> Tensor:
    """half: of logits in half precision."""
    return of_pairs(b.instances.half().float() if half else b.instances, **how).mean()


def factor(b: Batch, beta: float = SETTINGS.beta, **how) -> Tensor:
    return 1 + beta * l_eig(b, **how)


def slope_of_l_eig(b: Batch, **how) -> Tensor | float:
    tracked = b.instances.clone().requires_grad_()
    value = of_pairs(tracked, **how).sum()
    return torch.autograd.grad(value, tracked)[0].norm() if value.requires_grad else 0


def factors(**how) -> np.ndarray:
    """1 + beta L_eig of every pair of several clips' frames."""
    of_clips = [of_pairs(one.instances, **how).numpy() for one in _several()]
    return 1 + SETTINGS.beta * np.concatenate(of_clips)


def _several() -> Iterator[Batch]:
    drawn = one_batch.clips()
    return (one_batch.predict([drawn[step]]) for step in range(_CLIPS))


# QCC ----------------------------------------------------------------------------------------------


def quality(b: Batch, summed: bool = False, **how) -> Tensor:
    """Q. summed: one plus the clips' scores, in place of one plus their mean."""
    q = qcc.quality_cluster_coefficient(b.prediction.mask_logits, b.objects, **how)
    return 1 + len(b.clips) * (q - 1) if summed else q


def quality_of_first(b: Batch, matched: bool) -> Tensor:
    """Q of the clip with several objects: of its matched queries alone, or of all."""
    features, count = b.prediction.mask_logits[:1], b.objects[:1]
    features = features[:, b.match.queries[-1, : count[0]]] if matched else features
    return qcc.quality_cluster_coefficient(features, count)


def slope_of_quality(b: Batch, flavour: qcc.Flavour = "paper") -> Tensor | float:
    """Of Eq. 2 where the clusters are held, in the mask logits."""
    tracked = b.prediction.mask_logits.clone().requires_grad_()
    if flavour == "released":
        q = qcc.quality_cluster_coefficient(tracked, b.objects, flavour=flavour)
        return np.nan if q.requires_grad else 0
    points = qcc.feature_points(tracked[:1])
    labels, _ = qcc.kmeans(points.detach(), b.objects[:1])
    return torch.autograd.grad(qcc.davies_bouldin(points, labels).sum(), tracked)[0].norm()


# TK, BoxInst, matching and a step -----------------------------------------------------------------


def l_tk(b: Batch, everywhere: bool = False, turned: bool = False, **how) -> Tensor:
    """The mean over pairs. everywhere: not in the boxes alone; turned: the other frame asks."""
    pairs = [pair[::-1] for pair in _PAIRS] if turned else _PAIRS
    return b.l_tk(pairs, torch.ones_like(b.boxes) if everywhere else b.boxes, **how).mean()


def similar_colours(b: Batch, flavour: Flavour) -> Tensor:
    return (boxinst.color_similarity(b.lab(flavour).flatten(0, 1)) >= 0.3).double().mean()


def l_pair(b: Batch, **how) -> Tensor:
    lab = b.lab()
    similarity = boxinst.color_similarity(lab.flatten(0, 1)).unflatten(0, lab.shape[:2])
    of_objects = b.instances, similarity[b.match.clip_of], b.boxes  # (M, T, ...) each
    return boxinst.pairwise_loss(*(tensor.flatten(0, 1) for tensor in of_objects), **how)


def l_proj(b: Batch, squares: bool) -> Tensor:
    """On the same maxima, by the dice with squares below the line or by the one without."""
    logits, boxes = b.instances.flatten(0, 1), b.boxes.flatten(0, 1)
    if squares:
        return boxinst.projection_loss(logits, boxes)
    return sum(masks.dice(logits.amax(axis), boxes.amax(axis)).mean() for axis in (-1, -2))


def class_term(b: Batch, times_q: bool) -> Tensor:
    terms = b.loss()
    return SETTINGS.class_weight * terms["class"] * (terms["qcc"] if times_q else 1)


def loss_without_q(b: Batch, weighted: bool) -> Tensor:
    terms = b.loss(alpha=0)
    return terms["total"] if weighted else sum(terms[name] for name in SETTINGS.weights)


def objects_with_least_dice(b: Batch, classes: bool) -> int:
    """How many, over several clips, get the query of least dice where `classes` count as well."""
    count = 0
    for one in _several():
        silent = replace(one.prediction, class_logits=torch.zeros_like(one.prediction.class_logits))
        by_dice = one_batch.matched_batch(one.clips, silent).match.queries
        count += int(((one.match.queries if classes else by_dice) == by_dice)[-1].sum())
    return count


def step_length(b: Batch, longest: float = np.inf) -> float:
    """Of the trained parameters' gradient: all but the backbone's."""
    network = one_batch.model()
    heads = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
    prediction = network(b.match.group.frames.float())
    total = replace(b, prediction=prediction).loss()["total"]
    slopes = torch.autograd.grad(total, heads, allow_unused=True)
    length = torch.stack([slope.norm() for slope in slopes if slope is not None]).norm()
    return min(float(length), longest)
