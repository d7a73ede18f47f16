"""`evis label`, as a reader types it: what it writes can be trained on, scored and drawn."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from evis import cli
from evis.data import annotations, clicks, own, paths, predictions, toy, ytvis
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.foundation import toy_clip
from evis.inference import Options, predict_dataset
from evis.inference.video_writer import write_video
from evis.labels import naming, points, videos
from evis.labels.best import Best
from evis.labels.looks import Looks
from evis.labels.naming import Least

pytestmark = pytest.mark.usefixtures("one_thread")
STAGE1 = paths.data() / "weights" / "toy_stage1_tiny_s.safetensors"


def evis(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Three frames each of two toy videos, with their annotations, in a json beside them."""
    root = tmp_path_factory.mktemp("label")
    whole = toy.sample("toy-ytvis19", 2)
    for video in whole.videos:
        (root / "JPEGImages" / video.name).mkdir(parents=True)
        for frame in range(3):
            picture = Image.fromarray(whole.frame(video.id, frame))
            picture.save(root / "JPEGImages" / video.name / f"{frame}.png")
    content = json.loads(ytvis.write(whole, root / "all.json").read_text())
    for video in content["videos"]:
        name = video["file_names"][0].split("/")[0]
        video |= {"length": 3, "file_names": [f"{name}/{frame}.png" for frame in range(3)]}
    for track in content["annotations"]:
        track |= {key: track[key][:3] for key in ("segmentations", "bboxes", "areas")}
        track["length"] = 3
    (root / "all.json").unlink()
    (root / "truth.json").write_text(json.dumps(content))
    return root


@pytest.mark.slow
def test_labels_from_nothing_are_scored_trained_on_and_drawn(here, tmp_path, capsys):
    out = tmp_path / "labels.json"
    assert evis("label", "none", here / "truth.json", "--out", out, "--overlay", "gif") == 0
    printed = capsys.readouterr().out
    assert f"in 2 videos: {out}, whose frames are in {here / 'JPEGImages'}" in printed
    labelled = own.read(out, here / "JPEGImages")
    assert labelled.supervision == "none" and labelled.kinds == {"masks", "boxes"}
    assert labelled.origin.startswith("MaskCut (paper) of colour features")
    drawn = tmp_path / "labels_overlays"
    assert sorted(p.stem for p in drawn.iterdir()) == sorted(v.name for v in labelled.videos)
    score = ("evaluate", out, "--annotations", here / "truth.json", "--class-agnostic")
    assert evis(*score, "--json", tmp_path / "scores.json") == 0
    assert json.loads((tmp_path / "scores.json").read_text())["stats"]["AR100"] > 0
    train = ("train", "mask2former", "--scale", "toy", "--data", out, "--quiet", "--cpu")
    sizes = ("model=tiny_s", "steps=1", "batch=1", "micro_batch=1", "init=None")
    small = [part for size in sizes for part in ("--set", size)]
    frames = ("--frames", here / "JPEGImages", "--folder", tmp_path / "run", "--threads", 1)
    assert evis(*train, *frames, *small) == 0
    assert (tmp_path / "run" / "weights.safetensors").exists()


def test_it_goes_on_where_it_was_cut_off(here, tmp_path, monkeypatch, capsys):
    out, real, seen = tmp_path / "l.json", videos.Cuts.__call__, []

    def cut_off(self, dataset, progress=False):
        if seen:
            raise KeyboardInterrupt
        seen.append(dataset.videos[0].name)
        return real(self, dataset)

    command = ("label", "maskcut", here / "JPEGImages", "--out", out, "--blocks", "--count", 2)
    monkeypatch.setattr(videos.Cuts, "__call__", cut_off)
    assert evis(*command) == 130 and not out.exists()
    assert len(list((tmp_path / "l.json.parts").iterdir())) == 1
    monkeypatch.setattr(
        videos.Cuts, "__call__", lambda *given: seen.append(given[1].videos[0].name) or real(*given)
    )
    assert evis(*command) == 0 and len(seen) == 2, "the first video was not done again"
    assert len(annotations.read(out).videos) == 2
    assert evis(*command) == 0 and len(seen) == 2


NAMED = ("--blocks", "--names", "disc, star,square", "--name-from", 0.4, "--prototype-from", 0.2)


