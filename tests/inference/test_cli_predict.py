"""`evis predict` and `evis evaluate`, as a reader types them."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from evis import cli
from evis.data import predictions, toy, ytvis
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.inference.video_writer import write_video
from evis.labels import from_boxes
from evis.models import VideoMask2Former, checkpoints, named


def _evis(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    root = tmp_path_factory.mktemp("cli")
    dataset = toy.build("toy-ytvis19", root / "toy", videos=1, progress=False)
    torch.manual_seed(0)
    model = VideoMask2Former(named("tiny_s", len(dataset.categories)))
    names = [category.name for category in dataset.categories]
    checkpoints.save(model, root / "w.safetensors", categories=names)
    return root, dataset


def test_predict_a_folder_of_frames(here, capsys):
    root, dataset = here
    frames = root / "toy" / "train" / "JPEGImages" / dataset.videos[0].name
    out = root / "out"
    basics = "predict", frames, "--weights", root / "w.safetensors", "--out", out
    window = "--window", 8, "--join", "masks"
    assert _evis(*basics, *window, "--threshold", 0.05, "--overlay", "gif") == 0
    printed = capsys.readouterr().out
    assert dataset.videos[0].name in printed and str(out) in printed
    assert {"results.json", "tracks.csv", "overlay.gif"} < {p.name for p in out.iterdir()}
    assert len(json.loads((out / "results.json").read_text())) == 10
    tracks = pd.read_csv(out / "tracks.csv")
    assert len(tracks) > 0 and set(tracks.category) <= {c.name for c in dataset.categories}
    assert _evis(*basics, "--frame-wise", "--threshold", 1, "--overlay", "none") == 0
    assert "No track scores 1.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [
        ["--window", "4", "--overlap", "4"],
        ["--window", "4", "--frame-wise"],
        ["--frame-wise", "--join", "masks"],
        ["--shorter-side", "wide"],
    ],
)
def test_options_that_contradict_are_usage_errors(here, capsys, wrong):
    root, _ = here
    with pytest.raises(SystemExit) as stopped:
        _evis("predict", root, "--weights", root / "w.safetensors", "--out", root / "x", *wrong)
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_bad_input_is_one_line_and_status_2(here, capsys):
    root, dataset = here
    (root / "no.pth").write_text("x")
    (root / "cut.mp4").write_bytes(b"\0\0\0 ftypisom")
    mixed = root / "mixed"
    mixed.mkdir()
    for index, side in enumerate((32, 48)):
        Image.new("RGB", (side, side)).save(mixed / f"{index}.png")
    (root / "empty").mkdir()
    weights = root / "w.safetensors"
    for source, model, said in [
        (root / "none.mp4", weights, "none.mp4: there is no such file"),
        (root / "cut.mp4", weights, "cut.mp4: is not a video"),
        (root / "empty", weights, "holds no pictures"),
        (mixed, weights, "the picture is 48 x 48"),
        (root / "toy", root / "no.pth", "no.pth: is neither"),
        (root / "toy", root / "none.pth", "none.pth: there is no such file"),
    ]:
        assert _evis("predict", source, "--weights", model, "--out", root / "bad") == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("evis: ") and said in error
    results = root / "results.json"
    assert _evis("evaluate", results, "--annotations", root / "toy" / "train.json") == 2
    assert "results.json: can't be read: No such file" in capsys.readouterr().err


def test_evaluate_the_annotations_themselves(here, capsys):
    root, dataset = here
    truth = [PredictedTrack(t.video_id, t.category_id, 0.9, t.masks) for t in dataset.tracks]
    results = predictions.write(truth, root / "truth.json")
    annotations = root / "toy" / "train.json"
    scores = root / "scores.json"
    assert (
        _evis("evaluate", results, "--annotations", annotations, "--per-class", "--json", scores)
        == 0
    )
    printed = capsys.readouterr().out
    assert "AP50 100.0" in printed and "nan" not in printed.lower()
    written = json.loads(scores.read_text())
    assert written["stats"]["AP"] == pytest.approx(1) and len(written["per_class"]) == len(
        dataset.categories
    )
    wrong = [
        replace(t, category_id=next(c.id for c in dataset.categories if c.id != t.category_id))
        for t in truth
    ]
    predictions.write(wrong, root / "wrong.json")
    _evis("evaluate", root / "wrong.json", "--annotations", annotations)
    assert "AP50   0.0" in capsys.readouterr().out
    _evis("evaluate", root / "wrong.json", "--annotations", annotations, "--class-agnostic")
    assert "AP50 100.0" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_labels_with_a_byte_order_mark_are_evaluated(here, tmp_path, capsys, encoding):
    annotations, labels = here[0] / "toy" / "train.json", tmp_path / "labels.json"
    labels.write_text(annotations.read_text(), encoding=encoding)
    assert _evis("evaluate", labels, "--annotations", annotations) == 0
    assert "AP50 100.0" in capsys.readouterr().out


def test_annotations_with_boxes_alone_are_evaluated_by_boxes(here, capsys, tmp_path):
    _, dataset = here
    boxes = ytvis.write(weaken(dataset, "box"), tmp_path / "boxes.json")
    filled = from_boxes.label(weaken(dataset, "box"), from_boxes.fill, progress=False)
    results = predictions.write(predictions.from_dataset(filled), tmp_path / "filled.json")
    scores = tmp_path / "scores.json"
    assert _evis("evaluate", results, "--annotations", boxes, "--json", scores) == 0
    printed = capsys.readouterr().out
    assert "hold no masks: IoU is of boxes" in printed and "AP 100.0" in printed
    written = json.loads(scores.read_text())
    assert written["iou"] == "boxes" and written["stats"]["AP_M"] is None
    assert _evis("evaluate", results, "--annotations", tmp_path / "filled.json") == 2
    assert "Results are lists; give the annotations" in capsys.readouterr().err


def test_a_json_of_one_s_own_is_predicted(here, tmp_path, capsys):
    root, dataset = here
    boxes = ytvis.write(weaken(dataset, "box"), tmp_path / "boxes.json")
    command = ["predict", boxes, "--weights", root / "w.safetensors", "--out", tmp_path / "out"]
    command += ["--overlay", "none", "--shorter-side", "native"]
    assert _evis(*command) == 2
    assert "is not beside it. Give the folder" in capsys.readouterr().err
    assert _evis(*command, "--frames", dataset.read_frame.root) == 0
    results = tmp_path / "out" / "results.json"
    assert _evis("evaluate", results, "--annotations", boxes) == 0


@pytest.mark.parametrize(
    ("name", "several"),
    [
        ("overlay.mp4", False),
        ("overlay.mp4", True),
        ("overlays/cat.mp4", False),
        ("overlays/cat.mp4", True),
        ("overlay.gif", False),
    ],
)
def test_films_that_lie_where_overlays_go_are_refused_and_stay(
    here, tmp_path, capsys, name, several
):
    out = tmp_path / "out"
    film = out / name
    film.parent.mkdir(parents=True)
    write_video(film, [np.full((24, 36, 3), 90, np.uint8)] * 2, rate=6)
    (out / "made_by.json").write_text("{}")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    source = film.parent if several else film
    assert _evis("predict", source, "--weights", here[0] / "w.safetensors", "--out", out) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"{name}: is to be predicted, and lies where" in said and "(--out)" in said
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_files_that_no_run_wrote_are_not_cleared_away(here, tmp_path):
    root, dataset = here
    frames = root / "toy" / "train" / "JPEGImages" / dataset.videos[0].name
    kept = [tmp_path / name for name in ("overlay.gif", "overlays/mine.mp4", "videos/1-mine.json")]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    command = ("predict", frames, "--weights", root / "w.safetensors", "--out", tmp_path)
    assert _evis(*command, "--window", 4, "--overlay", "none") == 0
    assert [path.read_text() for path in kept] == ["mine"] * 3


@pytest.mark.parametrize("name", ["results.json", "tracks.csv", "made_by.json"])
@pytest.mark.parametrize("is_weights", [False, True])
def test_what_is_predicted_and_with_what_stays(here, tmp_path, capsys, name, is_weights):
    root, _ = here
    mine = tmp_path / name
    mine.write_text("mine")
    given = (root / "toy", mine) if is_weights else (mine, root / "w.safetensors")
    with pytest.raises(SystemExit) as stopped:
        _evis("predict", given[0], "--weights", given[1], "--out", tmp_path)
    assert stopped.value.code == 2 and mine.read_text() == "mine"
    assert f"{name} would be written over: give another --out" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["results.json", "truth.json"])
def test_scores_replace_nothing_that_they_are_of(tmp_path, capsys, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for one in ("results.json", "truth.json"):
        (tmp_path / one).write_text("[]")
    with pytest.raises(SystemExit) as stopped:
        _evis("evaluate", "results.json", "--annotations", "truth.json", "--json", f"./{name}")
    assert stopped.value.code == 2 and (tmp_path / name).read_text() == "[]"
    assert "would replace what it scores: name another file" in capsys.readouterr().err
