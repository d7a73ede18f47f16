"""The solutions in notebook 50 print what it says they print."""

import contextlib
import io
import re

import nbformat
import pytest

from evis.data import paths

NOTEBOOK = nbformat.read(paths.notebooks() / "50_pmvis_step_by_step.ipynb", as_version=4)
SOLUTION = r"```python\n(.*?)```\n+```text\n(.*?)```"
SOLUTIONS = re.findall(SOLUTION, "\n".join(cell.source for cell in NOTEBOOK.cells), re.DOTALL)


def test_every_exercise_has_a_solution():
    text = "\n".join(cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown")
    assert len(SOLUTIONS) == len(re.findall(r"^\*\*\d\.\*\*", text, re.MULTILINE)) == 3


@pytest.mark.parametrize(("code", "printed"), SOLUTIONS)
def test_a_solution_prints_what_it_says(code, printed):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, {})
    assert said.getvalue() == printed
