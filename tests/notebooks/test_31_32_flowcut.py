"""Notebooks 31 and 32: solutions to the exercises give what their text says."""

import re

import nbformat
import pytest

from evis.companion import claims as ledgers
from evis.data import paths


@pytest.mark.slow
def test_solutions_about_the_tables(solved, capsys):
    defined, (frames, claim, sizes) = solved("31_flowcut_tables")
    capsys.readouterr()
    exec(frames, defined)
    assert capsys.readouterr().out == "56.1 segments a video, so 16.5 frames\n"
    exec(claim, defined)
    said = capsys.readouterr().out
    assert said.startswith("X1, flow alone teaches more than colour alone: ")
    assert any(f": {verdict}" in said for verdict in ledgers.VERDICTS)
    exec(sizes, defined)
    gains = re.findall(r" (AP_.) (\S+) (\S+)", capsys.readouterr().out)
    ranges = {
        metric: sorted(float(value) for name, *both in gains for value in both if name == metric)
        for metric in ("AP_S", "AP_M", "AP_L")
    }
    ends = {metric: (values[0], values[-1]) for metric, values in ranges.items()}
    assert ends == {"AP_S": (0.5, 1.4), "AP_M": (0.9, 2.6), "AP_L": (1.0, 5.0)}


@pytest.mark.slow
def test_solutions_about_the_figures(solved, capsys):
    defined, (followed, thresholds) = solved("32_flowcut_figures")
    capsys.readouterr()
    exec(followed, defined)
    assert capsys.readouterr().out == "0 to 0.1\n"
    exec(thresholds, defined)
    said = re.findall(r"^tau = (\S+): (\S+) to 1$", capsys.readouterr().out, re.MULTILINE)
    assert [tau for tau, _ in said] == ["0.15", "0.5"]
    paper, higher = (float(lowest) for _, lowest in said)
    assert higher == 0.5 < 0.7 < paper


@pytest.mark.parametrize("name", ["31_flowcut_tables", "32_flowcut_figures"])
def test_figures_are_committed_but_those_that_wait_for_rows(name):
    book = nbformat.read(paths.notebooks() / f"{name}.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in book.cells if cell.cell_type == "code")
    saved = set(re.findall(r'^( *)style\.save\(.*, "(\w+)"\)', code, re.MULTILINE))
    committed = {path.stem for path in paths.figures().glob(f"{name[:2]}_*.png")}
    assert {figure for indent, figure in saved if not indent} <= committed
    assert committed <= {figure for _, figure in saved}
