"""The scale that a notebook runs at: another one is refused, and where its figures go.

Papermill gives it, or a reader writes it into the notebook's first cell.
"""

import os
import sys
from pathlib import Path
from typing import Any

from evis.data import paths

SCALES = ("smoke", "toy", "full")


def check(scale: str) -> None:
    if scale not in SCALES:
        raise ValueError(f"no scale is called {scale!r}; there are {', '.join(SCALES)}")


def check_notebook() -> None:
    """That of the notebook that runs here, before anything is computed."""
    check(_of_notebook("scale", "toy"))


def figures() -> Path:
    """Below build in a run that is not the default one: committed figures show nothing else."""
    is_default = _of_notebook("scale", "toy") == "toy" and not _of_notebook("recompute", False)
    chosen = os.environ.get("EVIS_FIGURES")
    return paths.figures() if is_default or chosen else paths.build() / "figures"


def _of_notebook(parameter: str, otherwise: Any) -> Any:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell.user_ns.get(parameter, otherwise) if shell else otherwise
