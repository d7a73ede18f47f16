"""One input for the paper and for its released code, and the whole loss with any part of either.

The input is a batch of stage three: two toy clips that nothing was trained on, one with several
objects and one with a single one, and what the committed toy model predicts for them. `loss` is the
whole box loss, each part by the paper or by the code; `paper_vs_code` takes it apart.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache

import pandas as pd
import torch
from torch import Tensor, nn

from evis.criterion.matched import Matched, grouped, matched
from evis.criterion.step import Step
from evis.data import paths, toy
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip, ClipDataset
from evis.data.errors import DataError
from evis.data.supervision import weaken
from evis.losses import boxinst, qcc, tel, tk
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
SETTINGS = Settings(points=2000, warm_up_steps=0)  # the temporal term at its full factor


@dataclass(frozen=True)
class Batch:
    """B clips with boxes, without masks; M matched objects."""

    clips: tuple[Clip, ...]
    prediction: ClipPrediction  # the last layer's
    match: Matched
    boxes: Tensor  # (M, T, h, w), at the logits' size

    @property
    def logits(self) -> Tensor:
        """(M, T, h, w) of the matched queries."""
        return self.match.logits[0]

    @property
    def objects(self) -> list[int]:
        return [len(clip.labels) for clip in self.clips]

    def lab(self, flavour: boxinst.Flavour = "paper") -> Tensor:
        """(B, T, 3, h, w) at the logits' size."""
        frames = self.match.group.frames
        found = boxinst.lab(frames.flatten(0, 1), self.prediction.stride, flavour)
        return found.unflatten(0, frames.shape[:2])

    def pairwise(self, lab: Tensor, **how) -> Tensor:
        similarity = boxinst.color_similarity(lab.flatten(0, 1)).unflatten(0, lab.shape[:2])
        of_objects = self.logits, similarity[self.match.clip_of], self.boxes
        return boxinst.pairwise_loss(*(each.flatten(0, 1) for each in of_objects), **how)

    def tk(self, lab: Tensor, pairs: tk.Pairs, boxes: Tensor | None = None, **how) -> Tensor:
        """One value a pair."""
        alike = [tk.patch_similarity(lab[:, a], lab[:, b])[self.match.clip_of] for a, b in pairs]
        return tk.tk_loss(self.logits, alike, self.boxes if boxes is None else boxes, pairs, **how)


@cache
def batch() -> Batch:
    """Clips of three frames, all of whose objects are in sight: one of three, one of one object."""
    by_objects: dict[int, Clip] = {}
    for clip in clips():
        if bool(clip.visible.all()):
            by_objects.setdefault(len(clip.labels), clip)
    both = by_objects[3], by_objects[1]
    return of_prediction(both, predict(both))


def of_prediction(of: Sequence[Clip], prediction: ClipPrediction) -> Batch:
    """Queries and objects matched, as in training under boxes."""
    (group,) = grouped(prediction, of, "box", as_padded=True)
    (match,) = matched(group, "box", SETTINGS.points, points())
    targets = group.targets[match.objects]
    boxes = boxinst.resize_boxes(targets, tuple(prediction.mask_logits.shape[-2:]))
    return Batch(tuple(of), prediction, match, boxes)


def clips(frame_range: int = 20) -> ClipDataset:
    """Of held-out videos, as the toy stage three draws clips, without flips."""
    dataset = weaken(toy.sample("toy-ytvis19", 40, seed=1, split="valid"), "box")
    size = {"shorter_sides": (64,), "longest_side": 96, "flip": 0.0}
    return ClipDataset(dataset, frame_range=frame_range, **size)


@cache
def model() -> nn.Module:
    return load(paths.data() / "weights" / "toy_video.safetensors")


@torch.no_grad()
def predict(of: Sequence[Clip]) -> ClipPrediction:
    """The last layer's."""
    return replace(model()(torch.stack([clip.frames for clip in of])), layers=())


def points() -> torch.Generator:
    """Where matching looks: the same places each time."""
    return torch.Generator().manual_seed(0)


def loss(
    b: Batch, released: Collection[str] = (), prediction: ClipPrediction | None = None
) -> Tensor:
    """The last layer's box loss; `released` names the `PARTS` that are as in the code.

    With none of them it is the training loss by the paper, with all of them by the released code.
    """
    unknown = set(released) - set(PARTS)
    if unknown:
        raise DataError(f"no part is called {min(unknown)!r}", remedy=f"Parts: {', '.join(PARTS)}")
    flavour = {part: "released" if part in released else "paper" for part in PARTS}
    if prediction is not None:
        b = of_prediction(b.clips, prediction)
    plain = Loss(replace(SETTINGS, alpha=0, beta=0))
    terms = plain(b.prediction, b.clips, Step(), points())  # class and projection are the same
    lab = b.lab(flavour["colours"])
    terms["pairwise"] = b.pairwise(lab, flavour=flavour["pairwise"])
    pairs = (tel.cyclic_pairs if flavour["pairs"] == "paper" else tel.all_pairs)(lab.shape[1])
    solver = "secular" if flavour["eigenvalues"] == "paper" else "released"
    values = tel.eigenvalues(b.logits, SETTINGS.eigenvalues, SETTINGS.scale, solver)
    l_tk = b.tk(lab, pairs, flavour=flavour["TK"])
    psi = tel.temporal_loss(
        l_tk, tel.eigenvalue_loss(values, pairs, flavour["mean"]), SETTINGS.beta
    )
    terms["temporal"] = SETTINGS.temporal_factor * psi
    q = qcc.quality_cluster_coefficient(
        b.prediction.mask_logits, b.objects, SETTINGS.scale, flavour["K-means"]
    )
    weighted = {name: weight * terms[name] for name, weight in SETTINGS.weights.items()}
    classes = weighted.pop("class")
    rest = sum(weighted.values())
    return q * (classes + rest) if flavour["class"] == "released" else classes + q * rest


def with_gradient(b: Batch, released: Collection[str] = ()) -> tuple[float, Tensor]:
    """The loss and its slope in every mask logit, (B, Q, T, h, w)."""
    tracked = b.prediction.mask_logits.clone().requires_grad_()
    value = loss(b, released, replace(b.prediction, mask_logits=tracked))
    (slope,) = torch.autograd.grad(value, tracked)
    return value.item(), slope


def exchanged(b: Batch) -> pd.DataFrame:
    """One part at a time from the other flavour: the loss, and where its slope points.

    "start": the flavour that all other parts have; the cosine is with that start's slope.
    """
    lines = []
    for start, parts in (("paper", set()), ("released", set(PARTS))):
        before = with_gradient(b, parts)[1].flatten()
        for part in PARTS:
            value, slope = with_gradient(b, parts ^ {part})
            cosine = float(torch.cosine_similarity(slope.flatten(), before, dim=0))
            lines.append({"part": part, "start": start, "loss": value, "cosine": cosine})
    return pd.DataFrame(lines)
