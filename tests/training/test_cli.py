"""`evis train`: lists, trains on toy sets, goes on, and says what is wrong."""

import json

import pytest

from evis import cli, papers
from evis.data import annotations, toy, ytvis
from evis.data.supervision import weaken
from evis.labels import from_boxes
from evis.papers.eigencluster import recipes
from evis.training import engine, stand_ins

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
    return lambda *arguments: cli.main(["train", *map(str, arguments)])


def refusal(capsys) -> str:
    """The last line that was printed."""
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_without_a_recipe_it_lists_them(evis, capsys):
    assert evis() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*papers.recipe_names(), *stand_ins.NAMES]
    assert {"eigencluster.stage1", "pmvis"} < set(papers.recipe_names())


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
    assert evis(*second) == 2
    assert "starts from the weights that toy.eigencluster.stage1" in refusal(capsys)
    changes = ("--set", "lr=3e-4", "--set", "settings.beta=1")
    assert evis(*second, "--model", weights, *changes) == 0
    recipe = json.loads((two / "recipe.json").read_text())["recipe"]
    assert (recipe["learning_rate"], recipe["settings"]["beta"]) == (3e-4, 1.0)
    assert len((two / "log.jsonl").read_text().splitlines()) == 2
    assert evis(*second, "--model", weights) == 2
    assert "recipe.learning_rate is 0.0003 there, 0.001 here" in refusal(capsys)


def test_frames_that_a_loss_finds_too_small_are_one_line(evis, tmp_path, capsys):
    toy.build("toy-ytvis19", tmp_path / "videos", videos=2, progress=False)
    command = ("maskfree", *COMMON, "--data", f"toy-ytvis19={tmp_path / 'videos'}")
    changes = ("--set", "settings.scale=64", "--set", "settings.beta=1")
    assert evis(*command, *changes, "--folder", tmp_path / "out") == 2
    said = refusal(capsys)
    assert "step 0: (32, 48) logits can't be resized by 1/64. Take larger frames" in said


COMMON = ("--scale", "toy", "--threads", 1, "--quiet", "--set", "init=None")


def test_boxes_of_one_s_own_are_trained_on(evis, tmp_path, capsys):
    videos = toy.sample("toy-ytvis19", 2)
    own = ytvis.write(weaken(videos, "box"), tmp_path / "own.json")
    ytvis.write(weaken(videos, "box"), tmp_path / "c" / "own.json")
    frames = videos.read_frame.root
    assert evis("boxinst", *COMMON, "--data", own, "--folder", tmp_path / "lost") == 2
    assert "is not beside it. Give the folder" in refusal(capsys)
    for given, folder in ((own, "a"), (f"cats={own}", "b"), (f"cats={tmp_path / 'c'}", "d")):
        arguments = ("--data", given, "--frames", frames, "--folder", tmp_path / folder)
        assert evis("boxinst", *COMMON, *arguments) == 0
    a, b = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "ad")
    assert len(a) == len(b) > 10_000


def test_stills_of_one_s_own_beside_their_frames(evis, tmp_path, capsys):
    stills = toy.build("toy-coco", tmp_path / "stills", videos=4, progress=False)
    own = annotations.write(stills, stills.read_frame.root / "own.json", "coco")
    stage = ("eigencluster.stage1", *COMMON, "--data", own, "--folder", tmp_path / "a")
    assert evis(*stage) == 0
    assert evis("boxinst", *COMMON, "--data", own, "--folder", tmp_path / "b") == 2
    assert "boxinst learns from videos, not from stills" in refusal(capsys)


def test_made_masks_are_trained_on_where_masks_are_asked_for(evis, tmp_path, capsys):
    boxes = weaken(toy.sample("toy-ytvis19", 2), "box")
    plain = ytvis.write(boxes, tmp_path / "boxes.json")
    labelled = from_boxes.label(boxes, from_boxes.ellipse, progress=False)
    made = ytvis.write(labelled, tmp_path / "made.json")
    learns_from_masks = ("mask2former", *COMMON, "--frames", boxes.read_frame.root, "--folder")
    assert evis(*learns_from_masks, tmp_path / "a", "--data", plain) == 2
    assert '"box" supervision, "mask" asks for more' in refusal(capsys)
    assert evis(*learns_from_masks, tmp_path / "a", "--data", made) == 0


def test_without_data_it_says_that_generated_videos_are_used(evis, tmp_path, monkeypatch, capsys):
    few = toy.sample("toy-ytvis19", 2)
    monkeypatch.setattr(toy, "sample", lambda name: few)
    assert evis("boxinst", *COMMON, "--folder", tmp_path / "a") == 0
    err = capsys.readouterr().err
    assert "evis: no --data for videos: generated ones are used (toy-ytvis19)" in err


def test_how_to_run_it_reaches_the_engine(evis, tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(engine, "train", lambda *stage, **how: found.append(how))
    monkeypatch.setattr(toy, "sample", lambda name: name)
    command = ("boxinst", *COMMON, "--folder", tmp_path)
    assert evis(*command) == evis(*command, "--recompute", "--deterministic") == 0
    switches = [(how["recompute"], how["deterministic"]) for how in found]
    assert switches == [(False, False), (True, True)]


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (("maskfree",), "--folder OUT is needed"),
        (("maskfree", "--folder", "x", "--set", "lr"), "'lr' is not of the form NAME=VALUE"),
        (("maskfree", "--folder", "x", "--frames", "y"), "--frames belong to a json of --data"),
    ],
)
def test_wrong_usage(evis, arguments, problem, capsys):
    with pytest.raises(SystemExit) as stop:
        evis(*arguments)
    assert stop.value.code == 2 and problem in capsys.readouterr().err


UVIS = ("uvis", "--scale", "toy", "--folder", "x", "--set")


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (("maskfree", "--folder", "x"), "maskfree learns from videos. Give --data"),
        (("nothing", "--folder", "x"), "no recipe is called 'nothing'"),
        (("maskfree", "--folder", "x", "--data", "davis=y"), "unknown data set 'davis'"),
        (("maskfree", "--folder", "x", "--data", "ovis=nowhere"), "annotations_train.json"),
        ((*UVIS, "drop_iou=abc"), "drop_iou should be None or a number from 0.0 to 1.0, is 'abc'"),
        ((*UVIS, "drop_iou=()"), "drop_iou should be None or a number"),
        ((*UVIS, "drop_iou=2"), "drop_iou should be None or a number from 0.0 to 1.0, is 2"),
        ((*UVIS, "supervision=all"), "supervision should be one of mask, box, point, none"),
        ((*UVIS, "mixture=(('films',1.0),)"), "is (('films', 1.0),)"),
        ((*UVIS, "unknown=({1},)"), "unknown should be tuple[str, ...], is ({1},)"),
    ],
)
def test_bad_input(evis, arguments, problem, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert evis(*arguments) == 2
    assert problem in refusal(capsys)
    assert not (tmp_path / "x").exists()
