"""What the paper and its released code make of one and the same input.

The input is a batch of stage three: two toy clips that nothing was trained on, one with several
objects and one with a single one, and what the committed toy model predicts for them. `loss` is the
whole box loss with every part in a flavour of its own; `both_ways` takes it apart.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from evis.criterion.step import Step
from evis.criterion.targets import target_masks
from evis.data import paths, toy
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip, ClipDataset
from evis.data.errors import DataError
from evis.data.supervision import weaken
from evis.data.types import VISDataset
from evis.losses import boxinst, qcc, tel, tk
from evis.matching import match
from evis.models import load
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.settings import Settings

PARTS = {  # of the loss: what the released code does otherwise
    "colours": "LAB of whole numbers, red and blue exchanged",
    "pairwise": "a mean over the similar edges only",
    "TK": "a mean over the matches in the boxes",
    "pairs": "every pair of frames, the earlier first",
    "eigenvalues": "signs, generalised problem, detached",
    "mean": "the mean absolute difference, detached",
    "K-means": "one start",
    "class": "Q multiplies the class term too",
}
_VIDEOS = 40


@dataclass(frozen=True)
class Batch:
    clips: tuple[Clip, ...]  # with boxes, without masks
    prediction: ClipPrediction  # the last layer's
    queries: tuple[Tensor, ...]  # of each clip, in the order of its objects
    boxes: Tensor  # (M, T, h, w), the matched objects' boxes at the logits' size
    settings: Settings
    dataset: VISDataset

    @property
    def frames(self) -> Tensor:
        """(B, T, 3, H, W) RGB."""
        return torch.stack([clip.frames for clip in self.clips])

    @property
    def logits(self) -> Tensor:
        """(M, T, h, w) of the matched queries."""
        return logits_of(self.queries, self.prediction)

    @property
    def objects(self) -> list[int]:
        return [len(clip.labels) for clip in self.clips]


@cache
def batch() -> Batch:
    """Clips of three frames, all of whose objects are in sight: one of three, one of one object."""
    dataset = toy.sample("toy-ytvis19", _VIDEOS, seed=1, split="valid")
    found = {}
    for clip in clip_dataset(dataset):
        if bool(clip.visible.all()):
            found.setdefault(len(clip.labels), clip)
    clips = found[3], found[1]
    prediction = predict(clips)
    settings = Settings(points=2000, warm_up_steps=0)  # the temporal term at its full factor
    size = tuple(clips[0].frames.shape[-2:])
    boxes = target_masks(clips, "box", size, torch.device("cpu"))
    masks = boxes.split([len(clip.labels) for clip in clips])
    targets = [(clip.labels, of_clip) for clip, of_clip in zip(clips, masks, strict=True)]
    logits = prediction.class_logits, prediction.mask_logits
    pairs = match(*logits, targets, "boxes", settings.points, points())
    queries = tuple(queries[objects.argsort()] for queries, objects in pairs)
    small = boxinst.resize_boxes(boxes, tuple(prediction.mask_logits.shape[-2:]))
    return Batch(clips, prediction, queries, small, settings, dataset)


def clip_dataset(dataset: VISDataset, frame_range: int = 20) -> ClipDataset:
    """As the toy stage three draws clips, without flips."""
    size = {"shorter_sides": (64,), "longest_side": 96, "flip": 0.0}
    return ClipDataset(weaken(dataset, "box"), frame_range=frame_range, **size)


@cache
def model() -> torch.nn.Module:
    return load(paths.data() / "weights" / "toy_video.safetensors")


@torch.no_grad()
def predict(clips: Sequence[Clip]) -> ClipPrediction:
    """The last layer's."""
    return replace(model()(torch.stack([clip.frames for clip in clips])), layers=())


def points() -> torch.Generator:
    """Where matching looks: the same places each time."""
    return torch.Generator().manual_seed(0)


# The whole loss -----------------------------------------------------------------------------------


