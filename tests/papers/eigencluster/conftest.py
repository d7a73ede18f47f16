"""Makes the criterion's `loss_cases` importable: pytest's importlib mode doesn't."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "criterion"))
