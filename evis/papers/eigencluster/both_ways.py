"""What the paper and its released code make of one batch, quantity by quantity.

Each public function of a `Batch` that returns `Values` belongs to a `Difference` of
`evis.papers.eigencluster.differences`.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from evis.criterion.step import Step
from evis.criterion.targets import target_masks
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.losses import boxinst, masks, qcc, tel
from evis.matching import match
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.recipes import named
from evis.papers.eigencluster.same_input import (
    Batch,
    clip_dataset,
    lab_of,
    model,
    pairs_of,
    pairwise_of,
    points,
    predict,
    tk_of,
)

_CLIPS = 12
STAGE2_STEPS = 70_000  # in the released configuration of the first two stages, R50


@dataclass(frozen=True)
class Values:
    """One quantity, as the paper has it and as the code has it."""

    quantity: str
    paper: float  # NaN: the text has none
    released: float

    @property
    def ratio(self) -> float:
        """1: the same; infinite where the paper has 0."""
        if self.paper == self.released:
            return 1.0
        return self.released / self.paper if self.paper else np.inf

    @property
    def texts(self) -> tuple[str, str]:
        return shown(self.paper), shown(self.released)


def shown(value: float) -> str:
    """Whole numbers as they are, others to as many digits as any machine will agree on."""
    if np.isnan(value):
        return "-"
    if abs(value - round(value)) < 1e-6 < abs(value) or value == 0:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        digits = 1 - int(np.floor(np.log10(abs(value))))
        return f"{round(value, digits):,.0f}"
    if abs(value) >= 1:
        return f"{value:.2f}" if abs(value) < 5 else f"{value:.1f}"
    return f"{value:.0e}".replace("e-0", "e-") if abs(value) < 1e-3 else f"{value:.2g}"


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
    pixels = tel.features(b.logits, b.settings.scale).flatten(0, 1)
    pixels = pixels.sign() if signs else pixels
    return float(np.mean([spectrum(frame, generalised)[2] for frame in pixels]))


def signs(b: Batch) -> Values:
    return Values("third eigenvalue of D - A", _third(b), _third(b, signs=True))


def generalised(b: Batch) -> Values:
    return Values("third eigenvalue, of the logits", _third(b), _third(b, generalised=True))


def solver_noise(b: Batch) -> Values:
    """Of the third eigenvalue, the largest relative error, as a bound that holds on any machine."""
    exact, found = (tel.eigenvalues(b.logits.double(), solver=s) for s in ("dense", "secular"))
    paper = ((found - exact) / exact)[..., 2].abs().max()
    noise = tel.eigenvalues(b.logits, solver="released") - tel.released_limit(b.logits)
    return Values("error of an eigenvalue, below", _bound(paper), _bound(noise.abs().max()))


def _bound(error: Tensor) -> float:
    return next(limit for limit in (1e-8, 1e-2, np.inf) if error < limit)


def _eigenvalue_losses(b: Batch, logits: Tensor | None = None, flavour: str = "paper", **how):
    """One a pair, in the cycle's pairs for both."""
    logits = b.logits if logits is None else logits
    solver = "secular" if flavour == "paper" else "released"
    values = tel.eigenvalues(logits, solver=solver, **how)
    return tel.eigenvalue_loss(values, tel.cyclic_pairs(logits.shape[1]), flavour)


def tel_gradient(b: Batch) -> Values:
    tracked = b.logits.clone().requires_grad_()
    (slope,) = torch.autograd.grad(_eigenvalue_losses(b, tracked).sum(), tracked)
    detached = _eigenvalue_losses(b, tracked, "released")
    released = float("nan") if detached.requires_grad else 0.0
    return Values("length of L_eig's gradient", float(slope.norm()), released)


def tel_factor(b: Batch) -> Values:
    paper, released = (
        float(1 + b.settings.beta * _eigenvalue_losses(b, flavour=flavour).mean())
        for flavour in ("paper", "released")
    )
    return Values("1 + beta L_eig, which multiplies L_tk", paper, released)


