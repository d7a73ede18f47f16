"""What is wanted of GPUs, beside rows that say what was measured, or that nothing was."""

import math
from dataclasses import replace

import pytest

from evis.companion import gpu, store


@pytest.fixture
def row(tmp_path):
    """A stored row in a folder of its own: one metric at its limit, one beyond, one ratio."""
    metrics = {
        "step, bf16: whole": 0.16,
        "step, float32: whole": 0.24,
        "step, float32: launches": 5001,
        "video, r50: frames a second": 220,
    }
    recipe = {"name": gpu.NAME, "card": "a card", "model": "r50"}
    return store.measure(recipe, "made-up videos", 0, lambda: metrics, folder=tmp_path)


def test_without_rows_nothing_is_measured(tmp_path):
    table = gpu.table(tmp_path)
    assert list(table.columns) == ["wanted", "any GPU"] and list(table.index) == list(gpu.WANTED)
    assert set(table["any GPU"]) == {"not measured"}


def test_limits_are_kept_missed_or_not_measured(row, tmp_path):
    table = gpu.table(tmp_path)
    card = table[f"a card, torch {row.versions['torch']}"]
    assert card["step in bf16: seconds"] == "0.16, reached"
    assert card["step in float32: launches"] == "5,001, missed"
    assert card["predict, R50: frames a second"] == "220, reached"
    assert card["step in float32: times that in bf16"] == "1.5, missed"
    assert card["step in float32: times its kernels"] == "not measured"
    assert table.wanted["predict, R50: frames a second"] == "at least 220"
    assert table.wanted["step in float32: launches"] == "at most 5,000"


def test_every_card_has_a_column_and_other_rows_have_none(row, tmp_path):
    other = row.recipe | {"card": "another"}
    for recipe in (other, row.recipe | {"name": "benchmark of something else"}):
        store.save(replace(row, recipe=recipe, metrics={}), tmp_path)
    table = gpu.table(tmp_path)
    assert len(table.columns) == 3 and not table.isna().any(axis=None)
    (column,) = [name for name in table.columns if name.startswith("another")]
    assert set(table[column]) == {"not measured"}


def test_parity_and_the_time_in_all_must_be_reached_and_speed_need_not():
    reached = {
        "parity with the CPU: a step's terms": 1e-3,
        "parity with the CPU: a prediction's logits": 1e-6,
        "all of it: seconds": 480,
        "step, bf16: whole": 9.0,
    }
    assert gpu.judged(reached)["step in bf16: seconds"] == "9, missed"
    assert gpu.failed(reached) == gpu.failed({}) == []
    worse = {name: 2 * value for name, value in reached.items()}
    missed = "a step's terms, float32: relative difference from the CPU's"
    assert gpu.failed(worse) == [missed, "all of `make gpu-check`: seconds"]
    assert gpu.failed({name: math.nan for name in reached}) == [
        missed,
        "masks of a prediction, float32: the same",
        "all of `make gpu-check`: seconds",
    ]


def test_what_is_not_a_number_is_never_reached():
    judged = gpu.judged({"step, bf16: whole": math.nan, "video, r50: frames a second": math.nan})
    assert judged["step in bf16: seconds"] == judged["predict, R50: frames a second"]
    assert judged["step in bf16: seconds"] == "nan, missed"
