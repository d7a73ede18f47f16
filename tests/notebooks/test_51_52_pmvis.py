"""Notebooks 51 and 52: solutions to the exercises give what their text says."""

import re

import matplotlib
import nbformat
import pytest

from evis.companion import claims as ledgers
from evis.companion.plots import style
from evis.data import paths

matplotlib.use("agg")


def run(name, monkeypatch):
    """All that a notebook defines at the smallest scale, and its exercises' solutions.

    Its figures are drawn, but not rendered.
    """
    book = nbformat.read(paths.notebooks() / f"{name}.ipynb", as_version=4)
    monkeypatch.setattr(style, "save", lambda figure, name: None)
    defined = {}
    for cell in book.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), defined)
            if "parameters" in cell.metadata.get("tags", []):
                defined["scale"] = "smoke"
    matplotlib.pyplot.close("all")
    (exercises,) = (cell.source for cell in book.cells if "## Exercises" in cell.source)
    return defined, re.findall(r"```python\n(.*?)```", exercises, flags=re.DOTALL)


@pytest.mark.slow
def test_solutions_about_the_tables(monkeypatch, capsys):
    defined, (overlap, gap, claim) = run("51_pmvis_tables", monkeypatch)
    capsys.readouterr()
    exec(overlap, defined)
    assert capsys.readouterr().out.split() == ["0", "794"]
    exec(gap, defined)
    said = capsys.readouterr().out.split("\n")
    assert said[:3] == ["toy-ytvis19 94", "toy-ytvis21 58", "toy-ovis 60"]
    exec(claim, defined)
    said = capsys.readouterr().out
    assert said.startswith("X1, a strict filter is worse than none: ")
    assert any(f": {verdict}" in said for verdict in ledgers.VERDICTS)


@pytest.mark.slow
def test_solutions_about_the_masks(monkeypatch, capsys):
    defined, (good, vote, oracle) = run("52_pmvis_pseudo_masks", monkeypatch)
    capsys.readouterr()
    exec(good, defined)
    numbers = re.findall(r"(\d+) of (\d+)", capsys.readouterr().out)
    (_, before), (_, after) = numbers
    assert int(after) <= int(before) and all(int(a) <= int(b) for a, b in numbers)
    exec(vote, defined)
    assert capsys.readouterr().out == "the first kind, mask by mask\n"
    exec(oracle, defined)
    saved, dropped = map(int, capsys.readouterr().out.split(" of "))
    assert 0 <= saved <= dropped <= len(defined["final"])
