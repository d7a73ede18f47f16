"""Rows come back as they were stored, from whole files only, and are found by what decides them."""

import json
import math
import multiprocessing
import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evis.companion import store
from evis.data import provenance
from evis.data.errors import DataError

RECIPE = {"name": "TEL ablation", "steps": 200, "rates": [1e-4, 0.1], "flip": True}
ROW = store.ResultRow(
    recipe=RECIPE,
    dataset="toy-ytvis19",
    seed=0,
    metrics={"AP": 0.1 + 0.2, "AP_S": math.nan, "count": 3},
    commit="0" * 40,
    dirty=False,
    versions={"python": "3.11.7"},
    machine={"platform": "x", "cpu": "y", "cores": 2, "device": "cpu"},
    seconds=1.5,
    date="2026-01-02T03:04:05+00:00",
)
FLOATS = st.floats(allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def bits(metrics: dict[str, float]) -> dict[str, bytes]:
    """Exact values; every NaN is the same."""
    return {name: np.float64(value).tobytes() for name, value in metrics.items()}


def test_a_row_comes_back_as_it_was(tmp_path):
    path = store.save(ROW, tmp_path)
    assert path.name == f"tel-ablation_toy-ytvis19_seed0_{ROW.key}.json"
    found = store.find(RECIPE, "toy-ytvis19", 0, tmp_path)
    assert store.to_json(found) == store.to_json(ROW)
    assert math.isnan(found.metrics["AP_S"])
    assert json.loads(path.read_text())["metrics"] == {
        "AP": 0.30000000000000004,
        "AP_S": None,
        "count": 3.0,
    }


def test_videos_scores_come_back_and_take_one_line(tmp_path):
    scores = [0.873, None, 1.0]
    path = store.save(replace(ROW, per_video=scores), tmp_path)
    assert store.find(RECIPE, "toy-ytvis19", 0, tmp_path).per_video == scores
    assert ' "per_video": [0.873, null, 1.0]' in path.read_text().splitlines()
    store.save(ROW, tmp_path)
    assert store.find(RECIPE, "toy-ytvis19", 0, tmp_path).per_video == []
    assert "per_video" not in path.read_text()


def test_what_is_measured_a_video_is_no_metric(tmp_path):
    found = {"mIoU": 0.5, "per_video": [0.4, 0.6]}
    row = store.measure(RECIPE, "toy-ytvis19", 0, lambda: found, folder=tmp_path)
    assert (row.metrics, row.per_video) == ({"mIoU": 0.5}, [0.4, 0.6])
    assert store.find(RECIPE, "toy-ytvis19", 0, tmp_path) == row


@given(metrics=st.dictionaries(st.text(), FLOATS, max_size=5), seconds=st.floats(0, 1e9))
def test_numbers_round_trip_to_the_last_bit(tmp_path_factory, metrics, seconds):
    folder = tmp_path_factory.getbasetemp() / "bits"
    store.save(replace(ROW, metrics=metrics, seconds=seconds), folder)
    found = store.find(ROW.recipe, ROW.dataset, ROW.seed, folder)
    whole = {name: math.nan if math.isnan(value) else value for name, value in metrics.items()}
    assert bits(found.metrics) == bits(whole)
    assert found.seconds == seconds


@given(parameters=st.dictionaries(st.text(), JSON, max_size=4), seed=st.integers())
def test_any_plain_json_recipe_is_found_again(tmp_path_factory, parameters, seed):
    folder = tmp_path_factory.mktemp("rows")
    recipe = {**parameters, "name": "any"}
    saved = replace(ROW, recipe=recipe, seed=seed)
    store.save(saved, folder)
    shuffled = dict(reversed(recipe.items()))
    assert store.to_json(store.find(shuffled, ROW.dataset, seed, folder)) == store.to_json(saved)
    assert [row.key for row in store.rows(folder)] == [saved.key]


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": {**RECIPE, "steps": 201}},
        {"recipe": {**RECIPE, "extra": None}},
        {"recipe": {**RECIPE, "rates": [0.1, 1e-4]}},
        {"recipe": {**RECIPE, "name": "TEL-ablation"}},  # the same words in a file name
        {"dataset": "toy-ytvis21"},
        {"seed": 1},
    ],
)
def test_what_determines_a_row_tells_it_apart(tmp_path, change):
    other = replace(ROW, **change)
    assert store.save(ROW, tmp_path) != store.save(other, tmp_path)
    assert len(store.rows(tmp_path)) == 2


