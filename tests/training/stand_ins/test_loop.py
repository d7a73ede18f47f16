"""The stand-ins' loop: it learns, goes on after a cut to the same bits, and says what is wrong."""

import json
import signal
from dataclasses import fields, replace

import pytest
import torch
from safetensors.torch import load_file

from evis import cli
from evis.data import annotations
from evis.data.errors import DataError
from evis.foundation import stand_in
from evis.training import changed, checkpoint, log, stand_ins
from evis.training.folder import WEIGHTS
from evis.training.stand_ins import loop, self_distillation

FEW = {
    "toy_dino": {
        "width": 8, "blocks": 1, "prototypes": 16, "large": (24, 32), "small": (12, 16),
        "small_views": 1,
    },
    "toy_clip": {"width": 4, "channels": 8},
    "toy_sam": {"width": 2},
}  # fmt: skip


def small(name, **changes):
    few = {"steps": 6, "batch": 2, "size": (32, 48), "warm_up_steps": 1} | FEW[name]
    return replace(stand_ins.named(name), **few | changes)


@pytest.fixture(params=stand_ins.NAMES)
def name(request):
    return request.param


def run(recipe, stills, folder, **options):
    return stand_ins.train(recipe, stills, folder, threads=1, progress=False, **options)


def bits(folder):
    return {name: tensor.tolist() for name, tensor in load_file(folder / WEIGHTS).items()}


