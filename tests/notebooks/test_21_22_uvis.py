"""Notebooks 21 and 22: solutions to the exercises give what their text says."""

import re

import nbformat
import pytest

from evis.companion import claims as ledgers
from evis.data import paths


def run(name):
    """All that a notebook defines at the smallest scale, and its exercises' solutions."""
    book = nbformat.read(paths.notebooks() / f"{name}.ipynb", as_version=4)
    defined = {}
    for cell in book.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), defined)
            if "parameters" in cell.metadata.get("tags", []):
                defined["scale"] = "smoke"
    (exercises,) = (cell.source for cell in book.cells if "## Exercises" in cell.source)
    return defined, re.findall(r"```python\n(.*?)```", exercises, flags=re.DOTALL)


@pytest.mark.slow
def test_solutions_about_the_tables(unsaved, capsys):
    defined, (shares, claim) = run("21_uvis_tables")
    capsys.readouterr()
    exec(shares, defined)
    said = capsys.readouterr().out.split("\n")
    assert said[:3] == ["toy-ytvis19 71", "toy-ytvis21 55", "toy-ovis 23"]
    exec(claim, defined)
    said = capsys.readouterr().out
    assert said.startswith("X1, true masks beat guessed ones where names don't count: ")
    assert any(f": {verdict}" in said for verdict in ledgers.VERDICTS)


@pytest.mark.slow
def test_solutions_about_the_figures(unsaved, capsys):
    defined, (thresholds, lost) = run("22_uvis_figures")
    capsys.readouterr()
    exec(thresholds, defined)
    found = re.findall(r"^0\.[79] (\d+) of (\d+)$", capsys.readouterr().out, flags=re.MULTILINE)
    (right, kept), (right_above, kept_above) = [map(int, numbers) for numbers in found]
    assert right_above <= right <= kept and right_above <= kept_above <= kept
    exec(lost, defined)
    missing, objects = map(int, capsys.readouterr().out.split(" of "))
    assert 0 <= missing <= objects == len(defined["dataset"].tracks)
