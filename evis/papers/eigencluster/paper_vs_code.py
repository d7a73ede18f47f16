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

from evis.criterion.step import Step
from evis.losses import boxinst, masks, qcc, tel
from evis.papers.eigencluster import one_batch
from evis.papers.eigencluster.loss import Loss
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
    pixels = tel.features(b.logits, SETTINGS.scale).flatten(0, 1)
    pixels = pixels.sign() if signs else pixels
    return np.mean([spectrum(frame, generalised)[2] for frame in pixels])


def solver_error(b: Batch, solver: str) -> float:
    """Of the third eigenvalue, the largest (relative: evis's), as a bound for any machine."""
    if solver == "released":
        errors = tel.eigenvalues(b.logits, solver=solver) - tel.released_limit(b.logits)
    else:
        exact, found = (tel.eigenvalues(b.logits.double(), solver=s) for s in ("dense", solver))
        errors = ((found - exact) / exact)[..., 2]
    return next(limit for limit in (1e-8, 1e-2, np.inf) if errors.abs().max() < limit)


def of_pairs(logits: Tensor, flavour: boxinst.Flavour = "paper", scale: int = 4) -> Tensor:
    """L_eig, one value a pair of frames."""
    solver = "secular" if flavour == "paper" else "released"
    values = tel.eigenvalues(logits, scale=scale, solver=solver)
    return tel.eigenvalue_loss(values, _PAIRS, flavour)


def l_eig(b: Batch, scale: int = 4, half: bool = False, mean: bool = False) -> Tensor:
    """half: of logits in half precision. mean: over eigenvalues and objects, in place of a sum."""
    logits = b.logits.half().float() if half else b.logits
    values = tel.eigenvalues(logits, scale=scale)
    return tel.eigenvalue_loss(values, _PAIRS, "released" if mean else "paper").mean()


def factor(b: Batch, beta: float = SETTINGS.beta, flavour: boxinst.Flavour = "paper") -> Tensor:
    return 1 + beta * of_pairs(b.logits, flavour).mean()


def slope_of_l_eig(b: Batch, flavour: boxinst.Flavour = "paper") -> Tensor | float:
    tracked = b.logits.clone().requires_grad_()
    value = of_pairs(tracked, flavour).sum()
    return torch.autograd.grad(value, tracked)[0].norm() if value.requires_grad else 0


def factors(b: Batch) -> dict[str, np.ndarray]:
    """1 + beta L_eig of every pair of several clips' frames, by both flavours."""
    of_clips = [one.logits for one in _several()]
    return {
        flavour: np.concatenate(
            [1 + SETTINGS.beta * of_pairs(x, flavour).numpy() for x in of_clips]
        )
        for flavour in ("paper", "released")
    }


def _several() -> Iterator[Batch]:
    drawn = one_batch.clips()
    for clip in (drawn[step] for step in range(_CLIPS)):
        yield one_batch.of_prediction([clip], one_batch.predict([clip]))


# QCC ----------------------------------------------------------------------------------------------


def quality(
    b: Batch, summed: bool = False, scale: int = 4, flavour: qcc.Flavour = "paper"
) -> Tensor:
    """Q. summed: one plus the clips' scores, in place of one plus their mean."""
    how = {"scale": scale, "flavour": flavour}
    q = qcc.quality_cluster_coefficient(b.prediction.mask_logits, b.objects, **how)
    return 1 + len(b.clips) * (q - 1) if summed else q


def quality_of_first(b: Batch, matched: bool) -> Tensor:
    """Q of the clip with several objects: of its matched queries alone, or of all."""
    features, count = b.prediction.mask_logits[:1], b.objects[:1]
    features = features[:, b.match.queries[0, : count[0]]] if matched else features
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
    return b.tk(b.lab(), pairs, torch.ones_like(b.boxes) if everywhere else b.boxes, **how).mean()


def similar_colours(b: Batch, flavour: boxinst.Flavour) -> Tensor:
    return (boxinst.color_similarity(b.lab(flavour).flatten(0, 1)) >= 0.3).double().mean()


def l_pair(b: Batch, **how) -> Tensor:
    return b.pairwise(b.lab(), **how)


def l_proj(b: Batch, squares: bool) -> Tensor:
    """On the same maxima, by the dice with squares below the line or by the one without."""
    logits, boxes = b.logits.flatten(0, 1), b.boxes.flatten(0, 1)
    if squares:
        return boxinst.projection_loss(logits, boxes)
    return sum(masks.dice(logits.amax(axis), boxes.amax(axis)).mean() for axis in (-1, -2))


def class_term(b: Batch, times_q: bool) -> Tensor:
    terms = _terms(b)
    return SETTINGS.class_weight * terms["class"] * (terms["qcc"] if times_q else 1)


def loss_without_q(b: Batch, weighted: bool) -> Tensor:
    terms = _terms(b, alpha=0)
    return terms["total"] if weighted else sum(terms[name] for name in SETTINGS.weights)


def _terms(b: Batch, **settings) -> dict[str, Tensor]:
    loss = Loss(replace(SETTINGS, **settings))
    return loss(b.prediction, b.clips, Step(), one_batch.points())


def objects_with_least_dice(b: Batch, classes: bool) -> int:
    """How many, over several clips, get the query of least dice where `classes` count as well."""
    count = 0
    for one in _several():
        silent = replace(one.prediction, class_logits=torch.zeros_like(one.prediction.class_logits))
        by_dice = one_batch.of_prediction(one.clips, silent).match.queries
        count += int(((one.match.queries if classes else by_dice) == by_dice).sum())
    return count


def step_length(b: Batch, longest: float = np.inf) -> float:
    """Of the trained parameters' gradient: all but the backbone's."""
    network = one_batch.model()
    prediction = replace(network(b.match.group.frames.float()), layers=())
    heads = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
    total = _terms(replace(b, prediction=prediction))["total"]
    slopes = torch.autograd.grad(total, heads, allow_unused=True)
    length = torch.stack([slope.norm() for slope in slopes if slope is not None]).norm()
    return min(float(length), longest)
