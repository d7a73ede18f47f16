"""Training: recipes as plain data, and one engine that runs them."""

from evis.training.engine import train
from evis.training.recipes import NAMES, Recipe, changed, named, toy

__all__ = ["NAMES", "Recipe", "changed", "named", "toy", "train"]
