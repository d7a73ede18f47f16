"""How PointVIS plugs into the engine (`evis.training.Method`)."""

from collections.abc import Sequence

from evis.criterion.mask_loss import MaskLoss
from evis.criterion.point_loss import PointLoss
from evis.models import SIZES, VideoMask2Former, named
from evis.papers.pointvis.recipes import PointStage
from evis.training import mask_stage
from evis.training.mask_stage import MaskStage


def build(recipe: MaskStage | PointStage, classes: Sequence[str]) -> VideoMask2Former:
    if isinstance(recipe, PointStage):
        return VideoMask2Former(named(recipe.model_among(SIZES), len(classes)))
    return mask_stage.build(recipe, classes)


def loss(recipe: MaskStage | PointStage) -> MaskLoss | PointLoss:
    if isinstance(recipe, PointStage):
        return PointLoss(recipe.cross_instance)
    return mask_stage.loss(recipe)
