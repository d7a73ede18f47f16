"""One network and a loss as data: the engine trains IDOL from masks, boxes, and masks of boxes."""

from dataclasses import replace

import pytest
import small
import torch

from evis import models
from evis.data.errors import DataError
from evis.data.supervision import weaken
from evis.inference import predict
from evis.labels import from_boxes
from evis.papers.pmvis import method
from evis.papers.pmvis.recipes import named, toy
from evis.training import changed, train
from evis.training.log import read

RUN = {"device": "cpu", "threads": 1, "progress": False}


def recipe(name, **changes):
    few = {"steps": 4, "batch": 2, "micro_batch": 1, "shorter_sides": (24, small.HEIGHT)}
    return changed(replace(toy(named(name)), init=None), few | changes)


def made_of_boxes(videos):
    return from_boxes.label(weaken(videos, "box"), from_boxes.ellipse, progress=False)


def sets(name, **options):
    both = small.datasets(**options)
    return both | {"videos": made_of_boxes(both["videos"])} if name == "pmvis" else both


@pytest.mark.slow
@pytest.mark.parametrize("name", ["idol", "idol.boxinst", "pmvis"])
def test_the_loss_falls(name, tmp_path):
    # At the end, total and class are at 0.4 to 0.55 of what they were, masks at 0.3 to 0.4.
    run = recipe(name, steps=40, batch=4, micro_batch=4, lr=2e-3, shorter_sides=(small.HEIGHT,))
    train(run, sets(name), tmp_path, method, keep_frames=True, **RUN)
    log = read(tmp_path)
    spatial = {"idol": ["dice"], "idol.boxinst": ["projection"], "pmvis": ["dice", "projection"]}
    for term in ("total", "class", "giou", "contrastive", *spatial[name]):
        assert log[term][-5:].mean() < 0.8 * log[term][:5].mean(), term
    assert ("focal" in log) == (name != "idol.boxinst")


class CutOff:
    """The method, whose loss ends the process's run in the middle of a step."""

    build = staticmethod(method.build)

    def __init__(self, step):
        self.step = step

    def loss(self, recipe):
        real = method.loss(recipe)

        def loss(prediction, clips, step, generator):
            if step.number == self.step:
                raise KeyboardInterrupt
            return real(prediction, clips, step, generator)

        return loss


@pytest.mark.slow
@pytest.mark.parametrize("name", ["idol", "pmvis", "idol.stills"])
def test_a_run_that_was_cut_off_ends_as_one_that_was_not(name, tmp_path):
    run = recipe(name)
    whole = train(run, sets(name), tmp_path / "whole", method, **RUN).state_dict()
    for step in (1, 3):
        with pytest.raises(KeyboardInterrupt):
            train(run, sets(name), tmp_path / "cut", CutOff(step), save_every=1, **RUN)
    resumed = train(run, sets(name), tmp_path / "cut", method, **RUN).state_dict()
    assert list(read(tmp_path / "cut")["step"]) == list(range(4))
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert any(not torch.equal(whole[key], fresh) for key, fresh in fresh_state(run).items())


def fresh_state(run):
    return method.build(run, ["red", "blue"]).state_dict()


@pytest.mark.slow
def test_recomputed_activations_give_the_same_steps_and_half_precision_nearly_the_same(tmp_path):
    runs = {
        "plain": ({}, {}),
        "again": ({}, {"recompute": True}),
        "half": ({"precision": "bf16"}, {}),
    }
    totals = {}
    for name, (changes, options) in runs.items():
        run = recipe("pmvis", steps=2, **changes)
        train(run, sets("pmvis"), tmp_path / name, method, **RUN, **options)
        totals[name] = read(tmp_path / name)["total"].to_list()
    assert totals["again"] == pytest.approx(totals["plain"], rel=1e-6)
    assert totals["half"] == pytest.approx(totals["plain"], rel=1e-2)
    assert totals["half"] != totals["plain"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["idol.boxinst", "pmvis"])
def test_noise_in_place_of_masks_changes_no_bit_under_boxes(name, tmp_path):
    run = recipe(name, steps=2)
    trained = [
        train(run, sets(name, noise_masks=noise), tmp_path / str(noise), method, **RUN)
        for noise in (False, True)
    ]
    one, other = (model.state_dict() for model in trained)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_masks_by_people_are_taken_off_and_their_lack_is_named(tmp_path):
    with pytest.raises(DataError, match="no masks.*evis label boxes"):
        train(recipe("pmvis"), small.datasets(), tmp_path, method, **RUN)


@pytest.mark.slow
def test_what_was_trained_is_loaded_and_followed(tmp_path):
    trained = train(recipe("idol", steps=2), small.datasets(), tmp_path, method, **RUN)
    loaded = models.load(tmp_path / "weights.safetensors")
    assert loaded.classes == ["red", "blue"] and loaded.shorter_side == 24
    video = small.datasets()["videos"].subset([1]).bare()
    assert predict(loaded, video, progress=False) == predict(trained, video, progress=False)
    again = recipe("idol", steps=1, init="idol")
    start = tmp_path / "weights.safetensors"
    warm = train(again, small.datasets(), tmp_path / "b", method, start, **RUN)
    assert warm.config == trained.config
