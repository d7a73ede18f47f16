"""PM-VIS's recipes hold IDOL's released numbers, and differ in the loss alone."""

import dataclasses
import json
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from evis import papers
from evis.criterion.idol_loss import IDOLLoss
from evis.data.errors import DataError
from evis.models.idol import SIZES
from evis.papers.pmvis import method
from evis.papers.pmvis.recipes import BACKBONES, NAMES, named, toy
from evis.papers.pmvis.settings import Settings
from evis.training import changed
from evis.training.budget import size

README = Path(method.__file__).with_name("README.md")
# Supervision, W1, W2
METHODS = {
    "idol.stills": ("mask", 0.0, 1.0),
    "idol": ("mask", 0.0, 1.0),
    "idol.boxinst": ("box", 1.0, 0.0),
    "pmvis": ("box", 1.0, 0.5),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_what_its_loss_weighs(name):
    recipe = named(name)
    loss, settings = method.loss(recipe), recipe.settings
    assert (recipe.supervision, loss.box_weight, loss.mask_weight) == METHODS[name]
    weights = loss.class_weight, loss.l1_weight, loss.giou_weight, loss.focal_weight
    assert weights == (2.0, 5.0, 2.0, 2.0)
    assert (loss.dice_weight, loss.contrastive_weight, loss.cosine_weight) == (5.0, 2.0, 3.0)
    assert (settings.threshold, settings.flavour) == (0.2, "paper")
    assert loss.threshold == IDOLLoss().threshold == 0.2


@pytest.mark.parametrize("backbone", BACKBONES)
def test_videos_are_trained_on_as_idol_s_were(backbone):
    stills, *rest = (named(name, backbone) for name in NAMES)
    assert (stills.steps, stills.learning_rate, stills.milestones) == (
        59_200,
        2e-4,
        (22_200, 44_400),
    )
    for recipe in rest:
        assert (recipe.steps, recipe.learning_rate, recipe.milestones) == (12_000, 1e-4, (8_000,))
        assert (recipe.frames, recipe.frame_range, recipe.longest_side) == (2, 10, 768)
        assert recipe.init == "idol.stills"
    for recipe in (stills, *rest):
        assert (recipe.batch, recipe.weight_decay, recipe.clip_norm) == (32, 1e-4, 0.01)
        assert recipe.model == backbone in SIZES
        assert (min(recipe.shorter_sides), max(recipe.shorter_sides)) == (320, 640)


def test_what_ovis_and_swin_l_have_otherwise_is_set_as_the_readme_says():
    lines = [line for line in README.read_text().splitlines() if "evis train pmvis ..." in line]
    changes = []
    for line in lines:
        words = shlex.split(line.partition("#")[0])
        sets = dict(w.split("=", 1) for before, w in pairwise(words) if before == "--set")
        recipe = changed(named("pmvis", "swin_l" if "swin_l" in words else "r50"), sets)
        sides = recipe.shorter_sides
        changes.append((recipe.model, sides[0], sides[-1], recipe.longest_side, recipe.batch))
    assert changes == [
        ("r50", 480, 800, 768, 16),
        ("swin_l", 320, 640, 768, 32),
        ("swin_l", 480, 736, 736, 32),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_found_by_name_is_json_and_has_a_toy_size(name):
    assert papers.named(name) == named(name)
    small = papers.named(name, toy=True)
    assert small == toy(named(name))
    assert papers.method_of(small) is method
    assert (small.model, small.name) == ("tiny", f"toy.{name}")
    assert small.settings == named(name).settings
    assert json.loads(json.dumps(small.to_json()))["settings"] == small.to_json()["settings"]
    assert size(small, 3, method)["parameters"] > 10_000
    changes = {"settings.mask_weight": "0.25", "lr": "1e-3"}
    assert changed(small, changes).settings == dataclasses.replace(small.settings, mask_weight=0.25)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"box_weight": 0.0, "mask_weight": 0.0}, "both 0"),
        ({"supervision": "point"}, "supervision should be one of mask, box"),
        ({"threshold": 2.0}, "threshold should be a number from 0.0 to 1.0"),
        ({"flavour": "new"}, "flavour should be one of paper, released"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, said):
    with pytest.raises(DataError, match=said):
        Settings(**settings)


def test_names_that_are_none_are_refused():
    with pytest.raises(DataError, match="no recipe is called 'vita'. There are idol.stills, idol"):
        named("vita")
    with pytest.raises(DataError, match="'r101'.*There are r50, swin_l"):
        named("pmvis", "r101")
    with pytest.raises(
        DataError, match="model should be one of r50, swin_l, tiny, tiny_l, is 'tiny_s'"
    ):
        method.build(changed(named("idol"), {"model": "tiny_s"}), ["a"])