def test_what_is_found_gets_names_once_and_is_scored(here, tmp_path, capsys, monkeypatch):
    out, truth = tmp_path / "l.json", own.read(here / "truth.json")
    command = ("label", "none", here / "truth.json", "--out", out, *NAMED)
    assert evis(*command, "--overlay", "gif") == 0
    said = re.search(
        r"(\d+) masks, named by toy_clip; .* 0.4 or more for (\d+)", capsys.readouterr().out
    )
    assert int(said[1]) >= int(said[2]) > 0
    labelled = own.read(out, here / "JPEGImages")
    assert labelled.supervision == "none" and labelled.kinds == {"masks", "boxes"}
    origin = "names by toy_clip from 0.4, prototypes from 0.2, from MaskCut (paper) of colour"
    assert labelled.origin == f"{origin} features"
    ids = {category.name: category.id for category in truth.categories}
    assert {c.name: c.id for c in labelled.categories} == {
        n: ids[n] for n in ("disc", "star", "square")
    }
    masks = videos.make(truth, videos.Cuts(outlined=False), progress=False)
    given = predictions.from_dataset(masks)
    named = replace(masks.bare(), categories=labelled.categories)
    found = naming.named(named, given, toy_clip.load(), progress=False)
    wanted = naming.label(named, given, found, "x", Least(None, 0.4, 0.2))
    assert labelled.tracks == wanted.tracks
    assert evis("evaluate", out, "--annotations", here / "truth.json") == 0
    before = out.read_bytes()
    monkeypatch.setattr(Looks, "images", None)  # the second time nothing is looked at
    assert evis(*command) == 0 and out.read_bytes() == before


def test_one_name_takes_all_that_is_found(here, tmp_path, capsys):
    out = tmp_path / "l.json"
    command = ("label", "none", here / "JPEGImages", "--out", out, "--blocks", "--names", "star")
    assert evis(*command, "--prototype-from", 0) == 0
    printed = capsys.readouterr().out
    assert "One name: all that was found is called star, for sure" in printed
    found, sure, alike = re.findall(r"\b(\d+)\b(?= masks|,|\s+are like)", printed)[:3]
    assert found == sure == alike
    assert {track.category_id for track in own.read(out, here / "JPEGImages").tracks} == {1}


def test_where_nothing_is_found_named_labels_are_empty_and_valid(tmp_path, capsys):
    plain, out = tmp_path / "plain", tmp_path / "l.json"
    plain.mkdir()
    for frame in range(2):
        Image.new("RGB", (36, 24), (90, 90, 90)).save(plain / f"{frame}.png")
    assert evis("label", "none", plain, "--out", out, "--names", "disc,star") == 0
    assert "0 masks, named by toy_clip" in capsys.readouterr().out
    labelled = own.read(out)
    assert labelled.tracks == () and list(labelled.category_names.values()) == ["disc", "star"]


def test_no_name_that_is_sure_enough_leaves_nothing(here, tmp_path):
    out = tmp_path / "l.json"
    command = ("label", "none", here / "JPEGImages", "--out", out, "--blocks")
    assert evis(*command, "--names", "disc,star", "--name-from", 1) == 0
    assert own.read(out, here / "JPEGImages").tracks == ()


def test_motion_gives_videos_or_pairs_that_agree(here, tmp_path, capsys):
    out = tmp_path / "motion.json"
    command = ("label", "motion", here / "JPEGImages", "--out", out, "--blocks", "--alpha", 0.7)
    assert evis(*command) == 0
    whole = own.read(out, here / "JPEGImages")
    assert "flow, alpha 0.7" in whole.origin and len(whole.videos) == 2
    capsys.readouterr()
    assert evis(*command, "--pairs") == 0
    assert "1 frames apart: " in capsys.readouterr().out
    pairs = own.read(out, here / "JPEGImages")
    assert {video.length for video in pairs.videos} == {2} and "IoU above 0.5" in pairs.origin


