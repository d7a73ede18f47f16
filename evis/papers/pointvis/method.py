"""How PointVIS plugs into the engine (`evis.training.Method`)."""

from evis.criterion.mask_loss import MaskLoss
from evis.criterion.point_loss import PointLoss
from evis.papers.pointvis.recipes import PointStage
from evis.training import mask_stage
from evis.training.mask_stage import MaskStage, build

__all__ = ["build", "loss"]


def loss(recipe: MaskStage | PointStage) -> MaskLoss | PointLoss:
    if isinstance(recipe, PointStage):
        return PointLoss(recipe.cross_instance)
    return mask_stage.loss(recipe)
