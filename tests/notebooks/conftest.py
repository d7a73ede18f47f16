"""What the tests that run notebooks in their own process share."""

import re

import matplotlib.pyplot as plt
import nbformat
import pytest

from evis.companion.plots import style
from evis.data import paths


@pytest.fixture
def unsaved(monkeypatch):
    """Figures are drawn, but not rendered into files: nbval does that, and most of the time is it.

    At the end all are closed.
    """
    monkeypatch.setattr(style, "save", lambda figure, name: None)
    monkeypatch.setattr(style, "save_animation", lambda frames, name, seconds: b"")
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture
def defined_by(unsaved):
    """notebook -> all names that it defines at this scale, or up to the cell that defines one."""

    def run(book, scale="smoke", until=None):
        defined = {}
        for cell in book.cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, cell.id, "exec"), defined)
                if "parameters" in cell.metadata.get("tags", []):
                    defined["scale"] = scale
                if until in defined:
                    break
        return defined

    return run


@pytest.fixture
def solved(defined_by):
    """name -> what `defined_by` says of a notebook, and its exercises' solutions."""

    def run(name, **how):
        book = nbformat.read(paths.notebooks() / f"{name}.ipynb", as_version=4)
        (exercises,) = (cell.source for cell in book.cells if "## Exercises" in cell.source)
        return defined_by(book, **how), re.findall(
            r"```python\n(.*?)```", exercises, flags=re.DOTALL
        )

    return run