def test_where_and_when_do_not_tell_rows_apart(tmp_path):
    later = replace(ROW, commit=None, dirty=None, machine={"device": "gpu"}, date="later")
    assert store.save(ROW, tmp_path) == store.save(later, tmp_path)
    assert [row.date for row in store.rows(tmp_path)] == ["later"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, True),
        ({"a": (1, 2)}, {"a": [1, 2]}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 0}, {"a": None}, False),
        ({"a": 1}, {"a": "1"}, False),
    ],
)
def test_equal_numbers_are_the_same_recipe(one, other, same):
    keys = {store.key({"name": "n", **recipe}, "d", np.int64(3)) for recipe in (one, other)}
    assert (len(keys) == 1) == same
    assert store.key({"name": "n", **one}, "d", 3) in keys


def test_the_key_is_stable_across_versions():
    """Committed rows are found by it: a change here orphans them all."""
    # The start of the SHA-256 of {"dataset":"d","recipe":{"a":[1,0.5],"name":"n"},"seed":7}
    assert store.key({"name": "n", "a": [1.0, 0.5]}, "d", 7) == "e106ced76d07"


@pytest.mark.parametrize("value", [math.inf, -math.inf, True, None, "0.5", np.zeros(2)])
def test_metrics_are_numbers(value):
    with pytest.raises(ValueError, match="'AP' must be a finite number or NaN"):
        replace(ROW, metrics={"AP": value})


def test_numpy_numbers_are_numbers():
    row = replace(ROW, metrics={"a": np.float32(0.5), "b": np.int64(3)})
    assert row.metrics == {"a": 0.5, "b": 3.0}


@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        ({}, '"name"'),
        ({"name": "--"}, '"name"'),
        ({"name": 3}, '"name"'),
        ({"name": "a", "x": math.nan}, "plain json"),
        ({"name": "a", "x": np.zeros(2)}, "plain json"),
    ],
)
def test_recipes_are_named_plain_json(recipe, problem):
    with pytest.raises(ValueError, match=problem):
        store.find(recipe, "d", 0)


def test_measuring_twice_calls_once(tmp_path):
    calls = []

    def function():
        calls.append(1)
        return {"AP": len(calls) / 3}

    first = store.measure(RECIPE, "d", 0, function, folder=tmp_path)
    again = store.measure(RECIPE, "d", 0, function, folder=tmp_path)
    assert store.to_json(again) == store.to_json(first)
    assert len(calls) == 1
    anew = store.measure(RECIPE, "d", 0, function, recompute=True, folder=tmp_path)
    assert anew.metrics["AP"] == 2 / 3
    assert [row.metrics["AP"] for row in store.rows(tmp_path)] == [2 / 3]
    assert set(anew.machine) == {"platform", "cpu", "cores", "device"}
    assert anew.versions["torch"].startswith("2.") and anew.versions["python"].startswith("3.")
    assert anew.seconds >= 0 and anew.date.endswith("+00:00")


def test_a_failed_measurement_stores_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        store.measure(RECIPE, "d", 0, lambda: {"AP": 1 / 0}, folder=tmp_path)
    with pytest.raises(ValueError, match="finite number"):
        store.measure(RECIPE, "d", 0, lambda: {"AP": "high"}, folder=tmp_path)
    assert os.listdir(tmp_path) == []


def test_an_empty_store_has_no_rows(tmp_path):
    assert store.rows(tmp_path / "none") == []
    assert store.find(RECIPE, "d", 0, tmp_path) is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "Expecting value"),
        (b'{"schema": 1, "recipe"', "Expecting"),
        (b"\xff\xfe", "utf-8"),
        (b"[1, 2]", "schema 1"),
        (b'{"AP": 0.5}', "schema 1"),
        (b'{"schema": 2}', "schema 1"),
        (b'{"schema": 1, "recipe": {}}', "metrics"),
        (b'{"schema": 1, "metrics": {}}', "missing 9 required"),
    ],
)
def test_a_foreign_or_broken_file_is_named(tmp_path, content, problem):
    store.save(ROW, tmp_path)
    (tmp_path / "other.json").write_bytes(content)
    with pytest.raises(DataError, match="other.json: not a result row") as caught:
        store.rows(tmp_path)
    assert problem in str(caught.value) and "delete it" in str(caught.value)


