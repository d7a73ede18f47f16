"""Toy clips, what a model predicts for them, and what the losses make of that: to be looked at.

`batch` is one input for the paper and for its released code, a batch of stage three: two clips that
nothing was trained on, one with several objects and one with a single one, and what the committed
toy model predicts for them. `paper_vs_code` takes its loss apart; `one_clip` draws one.
"""

from collections.abc import Iterable, Sequence
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
from evis.data.supervision import weaken
from evis.data.types import VISDataset
from evis.losses import boxinst, tk
from evis.losses.tensors import Flavour, resize
from evis.models import load
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.settings import RELEASED, Settings

SETTINGS = Settings(points=2000, warm_up_steps=0)  # the temporal term at its full factor


@dataclass(frozen=True)
class Batch:
    """B clips under boxes, and what the last decoder layer says of them; M matched objects."""

    clips: tuple[Clip, ...]
    settings: Settings
    prediction: ClipPrediction
    match: Matched

    @property
    def instances(self) -> Tensor:
        """E, (M, T, h, w): the mask logits of the matched queries."""
        return self.match.logits[-1]

    @property
    def boxes(self) -> Tensor:
        """(M, T, h, w), at the logits' size."""
        targets = self.match.group.targets[self.match.objects]
        return resize(targets, tuple(self.instances.shape[-2:]))

    @property
    def objects(self) -> list[int]:
        return [len(clip.labels) for clip in self.clips]

    def lab(self, flavour: Flavour = "paper") -> Tensor:
        """(B, T, 3, h, w) at the logits' size."""
        frames = self.match.group.frames
        lab = boxinst.lab(frames.flatten(0, 1), self.prediction.stride, flavour)
        return lab.unflatten(0, frames.shape[:2])

    def l_tk(self, pairs: tk.Pairs, boxes: Tensor | None = None, **how) -> Tensor:
        """Eq. 12, one value a pair."""
        lab = self.lab()
        alike = [tk.patch_similarity(lab[:, a], lab[:, b])[self.match.clip_of] for a, b in pairs]
        return tk.tk_loss(
            self.instances, alike, self.boxes if boxes is None else boxes, pairs, **how
        )

    def loss(self, **settings) -> dict[str, Tensor]:
        """Its terms after the warm-up, with other settings."""
        loss = Loss(replace(self.settings, **settings))
        last_layer = replace(self.prediction, layers=())
        return loss(last_layer, self.clips, Step(self.settings.warm_up_steps), points())


@cache
def batch() -> Batch:
    """Clips of three frames, all of whose objects are in sight: one of three, one of one object."""
    by_objects: dict[int, Clip] = {}
    for clip in clips():
        if bool(clip.visible.all()):
            by_objects.setdefault(len(clip.labels), clip)
    return predict((by_objects[3], by_objects[1]))


def predict(of: Sequence[Clip]) -> Batch:
    with torch.no_grad():
        return matched_batch(of, model()(torch.stack([clip.frames for clip in of])))


def matched_batch(
    of: Sequence[Clip], prediction: ClipPrediction, settings: Settings = SETTINGS
) -> Batch:
    """Queries and objects matched, as in training under boxes."""
    (group,) = grouped(prediction, of, "boxes", as_padded=True)
    (match,) = matched(group, settings.points, points())
    return Batch(tuple(of), settings, prediction, match)


def clips_of(dataset: VISDataset) -> ClipDataset:
    """Clips of three frames as the toy stages two and three draw them, but never flipped."""
    return ClipDataset(dataset, frame_range=5, shorter_sides=(64,), longest_side=96, flip=0.0)


def clips() -> ClipDataset:
    """Of held-out videos."""
    return clips_of(weaken(toy.sample("toy-ytvis19", 40, seed=1, split="valid"), "box"))


@cache
def model() -> nn.Module:
    return load(paths.data() / "weights" / "toy_video.safetensors")


def points() -> torch.Generator:
    """Where matching looks: the same places each time."""
    return torch.Generator().manual_seed(0)


def with_gradient(b: Batch, released: Iterable[str] = ()) -> tuple[float, Tensor]:
    """The loss with these parts `RELEASED`, and its slope in all mask logits, (B, Q, T, h, w)."""
    tracked = b.prediction.mask_logits.clone().requires_grad_()
    parts = {name: RELEASED[name] for name in released}
    value = replace(b, prediction=replace(b.prediction, mask_logits=tracked)).loss(**parts)
    (slope,) = torch.autograd.grad(value["total"], tracked)
    return value["total"].item(), slope


def exchanged(b: Batch) -> pd.DataFrame:
    """One part at a time from the other side, paper or code: the loss, and where its slope points.

    "start": the side that all other parts are from; the cosine is with that start's slope.
    """
    lines = []
    for start, parts in (("paper", set()), ("released", set(RELEASED))):
        before = with_gradient(b, parts)[1].flatten()
        for part in RELEASED:
            value, slope = with_gradient(b, parts ^ {part})
            cosine = float(torch.cosine_similarity(slope.flatten(), before, dim=0))
            lines.append({"part": part, "start": start, "loss": value, "cosine": cosine})
    return pd.DataFrame(lines)
