"""Where the repository's folders are, wherever evis is called from.

Notebooks run in kernels whose working folder differs from tool to tool, so they ask here instead.
"""

import os
from pathlib import Path

from evis.data.errors import DataError


def repository() -> Path:
    """The folder that holds notebooks/, data/ and figures/.

    EVIS_ROOT if set; else the checkout evis was imported from; else the checkout around the
    current folder.
    """
    if chosen := os.environ.get("EVIS_ROOT"):
        root = Path(os.path.realpath(chosen))  # resolve() fails at a link to itself
        if not root.is_dir():
            remedy = "Set it to a checkout of evis"
            raise DataError("EVIS_ROOT names no folder", file=root, remedy=remedy)
        return root
    here = Path.cwd()
    for candidate in (Path(__file__).resolve().parents[2], here, *here.parents):
        if all((candidate / part).is_dir() for part in ("notebooks", "evis/data")):
            return candidate
    raise DataError(
        "evis is installed without its repository, so there are no notebooks, tables or figures",
        remedy="Run inside a checkout of evis, or set EVIS_ROOT to one",
    )


def notebooks() -> Path:
    return repository() / "notebooks"


def data() -> Path:
    return repository() / "data"


def results() -> Path:
    """Measured result rows, one json each."""
    return data() / "results"


def figures() -> Path:
    """EVIS_FIGURES if set: a run whose figures are not to be committed writes elsewhere."""
    if chosen := os.environ.get("EVIS_FIGURES"):
        return Path(chosen)
    return repository() / "figures"


def build() -> Path:
    """Everything a run makes that is not committed."""
    return repository() / "build"
