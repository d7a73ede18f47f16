"""Notebooks 21 and 22: solutions to the exercises give what their text says."""

import re

import pytest

from evis.companion import claims as ledgers


@pytest.mark.slow
def test_solutions_about_the_tables(solved, capsys):
    defined, (shares, claim) = solved("21_uvis_tables")
    capsys.readouterr()
    exec(shares, defined)
    said = capsys.readouterr().out.split("\n")
    assert said[:3] == ["toy-ytvis19 71", "toy-ytvis21 55", "toy-ovis 23"]
    exec(claim, defined)
    said = capsys.readouterr().out
    assert said.startswith("X1, true masks beat guessed ones where names don't count: ")
    assert any(f": {verdict}" in said for verdict in ledgers.VERDICTS)


@pytest.mark.slow
def test_solutions_about_the_figures(solved, capsys):
    defined, (thresholds, lost) = solved("22_uvis_figures")
    capsys.readouterr()
    exec(thresholds, defined)
    found = re.findall(r"^0\.9[58] (\d+) of (\d+)$", capsys.readouterr().out, flags=re.MULTILINE)
    (right, kept), (right_above, kept_above) = [map(int, numbers) for numbers in found]
    assert right_above <= right <= kept and right_above <= kept_above <= kept
    exec(lost, defined)
    missing, objects = map(int, capsys.readouterr().out.split(" of "))
    assert 0 <= missing <= objects == len(defined["dataset"].tracks)
