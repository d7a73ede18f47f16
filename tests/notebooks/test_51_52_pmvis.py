"""Notebooks 51 and 52: solutions to the exercises give what their text says."""

import re

import pytest

from evis.companion import claims as ledgers


@pytest.mark.slow
def test_solutions_about_the_tables(solved, capsys):
    defined, (overlap, gap, claim) = solved("51_pmvis_tables")
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
def test_solutions_about_the_masks(solved, capsys):
    defined, (good, vote, oracle) = solved("52_pmvis_pseudo_masks")
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