def test_boxes_become_masks(here, tmp_path, capsys):
    truth = own.read(here / "truth.json")
    boxes = ytvis.write(weaken(truth, "box"), tmp_path / "boxes.json")
    out = tmp_path / "masks.json"
    frames = ("--frames", here / "JPEGImages", "--out", out)
    assert evis("label", "boxes", boxes, *frames, "--with", "ellipse", "--tidy", "--jobs", 2) == 0
    labelled = own.read(out, here / "JPEGImages")
    assert (labelled.origin, labelled.supervision) == ("ellipse from boxes, DOOB", "box")
    assert {t.id for t in labelled.tracks} == {t.id for t in truth.tracks}
    assert evis("label", "boxes", here / "JPEGImages", "--out", tmp_path / "x.json") == 2
    assert 'masks are made from boxes, and this set holds "none"' in capsys.readouterr().err
    assert evis("label", "boxes", boxes, *frames, "--with", "no/sam") == 2
    assert "no such file or folder" in capsys.readouterr().err


@pytest.mark.slow
def test_masks_of_single_frames_are_carried_through_the_video(here, tmp_path, capsys):
    truth = own.read(here / "truth.json")
    boxes = ytvis.write(weaken(truth, "box"), tmp_path / "boxes.json")
    out = tmp_path / "masks.json"
    command = ("label", "boxes", boxes, "--frames", here / "JPEGImages", "--out", out)
    assert evis(*command, "--with", "track", "--keys", "ellipse", "--every", 100) == 0
    labelled = own.read(out, here / "JPEGImages")
    assert labelled.origin == "tracked by colour, K = 100, from ellipse from boxes, DOOB"
    wanted = videos.make(truth, videos.Tracked("ellipse", every=100), progress=False)
    assert [t.masks for t in labelled.tracks] == [t.masks for t in wanted.tracks]
    assert labelled.supervision == "box"
    assert evis(*command, "--with", "track", "--through", "no/sam2") == 2
    assert "no/sam2: there is no such file or folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evis(*command, "--through", "no/sam2")
    assert "--through goes with --with track" in capsys.readouterr().err


@pytest.mark.slow
def test_the_best_of_three_kinds_is_taken(here, tmp_path):
    truth = own.read(here / "truth.json")
    boxes = ytvis.write(weaken(truth, "box"), tmp_path / "boxes.json")
    out = tmp_path / "masks.json"
    command = ("label", "boxes", boxes, "--frames", here / "JPEGImages", "--out", out)
    assert evis(*command, "--with", "best", "--keys", "ellipse", "--every", 2) == 0
    labelled = own.read(out, here / "JPEGImages")
    wanted = videos.make(truth, Best("ellipse", "toy_sam", every=2), progress=False)
    assert [t.masks for t in labelled.tracks] == [t.masks for t in wanted.tracks]
    assert labelled.origin == wanted.origin and labelled.supervision == "box"


def test_a_models_masks_go_to_the_boxes_that_they_fit(here, tmp_path, monkeypatch):
    truth = own.read(here / "truth.json")
    boxes = ytvis.write(weaken(truth, "box"), tmp_path / "boxes.json")
    ellipses = videos.make(truth, videos.Boxes("ellipse"), progress=False)
    asked = []

    def predicted(weights, dataset, options, jobs, folder, device):
        asked.append((weights.name, dataset.tracks, options.class_agnostic, device))
        return [PredictedTrack(t.video_id, 1, 0.9, t.masks) for t in ellipses.tracks]

    monkeypatch.setattr("evis.inference.predict_dataset", predicted)
    out = tmp_path / "masks.json"
    command = ("label", "boxes", boxes, "--frames", here / "JPEGImages", "--out", out)
    mine = ("--weights", tmp_path / "mine.safetensors", "--device", "cpu")
    assert evis(*command, "--with", "idol", "--keys", "fill", *mine) == 0
    assert asked == [("mine.safetensors", (), True, "cpu")]
    labelled = own.read(out, here / "JPEGImages")
    assert {t.id: t.masks for t in labelled.tracks} == {t.id: t.masks for t in ellipses.tracks}
    words = "predictions of mine.safetensors, assigned by SCM with fill from boxes, DOOB"
    assert (labelled.origin, labelled.supervision) == (words, "box")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--with", "idol"), "--with idol needs --weights"),
        (("--with", "track", "--other", "fill"), "--other goes with --with best"),
        (("--keys", "fill"), "--keys goes with --with track or best or idol"),
    ],
)
def test_options_of_another_way_are_refused(given, said, capsys):
    with pytest.raises(SystemExit):
        evis("label", "boxes", "x.json", "--out", "o.json", *given)
    assert said in capsys.readouterr().err


