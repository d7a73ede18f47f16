"""Makes the data sets of `small`, of the training's tests, importable."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "training"))
