"""Data sets of one's own: any layout, frames beside the json or elsewhere, what a check says."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evis.data import DataError, annotations, catalog, own, paths, toy, ytvis
from evis.data.supervision import weaken


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return toy.build("toy-ytvis19", tmp_path_factory.mktemp("own") / "toy", 2, progress=False)


@pytest.fixture
def boxes(made, tmp_path):
    """A json of boxes alone, away from its frames."""
    return ytvis.write(weaken(made, "box"), tmp_path / "cats.json")


def test_the_layout_is_seen_from_the_file(made, boxes, tmp_path):
    stills = toy.sample("toy-coco", 3)
    path = annotations.write(stills, tmp_path / "stills.json", "coco")
    assert {video.length for video in own.read(path, stills.read_frame.root).videos} == {1}
    for content, problem in (
        ({"categories": []}, "neither videos .YouTube-VIS. nor images .COCO."),
        ([], "is a list of 0. Results are lists; give the annotations"),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(DataError, match=problem):
            own.read(path)


def test_a_folder_that_may_not_be_looked_into_is_named_itself(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", denied)  # of what is in it: root would be let in
    for look in (own.find, own.read, partial(catalog.check, "ovis")):
        with pytest.raises(DataError, match="be looked into: Permission denied. Allow it") as told:
            look(tmp_path)
        assert told.value.file == tmp_path


@pytest.mark.parametrize("place", ["", "JPEGImages", "frames", "images", "cats"])
def test_frames_are_found_beside_the_json(made, boxes, tmp_path, place):
    with pytest.raises(DataError, match="its first frame, .*jpg, is not beside it. Give"):
        own.read(boxes)
    shutil.copytree(made.read_frame.root, tmp_path / place, dirs_exist_ok=True)
    dataset = own.read(boxes)
    assert dataset.supervision == "box"
    assert np.array_equal(dataset.frame(1, 0), made.frame(1, 0))


def test_frames_elsewhere_are_named(made, boxes, tmp_path):
    dataset = own.read(boxes, made.read_frame.root)
    assert np.array_equal(dataset.frame(2, 3), made.frame(2, 3))
    with pytest.raises(
        DataError, match=f"file {boxes}: its first frame, .*jpg, is not in {tmp_path}. Give"
    ):
        own.read(boxes, tmp_path)


def test_what_would_not_be_looked_at_is_refused(made, boxes, tmp_path):
    root, pictures = made.read_frame.root.parents[1], made.read_frame.root
    assert own.find(root, "train").videos == made.videos == own.find(boxes, None, pictures).videos
    for path, split, frames_root, problem in (
        (
            boxes,
            "train",
            pictures,
            "--split goes with the folder of a data set, and this is a json",
        ),
        (root, "train", pictures, "--frames goes with an annotation json, and this is none"),
        (pictures, None, pictures, "--frames goes with an annotation json, and this is none"),
        (pictures, "train", None, "holds no split 'train': it is laid out like no set that evis"),
        (tmp_path / "nowhere", "train", None, "there is no such file or folder"),
    ):
        with pytest.raises(DataError, match=f"file {path}: {problem}"):
            own.find(path, split, frames_root)


def test_a_folder_stands_for_its_json_or_its_official_layout(made, boxes, tmp_path):
    shutil.copytree(made.read_frame.root, tmp_path, dirs_exist_ok=True)
    assert own.read(tmp_path).videos == made.videos
    assert own.read(made.read_frame.root.parents[1]).tracks == made.tracks
    with pytest.raises(DataError, match="frames have a place of their own. Leave --frames out"):
        own.read(made.read_frame.root.parents[1], tmp_path)
    (tmp_path / "more.json").write_text("{}")
    with pytest.raises(DataError, match=r"holds 2 json files \(cats.json, more.json\)"):
        own.read(tmp_path)


def test_a_layout_is_seen_from_within_its_folder(made, monkeypatch):
    monkeypatch.chdir(made.read_frame.root.parents[1])
    for path in ("train.json", "./train.json", "."):
        assert own.read(path).videos == made.videos
        assert np.array_equal(own.read(path).frame(1, 0), made.frame(1, 0))


def test_of_davis_the_split_that_is_there_is_read(tmp_path):
    built = toy.build("toy-davis", tmp_path, 2, split="valid", progress=False)
    assert own.read(tmp_path).videos == own.find(tmp_path).videos == built.videos


def test_a_check_says_what_is_there_and_what_is_wrong(made, boxes, tmp_path):
    root = tmp_path / "JPEGImages"
    shutil.copytree(made.read_frame.root, root)
    report = own.check(boxes)
    assert report.complete and str(own.read(boxes)) in report.lines[0]
    assert "It is fit to train under boxes; evis evaluate scores boxes" in report.lines
    Image.new("RGB", (64, 96)).save(root / made.videos[1].frames[0])
    (root / made.videos[0].frames[2]).unlink()
    report = own.check(boxes)
    assert not report.complete and report.lines[-1] == f"{boxes} is not in order"
    assert "- 1 frames are missing, the first is" in str(report)
    assert "the picture is 96 x 64 (height x width), its video 64 x 96" in str(report)


def test_a_check_of_a_set_without_any_annotation_says_what_it_is_fit_for(made, tmp_path):
    path = ytvis.write(replace(made, tracks=()), tmp_path / "empty.json")
    report = own.check(path, made.read_frame.root)
    assert "It is fit to predict; training and evaluating need annotations" in report.lines


def test_a_check_says_which_labels_were_made(made, tmp_path):
    labelled = replace(made, supervision="box", origin="grabcut from boxes")
    report = own.check(ytvis.write(labelled, tmp_path / "a.json"), made.read_frame.root)
    assert any(line.startswith("Its boxes and masks were made: to train") for line in report.lines)
    assert "grabcut from boxes" in report.lines[0]


def test_the_least_that_the_readme_asks_for_is_enough():
    text = (paths.data() / "README.md").read_text(encoding="utf-8")
    example = json.loads(text.partition("```json\n")[2].partition("```")[0])
    dataset = annotations.parse(example)
    assert dataset.supervision == "box" and dataset.tracks[0].boxes == ((100, 80, 220, 140), None)