def tel_norm(b: Batch) -> Values:
    values, pairs = tel.eigenvalues(b.logits), tel.cyclic_pairs(3)
    of = {f: float(tel.eigenvalue_loss(values, pairs, f).mean()) for f in ("paper", "released")}
    return Values("L_eig of the same eigenvalues", of["paper"], of["released"])


def tel_pixels(b: Batch) -> Values:
    literal, per_side = (float(_eigenvalue_losses(b, scale=scale).mean()) for scale in (2, 4))
    return Values("L_eig, the paper's", literal, per_side)


def half_precision(b: Batch) -> Values:
    full = _eigenvalue_losses(b).mean()
    half = _eigenvalue_losses(b, b.logits.half().float()).mean()
    return Values("L_eig, the paper's", float(full), float(half))


def instances(b: Batch) -> Values:
    return Values("N, rows of the matrix E", len(b.objects) * max(b.objects), len(b.logits))


# Pairs of frames ----------------------------------------------------------------------------------


def pairs_as_printed(frames: int) -> list[tuple[int, int]]:
    """Eq. 14 taken at its word: t counts from 1 to T, and t = T has no case."""
    cases = [(t, t + 1) for t in range(1, frames + 1) if t < frames - 1]
    return [*cases, (frames, 0)]


def usable(pairs: Collection[tuple[int, int]], frames: int, first: int) -> list[tuple[int, int]]:
    """Those whose frames exist, where the first frame is called `first`."""
    names = range(first, first + frames)
    return [pair for pair in pairs if set(pair) <= set(names)]


def printed_pairs(b: Batch) -> Values:
    frames = b.logits.shape[1]
    found = len(usable(pairs_as_printed(frames), frames, first=0))
    return Values("pairs of three frames", found, len(tel.all_pairs(frames)))


def pairs_of_three(b: Batch) -> Values:
    """Those that both have, whichever of their two frames comes first."""
    ours, theirs = ({frozenset(pair) for pair in pairs_of(3, f)} for f in ("paper", "released"))
    return Values("pairs of three frames that both have", len(ours), len(ours & theirs))


def direction(b: Batch) -> Values:
    lab = lab_of(b)
    forth, back = [(0, 1), (1, 2), (0, 2)], [(1, 0), (2, 1), (2, 0)]
    asked, asking = (float(tk_of(b, b.logits, lab, pairs).sum()) for pairs in (back, forth))
    return Values("sum of L_tk", asked, asking)


def gaps(b: Batch) -> Values:
    drawn = clip_dataset(b.dataset, frame_range=named("eigencluster.stage3.released").frame_range)
    apart = [np.diff(drawn[step].frame_indices).mean() for step in range(len(drawn))]
    return Values("frames from one of a clip to the next", 1.0, float(np.mean(apart)))


# TK and BoxInst -----------------------------------------------------------------------------------


def _sum_of_tk(b: Batch, **how) -> float:
    return float(tk_of(b, b.logits, lab_of(b), tel.cyclic_pairs(3), **how).sum())


def tk_mean(b: Batch) -> Values:
    everywhere = {"boxes": torch.ones_like(b.boxes)}
    paper = _sum_of_tk(b, flavour="paper")
    return Values("sum of L_tk, no box", paper, _sum_of_tk(b, flavour="released", **everywhere))


def tk_boxes(b: Batch) -> Values:
    everywhere = _sum_of_tk(b, boxes=torch.ones_like(b.boxes))
    return Values("sum of L_tk, a mean over matches", everywhere, _sum_of_tk(b))


def tk_matches(b: Batch) -> Values:
    return Values("sum of L_tk", _sum_of_tk(b, top_k=9, threshold=0.0), _sum_of_tk(b))


def colours(b: Batch) -> Values:
    kept = {
        flavour: float((boxinst.color_similarity(lab_of(b, flavour).flatten(0, 1)) >= 0.3).sum())
        for flavour in ("paper", "released")
    }
    return Values("neighbours of similar colour", kept["paper"], kept["released"])


def _pairwise(b: Batch, **how) -> float:
    return float(pairwise_of(b, b.logits, lab_of(b), **how))


