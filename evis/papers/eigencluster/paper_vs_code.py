"""Quantities of one batch, each as the paper has it and as the released code has it.

differences.toml says what each of these functions is of. A function of a `Batch` gives the two
numbers or scalars, the paper's first.
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
from evis.papers.eigencluster.recipes import named

Both = tuple[float | Tensor, float | Tensor]
_CYCLE = tel.cyclic_pairs(3)
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


def _third(b: Batch, signs: bool = False, generalised: bool = False) -> float:
    pixels = tel.features(b.logits, SETTINGS.scale).flatten(0, 1)
    pixels = pixels.sign() if signs else pixels
    return float(np.mean([spectrum(frame, generalised)[2] for frame in pixels]))


def signs(b: Batch) -> Both:
    return _third(b), _third(b, signs=True)


def generalised(b: Batch) -> Both:
    return _third(b), _third(b, generalised=True)


def solver_noise(b: Batch) -> Both:
    """Of the third eigenvalue, the largest relative error, as a bound that holds on any machine."""
    exact, secular = (tel.eigenvalues(b.logits.double(), solver=s) for s in ("dense", "secular"))
    paper = ((secular - exact) / exact)[..., 2].abs().max()
    noise = tel.eigenvalues(b.logits, solver="released") - tel.released_limit(b.logits)
    return _bound(paper), _bound(noise.abs().max())


def _bound(error: Tensor) -> float:
    return next(limit for limit in (1e-8, 1e-2, np.inf) if error < limit)


def l_eig(logits: Tensor, flavour: boxinst.Flavour = "paper", **how) -> Tensor:
    """One value a pair of frames, in the cycle's pairs for both."""
    solver = "secular" if flavour == "paper" else "released"
    return tel.eigenvalue_loss(tel.eigenvalues(logits, solver=solver, **how), _CYCLE, flavour)


def tel_gradient(b: Batch) -> Both:
    tracked = b.logits.clone().requires_grad_()
    (slope,) = torch.autograd.grad(l_eig(tracked).sum(), tracked)
    return slope.norm(), np.nan if l_eig(tracked, "released").requires_grad else 0


def tel_factor(b: Batch) -> Both:
    return _factor(b, SETTINGS.beta), _factor(b, SETTINGS.beta, "released")


def beta(b: Batch) -> Both:
    """1 is our stand-in: the text has none."""
    return _factor(b, 1.0), _factor(b, SETTINGS.beta)


def _factor(b: Batch, beta: float, flavour: boxinst.Flavour = "paper") -> Tensor:
    return 1 + beta * l_eig(b.logits, flavour).mean()


def tel_norm(b: Batch) -> Both:
    values = tel.eigenvalues(b.logits)
    return tuple(tel.eigenvalue_loss(values, _CYCLE, f).mean() for f in ("paper", "released"))


def tel_pixels(b: Batch) -> Both:
    return l_eig(b.logits, scale=2).mean(), l_eig(b.logits, scale=4).mean()


def half_precision(b: Batch) -> Both:
    return l_eig(b.logits).mean(), l_eig(b.logits.half().float()).mean()


def factors(b: Batch) -> dict[str, np.ndarray]:
    """1 + beta L_eig of every pair of several clips' frames, by both flavours."""
    of_clips = [one.logits for one in _several()]
    return {
        flavour: np.concatenate([1 + SETTINGS.beta * l_eig(x, flavour).numpy() for x in of_clips])
        for flavour in ("paper", "released")
    }


def _several() -> Iterator[Batch]:
    drawn = one_batch.clips()
    for clip in (drawn[step] for step in range(_CLIPS)):
        yield one_batch.of_prediction([clip], one_batch.predict([clip]))


# Frames, TK and BoxInst ---------------------------------------------------------------------------


def gaps(b: Batch) -> Both:
    drawn = one_batch.clips(named("eigencluster.stage3.released").frame_range)
    return 1, np.mean([np.diff(clip.frame_indices).mean() for clip in drawn])


def direction(b: Batch) -> Both:
    pairs = tel.all_pairs(3)
    turned = [(second, first) for first, second in pairs]
    return b.tk(b.lab(), turned).sum(), b.tk(b.lab(), pairs).sum()


def _sum_of_tk(b: Batch, **how) -> Tensor:
    return b.tk(b.lab(), _CYCLE, **how).sum()


def tk_mean(b: Batch) -> Both:
    everywhere = torch.ones_like(b.boxes)
    return _sum_of_tk(b, flavour="paper"), _sum_of_tk(b, flavour="released", boxes=everywhere)


def tk_boxes(b: Batch) -> Both:
    return _sum_of_tk(b, boxes=torch.ones_like(b.boxes)), _sum_of_tk(b)


