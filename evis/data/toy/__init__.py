"""The toy world: procedural videos written in the real sets' formats, the same bytes for a seed."""

from evis.data.toy.sets import TRAINING_SETS, build, draw, sample, speeds
from evis.data.toy.spec import SPECS, ToySpec

__all__ = ["SPECS", "TRAINING_SETS", "ToySpec", "build", "draw", "sample", "speeds"]
