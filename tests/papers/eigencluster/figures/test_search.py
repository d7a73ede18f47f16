"""The search's tables and what is said of a variant."""

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from evis.companion.plots.intervals import MEASURED, PAIRED
from evis.papers.eigencluster.experiments import BOTH, CONTROL
from evis.papers.eigencluster.figures import search

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


def test_the_best_variant_is_the_one_with_the_highest_mean():
    found = search.gains_over(a_table(both=30, good=33, bad=28), ["bad", "good"], BOTH)
    assert search.best(found) == "good"


def test_every_mark_of_the_search_stands_where_the_table_says():
    table = a_table(both=30, good=33, bad=28, fair=31)
    gains = search.gains_over(table, ["good", "bad", "fair"], BOTH)
    (axis,) = search.search_figure(gains).axes
    lines = [label.get_text() for label in axis.get_yticklabels()]
    assert lines == ["bad", "fair", "good"] and axis.get_yticks().tolist() == [0, 1, 2]
    ap = table.pivot(index="seed", columns="row", values="AP")
    diamonds = [line for line in axis.lines if line.get_marker() == "D"]
    for height, (row, dots, diamond) in enumerate(
        zip(lines, axis.collections, diamonds, strict=True)
    ):
        by_seed = ap[row] - ap[BOTH]
        values, heights = dots.get_offsets().T.tolist()
        assert values == pytest.approx(by_seed.tolist()) and heights == [height] * len(NOISE)
        assert diamond.get_xydata().tolist() == [[pytest.approx(by_seed.mean()), height]]
        colour = PAIRED if row == "good" else MEASURED
        assert diamond.get_color() == to_hex(dots.get_facecolor()[0]).upper() == colour


def test_a_search_without_rows_is_shown_as_such():
    nothing = search.gains_over(pd.DataFrame(columns=["row", "seed", "AP"]), ["good"], BOTH)
    (axis,) = search.search_figure(nothing).axes
    (text,) = axis.texts
    low, high = axis.get_ylim()
    assert text.get_text() == "not measured" and low < text.xy[1] < high
    assert search.judgement(a_table(both=30), search.best(nothing))[0].startswith("No variant")


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
