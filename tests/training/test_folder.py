"""A folder is trained into by one process at a time."""

import time
from dataclasses import replace

import pytest
import torch

from evis.data.errors import DataError
from evis.papers.eigencluster import method
from evis.training import train
from evis.training.folder import LOCK, WEIGHTS, locked

BUSY = "another process is training into this folder right now. Wait for it to end, or choose"


@pytest.fixture
def run(small):
    def run(folder, **changes):
        options = {"device": "cpu", "threads": 1, "progress": False}
        return train(small.recipe(**changes), small.uneven(), folder, method, **options)

    return run


def _content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_that_is_trained_into_is_left_alone(tmp_path, run):
    with locked(tmp_path):
        before = _content(tmp_path)
        for changes in ({"steps": 1}, {"steps": 2}):  # whether or not it would be the same run
            with pytest.raises(DataError, match=BUSY):
                run(tmp_path, **changes)
        assert _content(tmp_path) == before
    run(tmp_path, steps=1)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {WEIGHTS, "recipe.json", "log.jsonl", LOCK}


def test_a_run_that_was_refused_before_its_first_step_leaves_the_folder_free(tmp_path, run, small):
    bare = replace(small.uneven()["videos"], tracks=())
    with pytest.raises(DataError, match="no video has a track to learn from"):
        train(small.recipe(), {"videos": bare}, tmp_path, method, device="cpu", progress=False)
    run(tmp_path, steps=1)
    with pytest.raises(DataError, match="the folder holds another run"):
        run(tmp_path, steps=2)


@pytest.mark.slow
def test_while_a_process_trains_no_other_does_and_killed_it_lets_go(tmp_path, run, start_process):
    changes = {"name": "eigencluster.stage3", "steps": "500"}
    options = [f"{key}={value}" for key, value in changes.items()]
    process = start_process([str(tmp_path), "save_every=1", *options])
    try:
        while process.is_alive() and not (tmp_path / "checkpoints").exists():
            time.sleep(0.05)
        with pytest.raises(DataError, match=BUSY):
            run(tmp_path, **changes)
        assert process.is_alive()
    finally:
        process.kill()
        process.join()
    assert not (tmp_path / WEIGHTS).exists()
    with locked(tmp_path):
        pass


def test_a_finished_run_is_read_by_any_number(tmp_path, run):
    trained = run(tmp_path, steps=1).state_dict()
    with locked(tmp_path):
        found = run(tmp_path, steps=1).state_dict()
    assert all(torch.equal(trained[name], found[name]) for name in trained)


def test_an_error_lets_go_of_the_folder(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), locked(tmp_path):
            raise KeyboardInterrupt
