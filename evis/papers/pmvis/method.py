"""How IDOL, IDOL-BoxInst and PM-VIS plug into the engine (`evis.training.Method`)."""

from collections.abc import Sequence

from evis.criterion.idol_loss import IDOLLoss
from evis.models import IDOL
from evis.models.idol import SIZES, named
from evis.papers.pmvis.recipes import Stage


def build(recipe: Stage, classes: Sequence[str]) -> IDOL:
    """A fresh network for these classes."""
    return IDOL(named(recipe.model_among(SIZES), len(classes)))


def loss(recipe: Stage) -> IDOLLoss:
    settings = recipe.settings
    return IDOLLoss(
        box_weight=settings.box_weight,
        mask_weight=settings.mask_weight,
        threshold=settings.threshold,
        flavour=settings.flavour,
        warm_up_steps=settings.warm_up_steps,
    )