def pairwise_mean(b: Batch) -> Values:
    return Values("L_pair", _pairwise(b, flavour="paper"), _pairwise(b, flavour="released"))


def pairwise_threshold(b: Batch) -> Values:
    return Values("L_pair", _pairwise(b, threshold=0.0), _pairwise(b))


def projection_dice(b: Batch) -> Values:
    """On the same maxima, the dice of matching and stage one, and that of the projection."""
    logits, boxes = b.logits.flatten(0, 1), b.boxes.flatten(0, 1)
    plain = sum(masks.dice(logits.amax(axis), boxes.amax(axis)).mean() for axis in (-1, -2))
    return Values("L_proj", float(plain), float(boxinst.projection_loss(logits, boxes)))


def hidden(b: Batch) -> Values:
    empty = torch.zeros_like(b.boxes[0, :1])
    released = boxinst.projection_loss(empty - 10, empty)
    return Values("L_proj of a hidden object, no mask predicted", 0.0, float(released))


# QCC ----------------------------------------------------------------------------------------------


def _quality(b: Batch, flavour: qcc.Flavour = "paper", **how) -> float:
    features = b.prediction.mask_logits
    return float(qcc.quality_cluster_coefficient(features, b.objects, flavour=flavour, **how))


def quality_class(b: Batch) -> Values:
    found = Loss(b.settings)(b.prediction, b.clips, Step(), points())
    classes = float(b.settings.class_weight * found["class"])
    return Values("the class term, in the loss", classes, classes * float(found["qcc"]))


def quality_single(b: Batch) -> Values:
    counts = [len(b.dataset.tracks_of(video.id)) for video in b.dataset.videos]
    return Values("share of videos that Q can change", 1.0, float(np.mean(np.array(counts) > 1)))


def quality_mean(b: Batch) -> Values:
    mean = _quality(b) - 1
    return Values("Q", 1 + len(b.clips) * mean, 1 + mean)


def quality_restarts(b: Batch) -> Values:
    return Values("Q", _quality(b), _quality(b, "released"))


def quality_pixels(b: Batch) -> Values:
    return Values("Q", _quality(b, scale=2), _quality(b, scale=4))


def quality_queries(b: Batch) -> Values:
    """Of the first clip: its matched queries alone, and all of them."""
    queries = b.queries[0]
    features, count = b.prediction.mask_logits[:1], b.objects[:1]
    matched, everyone = (
        float(qcc.quality_cluster_coefficient(of, count)) for of in (features[:, queries], features)
    )
    return Values("Q of the clip with several objects", matched, everyone)


def quality_gradient(b: Batch) -> Values:
    """Of Eq. 2 where the clusters are held, in the mask logits."""
    tracked = b.prediction.mask_logits.clone().requires_grad_()
    points = qcc.feature_points(tracked[:1])
    labels, _ = qcc.kmeans(points.detach(), b.objects[:1])
    (slope,) = torch.autograd.grad(qcc.davies_bouldin(points, labels).sum(), tracked)
    detached = qcc.quality_cluster_coefficient(tracked, b.objects, flavour="released")
    released = float("nan") if detached.requires_grad else 0.0
    return Values("length of Q's gradient", float(slope.norm()), released)


def class_shape(b: Batch) -> Values:
    _, frames, _, height, width = b.frames.shape
    queries, classes = b.prediction.class_logits.shape[1:]
    grid = (classes - 1) * frames * height * width
    return Values("numbers in U, a clip", grid, queries * classes)


# Weights, matching, schedule ----------------------------------------------------------------------


def weights(b: Batch) -> Values:
    found = Loss(replace(b.settings, alpha=0))(b.prediction, b.clips, Step(), points())
    plain = sum(found[name] for name in b.settings.weights)
    return Values("the loss, without Q", float(plain), float(found["total"]))


def temporal_factor(b: Batch) -> Values:
    found = Loss(b.settings)(b.prediction, b.clips, Step(), points())
    released = float(found["temporal"])
    return Values("L_temporal", released / b.settings.temporal_factor, released)


