"""How IDOL, IDOL-BoxInst and PM-VIS plug into the engine (`evis.training.Method`)."""

from collections.abc import Sequence

from evis.criterion.idol_loss import IDOLLoss
from evis.data.errors import DataError
from evis.models import IDOL
from evis.models.idol import SIZES, named
from evis.papers.pmvis.recipes import Stage


def build(recipe: Stage, classes: Sequence[str]) -> IDOL:
    """A fresh network for these classes."""
    if recipe.model not in SIZES:
        raise DataError(
            f"model should be one of {', '.join(SIZES)}, is {recipe.model!r}",
            field=f"recipe {recipe.name}",
        )
    return IDOL(named(recipe.model, len(classes)))


def loss(recipe: Stage) -> IDOLLoss:
    settings = recipe.settings
    return IDOLLoss(
        box_weight=settings.box_weight,
        mask_weight=settings.mask_weight,
        threshold=settings.threshold,
        flavour=settings.flavour,
        warm_up_steps=settings.warm_up_steps,
    )
