"""Notebooks 14 and 16: solutions to the exercises give what their text says, by whatever rows."""

import re

import numpy as np
import pytest

from evis.companion import claims as ledgers
from evis.companion import paired
from evis.papers.eigencluster import beyond, experiments


@pytest.mark.slow
def test_solutions_about_the_ledger(solved, capsys):
    defined, (whose, own, units, surer, wrong) = solved("14_claims")
    capsys.readouterr()

    def printed(solution):
        exec(solution, defined)
        return capsys.readouterr().out.strip()

    decided = (*ledgers.DECIDED, ledgers.NO_EFFECT, ledgers.CANNOT_TELL)
    lines = defined["ledger"].to_dict("records")
    holds = [line for line in lines if line["verdict"] == ledgers.HOLDS]
    lost = [line["id"] for line in holds if line["control"] in set(decided) - {ledgers.HOLDS}]
    assert printed(whose) == str(lost)
    (verdict,) = re.findall(r"^M1, beta = 1 beats the default: ([^;]+)", printed(own))
    assert verdict in ledgers.VERDICTS

    needed = int(printed(units))
    line = next(line for line in lines if line["id"] == "T3-2")
    assert needed >= paired.LEAST_SEEDS
    assert (needed > line["seeds"]) == (line["resolvable"] > line["published"])

    times, sizes = np.array([line.split() for line in printed(surer).split("\n")], dtype=float).T
    assert times.tolist() == [1, 2, 4] and sizes / sizes[0] == pytest.approx([1, 4, 16], rel=1e-3)
    assert float(printed(wrong)) == pytest.approx(0.05, abs=0.03)


@pytest.fixture
def variants_of_before():
    """Afterwards, as a solution adds one."""
    known = dict(beyond.VARIANTS)
    yield
    beyond.VARIANTS.clear()
    beyond.VARIANTS.update(known)


@pytest.mark.slow
@pytest.mark.usefixtures("variants_of_before")
def test_solutions_beyond_the_paper(solved, monkeypatch, capsys):
    """Two variants, one step a stage; and as it is while no variant is measured."""
    group = experiments.group
    few = {"beyond": 2}
    monkeypatch.setattr(
        experiments, "group", lambda name, size: dict([*group(name, size).items()][: few.get(name)])
    )
    defined, (another, total, mine, confirm) = solved("16_beyond_the_paper")
    assert len(defined["variants"]) == 2 and defined["chosen"] in defined["variants"]
    capsys.readouterr()

    def printed(solution):
        exec(solution, defined)
        return capsys.readouterr().out.strip()

    found = dict(line.split(" ", 1) for line in printed(another).split("\n"))
    assert list(found) == ["AP50", "AP75", "mIoU"]
    assert set(found.values()) <= set(defined["variants"])
    assert printed(total) == "True"
    assert "steady share" in printed(mine)
    compared = printed(confirm)
    for row in defined["MUST_BEAT"]:
        assert f"{defined['chosen']} - {row}" in compared

    defined |= {"chosen": None, "gains": defined["gains"].iloc[:0], "pairs": []}
    assert printed(another).count("no variant is measured yet") == 3
    assert printed(confirm) == "Nothing is chosen yet, so there is nothing to confirm."
    assert defined["told"](defined["report"]).startswith("no variant is chosen")