def loss(
    b: Batch, released: Collection[str] = (), prediction: ClipPrediction | None = None
) -> Tensor:
    """The last layer's box loss; `released` names the `PARTS` that are as in the code.

    With none of them it is `Loss`'s total by the paper, with all of them by the released code.
    """
    unknown = set(released) - set(PARTS)
    if unknown:
        raise DataError(f"no part is called {min(unknown)!r}", remedy=f"Parts: {', '.join(PARTS)}")

    def flavour(part: str):
        return "released" if part in released else "paper"

    prediction = prediction or b.prediction
    settings, logits = b.settings, logits_of(b.queries, prediction)
    plain = replace(settings, alpha=0, beta=0.0)
    same = Loss(plain)(prediction, b.clips, Step(), points())  # class and projection
    lab = lab_of(b, flavour("colours"))
    pairwise = pairwise_of(b, logits, lab, flavour=flavour("pairwise"))
    pairs = pairs_of(lab.shape[1], flavour("pairs"))
    l_tk = tk_of(b, logits, lab, pairs, flavour=flavour("TK"))
    solver = "released" if "eigenvalues" in released else "secular"
    values = tel.eigenvalues(logits, settings.eigenvalues, settings.scale, solver)
    l_eig = tel.eigenvalue_loss(values, pairs, flavour("mean"))
    temporal = settings.temporal_factor * tel.temporal_loss(l_tk, l_eig, settings.beta)
    quality = qcc.quality_cluster_coefficient(
        prediction.mask_logits, b.objects, settings.scale, flavour("K-means")
    )
    terms = same | {"pairwise": pairwise, "temporal": temporal}
    weighted = {name: weight * terms[name] for name, weight in settings.weights.items()}
    classes = weighted.pop("class")
    rest = sum(weighted.values())
    return quality * (classes + rest) if "class" in released else classes + quality * rest


def with_gradient(b: Batch, released: Collection[str] = ()) -> tuple[float, Tensor]:
    """The loss and its slope in every mask logit, (B, Q, T, h, w)."""
    tracked = b.prediction.mask_logits.clone().requires_grad_()
    value = loss(b, released, replace(b.prediction, mask_logits=tracked))
    (slope,) = torch.autograd.grad(value, tracked)
    return value.item(), slope


def logits_of(queries: Sequence[Tensor], prediction: ClipPrediction) -> Tensor:
    """(M, T, h, w): these queries' masks, all clips' objects one after another."""
    return torch.cat(
        [of_clip[q] for of_clip, q in zip(prediction.mask_logits, queries, strict=True)]
    )


def of_objects(b: Batch, values: Tensor) -> Tensor:
    """(B, ...) -> (M, ...): what holds for an object's clip."""
    return values.repeat_interleave(torch.tensor(b.objects), 0)


def pairs_of(frames: int, flavour: str) -> list[tuple[int, int]]:
    return tel.cyclic_pairs(frames) if flavour == "paper" else tel.all_pairs(frames)


def lab_of(b: Batch, flavour: boxinst.Flavour = "paper") -> Tensor:
    """(B, T, 3, h, w) at the logits' size."""
    found = boxinst.lab(b.frames.flatten(0, 1), b.prediction.stride, flavour)
    return found.unflatten(0, b.frames.shape[:2])


def pairwise_of(b: Batch, logits: Tensor, lab: Tensor, **how) -> Tensor:
    similarity = boxinst.color_similarity(lab.flatten(0, 1)).unflatten(0, lab.shape[:2])
    of_frames = [of.flatten(0, 1) for of in (logits, of_objects(b, similarity), b.boxes)]
    return boxinst.pairwise_loss(*of_frames, **how)


def tk_of(
    b: Batch,
    logits: Tensor,
    lab: Tensor,
    pairs: Sequence[tuple[int, int]],
    boxes: Tensor | None = None,
    **how,
) -> Tensor:
    """One value a pair."""
    patches = [of_objects(b, tk.patch_similarity(lab[:, a], lab[:, c])) for a, c in pairs]
    return tk.tk_loss(logits, patches, b.boxes if boxes is None else boxes, pairs, **how)
