"""The recipes hold the paper's and the released numbers, and take other values from text."""

import json

import numpy as np
import pytest

from evis.data.errors import DataError
from evis.papers.eigencluster import recipes
from evis.papers.eigencluster.recipes import BACKBONES, NAMES, named, toy
from evis.papers.eigencluster.settings import RELEASED, Settings
from evis.papers.eigencluster.temporal import SCHEMES
from evis.training import changed

# Eigen-Cluster VIS, section IV-B: supervision, alpha, steps, batch; the backbone frozen or not.
PRINTED = {
    "eigencluster.stage1": ("mask", 0, 60_000, 16, False),
    "eigencluster.stage2": ("box", 0, 6_000, 16, False),
    "eigencluster.stage3": ("box", 1, 4_000, 2, True),
}


@pytest.mark.parametrize("name", PRINTED)
def test_the_stages_are_as_printed(name):
    recipe = named(name)
    settings = recipe.settings
    printed = (
        settings.supervision,
        settings.alpha,
        recipe.steps,
        recipe.batch,
        recipe.freeze_backbone,
    )
    assert printed == PRINTED[name]
    assert recipe.learning_rate == 1e-4
    assert (settings.scale, settings.eigenvalues, settings.change) == (4, 3, "mean")
    assert not RELEASED.items() & vars(settings).items()
    assert (settings.beta == 0) == (name != "eigencluster.stage3")


@pytest.mark.parametrize(
    "backbone, beta, steps", [("r50", 0.16, 2300), ("r101", 1.0, 2700), ("swin_l", 1.0, 2400)]
)
def test_the_released_stage_three(backbone, beta, steps):
    recipe = named("eigencluster.stage3.released", backbone)
    assert recipe.model == backbone
    assert (recipe.settings.beta, recipe.steps) == (beta, steps)
    assert (recipe.learning_rate, recipe.batch, recipe.freeze_backbone) == (1e-5, 2, True)
    assert (recipe.frames, recipe.frame_range, recipe.still_frames) == (3, 5, 4)
    assert dict(recipe.mixture) == {"videos": 0.75, "stills": 1.0}
    assert recipe.rotation == (15.0 if backbone == "swin_l" else 0.0)
    assert (recipe.shorter_sides, recipe.precision) == ((360, 480), "fp16")
    assert (recipe.weight_decay, recipe.clip_norm, recipe.backbone_multiplier) == (0.05, 0.01, 0.1)
    assert RELEASED.items() <= vars(recipe.settings).items()
    assert recipe.settings.warm_up_steps == 0
    assert named("eigencluster.stage2.released", backbone).settings.warm_up_steps == 200
    assert named("eigencluster.stage3", backbone).settings.beta == beta


def test_the_baselines_differ_in_what_names_them():
    stage2 = named("eigencluster.stage2").settings
    assert named("maskfree").settings == stage2
    assert named("boxinst").settings.temporal_factor == 0 != stage2.temporal_factor
    assert named("mask2former").settings.supervision == "mask"
    assert named("mask2former").mixture == (("videos", 1.0),)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_plain_data_and_leads_back_to_imagenet(name):
    for backbone in BACKBONES:
        recipe = named(name, backbone)
        json.dumps(recipe.to_json(), allow_nan=False)
        chain = [recipe.name]
        while recipe.init != "imagenet":
            recipe = named(recipe.init, backbone)
            assert recipe.name not in chain
            chain.append(recipe.name)
        assert chain[-1] == "eigencluster.stage1"


@pytest.mark.parametrize("name", NAMES)
def test_toy_changes_sizes_and_keeps_the_method(name):
    full, small = named(name), toy(named(name))
    assert small.name == f"toy.{name}" and small.model == "tiny" and small.longest_side == 96
    for field in ("mixture", "freeze_backbone", "weight_decay", "clip_norm", "renames"):
        assert getattr(small, field) == getattr(full, field)
    regime = {"points", "temporal_factor", "tk_mean", "warm_up_steps"}
    assert small.settings.tk_mean == "matches"
    for field in set(vars(full.settings)) - regime:
        assert getattr(small.settings, field) == getattr(full.settings, field), field
    assert small.init == (None if full.init == "imagenet" else f"toy.{full.init}")


