"""Which variant the rule chooses, and what is said of it."""

import numpy as np
import pandas as pd
import pytest

from evis.papers.eigencluster import search
from evis.papers.eigencluster.experiments import BOTH, CONTROL

NOISE = np.array([0.1, -0.2, 0.15, -0.05, 0.0, 0.12, -0.1, 0.03])


def a_table(**levels: float) -> pd.DataFrame:
    lines = [
        (row.replace("_", " "), seed, level + noise * (place + 1))
        for place, (row, level) in enumerate(levels.items())
        for seed, noise in enumerate(NOISE)
    ]
    table = pd.DataFrame(lines, columns=["row", "seed", "AP"])
    return table.replace({"row": {"both": BOTH, "control": CONTROL}})


def test_gains_are_by_seed_over_the_baseline_and_the_best_is_last():
    found = search.gains_over(a_table(both=30, bad=28, good=33), ["good", "bad", "absent"], BOTH)
    assert list(found.index) == ["bad", "good"]
    assert found.loc["good", 0] == 33 + 0.3 - 30.1
    assert found["mean"].round(6).tolist() == [-2.0 + NOISE.mean().round(6), 3 + 2 * NOISE.mean()]


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (pd.DataFrame(columns=["row", "seed", "AP"]), ["mean"]),
        (a_table(good=33, bad=28), [*range(8), "mean"]),
        (a_table(both=30), [*range(8), "mean"]),
    ],
    ids=["nothing", "no baseline", "no variant"],
)
def test_without_rows_to_compare_there_are_no_gains(table, columns):
    found = search.gains_over(table, ["good", "bad"], BOTH)
    assert found.empty and list(found.columns) == columns
    assert search.best(found) is None
    assert search.judgement(table, None)[0].startswith("No variant")


def test_the_best_variant_is_the_one_with_the_highest_mean():
    found = search.gains_over(a_table(both=30, good=33, bad=28), ["bad", "good"], BOTH)
    assert search.best(found) == "good"


def test_a_variant_must_beat_the_method_and_its_control():
    clear = search.judgement(a_table(both=30, control=30, mine=33), "mine")
    assert clear[-1].startswith("It beats")
    assert "over TEL + QCC: higher" in clear[0] and "over more steps: higher" in clear[1]
    by_leaving_out = search.judgement(a_table(both=30, control=33, mine=33), "mine")
    assert by_leaving_out[-1].startswith("It is not shown to beat")
    over_the_control = search.judgement(a_table(both=33, control=30, mine=33), "mine")
    assert over_the_control[-1].startswith("It is not shown to beat")


def test_a_variant_that_is_not_measured_is_said_to_be_so():
    assert search.judgement(a_table(both=30), "mine") == [
        "mine is not measured on these videos yet."
    ]
