"""Notebook 40: its exercises' solutions print what the text says; each saved figure is there."""

import re

import nbformat
import pytest

from evis.data import paths

BOOK = nbformat.read(paths.notebooks() / "40_pointvis_step_by_step.ipynb", as_version=4)
CODE = [cell for cell in BOOK.cells if cell.cell_type == "code"]
TEXT = "\n".join(cell.source for cell in BOOK.cells if cell.cell_type == "markdown")
SOLUTIONS = re.findall(r"<summary>Solution</summary>\n\n```python\n(.*?)```", TEXT, re.DOTALL)
SAID = ["5.0 0.0 0.0", "2 [0]\n7 [0]\n8 [1]", "True True True"]
TOLD = ["By 5.0, and by 0.0.", "It prints [0], [0] and [1]", "True, True, True."]


@pytest.mark.slow
def test_solutions_print_what_the_exercises_say(unsaved, capsys):
    defined = {}
    for cell in CODE:
        exec(compile(cell.source, cell.id, "exec"), defined)
        if "parameters" in cell.metadata.get("tags", []):
            defined["scale"] = "smoke"
    capsys.readouterr()
    printed = []
    for solution in SOLUTIONS:
        exec(solution, defined)
        printed.append(capsys.readouterr().out.strip())
    assert printed == SAID


def test_every_exercise_has_its_solution_and_says_what_it_prints():
    assert len(SOLUTIONS) == len(re.findall(r"^\*\*\d\.\*\*", TEXT, re.MULTILINE)) == 3
    told = re.findall(r"```\n\n(.*?)</details>", TEXT, re.DOTALL)
    assert [text[: len(start)] for text, start in zip(told, TOLD, strict=True)] == TOLD


def test_each_figure_that_is_saved_is_committed():
    saved = re.findall(r'style\.save\(figure, "(\w+)"\)', "\n".join(cell.source for cell in CODE))
    committed = {path.stem for path in paths.figures().glob("40_*.png")}
    assert len(saved) == len(set(saved)) and set(saved) == committed
