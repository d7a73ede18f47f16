"""A stage that learns from masks, whoever or whatever made them: Mask2Former's loss and network.

With `build` and `loss` this module is the method (`evis.training.method`) of all papers that make
masks first and then train on them as if they were annotated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from evis.criterion.mask_loss import MaskLoss
from evis.data.types import Supervision
from evis.models import SIZES, VideoMask2Former, named
from evis.training.book import SMALL
from evis.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class MaskStage(Recipe):
    """A recipe, and at what level of annotation the masks may have been made."""

    supervision: Supervision = "mask"
    points: int = 12_544  # where the loss and the matching look at a mask, as in Mask2Former
    drop_iou: float | None = None  # of CutLER's DropLoss (`MaskLoss`)
    dropout: float = 0.0  # in both decoders
    limits: ClassVar = Recipe.limits | {
        "points": (1, 1_000_000),
        "drop_iou": (0.0, 1.0),
        "dropout": (0.0, 0.9),
    }


# Of a toy stage, beside its steps and its learning rate.
TOY = SMALL | {"model": "tiny_s", "batch": 16, "micro_batch": 16, "points": 512}

MINVIS: dict[str, Any] = {  # its released configuration for YouTube-VIS 2019
    "init": "eigencluster.stage1",  # the same network on masks of COCO pictures
    "mixture": (("videos", 1.0),),
    "frames": 1,
    "steps": 6_000,
    "batch": 32,
    "learning_rate": 1e-4,
    "schedule": "step",
    "milestones": (4_000,),
}
SPREAD = "over how many GPUs a batch was spread (micro_batch)"  # MinVIS doesn't say


def build(recipe: MaskStage, classes: Sequence[str]) -> VideoMask2Former:
    """A fresh network for these classes."""
    size = recipe.model_among(SIZES)
    return VideoMask2Former(named(size, len(classes), dropout=recipe.dropout))


def loss(recipe: MaskStage) -> MaskLoss:
    return MaskLoss(points=recipe.points, drop_iou=recipe.drop_iou)