def test_a_run_that_was_cut_off_ends_with_the_same_bits(name, stills, tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(small(name), stills, whole)
    step_of, calls = loop._advance, []

    def cut_off(task, optimiser, recipe, step):
        calls.append(step)
        if len(calls) == 5:  # after the checkpoint of step 4, in its own step
            step_of(task, optimiser, recipe, step)
            raise RuntimeError("the power is gone")
        return step_of(task, optimiser, recipe, step)

    monkeypatch.setattr(loop, "_advance", cut_off)
    with pytest.raises(RuntimeError, match="power"):
        run(small(name), stills, cut, save_every=2, log_every=1)
    assert not (cut / WEIGHTS).exists()
    torch.manual_seed(99)
    run(small(name), stills, cut, save_every=2, log_every=1)
    assert calls == [0, 1, 2, 3, 4, 4, 5] and bits(cut) == bits(whole)
    assert list(log.read(cut)["step"]) == [0, 1, 2, 3, 4, 5]
    assert not (cut / "checkpoints").exists()
    run(small(name), stills, cut)
    assert len(calls) == 7  # it is finished
    run(small(name, seed=1), stills, tmp_path / "other")
    assert bits(tmp_path / "other") != bits(whole)


def test_ctrl_c_ends_it_after_a_step(stills, tmp_path, monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    step_of = loop._advance

    def pressed(task, optimiser, recipe, step):
        if step == 2:
            signal.raise_signal(signal.SIGINT)
        return step_of(task, optimiser, recipe, step)

    monkeypatch.setattr(loop, "_advance", pressed)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(small("toy_dino"), stills, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert checkpoint.latest(tmp_path / "checkpoints")[0] == 3


@pytest.mark.slow
def test_the_loss_falls(stills, tmp_path):
    recipe = small("toy_clip", steps=60, batch=4, warm_up_steps=5)
    run(recipe, stills, tmp_path, log_every=1)
    total = log.read(tmp_path)["total"]
    assert total[-10:].mean() < 0.8 * total[:10].mean()


def test_weights_say_what_made_them(name, stills, tmp_path):
    run(small(name), stills, tmp_path)
    stored = stand_in.read(small(name).kind, name, tmp_path / WEIGHTS)
    assert stored.about["recipe"] == json.loads((tmp_path / "recipe.json").read_text())["recipe"]
    assert stored.about["recipe"]["steps"] == 6 and "torch" in stored.about["versions"]


def test_a_checkpoint_of_other_sizes_is_refused(stills, tmp_path, monkeypatch):
    """As one from before evis's own code changed: the recipe is the same."""
    step_of = loop._advance

    def cut_off(task, optimiser, recipe, step):
        if step == 2:
            raise RuntimeError("the power is gone")
        return step_of(task, optimiser, recipe, step)

    monkeypatch.setattr(loop, "_advance", cut_off)
    with pytest.raises(RuntimeError, match="power"):
        run(small("toy_dino"), stills, tmp_path, save_every=1)
    _, state = checkpoint.latest(tmp_path / "checkpoints")
    state["task"] = {name: tensor[..., None] for name, tensor in state["task"].items()}
    checkpoint.save(tmp_path / "checkpoints", 2, state)
    with pytest.raises(DataError, match="the checkpoint of step 2 is of something else .*Delete"):
        run(small("toy_dino"), stills, tmp_path)


def test_another_run_and_a_diverged_one_are_refused(stills, tmp_path, monkeypatch):
    run(small("toy_dino"), stills, tmp_path / "one")
    with pytest.raises(DataError, match="recipe.seed is 0 there, 3 here"):
        run(small("toy_dino", seed=3), stills, tmp_path / "one")
    with pytest.raises(DataError, match="there is no picture"):
        run(small("toy_dino"), replace(stills, videos=(), tracks=()), tmp_path / "two")
    targets = self_distillation.targets
    monkeypatch.setattr(self_distillation, "targets", lambda *given: targets(*given) * torch.nan)
    with pytest.raises(DataError, match="toy_dino, step 0.*diverged.*Lower the learning rate"):
        run(small("toy_dino"), stills, tmp_path / "three")


@pytest.mark.parametrize("how", ["threads", "save_every", "log_every"])
def test_how_to_run_is_checked_before_the_folder_is_made(stills, tmp_path, how):
    with pytest.raises(DataError, match=f"{how} should be a whole number from 1 on, is 0"):
        stand_ins.train(small("toy_dino"), stills, tmp_path / "run", **{how: 0})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change", ["steps=0", "seed=-1", "size=(8, 8)", "batch=1.5"])
def test_recipes_outside_their_limits_are_refused(name, change):
    key, _, value = change.partition("=")
    with pytest.raises(DataError, match=f"{key} should be"):
        changed(stand_ins.named(name), {key: value})


@pytest.mark.parametrize(
    "change, problem",
    [
        ("toy_dino size=(64,)", r"size should be two whole numbers from 16 to 1,024, is \(64,\)"),
        ("toy_dino large=(48,)", "large should be two whole numbers"),
        ("toy_dino small_scale=(0.1, 0.2, 0.3)", "small_scale should be two numbers"),
        ("toy_clip synonyms=5", r"synonyms should be tuple\[tuple\[str, ...\], ...\], is \(5,\)"),
        ("toy_clip synonyms=((1,),)", "synonyms should be tuple"),
    ],
)
def test_values_of_another_shape_are_refused(change, problem):
    name, _, change = change.partition(" ")
    key, _, value = change.partition("=")
    with pytest.raises(DataError, match=problem):
        changed(stand_ins.named(name), {key: value})


def test_every_number_of_a_recipe_has_limits(name):
    recipe = stand_ins.named(name)
    assert recipe.name == name and recipe.title
    free = {"name", "title", "synonyms"}
    assert {field.name for field in fields(recipe)} - free == set(recipe.limits)


def test_the_command_trains_one_on_a_set_of_ones_own(stills, tmp_path, capsys):
    import cv2

    for video in stills.videos:
        named = tmp_path / f"{video.id}.png"
        cv2.imwrite(str(named), stills.frame(video.id, 0)[..., ::-1])
    own = replace(stills, videos=tuple(replace(v, frames=(f"{v.id}.png",)) for v in stills.videos))
    annotations.write(own, tmp_path / "own.json", "coco")
    out = tmp_path / "out"
    given = ["train", "toy_dino", "--data", str(tmp_path / "own.json"), "--folder", str(out)]
    changes = [f"{key}={value}" for key, value in (FEW["toy_dino"] | {"steps": 2}).items()]
    given += ["--quiet", "--cpu", *(word for change in changes for word in ("--set", change))]
    assert cli.main(given) == 0
    assert f"toy_dino: 2 steps, weights in {out / WEIGHTS}" in capsys.readouterr().out
    for more, said in (
        (["--model", "some.pth"], "toy_dino is trained without --model"),
        (["--backbone", "r50"], "toy_dino is trained without --backbone"),
        (["--scale", "toy"], "toy_dino has one size: leave --scale out"),
    ):
        with pytest.raises(SystemExit):
            cli.main([*given, *more])
        assert said in capsys.readouterr().err
