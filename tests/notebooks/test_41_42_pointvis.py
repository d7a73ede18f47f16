"""Notebooks 41 and 42: solutions to the exercises give what their text says."""

import re

import pytest

from evis.companion import claims as ledgers


@pytest.mark.slow
def test_solutions_about_the_tables(solved, capsys):
    defined, (gains, claim) = solved("41_pointvis_tables")
    capsys.readouterr()
    exec(gains, defined)
    said = capsys.readouterr().out.split("\n")
    assert said[:3] == ["toy-ytvis19 5.7", "toy-ytvis21 2.2", "toy-ovis 0.0"]
    exec(claim, defined)
    said = capsys.readouterr().out
    assert said.startswith("X1, true masks teach to follow objects better than chosen ones: ")
    assert any(f": {verdict}" in said for verdict in ledgers.VERDICTS)


@pytest.mark.slow
def test_solutions_about_the_figures(solved, capsys):
    defined, (changes, choices) = solved("42_pointvis_figures")
    objects = defined["objects"]
    capsys.readouterr()
    exec(changes, defined)
    changed, of_all, better = map(int, re.findall(r"\d+", capsys.readouterr().out))
    assert better <= changed <= of_all == len(objects)
    exec(choices, defined)
    chosen, poor, without, again = map(int, re.findall(r"\d+", capsys.readouterr().out))
    assert chosen <= poor == again == (objects["IoU"] < 0.5).sum()
    assert poor <= without <= len(objects), "clicks choose better than maskness alone"
