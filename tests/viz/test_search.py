"""The search's tables and what is said of a variant."""

import numpy as np
import pandas as pd
import torch

from evis.training.experiments import BOTH, CONTROL
from evis.viz import search

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


def test_a_disc_has_a_panel_and_the_figure_a_scale():
    figure = search.discs({"one": torch.eye(8) - 0.5, "two": 1 - torch.eye(8) - 0.5})
    assert [axes.get_title() for axes in figure.axes[:2]] == ["one", "two"]
