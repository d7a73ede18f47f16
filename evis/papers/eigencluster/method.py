"""How the lead paper's method plugs into the engine: its network and its loss."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from evis.criterion.step import Step
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.losses.criterion import criterion
from evis.models import VideoMask2Former, named
from evis.papers.eigencluster.beyond import VARIANTS
from evis.papers.eigencluster.recipes import Stage
from evis.papers.eigencluster.temporal import SCHEMES


def build(recipe: Stage, classes: Sequence[str]) -> VideoMask2Former:
    """A fresh network for these classes."""
    return VideoMask2Former(named(recipe.model, len(classes)))


def loss(recipe: Stage) -> "Loss":
    return Loss(recipe)


class Loss(nn.Module):
    """The recipe's loss. A scheme that learns to match (Table II) is trained with the network."""

    def __init__(self, recipe: Stage):
        super().__init__()
        self.settings = recipe.settings
        self.scheme = (SCHEMES | VARIANTS)[recipe.scheme]() if recipe.scheme else None

    def forward(
        self,
        prediction: ClipPrediction,
        clips: Sequence[Clip],
        step: Step,
        generator: torch.Generator | None,
    ) -> dict[str, Tensor]:
        return criterion(prediction, clips, self.settings, step.number, generator, self.scheme)
