"""How the lead paper's method plugs into the engine (`evis.training.Method`)."""

from collections.abc import Sequence

from evis.models import SIZES, VideoMask2Former, named
from evis.papers.eigencluster.beyond import VARIANTS
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.recipes import Stage
from evis.papers.eigencluster.temporal import SCHEMES


def build(recipe: Stage, classes: Sequence[str]) -> VideoMask2Former:
    """A fresh network for these classes."""
    return VideoMask2Former(named(recipe.model_among(SIZES), len(classes)))


def loss(recipe: Stage) -> Loss:
    """The recipe's loss. A scheme that learns to match (Table II) is trained with the network."""
    scheme = (SCHEMES | VARIANTS)[recipe.scheme]() if recipe.scheme else None
    return Loss(recipe.settings, scheme)
