"""The paper's method as the engine takes it, and papers found by the names of their recipes."""

import subprocess
import sys

import pytest
from torch import nn

from evis import papers
from evis.data.errors import DataError
from evis.models import named as sized
from evis.papers.eigencluster import method, recipes
from evis.papers.eigencluster.temporal import SCHEMES
from evis.training import changed

STAGE = recipes.toy(recipes.named("eigencluster.stage2"))


def test_the_network_is_of_the_recipe_s_size_and_has_the_classes():
    model = method.build(changed(STAGE, {"model": "tiny_s"}), ["one", "two"])
    assert model.config == sized("tiny_s", 2)
    model.recompute_activations = True
    assert list(model.backbone.parameters())


@pytest.mark.parametrize("scheme", [None, *SCHEMES])
def test_the_loss_is_the_recipe_s_and_learns_where_a_scheme_does(scheme):
    loss = method.loss(changed(STAGE, {"scheme": scheme}))
    assert loss.settings == STAGE.settings
    learned = {n: p.numel() for n, p in loss.named_parameters()}
    assert bool(learned) is isinstance(scheme and SCHEMES[scheme](), nn.Module)
    assert set(learned) == set(loss.state_dict())


def test_recipes_are_found_by_name_across_papers():
    assert {"maskfree", "boxinst", "mask2former"} < set(papers.recipe_names())
    assert set(recipes.NAMES) < set(papers.recipe_names())
    for name in recipes.NAMES:
        full, small = papers.named(name, "r101"), papers.named(name, toy=True)
        assert full == recipes.named(name, "r101")
        assert small == recipes.toy(recipes.named(name))
        assert papers.method_of(full) is papers.method_of(small) is method


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(DataError, match="no recipe is called 'stage3'.*eigencluster.stage3"):
        papers.named("stage3")
    with pytest.raises(DataError, match="no paper trains .* with the backbone 'r18'.*swin_l"):
        papers.named("maskfree", "r18")


def test_no_paper_is_imported_before_it_is_asked_for():
    code = (
        "import sys, evis.papers; print([n for n in sys.modules if n.startswith('evis.papers.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_scheme_moves_with_the_loss():
    loss = method.loss(changed(STAGE, {"scheme": "Learnable Pixel Matching"})).to("meta")
    moved = [parameter.is_meta for parameter in loss.parameters()]
    assert moved and all(moved)


def test_an_unknown_size_is_named():
    with pytest.raises(DataError, match="model should be one of r50.*, is 'r99'"):
        method.build(changed(STAGE, {"model": "r99"}), ["one"])
