"""Notebooks 10 to 13 and 15: solutions to the exercises run, and give what their text says."""

import re
from dataclasses import replace

import numpy as np
import pytest

from evis.companion import paired, series


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
def short(monkeypatch, tmp_path):
    """What a solution trains takes one step a stage and four videos. -> what it was asked for."""
    asked, measure = [], series.measure

    def shortened(experiments, seeds, held_out=series.TEST, shelf=None):
        asked.extend(experiments)
        few = replace(held_out, videos=4)
        return measure(map(series._shortened, experiments), seeds, few, tmp_path)

    monkeypatch.setattr(series, "measure", shortened)
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
def test_solutions_about_ablations(solved, capsys, short):
    defined, solutions = solved("11_ablations", scale="toy", until="terms")
    widths, placebo, units, small = numbered(solutions)
    table = defined["table"]
    told = said(widths, defined, capsys)
    assert all(f"'{metric}'" in told for metric in ("AP", "AP75", "mIoU"))
    assert "QCC" not in told and "loss x 1.4 - more steps" in said(placebo, defined, capsys)
    gain = paired.difference(table, "TEL + QCC", "TEL")
    assert int(said(units, defined, capsys)) == gain.seeds_for(0.4)
    said(small, defined, capsys)
    (row,) = short
    factor = defined["terms"].loc["TEL", "TEL factor, median"].mean()
    own = row.stages[-1].settings.beta / defined["rows"]["TEL"].stages[-1].settings.beta
    np.testing.assert_allclose(1 + own * (factor - 1), 1.02)


@pytest.mark.slow
def test_solutions_about_generalisation(solved, capsys, short):
    defined, solutions = solved("12_generalisation", scale="toy", until="sides")
    hardest, together, davis = numbered(solutions)
    assert said(hardest, defined, capsys).count("high ") == 6
    assert said(together, defined, capsys).count("1.00") == 3  # of each attribute with itself
    assert "TK" in said(davis, defined, capsys)
    assert [row.name for row in short] == ["TK"]


@pytest.mark.slow
def test_solutions_about_figures(solved, capsys):
    defined, solutions = solved("13_figures", until="figure_five")
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
