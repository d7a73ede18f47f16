"""Notebooks 10 to 13 and 15: solutions to the exercises run, and give what their text says."""

import re

import numpy as np
import pytest

from evis.companion import paired, series
from evis.companion.held_out import TEST


def said(solution, defined, capsys):
    """What it prints. Names that it defines are there for the next one."""
    capsys.readouterr()
    exec(solution, defined)
    return capsys.readouterr().out


def numbered(solutions):
    """The parts of one block of code, which begin with "# 1" and on."""
    (block,) = solutions
    parts = re.split(r"^# \d.*\n", block, flags=re.MULTILINE)
    assert not parts[0] and [int(n) for n in re.findall(r"^# (\d)", block, re.MULTILINE)] == [
        *range(1, len(parts))
    ]
    return parts[1:]


@pytest.fixture
def asked(monkeypatch):
    """What a solution would train and test, in place of that: its rows are looked up."""
    asked = []

    def looked_up(experiments, seeds, held_out=TEST, shelf=None):
        asked.extend((row, held_out) for row in experiments)
        return series.table(experiments, seeds, held_out)

    monkeypatch.setattr(series, "measure", looked_up)
    return asked


@pytest.mark.slow
def test_solutions_about_table_i(solved, capsys):
    defined, solutions = solved("10_table1_comparison", scale="toy", until="rows")
    resolves, of_ap50, unpaired, units = numbered(solutions)
    table = defined["rows"]["tiny_s"]
    gain = paired.difference(table, "TEL + QCC", "TK")
    assert said(resolves, defined, capsys) == f"0.8 0.8 1.5 against {gain.smallest}\n"
    control = paired.difference(table, "TEL + QCC", "more steps", "AP50")
    assert said(of_ap50, defined, capsys) == f"{paired.outcome(control)}\n"
    numbers = re.findall(r"-?\d+\.\d+", said(unpaired, defined, capsys).replace("np.float64", ""))
    low, high, low_paired, high_paired = map(float, numbers)
    assert high - low > high_paired - low_paired > 0
    assert int(said(units, defined, capsys)) == gain.seeds_for(0.8) >= paired.LEAST_SEEDS


@pytest.mark.slow
def test_solutions_about_ablations(solved, capsys, asked):
    defined, solutions = solved("11_ablations", scale="toy", until="terms")
    widths, placebo, units, small = numbered(solutions)
    table = defined["table"]
    told = said(widths, defined, capsys)
    assert all(f"'{metric}'" in told for metric in ("AP", "AP75", "mIoU"))
    assert "QCC" not in told and "loss x 1.4 - more steps" in said(placebo, defined, capsys)
    gain = paired.difference(table, "TEL + QCC", "TEL")
    assert int(said(units, defined, capsys)) == gain.seeds_for(0.4)
    said(small, defined, capsys)
    ((row, held_out),) = asked
    assert held_out == TEST
    factor = defined["terms"].loc["TEL", "TEL factor, median"].mean()
    own = row.stages[-1].settings.beta / defined["rows"]["TEL"].stages[-1].settings.beta
    np.testing.assert_allclose(1 + own * (factor - 1), 1.02)


@pytest.mark.slow
def test_solutions_about_generalisation(solved, capsys, asked):
    defined, solutions = solved("12_generalisation", scale="toy", until="sides")
    hardest, together, davis = numbered(solutions)
    assert said(hardest, defined, capsys).count("high ") == 6
    assert said(together, defined, capsys).count("1.00") == 3  # of each attribute with itself
    said(davis, defined, capsys)
    ((row, held_out),) = asked
    assert row.name == "TK" and held_out.dataset().videos and held_out.toy_set == "toy-davis"


@pytest.mark.slow
def test_solutions_about_figures(solved, capsys):
    defined, solutions = solved("13_figures", until="frames")
    four, regained, more, gone = solutions
    said(four, defined, capsys)
    said(regained, defined, capsys)
    (video,) = defined["videos"].values()
    missed = defined["frames"].groupby("video")["only baseline misses"].sum()
    assert missed[video] == missed.max()
    scores = [line.split() for line in said(more, defined, capsys).splitlines()]
    assert [int(extra) for extra, _ in scores] == [0, 1, 2] and float(scores[0][1]) > 1
    values = re.findall(r"\[ *([\d.]+), +([\d.]+)", said(gone, defined, capsys))
    assert values and all(float(first) == 0 < float(second) for first, second in values)


@pytest.mark.slow
def test_solutions_about_paper_and_code(solved, capsys):
    defined, solutions = solved("15_paper_vs_code", until="cases")
    spectra, two, vanished, blind, moved = (said(one, defined, capsys) for one in solutions)
    found = [
        [float(value) for value in re.findall(r"-?\d+(?:\.\d*)?", line)]
        for line in spectra.splitlines()
    ]
    np.testing.assert_allclose(found, [[0, 0, 768], [0, 0, 1], [0, 0, 12]], atol=0.01)
    assert not any(map(float, re.findall(r"\d\.\d*", two)))  # two zeros of every frame
    sixths = [float(value) for value in re.findall(r"\d\.\d+|\d\.", vanished)]
    np.testing.assert_allclose(sorted(sixths), [0, 1 / 6, 1 / 6], atol=1e-3)
    assert [line.split()[-1] for line in blind.splitlines()] == ["0.0"] * 4
    assert not any(map(float, re.findall(r"\d\.\d*", moved)))