def test_a_toy_stage_without_a_temporal_term_stays_without(monkeypatch):
    monkeypatch.setitem(recipes.TOY, "settings.temporal_factor", 0.5)
    factors = {name: toy(named(name)).settings.temporal_factor for name in NAMES}
    assert factors.pop("boxinst") == 0 and set(factors.values()) == {0.5}


def test_every_part_that_was_released_can_be_set_from_text():
    settings = named("eigencluster.stage3").settings
    assert set(RELEASED) == set(vars(settings)) - {
        *("supervision", "alpha", "beta", "class_weight", "mask_weight", "dice_weight"),
        *("no_object_weight", "temporal_factor", "warm_up_steps", "eigenvalues", "scale"),
        *("points", "q_placebo"),
    }
    for part, choice in RELEASED.items():
        other = changed(named("eigencluster.stage3"), {f"settings.{part}": choice})
        assert other.settings != settings and getattr(other.settings, part) == choice
    texts = {f"settings.{part}": choice for part, choice in RELEASED.items()}
    released = changed(named("eigencluster.stage3"), texts)
    assert released.settings == named("eigencluster.stage3.released").settings
    assert Settings(**RELEASED) != Settings()


def test_values_from_text():
    recipe = named("eigencluster.stage3")
    other = changed(
        recipe,
        {
            "lr": "3e-4",
            "settings.beta": "1",
            "shorter_sides": "(240, 320)",
            "mixture": "[['videos', 2]]",
            "steps": "1e3",
            "freeze_backbone": "False",
            "init": "None",
            "ema_decay": "0.99",
            "scheme": next(iter(SCHEMES)),
            "precision": "bf16",
            "milestones": "100",
        },
    )
    assert (other.learning_rate, other.settings.beta, other.steps) == (3e-4, 1.0, 1000)
    assert isinstance(other.steps, int) and isinstance(other.settings.beta, float)
    assert (other.shorter_sides, other.milestones) == ((240, 320), (100,))
    assert (other.freeze_backbone, other.init, other.ema_decay) == (False, None, 0.99)
    assert other.mixture == (("videos", 2),)
    assert (other.precision, other.scheme) == ("bf16", "Baseline (No Matching)")
    assert changed(recipe, {}) == recipe
    off = changed(other, {"ema_decay": "None", "scheme": "None"})
    assert (off.ema_decay, off.scheme) == (None, None), "what may be None can be set back to it"


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"rate": "1"}, "a recipe has no 'rate' to set.*learning_rate"),
        ({"settings.gamma": "1"}, "no 'settings.gamma' to set.*beta"),
        ({"settings": "1"}, "settings should be of the kind Settings"),
        ({"steps.beta": "1"}, "no 'steps.beta' to set"),
        ({"lr": "high"}, "learning_rate should be of the kind float"),
        ({"steps": "2.5"}, "steps should be of the kind int"),
        ({"steps": "None"}, "steps should be of the kind int, like .*, not null"),
        ({"settings.beta": "None"}, "settings.beta should be of the kind float"),
        ({"freeze_backbone": "1"}, "freeze_backbone should be of the kind bool"),
        ({"steps": "0"}, "recipe eigencluster.stage3: steps should be a whole number from 1"),
        ({"batch": "3"}, "a batch of 3 can't be split by 2"),
        ({"schedule": "linear"}, "one of constant, cosine, step"),
        ({"precision": "int8"}, "one of no, bf16, fp16"),
        ({"ema_decay": "1.0"}, "ema_decay should be None or between 0 and 1"),
        ({"scheme": "TK"}, "scheme should be None or one of"),
        ({"settings.alpha": "2"}, "settings.alpha: alpha should be one of 0, 1, is 2"),
        ({"settings.pairs": "all"}, "pairs should be one of cyclic, every, is 'all'"),
        ({"settings.points": "0"}, "settings.points: points should be a whole number from 1"),
        ({"settings.scale": "1000"}, "scale should be a whole number from 1 to 64"),
        ({"settings.beta": "1e999"}, "beta should be a number from 0.0 to"),
        ({"shorter_sides": "(0,)"}, r"shorter_sides should be whole numbers from 16.*is \(0,\)"),
        ({"shorter_sides": "('a',)"}, "shorter_sides should be whole numbers"),
        ({"shorter_sides": "()"}, "shorter_sides should hold one side at least"),
        ({"longest_side": "0"}, "longest_side should be a whole number from 16 to 8,192, is 0"),
        ({"flip": "7"}, "flip should be a number from 0.0 to 1.0, is 7.0"),
        ({"frames": "99999"}, "frames should be a whole number from 1 to 100, is 99999"),
        ({"still_frames": "1e6"}, "still_frames should be a whole number"),
        ({"rotation": "-1"}, "rotation should be a number from 0.0 to 180.0"),
        ({"shift": "1"}, "shift should be"),
        ({"milestones": "(-1,)"}, "milestones should be whole numbers"),
        ({"lr": "1e999"}, "learning_rate should be a number"),
        ({"lr": "{[]: 1}"}, "learning_rate should be of the kind float"),
        ({"lr": "{[2]}"}, "learning_rate should be of the kind float"),
        ({"lr": "9" * 400}, "learning_rate should be of the kind float"),
        ({"weight_decay": "-1"}, "weight_decay should be a number"),
        ({"seed": "-1"}, "seed should be a whole number from 0"),
        ({"seed": "-" * 20_000 + "1"}, "seed should be of the kind int"),
        ({"mixture": "()"}, "the mixture should name sources"),
        ({"mixture": "(('videos', 0.0),)"}, "the mixture should name sources with shares above 0"),
        ({"mixture": "5"}, r"mixture should be tuple\[tuple\[Literal\['videos', 'stills'\], float"),
        ({"mixture": "(('videos', 'a'),)"}, "mixture should be tuple"),
        ({"mixture": "(('films', 1.0),)"}, r"mixture should be tuple.*is \(\('films', 1.0\),\)"),
        ({"mixture": "(('videos',),)"}, "mixture should be tuple"),
        ({"renames": "('car', 'sedan')"}, r"renames should be tuple\[tuple\[str, str\], ...\]"),
        ({"unknown": "({1},)"}, r"unknown should be tuple\[str, ...\], is \(\{1\},\)"),
        ({"ema_decay": "often"}, "ema_decay should be None or a number, is 'often'"),
        ({"seed": "0x" + "f" * 5_000}, "seed should be of the kind int, like 0, not '0xff"),
        ({"scheme": "['a']"}, "scheme should be"),
    ],
)
def test_other_values_are_refused(changes, problem):
    with pytest.raises(DataError, match=problem):
        changed(named("eigencluster.stage3"), changes)


