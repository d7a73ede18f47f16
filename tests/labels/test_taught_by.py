"""Labels and stages that cost boxes or points come of no model that learned from more of videos."""

import json
from dataclasses import replace

import pytest
from safetensors.torch import save_file

from evis import models, papers
from evis.data import paths
from evis.data.errors import DataError
from evis.labels import taught_by
from evis.models import VideoMask2Former, named
from evis.training import start

WEIGHTS = paths.data() / "weights"


@pytest.fixture(scope="module")
def network():
    return VideoMask2Former(named("tiny_s", 2))


# A stage, and the weakest labels that its model may make.
@pytest.mark.parametrize(
    ("stage", "weakest"),
    [
        ("idol", "mask"),
        ("mask2former", "mask"),
        ("idol.boxinst", "box"),
        ("pmvis", "box"),
        ("eigencluster.stage2", "box"),
        ("eigencluster.stage3", "box"),
        ("pointvis", "point"),
        ("pointvis.visp", "point"),
        ("uvis", "none"),
        ("flowcut", "none"),
        ("idol.stills", "none"),  # masks of stills
        ("eigencluster.stage1", "none"),
    ],
)
def test_a_recipe_says_what_its_model_may_label(network, tmp_path, stage, weakest):
    recipe = papers.named(stage, toy=True)
    weights = models.save(network, tmp_path / "w.safetensors", recipe=recipe.to_json())
    levels = ("mask", "box", "point", "none")
    for level in levels[: levels.index(weakest) + 1]:
        taught_by.check(weights, level)
    for level in levels[levels.index(weakest) + 1 :]:
        with pytest.raises(DataError) as error:
            taught_by.check(weights, level)
        said = str(error.value)
        assert str(weights) in said and f"its recipe, toy.{stage}, learns from" in said
        assert f'"{weakest}" labels of videos' in said and f'"{level}"' in said
        assert "Give a model of stills" in said


def test_files_without_a_recipe_are_taken_as_they_are(network, tmp_path):
    bare = models.save(network, tmp_path / "bare.safetensors", categories=["a", "b"])
    taught_by.check(bare, "none")
    about = models.save(network, tmp_path / "odd.safetensors", recipe="of somebody's own")
    taught_by.check(about, "none")
    settings = {"mixture": [["videos", 1.0]], "frames": 3, "settings": ["supervision"]}
    taught_by.check(models.save(network, about, recipe=settings), "none")
    official = tmp_path / "official.safetensors"
    save_file(network.state_dict(), official, {"evis": json.dumps({"config": {}})})
    with pytest.raises(DataError, match="was not written by evis"):
        taught_by.check(official, "box")
    with pytest.raises(DataError, match="there is no such file"):
        taught_by.check(tmp_path / "none.safetensors", "box")


def test_the_repositorys_own_weights():
    stage1 = sorted(WEIGHTS.glob("toy_stage1*.safetensors"))
    assert stage1
    for path in stage1:
        taught_by.check(path, "point")
    for name in ("toy_video", "toy_tk_tiny_s", "toy_eigencluster_tiny_s"):
        taught_by.check(WEIGHTS / f"{name}.safetensors", "box")
        with pytest.raises(DataError, match="can't cost as little as"):
            taught_by.check(WEIGHTS / f"{name}.safetensors", "point")


# A stage, another, and whether this may start from what the first one trained.
@pytest.mark.parametrize(
    ("first", "second", "may"),
    [
        ("minvis", "eigencluster.stage2", False),  # masks of videos, then boxes
        ("minvis", "uvis", False),  # which takes the backbone alone
        ("minvis", "eigencluster.stage1", False),  # of stills, which passes for one of no video
        ("eigencluster.stage2", "pointvis", False),
        ("eigencluster.stage2", "eigencluster.stage3", True),
        ("eigencluster.stage2", "minvis", True),
        ("eigencluster.stage1", "uvis", True),
        ("uvis", "eigencluster.stage1", True),
        ("minvis", "minvis", True),
    ],
)
def test_no_stage_starts_from_one_that_learned_from_more(network, tmp_path, first, second, may):
    recipe = papers.named(first, toy=True)
    about = {"recipe": recipe.to_json(), "categories": ["a", "b"]}
    weights = models.save(network, tmp_path / "w.safetensors", **about)
    recipe = replace(papers.named(second, toy=True), model="tiny_s", init=first)
    for init in ("imagenet", first):
        recipe = replace(recipe, init=init)
        if may:
            start.build(recipe, ["a", "b"], papers, weights)
            continue
        with pytest.raises(DataError) as error:
            start.build(recipe, ["a", "b"], papers, weights)
        said = str(error.value)
        assert str(weights) in said and f"its recipe, toy.{first}, learns from" in said
        assert "what starts from it can't cost as little" in said and "model of stills" in said
    bare = models.save(network, tmp_path / "bare.safetensors")
    start.build(recipe, ["a", "b"], papers, bare)  # of others, who answer for it


def test_every_recipe_may_start_from_what_it_names(network, tmp_path):
    recipes = {name: papers.named(name) for name in papers.recipe_names()}
    chained = [recipe for recipe in recipes.values() if recipe.init in recipes]
    assert len(chained) > 5
    for recipe in chained:
        about = {"recipe": recipes[recipe.init].to_json()}
        weights = models.save(network, tmp_path / f"{recipe.name}.safetensors", **about)
        taught_by.check_start(weights, recipe.supervision, dict(recipe.mixture))
