"""Training: recipes as plain data, and one engine that runs them, whatever the method."""

from evis.training.engine import train
from evis.training.method import Method
from evis.training.recipe import Recipe, changed

__all__ = ["Method", "Recipe", "changed", "train"]