def beta(b: Batch) -> Values:
    l_eig = _eigenvalue_losses(b).mean()
    return Values("1 + beta L_eig, the paper's L_eig", float(1 + l_eig), float(1 + 0.16 * l_eig))


def warm_up(b: Batch) -> Values:
    """From a counter that starts at 0."""
    stage = named("eigencluster.stage2.released")
    warm_up_steps = stage.settings.warm_up_steps
    mean = np.mean([boxinst.warm_up(step, warm_up_steps) for step in range(stage.steps)])
    return Values("mean factor of L_temporal, stage two", 1.0, float(mean))


def matching(b: Batch) -> Values:
    """How many objects get the query that dice alone would give them, over several clips."""
    total = same = 0
    for clip, prediction in _several(b):
        with_class, by_dice = (
            _queries(clip, prediction, logits)
            for logits in (prediction.class_logits, torch.zeros_like(prediction.class_logits))
        )
        total += len(by_dice)
        same += int((with_class == by_dice).sum())
    return Values("objects with the query of least dice", total, same)


def factors(b: Batch) -> dict[str, np.ndarray]:
    """1 + beta L_eig of every pair of several clips' frames, by both flavours."""
    found: dict[str, list[Tensor]] = {"paper": [], "released": []}
    for clip, prediction in _several(b):
        logits = prediction.mask_logits[0, _queries(clip, prediction, prediction.class_logits)]
        for flavour, of in found.items():
            of.append(1 + b.settings.beta * _eigenvalue_losses(b, logits, flavour))
    return {flavour: torch.cat(of).numpy() for flavour, of in found.items()}


def _several(b: Batch) -> Iterator[tuple[Clip, ClipPrediction]]:
    drawn = clip_dataset(b.dataset)
    for step in range(_CLIPS):
        yield drawn[step], predict([drawn[step]])


def _queries(clip: Clip, prediction: ClipPrediction, class_logits: Tensor) -> Tensor:
    """The queries matched under boxes, in the order of the clip's objects."""
    size = tuple(clip.frames.shape[-2:])
    target = clip.labels, target_masks([clip], "box", size, torch.device("cpu"))
    how = {"by": "boxes", "points": 2000, "generator": points()}
    ((queries, objects),) = match(class_logits, prediction.mask_logits, [target], **how)
    return queries[objects.argsort()]


def learning_rate(b: Batch) -> Values:
    rates = [named(f"eigencluster.stage3{f}").learning_rate for f in ("", ".released")]
    return Values("learning rate, times 100,000", *(1e5 * rate for rate in rates))


def backbone_rate(b: Batch) -> Values:
    stage = named("eigencluster.stage2")
    rate = 1e5 * stage.learning_rate
    what = "the backbone's learning rate in stage two, times 100,000"
    return Values(what, rate, rate * stage.backbone_multiplier)


def clip_length(b: Batch) -> Values:
    return Values("frames a clip, T", np.nan, named("eigencluster.stage3.released").frames)


def steps_of_stage_two(b: Batch) -> Values:
    return Values("steps of stage two, R50", named("eigencluster.stage2").steps, STAGE2_STEPS)


def steps(b: Batch) -> Values:
    paper, code = (named(f"eigencluster.stage3{flavour}") for flavour in ("", ".released"))
    return Values("steps of stage three, R50", paper.steps, code.steps)


def stills(b: Batch) -> Values:
    mixture = dict(named("eigencluster.stage3.released").mixture)
    return Values("share of clips from videos", 1.0, mixture["videos"] / sum(mixture.values()))


def clipping(b: Batch) -> Values:
    """Of the trained parameters: all but the backbone's."""
    network = model()
    prediction = replace(network(b.frames.float()), layers=())
    total = Loss(b.settings)(prediction, b.clips, Step(), points())["total"]
    heads = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
    slopes = torch.autograd.grad(total, heads, allow_unused=True)
    length = float(torch.stack([slope.norm() for slope in slopes if slope is not None]).norm())
    return Values("length of a step's gradient", length, min(length, 0.01))
