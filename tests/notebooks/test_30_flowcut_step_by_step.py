"""Notebook 30: solutions of the exercises hold and print what they say; figures are committed."""

import re

import nbformat
import numpy as np
import pytest

from evis.data import paths
from evis.foundation import flow
from evis.labels import curate, maskcut

BOOK = nbformat.read(paths.notebooks() / "30_flowcut_step_by_step.ipynb", as_version=4)
TEXT = "\n".join(cell.source for cell in BOOK.cells if cell.cell_type == "markdown")
SOLUTIONS = re.findall(r"<summary>Solution</summary>\n\n```python\n(.*?)```", TEXT, re.DOTALL)
SAID = [
    "{0.5: False, 0.84: False, 0.86: True, 1: True}",
    "{0.5: [], 0.49: [(0, 0), (1, 0)]}",
    "{'right': 'a colour', 'wrong': 'nearly white'}",
]


def test_every_exercise_has_a_solution():
    assert len(SOLUTIONS) == len(SAID) == len(re.findall(r"^\*\*\d\.\*\*", TEXT, re.MULTILINE))


@pytest.mark.parametrize(("solution", "said"), list(zip(SOLUTIONS, SAID, strict=True)))
def test_solutions(solution, said, capsys):
    exec(solution, {"np": np, "flow": flow, "curate": curate, "maskcut": maskcut})
    assert capsys.readouterr().out.strip() == said


def test_each_figure_that_is_saved_is_committed():
    code = "\n".join(cell.source for cell in BOOK.cells if cell.cell_type == "code")
    saved = re.findall(r'style\.save\(figure, "(\w+)"\)', code)
    committed = {path.stem for path in paths.figures().glob("30_*.png")}
    assert len(saved) == len(set(saved)) and set(saved) == committed
