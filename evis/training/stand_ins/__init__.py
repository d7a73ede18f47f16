"""What stands in for foundation models, trained on toy stills: recipes by name, one loop for all.

Each recipe, as plain data in recipes.toml, builds its task: a network, and what a step of it is.
"""

import tomllib
from pathlib import Path

from evis.training.recipe import as_tuples
from evis.training.stand_ins.contrastive import ClipRecipe
from evis.training.stand_ins.loop import StandIn, train
from evis.training.stand_ins.prompted import SamRecipe
from evis.training.stand_ins.self_distillation import DinoRecipe

__all__ = ["NAMES", "StandIn", "named", "train"]

_KINDS = {"toy_dino": DinoRecipe, "toy_clip": ClipRecipe, "toy_sam": SamRecipe}
NAMES = tuple(_KINDS)
DATA = "toy-coco"  # what they are trained on, unless something else is given


def named(name: str) -> StandIn:
    """A committed recipe."""
    text = Path(__file__).with_name("recipes.toml").read_text("utf-8")
    values = tomllib.loads(text)[name]
    return _KINDS[name](name=name, **{key: as_tuples(value) for key, value in values.items()})