def test_numbers_may_be_numpy_s():
    stage = named("eigencluster.stage3")
    plain = {"seed": 3, "flip": 0.25, "shorter_sides": (64,), "lr": 0.5, "settings.points": 9}
    numpy_s = {
        "seed": np.int64(3),
        "flip": np.float32(0.25),
        "shorter_sides": (np.int32(64),),
        "lr": np.float64(0.5),
        "settings.points": np.uint8(9),
    }
    told = [json.dumps(changed(stage, changes).to_json()) for changes in (plain, numpy_s)]
    assert told[0] == told[1]


def test_what_a_stage_starts_from_is_a_name():
    from_nothing = toy(named("eigencluster.stage1"))
    with pytest.raises(DataError, match=r"init should be str \| None, is 5"):
        changed(from_nothing, {"init": "5"})


def test_unknown_names_say_what_there_is():
    with pytest.raises(DataError, match="no recipe is called 'stage3'.*eigencluster.stage3"):
        named("stage3")
    with pytest.raises(DataError, match="backbone 'r18'.*swin_l"):
        named("maskfree", "r18")


def test_a_field_that_came_later_is_told_where_it_is_set_alone():
    """Or no row that was stored before would be found."""
    stage = named("eigencluster.stage3")
    placebo = changed(stage, {"settings.q_placebo": 1.4})
    told, of_placebo = stage.to_json()["settings"], placebo.to_json()["settings"]
    assert "q_placebo" not in told and of_placebo == told | {"q_placebo": 1.4}
    assert stage.settings.to_json() == told
