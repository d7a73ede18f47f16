"""Notebooks 41 and 42: solutions to the exercises give what their text says."""

import re

import matplotlib
import nbformat
import pytest

from evis.companion import claims as ledgers
from evis.data import paths

matplotlib.use("agg")


def run(name, monkeypatch, figures):
    """All that a notebook defines at the smallest scale, and its exercises' solutions."""
    book = nbformat.read(paths.notebooks() / f"{name}.ipynb", as_version=4)
    monkeypatch.setenv("EVIS_FIGURES", str(figures))
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
def test_solutions_about_the_tables(monkeypatch, tmp_path, capsys):
    defined, (gains, claim) = run("41_pointvis_tables", monkeypatch, tmp_path)
    capsys.readouterr()
    exec(gains, defined)
    said = capsys.readouterr().out.split("\n")
    assert said[:3] == ["toy-ytvis19 5.7", "toy-ytvis21 2.2", "toy-ovis 0.0"]
    exec(claim, defined)
    said = capsys.readouterr().out
    assert said.startswith("X1, true masks teach to follow objects better than chosen ones: ")
    assert any(f": {verdict}" in said for verdict in ledgers.VERDICTS)


@pytest.mark.slow
def test_solutions_about_the_figures(monkeypatch, tmp_path, capsys):
    defined, (changes, choices) = run("42_pointvis_figures", monkeypatch, tmp_path)
    objects = defined["objects"]
    capsys.readouterr()
    exec(changes, defined)
    changed, of_all, better = map(int, re.findall(r"\d+", capsys.readouterr().out))
    assert better <= changed <= of_all == len(objects)
    exec(choices, defined)
    chosen, poor, without, again = map(int, re.findall(r"\d+", capsys.readouterr().out))
    assert chosen <= poor == again == (objects["IoU"] < 0.5).sum()
    assert poor <= without <= len(objects), "clicks choose better than maskness alone"
