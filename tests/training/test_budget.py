"""What a stage costs: sizes are the model's own, times the log's, and nothing is made up."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evis import papers
from evis.data import toy as toy_sets
from evis.models import VideoMask2Former
from evis.models import named as sized
from evis.papers.eigencluster import method
from evis.papers.eigencluster.recipes import named, toy
from evis.training import budget, changed, folder, log, ready

STAGE1, STAGE2, STAGE3 = (f"eigencluster.stage{n}" for n in (1, 2, 3))
STAGES = [named(name) for name in (STAGE1, STAGE2, STAGE3)]


def _parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def _size(recipe, classes):
    return budget.size(recipe, classes, method)


def test_sizes_are_those_of_the_real_model():
    recipe = toy(named(STAGE3))
    model = VideoMask2Former(sized(recipe.model, 8))
    size = _size(recipe, 8)
    assert size["parameters"] == _parameters(model)
    assert size["trained"] == _parameters(model) - _parameters(model.backbone)
    assert _size(toy(named(STAGE2)), 8)["trained"] == _parameters(model)
    assert _size(recipe, 9)["parameters"] == _parameters(model) + 65  # one more of 64 + 1


def test_clips_and_frames_by_shares():
    one, two, three = (_size(recipe, 40) for recipe in STAGES)
    assert (one["clips"], one["frames"]) == (960_000, 960_000)
    assert (two["clips"], two["frames"]) == (96_000, 288_000)
    assert (three["steps"], three["clips"], three["frames"]) == (4_000, 8_000, 24_000)
    mixed = _size(named(f"{STAGE3}.released"), 40)
    # Three of seven clips are three frames long, the others four.
    assert mixed["frames"] == round(2300 * 2 * (3 * 3 + 4 * 4) / 7)
    assert 43e6 < one["parameters"] < 45e6


def test_the_middle_step_counts_and_the_first_does_not(monkeypatch):
    seen = []

    def train(recipe, datasets, folder, *_, **__):
        seen.append((recipe, datasets))
        for step, seconds in enumerate((90.0, 1.0, 7.0, 2.0)):
            values = {"step": step, "seconds": seconds, "memory_gib": 1.0 + step}
            log.append(Path(folder), values)

    monkeypatch.setattr(budget, "train", train)
    recipe = named(f"{STAGE3}.released")
    assert budget.measure(recipe, 40, method, 3) == budget.Step(seconds=2.0, memory_gib=4.0)
    (asked, datasets) = seen[0]
    assert (asked.steps, asked.shorter_sides, asked.init) == (4, (480,), None)
    assert (asked.batch, asked.frames, asked.freeze_backbone) == (2, 3, True)
    assert {name: data.videos[0].length for name, data in datasets.items()} == {
        "videos": 3,
        "stills": 1,
    }
    assert all(len(data.categories) == 40 for data in datasets.values())


@pytest.mark.parametrize("name", [STAGE1, f"{STAGE3}.released"])
def test_a_real_step_is_measured_and_its_weights_not_kept(name, tmp_path, monkeypatch):
    monkeypatch.setattr(budget.tempfile, "tempdir", str(tmp_path))
    changes = {"model": "tiny_s", "batch": 2, "micro_batch": 1, "longest_side": 48}
    recipe = changed(toy(named(name)), changes | {"shorter_sides": (32,), "renames": ()})
    step = budget.measure(recipe, 3, method, 1)
    assert 0 < step.seconds < 60 and 0 < step.memory_gib < 16
    assert not list(tmp_path.rglob(folder.WEIGHTS)) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["uvis", "flowcut", "pointvis", "pmvis"])
def test_stages_that_learn_from_pseudo_labels_are_measured_too(name):
    small = {"batch": 1, "micro_batch": 1, "shorter_sides": (32,), "longest_side": 48}
    recipe = changed(papers.named(name, toy=True), small | {"renames": ()})
    assert budget.measure(recipe, 3, papers.method_of(recipe), 1).seconds > 0


def test_hours_are_steps_times_seconds_shared_where_they_can_be():
    step = budget.Step(seconds=3.6, memory_gib=1.0)
    assert step.hours(named(STAGE2)) == pytest.approx(6.0)
    assert step.hours(named(STAGE2), devices=8) == pytest.approx(6.0 / 8)
    assert step.hours(named(STAGE3), devices=8) == pytest.approx(4.0)  # one micro-batch a step


@given(batch=st.integers(1, 60), available=st.integers(0, 70))
def test_processes_are_the_most_that_share_evenly(batch, available):
    recipe = changed(named(STAGE2), {"batch": batch, "micro_batch": 1})
    fair = [n for n in range(1, batch + 1) if batch % n == 0 and n <= max(available, 1)]
    assert budget.processes(recipe, available) == max(fair)


def test_all_that_is_lacking_on_a_laptop(tmp_path):
    lines = ready.lacking(STAGES, tmp_path)
    assert [line.split(",")[0].split(":")[0] for line in lines] == [
        "COCO 2017 (for stage one and for pseudo clips)",
        "YouTube-VIS 2019",
        "Weights to start eigencluster.stage1 from",
        "A GPU",
    ]
    assert "train.json and train/JPEGImages" in lines[1] and "youtube-vos.org" in lines[1]


def test_what_is_there_is_not_asked_for(tmp_path):
    toy_sets.build("toy-coco", tmp_path / "coco-2017", videos=2, progress=False)
    toy_sets.build("toy-ytvis19", tmp_path / "youtube-vis-2019", videos=1, progress=False)
    (tmp_path / "R-50.pkl").touch()
    assert ready.lacking(STAGES, tmp_path, tmp_path / "R-50.pkl", gpus=1) == []
    (tmp_path / "youtube-vis-2019" / "train.json").unlink()
    lines = ready.lacking(STAGES[1:], tmp_path, tmp_path / "nowhere.pth", gpus=1)
    assert "train.json below" in lines[0] and "JPEGImages" not in lines[0]
    assert lines[1:] == [f"Weights: there is no file {tmp_path / 'nowhere.pth'}."]