def tk_matches(b: Batch) -> Both:
    pairs = len(_CYCLE)
    return _sum_of_tk(b, top_k=9, threshold=0.0) / pairs, _sum_of_tk(b) / pairs


def colours(b: Batch) -> Both:
    labs = (b.lab(flavour).flatten(0, 1) for flavour in ("paper", "released"))
    return tuple((boxinst.color_similarity(lab) >= 0.3).double().mean() for lab in labs)


def pairwise_mean(b: Batch) -> Both:
    return tuple(b.pairwise(b.lab(), flavour=flavour) for flavour in ("paper", "released"))


def pairwise_threshold(b: Batch) -> Both:
    return b.pairwise(b.lab(), threshold=0.0), b.pairwise(b.lab())


def projection_dice(b: Batch) -> Both:
    """On the same maxima, the dice of matching and stage one, and that of the projection."""
    logits, boxes = b.logits.flatten(0, 1), b.boxes.flatten(0, 1)
    plain = sum(masks.dice(logits.amax(axis), boxes.amax(axis)).mean() for axis in (-1, -2))
    return plain, boxinst.projection_loss(logits, boxes)


def hidden(b: Batch) -> Both:
    """No mask is predicted, and the paper has nothing to project."""
    empty = torch.zeros_like(b.boxes[0, :1])
    return 0, boxinst.projection_loss(empty - 10, empty)


# QCC ----------------------------------------------------------------------------------------------


def _quality(b: Batch, flavour: qcc.Flavour = "paper", **how) -> Tensor:
    features = b.prediction.mask_logits
    return qcc.quality_cluster_coefficient(features, b.objects, flavour=flavour, **how)


def quality_class(b: Batch) -> Both:
    terms = Loss(SETTINGS)(b.prediction, b.clips, Step(), one_batch.points())
    classes = SETTINGS.class_weight * terms["class"]
    return classes, classes * terms["qcc"]


def quality_single(b: Batch) -> Both:
    dataset = one_batch.clips().dataset
    return 1, np.mean([len(dataset.tracks_of(video.id)) > 1 for video in dataset.videos])


def quality_mean(b: Batch) -> Both:
    mean = _quality(b) - 1
    return 1 + len(b.clips) * mean, 1 + mean


def quality_restarts(b: Batch) -> Both:
    return _quality(b), _quality(b, "released")


def quality_pixels(b: Batch) -> Both:
    return _quality(b, scale=2), _quality(b, scale=4)


def quality_queries(b: Batch) -> Both:
    """Of the first clip: its matched queries alone, and all of them."""
    features, count = b.prediction.mask_logits[:1], b.objects[:1]
    queries = b.match.queries[0, : count[0]]
    return tuple(
        qcc.quality_cluster_coefficient(x, count) for x in (features[:, queries], features)
    )


def quality_gradient(b: Batch) -> Both:
    """Of Eq. 2 where the clusters are held, in the mask logits."""
    tracked = b.prediction.mask_logits.clone().requires_grad_()
    points = qcc.feature_points(tracked[:1])
    labels, _ = qcc.kmeans(points.detach(), b.objects[:1])
    (slope,) = torch.autograd.grad(qcc.davies_bouldin(points, labels).sum(), tracked)
    code = qcc.quality_cluster_coefficient(tracked, b.objects, flavour="released")
    return slope.norm(), np.nan if code.requires_grad else 0


# Weights, matching and a step ---------------------------------------------------------------------


def weights(b: Batch) -> Both:
    terms = Loss(replace(SETTINGS, alpha=0))(b.prediction, b.clips, Step(), one_batch.points())
    return sum(terms[name] for name in SETTINGS.weights), terms["total"]


def matching(b: Batch) -> Both:
    """How many objects get the query that dice alone would give them, over several clips."""
    total = same = 0
    for one in _several():
        silent = replace(one.prediction, class_logits=torch.zeros_like(one.prediction.class_logits))
        by_dice = one_batch.of_prediction(one.clips, silent)
        total += one.match.queries.numel()
        same += int((one.match.queries == by_dice.match.queries).sum())
    return total, same


def clipping(b: Batch) -> Both:
    """Of the trained parameters: all but the backbone's."""
    network = one_batch.model()
    prediction = replace(network(b.match.group.frames.float()), layers=())
    total = Loss(SETTINGS)(prediction, b.clips, Step(), one_batch.points())["total"]
    heads = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
    slopes = torch.autograd.grad(total, heads, allow_unused=True)
    length = torch.stack([slope.norm() for slope in slopes if slope is not None]).norm()
    return length, min(float(length), 0.01)