def test_a_pipe_among_the_rows_is_named(tmp_path):
    """Reading it would wait for a writer without end."""
    os.mkfifo(tmp_path / "row.json")
    with pytest.raises(DataError, match="row.json: is a pipe or a device, no regular file"):
        store.rows(tmp_path)


def test_a_truncated_row_is_named_when_it_is_looked_for(tmp_path):
    path = store.save(ROW, tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=path.name):
            store.find(RECIPE, "toy-ytvis19", 0, tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"date": 5},
        {"commit": 5},
        {"metrics": {"AP": 10**400}},
        {"machine": []},
        {"machine": {"cpu": [], "device": "cpu"}},
    ],
)
def test_what_is_listed_is_text(tmp_path, changes):
    path = store.save(ROW, tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(DataError, match="not a result row"):
        store.rows(tmp_path)


@pytest.mark.parametrize("field", ["recipe", "dataset", "seed", "metrics"])
def test_a_wrong_type_is_a_clear_error(tmp_path, field):
    path = store.save(ROW, tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), field: [1]}))
    with pytest.raises(DataError, match=path.name):
        store.rows(tmp_path)


def test_a_renamed_or_edited_row_is_refused(tmp_path):
    path = store.save(ROW, tmp_path)
    path.rename(tmp_path / "tel.json")
    with pytest.raises(DataError, match="tel.json.*belongs in tel-ablation_"):
        store.rows(tmp_path)
    (tmp_path / "tel.json").rename(path)
    path.write_text(path.read_text().replace('"steps": 200', '"steps": 400'))
    with pytest.raises(DataError, match="renamed or edited"):
        store.find(RECIPE, "toy-ytvis19", 0, tmp_path)


def test_files_that_are_not_rows_by_name_are_left_alone(tmp_path):
    (tmp_path / "README.md").write_text("rows")
    (tmp_path / ".half.json.x1.tmp").write_text("{")
    (tmp_path / "._half.json").write_text("{")
    assert store.rows(tmp_path) == []


def hammer(folder, writer):
    """Fifty saves of one row, each telling its writer and turn in every field that can."""
    for turn in range(50):
        number = writer * 1000 + turn
        metrics = {f"metric {index}": float(number) for index in range(200)}
        store.save(replace(ROW, metrics=metrics, seconds=float(number)), folder)


def test_two_writers_never_mix(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=hammer, args=(tmp_path, writer)) for writer in (1, 2)]
    store.save(replace(ROW, metrics={"metric 0": 0.0}, seconds=0.0), tmp_path)
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        row = store.find(RECIPE, "toy-ytvis19", 0, tmp_path)
        assert set(row.metrics.values()) == {row.seconds}
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    (last,) = store.rows(tmp_path)
    assert last.seconds in (1049.0, 2049.0)  # the last complete save of one of them
    assert len(os.listdir(tmp_path)) == 1


def git(folder, *arguments):
    """Without the user's own settings, nor those of a hook that the tests may run in."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(
        ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        check=True,
        capture_output=True,
        env=own | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )


def test_the_commit_and_what_counts_as_a_change(tmp_path):
    assert provenance.commit(tmp_path) == (None, None)
    git(tmp_path, "init")
    assert provenance.commit(tmp_path) == (None, None)  # nothing committed yet
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "x")
    head, dirty = provenance.commit(tmp_path)
    assert len(head) == 40 and dirty is False
    for written in ("figures/a.pdf", "data/results/a.json"):
        (tmp_path / written).parent.mkdir(parents=True)
        (tmp_path / written).write_text("")
    assert provenance.commit(tmp_path) == (head, False)
    (tmp_path / "code.py").write_text("2")
    assert provenance.commit(tmp_path) == (head, True)
    git(tmp_path, "checkout", "code.py")
    (tmp_path / "new.py").write_text("")
    assert provenance.commit(tmp_path) == (head, True)
    assert provenance.commit(tmp_path / "figures") == (None, None)  # inside another's checkout
