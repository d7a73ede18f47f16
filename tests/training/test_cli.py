"""`evis train`: lists, trains on toy sets, goes on, and says what is wrong."""

import argparse
import json

import pytest

from evis.cli import train as cli_train
from evis.data import toy
from evis.data.errors import DataError
from evis.papers.eigencluster import recipes

TWO = {"steps": 2, "batch": 2, "micro_batch": 2, "learning_rate": 1e-3}
SMALL = {
    "TOY": recipes.TOY | {"model": "tiny_s"},
    "TOY_STAGES": {kind: TWO for kind in recipes.TOY_STAGES},
}


@pytest.fixture
def evis(monkeypatch):
    """Runs the command's arguments, with a smaller model and few steps at the toy scale."""
    for name, value in SMALL.items():
        monkeypatch.setattr(recipes, name, value)
    parser = argparse.ArgumentParser()
    cli_train.add(parser.add_subparsers(required=True))

    def run(*arguments):
        options = parser.parse_args(["train", *map(str, arguments)])
        return options.run(options)

    return run


def test_without_a_recipe_it_lists_them(evis, capsys):
    assert evis() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(recipes.NAMES)


def test_two_stages_on_toy_sets(evis, tmp_path, capsys):
    toy.build("toy-coco", tmp_path / "stills", videos=4, progress=False)
    toy.build("toy-ytvis19", tmp_path / "videos", videos=2, progress=False)
    common = ("--scale", "toy", "--threads", 1, "--quiet")
    stills = ("--data", f"toy-coco={tmp_path / 'stills'}")
    videos = ("--data", f"toy-ytvis19={tmp_path / 'videos'}")
    one, two = tmp_path / "one", tmp_path / "two"
    assert evis("eigencluster.stage1", *common, *stills, "--folder", one) == 0
    weights = one / "weights.safetensors"
    assert str(weights) in capsys.readouterr().out
    second = ("eigencluster.stage2", *common, *videos, "--folder", two)
    with pytest.raises(DataError, match="starts from the weights that toy.eigencluster.stage1"):
        evis(*second)
    changes = ("--set", "lr=3e-4", "--set", "settings.beta=1")
    assert evis(*second, "--model", weights, *changes) == 0
    recipe = json.loads((two / "recipe.json").read_text())["recipe"]
    assert (recipe["learning_rate"], recipe["settings"]["beta"]) == (3e-4, 1.0)
    assert len((two / "log.jsonl").read_text().splitlines()) == 2
    with pytest.raises(DataError, match="recipe.learning_rate is 0.0003 there, 0.001 here"):
        evis(*second, "--model", weights)


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (("maskfree",), "--folder OUT is needed"),
        (("maskfree", "--folder", "x", "--set", "lr"), "'lr' is not of the form NAME=VALUE"),
    ],
)
def test_wrong_usage(evis, arguments, problem, capsys):
    with pytest.raises(SystemExit) as stop:
        evis(*arguments)
    assert stop.value.code == 2 and problem in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (("nothing", "--folder", "x"), "no recipe is called 'nothing'"),
        (("maskfree", "--folder", "x"), "learns from videos, there is no 'videos'"),
        (("maskfree", "--folder", "x", "--data", "davis=y"), "unknown data set 'davis'"),
        (("maskfree", "--folder", "x", "--data", "ovis=nowhere"), "annotations_train.json"),
    ],
)
def test_bad_input(evis, arguments, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=problem):
        evis(*arguments)
    assert not (tmp_path / "x").exists()