def test_clicks_choose_among_a_models_tracks(here, tmp_path, capsys, monkeypatch):
    truth = own.read(here / "truth.json")
    written = clicks.write(weaken(truth, "point"), tmp_path / "clicks.json")
    out = tmp_path / "labels.json"
    command = ("label", "points", written, here / "truth.json", "--out", out, "--weights")
    assert evis(*command, STAGE1, "--proposals", 10) == 0
    labelled = own.read(out, here / "JPEGImages")
    assert labelled.supervision == "point"
    assert labelled.origin == f"proposals of {STAGE1.name} by clicks and maskness"
    how = Options(top=10, class_agnostic=True, score="maskness")
    bare = replace(truth.bare(), categories=())
    proposals = predict_dataset(STAGE1, bare, how, progress=False)
    wanted = points.label(weaken(truth, "point"), proposals, "x")
    assert {t.masks[0]["counts"] for t in labelled.tracks if t.masks[0]} == {
        t.masks[0]["counts"] for t in wanted.tracks if t.masks[0]
    }
    assert {t.category_id for t in labelled.tracks} <= {t.category_id for t in truth.tracks}
    assert 0 < len(labelled.tracks) <= len(truth.tracks)
    asked, label = [], points.label
    monkeypatch.setattr(points, "label", lambda *given: asked.append(given[3]) or label(*given))
    assert evis(*command, STAGE1, "--proposals", 10, "--per-frame") == 0
    assert asked == [True]
    assert evis(*command, STAGE1, "--proposals", 10, "--score", "confidence") == 0
    assert own.read(out, here / "JPEGImages").origin.endswith("by clicks and confidence")
    assert evis(*command, tmp_path / "none.safetensors") == 2
    assert "none.safetensors: there is no such file" in capsys.readouterr().err


def test_frames_of_a_film_are_written_beside_its_labels(tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    frames = noise.repeat(12, 1).repeat(12, 2)
    film = write_video(tmp_path / "cat.mp4", iter(frames), rate=6)
    out = tmp_path / "out" / "cat.json"
    assert evis("label", "none", film, "--out", out, "--blocks") == 0
    labelled = own.read(out)  # finds its frames
    assert labelled.videos[0].frames == ("cat/00000.png", "cat/00001.png")
    assert labelled.frame(1, 1).shape == (48, 72, 3)


def test_pictures_alone_are_labelled_in_the_layout_of_coco(tmp_path):
    (tmp_path / "one").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 36, 3), dtype=np.uint8)).save(
        tmp_path / "one" / "a.png"
    )
    out = tmp_path / "labels.json"
    assert evis("label", "none", tmp_path / "one", "--out", out, "--blocks") == 0
    assert "images" in json.loads(out.read_text())
    assert own.read(out, tmp_path / "one").videos[0].length == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none", "nowhere"), "nowhere: there is no such file or folder"),
        (("none", "empty"), "the folder holds no pictures"),
        (("none", "frames", "--features", "no/dino"), "nor a ViTModel of this name"),
        (("none", "frames", "--names", "star", "--clip", "no/clip"), "nor a CLIPModel of this"),
        (("none", "frames", "--names", "person,dog"), "has no word of 'person', 'dog'"),
        (("none", "frames", "--names", ","), "no names are given"),
        (("none", "frames", "--names", "none.txt"), "none.txt: can't be read as a list of names"),
        (("none", "empty", "--names", "star"), "the folder holds no pictures"),
        (("none", "empty.mp4", "--names", "star"), "empty.mp4: "),
        (("motion", "frames"), "video frames: has one frame, in which nothing moves"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "frames").mkdir()
    Image.new("RGB", (36, 24)).save(tmp_path / "frames" / "a.png")
    assert evis("label", *arguments, "--out", "out.json") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("evis: ") and said in error
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ["none", "x"],
        ["none", "x", "--out", "o", "--tau", "2"],
        ["none", "x", "--out", "o", "--clip", "c"],
        ["none", "x", "--out", "o", "--name-from", "0.5"],
        ["points", "c", "x"],
    ],
)
def test_wrong_usage(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        evis("label", *wrong)
    assert stopped.value.code == 2 and "usage:" in capsys.readouterr().err
