"""Pictures and tables of training show the recipes, logs and stored rows they are given."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evis.companion.plots import recipe_tables
from evis.companion.plots import training as views
from evis.papers.eigencluster import method
from evis.papers.eigencluster.recipes import named
from evis.training import budget

STAGE3 = named("eigencluster.stage3")
RELEASED = named("eigencluster.stage3.released")


def test_the_comparison_marks_what_differs_and_only_that():
    marked = _marked(recipe_tables.comparison({"three": [STAGE3, RELEASED]}))
    assert marked[("steps", 0)] == "4,000" and marked[("steps", 1)] == "2,300"
    assert marked[("learning rate", 1)] == "1e-05, constant"
    assert marked[("learns from", 1)] == "videos (43%) and stills (57%)"
    assert {name for name, _ in marked} == {
        "starts from",
        "learns from",
        "loss as in",
        "steps",
        "learning rate",
        "frames a clip",
        "precision",
    }
    assert not _marked(recipe_tables.comparison({"one": [STAGE3], "two": [RELEASED]}))


def _marked(text):
    found = {}
    for line in text.split("<tr>")[3:]:
        name, _, cells = line.removeprefix("<th>").partition("</th>")
        for column, cell in enumerate(cells.split("<td ")[1:]):
            if "background" in cell:
                found[name, column] = cell.split(">", 1)[1].split("</td>")[0]
    return found


def test_the_comparison_lists_what_no_source_says():
    text = recipe_tables.comparison({"three": [STAGE3]})
    assert all(f"- {each}" in text for each in STAGE3.unknown)


def test_values_follow_the_loss():
    assert recipe_tables.values(STAGE3)["temporal terms"] == "TK, TEL (beta 0.16), Q"
    assert recipe_tables.values(named("eigencluster.stage2"))["temporal terms"] == "TK"
    stage1 = recipe_tables.values(named("eigencluster.stage1"))
    assert (stage1["temporal terms"], stage1["annotation"]) == ("none", "masks")
    no_tk = recipe_tables.values(named("boxinst"))
    assert no_tk["temporal terms"] == "none"


def test_a_schedule_is_drawn_step_by_step():
    recipe = replace(STAGE3, steps=4, schedule="cosine", warm_up_steps=0, learning_rate=1.0)
    (line,) = views.schedules({"one": recipe}).axes[0].lines
    assert list(line.get_ydata()) == pytest.approx([1.0, 0.853553, 0.5, 0.146447], abs=1e-6)


def test_runs_that_agree_lie_on_each_other():
    log = pd.DataFrame({"step": range(3), "total": [3.0, 2.0, 1.0]})
    lines = views.same_curve({"one": log, "other": log}, cut=1).axes[0].lines
    assert list(lines[0].get_ydata()) == list(lines[1].get_ydata()) == [3.0, 2.0, 1.0]
    assert lines[1].get_marker() == "o" and lines[2].get_xdata()[0] == 1


def test_a_stage_shows_the_terms_it_has():
    one = pd.DataFrame({"step": range(4), "bce": [4.0, 2.0, 2.0, 2.0], "class": 1.0, "tel": 0.0})
    two = pd.DataFrame({"step": range(4), "projection": 1.0, "class": 1.0})
    figure = views.curves({"one": one, "two": two}, smooth=2)
    first, second = figure.axes
    assert list(first.lines[0].get_ydata()) == [4.0, 3.0, 2.0, 2.0]
    assert (len(first.lines), len(second.lines)) == (2, 2)
    names = [text.get_text() for text in figure.legends[0].texts]
    assert names == ["bce", "class", "projection"]
    assert first.lines[1].get_color() == second.lines[1].get_color()


def test_the_ladder_has_every_seed_and_the_mean():
    values = {"masks": (70.0, 74.0), "boxes": (50.0, 53.0, 59.0), "of tomorrow": (10.0,)}
    lines = [
        (name, seed, value, value / 2)
        for name, found in values.items()
        for seed, value in enumerate(found)
    ]
    table = pd.DataFrame(lines, columns=["row", "seed", "AP50", "AP"])
    table["mIoU"] = 1.0  # of no panel
    order = ["stage one only", "boxes", "masks"]
    left, right = views.ladder(table, order, ["AP50", "AP"]).axes
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == ["boxes", "masks", "of tomorrow"]
    dots = [c.get_offsets()[:, 0].tolist() for c in left.collections if len(c.get_offsets()) > 1]
    assert dots[:2] == [[50.0, 53.0, 59.0], [70.0, 74.0]]
    assert [text.get_text() for text in left.texts] == ["54.0", "72.0", "10.0"]
    assert [text.get_text() for text in right.texts] == ["27.0", "36.0", "5.0"]
    assert np.ptp(left.get_xlim()) == pytest.approx(np.ptp(right.get_xlim()))


def test_the_ladder_of_nothing_is_empty():
    left, right = views.ladder(
        pd.DataFrame(columns=["row", "seed"]), ["boxes"], ["AP", "mIoU"]
    ).axes
    assert not left.texts and not left.get_yticklabels() and right.get_title() == "mIoU (measured)"


def test_a_budget_holds_no_time_that_no_gpu_was_measured_for():
    key, other = ("stage three", "r50"), ("stage two", "r50")
    recipes = {key: STAGE3, other: named("eigencluster.stage2")}
    sizes = {name: budget.size(recipe, 40, method) for name, recipe in recipes.items()}
    gpu = budget.Step(3.6, 20.25)
    table = views.budget(recipes, sizes, {}, gpus=0)
    times = table[["seconds a step", "memory", "GPU-hours"]]
    assert (times == views.NOT_MEASURED).all(axis=None)
    assert list(table.loc[key][:3]) == ["44.0 M", "4,000", "8,000"]
    table = views.budget(recipes, sizes, {other: gpu}, gpus=8)
    assert list(table.loc[other][3:]) == ["3.60", "20.2 GiB", "6.0", "0.8"]
    assert set(table.loc[key][3:]) == {views.NOT_MEASURED}


def test_work_is_drawn_for_each_stage_and_backbone():
    names = {"two": "eigencluster.stage2", "three": "eigencluster.stage3"}
    sizes = {
        s: {b: budget.size(named(n, b), 40, method) for b in ("r50", "r101")}
        for s, n in names.items()
    }
    left, right = views.work(sizes).axes
    assert [bar.get_height() for bar in left.patches] == [288.0, 24.0]
    assert [round(bar.get_height()) for bar in right.patches] == [44, 63, 21, 21]
