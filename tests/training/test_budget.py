"""What a stage costs: sizes are the model's own, times the log's, and nothing is made up."""

from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evis.data.errors import DataError
from evis.models import VideoMask2Former
from evis.models import named as sized
from evis.training import budget, changed, folder, named, toy
from evis.training.log import Log

STAGE1, STAGE2, STAGE3 = (f"eigencluster.stage{n}" for n in (1, 2, 3))


def _parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_sizes_are_those_of_the_real_model():
    recipe = toy(named(STAGE3))
    model = VideoMask2Former(sized(recipe.model, 8))
    found = budget.size(recipe, 8)
    assert found.parameters == _parameters(model)
    assert found.trained == _parameters(model) - _parameters(model.backbone)
    assert budget.size(toy(named(STAGE2)), 8).trained == _parameters(model)
    assert budget.size(recipe, 9).parameters == _parameters(model) + 65  # one more of 64 + 1


def test_clips_and_frames_by_shares():
    one, two, three = (budget.size(named(name), 40) for name in (STAGE1, STAGE2, STAGE3))
    assert (one.clips, one.frames) == (960_000, 960_000)
    assert (two.clips, two.frames) == (96_000, 288_000)
    assert (three.steps, three.clips, three.frames) == (4_000, 8_000, 24_000)
    mixed = budget.size(named(f"{STAGE3}.released"), 40)
    # Three of seven clips are three frames long, the others four.
    assert mixed.frames == round(2300 * 2 * (3 * 3 + 4 * 4) / 7)
    assert 43e6 < one.parameters < 45e6


def test_the_middle_step_counts_and_the_first_does_not(monkeypatch):
    seen = []

    def train(recipe, datasets, folder, **how):
        seen.append((recipe, datasets))
        log = Log(Path(folder), 0)
        for step, seconds in enumerate((90.0, 1.0, 7.0, 2.0)):
            log.write({"step": step, "seconds": seconds, "memory_gib": 1.0 + step})
        log.close()

    monkeypatch.setattr(budget, "train", train)
    recipe = named(f"{STAGE3}.released")
    step = budget.measure_here(recipe, 40, 3, device="cpu")
    assert (step.seconds, step.memory_gib, step.device, step.is_gpu) == (2.0, 4.0, "CPU", False)
    (asked, datasets) = seen[0]
    assert (asked.steps, asked.shorter_sides, asked.init) == (4, (480,), None)
    assert (asked.batch, asked.frames, asked.freeze_backbone) == (2, 3, True)
    assert {name: data.videos[0].length for name, data in datasets.items()} == {
        "videos": 3,
        "stills": 1,
    }
    assert all(len(data.categories) == 40 for data in datasets.values())


@pytest.mark.parametrize("name", [STAGE1, f"{STAGE3}.released"])
def test_a_real_step_is_measured(name):
    changes = {"model": "tiny_s", "batch": 2, "micro_batch": 1, "longest_side": 48}
    recipe = changed(toy(named(name)), changes | {"shorter_sides": (32,), "renames": ()})
    step = budget.measure_here(recipe, 3, 1, device="cpu")
    assert 0 < step.seconds < 60 and 0 < step.memory_gib < 16


def test_a_process_that_was_killed_says_what_to_lower(monkeypatch):
    class Pool(budget.ProcessPoolExecutor):
        def submit(self, *arguments):
            raise BrokenProcessPool("killed")

    monkeypatch.setattr(budget, "ProcessPoolExecutor", Pool)
    with pytest.raises(DataError, match="eigencluster.stage1: .*out of memory.*micro_batch"):
        budget.measure(named(STAGE1))


def test_hours_are_steps_times_seconds_shared_where_they_can_be():
    step = budget.Step(seconds=3.6, memory_gib=1.0, device="a GPU", is_gpu=True)
    assert step.hours(named(STAGE2)) == pytest.approx(6.0)
    assert step.hours(named(STAGE2), devices=8) == pytest.approx(6.0 / 8)
    assert step.hours(named(STAGE3), devices=8) == pytest.approx(4.0)  # one micro-batch a step


@given(batch=st.integers(1, 60), available=st.integers(0, 70))
def test_processes_are_the_most_that_share_evenly(batch, available):
    recipe = changed(named(STAGE2), {"batch": batch, "micro_batch": 1})
    fair = [n for n in range(1, batch + 1) if batch % n == 0 and n <= max(available, 1)]
    assert budget.processes(recipe, available) == max(fair)


def test_weights_of_a_measurement_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(budget.tempfile, "tempdir", str(tmp_path))
    changes = {"model": "tiny_s", "batch": 1, "micro_batch": 1, "longest_side": 48}
    recipe = changed(toy(named(STAGE1)), changes | {"shorter_sides": (32,)})
    budget.measure_here(recipe, 2, 1, device="cpu")
    assert not list(tmp_path.rglob(folder.WEIGHTS)) and not list(tmp_path.iterdir())
