"""`evis label`, as a reader types it: what it writes can be trained on, scored and drawn."""

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from evis import cli, models, papers
from evis.cli import label, label_boxes, label_common
from evis.data import annotations, clicks, own, paths, predictions, toy, ytvis
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.foundation import toy_clip
from evis.inference import Options, predict_dataset
from evis.inference.video_writer import write_video
from evis.labels import assigned, naming, points, select, tracking, videos
from evis.labels.best import Best
from evis.labels.looks import Looks
from evis.labels.naming import Least
from evis.models import VideoMask2Former, named

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
    asked = predicting(ellipses, tmp_path / "mine.safetensors", monkeypatch)
    out = tmp_path / "masks.json"
    command = ("label", "boxes", boxes, "--frames", here / "JPEGImages", "--out", out)
    mine = ("--weights", tmp_path / "mine.safetensors", "--device", "cpu")
    assert evis(*command, "--with", "idol", "--keys", "fill", *mine) == 0
    assert asked == [("mine.safetensors", (), True, "cpu")]
    labelled = own.read(out, here / "JPEGImages")
    assert {t.id: t.masks for t in labelled.tracks} == {t.id: t.masks for t in ellipses.tracks}
    words = "predictions of mine.safetensors, assigned by SCM with fill from boxes"
    assert (labelled.origin, labelled.supervision) == (words, "box"), "compared before any DOOB"
    assert evis(*command, "--with", "idol", "--keys", "fill", *mine, "--tidy") == 0
    tidy = select.tidied(ellipses)
    found = own.read(out, here / "JPEGImages")
    assert {t.id: t.masks for t in found.tracks} == {t.id: t.masks for t in tidy.tracks}
    assert found.origin == f"DOOB, from {words}"


def predicting(labelled, weights, monkeypatch):
    """Has `predict_dataset` give a set's masks, and tells what it was asked."""
    asked = []
    models.save(VideoMask2Former(named("tiny_s", 1)), weights)

    def predicted(weights, dataset, options, jobs, folder, device):
        asked.append((weights.name, dataset.tracks, options.class_agnostic, device))
        return [PredictedTrack(t.video_id, 1, 0.9, t.masks) for t in labelled.tracks]

    monkeypatch.setattr("evis.inference.predict_dataset", predicted)
    return asked


@pytest.mark.parametrize("way", ["best", "track"])
def test_a_models_masks_are_the_first_kind_where_masks_are_tracked(
    way, here, tmp_path, monkeypatch
):
    """PM-VIS's Fig. 5, from a shell: assigned by SCM, made tidy, tracked from where two agree."""
    truth = own.read(here / "truth.json")
    boxes = ytvis.write(weaken(truth, "box"), tmp_path / "boxes.json")
    ellipses = videos.make(truth, videos.Boxes("ellipse"), progress=False)
    missed = replace(ellipses, tracks=ellipses.tracks[1:])  # the model finds no first object
    asked = predicting(missed, tmp_path / "mine.safetensors", monkeypatch)
    out = tmp_path / "masks.json"
    command = ("label", "boxes", boxes, "--frames", here / "JPEGImages", "--out", out)
    how = ("--with", way, "--keys", "idol", "--weights", tmp_path / "mine.safetensors")
    assert evis(*command, *how, "--other", "fill", "--every", 2) == 0
    assert len(asked) == 1
    labelled = own.read(out, here / "JPEGImages")
    bare = weaken(truth, "box")
    first = assigned.by_scm(
        bare,
        videos.make(bare, videos.Boxes("fill"), progress=False),
        [PredictedTrack(t.video_id, 1, 0.9, t.masks) for t in missed.tracks],
        "x",
    )
    kinds = [
        select.tidied(first),
        videos.make(bare, videos.Boxes("fill", tidy=True), progress=False),
    ]
    wanted = tracking.label(bare, kinds[0], tracking.BY_COLOUR, "x", 2, kinds[1], progress=False)
    wanted = select.best_of(wanted, *kinds) if way == "best" else wanted
    assert {t.id: t.masks for t in labelled.tracks} == {t.id: t.masks for t in wanted.tracks}
    assert len(labelled.tracks) == len(truth.tracks) - 1 and labelled.supervision == "box"
    words = "predictions of mine.safetensors, assigned by SCM with fill from boxes, DOOB"
    assert words in labelled.origin and "colour" in labelled.origin
    before = out.read_bytes()
    monkeypatch.setattr(tracking, "label", None)  # the second time nothing is tracked
    assert evis(*command, *how, "--other", "fill", "--every", 2) == 0
    assert out.read_bytes() == before


def test_no_model_labels_for_less_than_what_taught_it(here, tmp_path, capsys):
    truth = own.read(here / "truth.json")
    boxes = ytvis.write(weaken(truth, "box"), tmp_path / "boxes.json")
    clicked = clicks.write(weaken(truth, "point"), tmp_path / "clicks.json")
    weights, out = tmp_path / "w.safetensors", tmp_path / "out.json"
    of_boxes = ("label", "boxes", boxes, "--frames", here / "JPEGImages", "--keys")
    ways = {
        ("box", "idol"): (*of_boxes, "fill", "--with", "idol"),
        ("box", "best"): (*of_boxes, "idol", "--with", "best"),
        ("box", "track"): (*of_boxes, "idol", "--with", "track"),
        ("point", "points"): ("label", "points", clicked, here / "truth.json"),
    }
    network = VideoMask2Former(named("tiny_s", 1))
    for stage, refused in (("mask2former", ("box", "point")), ("idol.boxinst", ("point",))):
        recipe = papers.named(stage, toy=True)
        models.save(network, weights, recipe=recipe.to_json())
        for (level, _), way in ways.items():
            if level in refused:
                assert evis(*way, "--weights", weights, "--out", out) == 2
                said = capsys.readouterr().err.strip().splitlines()[-1]
                assert f"its recipe, toy.{stage}, learns from" in said
                assert f'can\'t cost as little as "{level}"' in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--with", "idol"), "idol needs --weights"),
        (("--with", "best", "--keys", "idol"), "idol needs --weights"),
        (("--with", "idol", "--other", "fill"), "--other goes with --with track or best"),
        (("--keys", "fill"), "--keys goes with --with track or best or idol"),
        (("--with", "track", "--weights", "w"), "--weights goes with idol, in --with or --keys"),
        (("--with", "idol", "--keys", "idol", "--weights", "w"), "to masks of another kind"),
        (("--with", "best", "--other", "idol"), "to masks of another kind"),
        (("--with", "track", "--size", "9"), "--size goes with --through a DINO's"),
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
    how = Options(window=1, top=10, class_agnostic=True, score="maskness")
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


def test_clicks_are_matched_with_tracks_of_single_frames(here, tmp_path, monkeypatch):
    """As in PointVIS's Eq. 1, whatever clips the model was trained on, and as the rows have it."""
    truth, asked = own.read(here / "truth.json"), []
    written = clicks.write(weaken(truth, "point"), tmp_path / "clicks.json")

    def predicted(weights, dataset, options, jobs, folder, device):
        asked.append(options)
        return ()

    monkeypatch.setattr("evis.inference.predict_dataset", predicted)
    command = ("label", "points", written, here / "truth.json", "--out", tmp_path / "l.json")
    assert evis(*command, "--weights", STAGE1) == 0
    assert asked == [Options(window=1, top=100, class_agnostic=True, score="maskness")]


WAYS = {
    "cuts": ("none", "x", "--size", 480, "--features", "a/dino.pth"),
    "motion": ("motion", "x", "--flow", "raft.pth"),
    "boxes": ("boxes", "x", "--with", "toy_sam"),
    "track": ("boxes", "x", "--with", "track", "--through", "a/dino", "--size", 320),
    "best": ("boxes", "x", "--with", "best", "--other", "fill"),
}
MADE = {
    "cuts": videos.Cuts("a/dino.pth", size=480),
    "motion": videos.Cuts(alpha=0.75, flow="raft.pth"),
    "boxes": videos.Boxes("toy_sam"),
    "track": videos.Tracked(through="a/dino", size=320),
    "best": Best("grabcut", "fill"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("device", [None, "cpu"])
def test_what_is_asked_for_is_what_labels(way, device, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(label_common, "made", lambda options, labeller: asked.append(labeller))
    monkeypatch.setattr(label_common, "write", lambda options, labelled: None)
    for module in (label, label_boxes):
        monkeypatch.setattr(module, "chosen_device", lambda name: f"{name}'s")
    given = ("--device", device) if device else ()
    assert evis("label", *WAYS[way], "--out", tmp_path / "l.json", *given) == 0
    assert asked == [MADE[way]] and asked[0].device == ("cpu's" if device else "auto's")


def test_names_are_compared_on_the_device_too(here, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(label, "chosen_device", lambda name: "cpu")
    monkeypatch.setattr(
        "evis.labels.looks.network",
        lambda by, device: asked.append((by, device)) or toy_clip.load(device=device),
    )
    command = ("label", "none", here / "JPEGImages", "--out", tmp_path / "l.json", "--blocks")
    assert evis(*command, "--names", "star", "--device", "cpu") == 0
    assert set(asked) == {("toy_clip", "cpu")}


def test_a_device_that_is_not_there_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    Image.new("RGB", (36, 24)).save(tmp_path / "a.png")
    command = ("label", "none", tmp_path, "--out", tmp_path / "l.json", "--device", "cuda")
    assert evis(*command) == 2
    assert "there is no device 'cuda' here. Give cpu" in capsys.readouterr().err


def test_frames_of_a_film_are_written_beside_its_labels(tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    frames = noise.repeat(12, 1).repeat(12, 2)
    film = write_video(tmp_path / "cat.mp4", iter(frames), rate=6)
    out = tmp_path / "out" / "cat.json"
    assert evis("label", "none", film, "--out", out, "--blocks") == 0
    labelled = own.read(out)  # finds its frames
    assert labelled.videos[0].frames == ("cat/00000.png", "cat/00001.png")
    assert labelled.frame(1, 1).shape == (48, 72, 3)


def test_where_frames_would_go_is_a_link_to_itself(here, tmp_path, capsys):
    film = write_video(tmp_path / "cat.mp4", [np.full((32, 48, 3), 9, np.uint8)] * 2, rate=6)
    (tmp_path / "frames").symlink_to("frames")
    assert evis("label", "none", film, "--out", tmp_path / "cat.json", "--blocks") == 2
    assert str(tmp_path / "frames") in capsys.readouterr().err


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
        (("boxes", "boxes.json", "--with", "sam-hq"), "The folder of its weights is wanted"),
        (("boxes", "boxes.json", "--with", "sam-hq"), "nor a SAM or SAM-HQ of this name"),
        (("motion", "two", "--flow", "raft.pth"), "raft.pth: there is no such file"),
        (
            ("motion", "two", "--flow", "empty.mp4"),
            "RAFT needs torchvision, which is not installed",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.mp4").touch()
    for name in ("frames/a", "two/a", "two/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (36, 24)).save(tmp_path / f"{name}.png")
    video = {"id": 1, "width": 36, "height": 24, "length": 1, "file_names": ["frames/a.png"]}
    track = {"id": 1, "video_id": 1, "category_id": 1, "bboxes": [[1, 2, 9, 9]], "iscrowd": 0}
    content = {"videos": [video], "annotations": [track], "categories": [{"id": 1, "name": "x"}]}
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    monkeypatch.setitem(sys.modules, "torchvision.models.optical_flow", None)
    assert evis("label", *arguments, "--out", "out.json") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("evis: ") and said in error
    assert not (tmp_path / "out.json").exists()


def test_no_file_of_the_users_and_no_folder_is_written_over(here, tmp_path, capsys, monkeypatch):
    boxes = ytvis.write(weaken(own.read(here / "truth.json"), "box"), tmp_path / "boxes.json")
    clicked = tmp_path / "clicks.json"
    clicked.write_text("{}")
    drawn = tmp_path / "mine_overlays"
    drawn.mkdir()
    (drawn / "a.mp4").write_text("a film")
    before = boxes.read_bytes()
    monkeypatch.setattr(videos, "make", None)  # nothing is made before
    monkeypatch.chdir(tmp_path)
    points = ("points", clicked, here / "truth.json", "--weights", STAGE1)
    for given, said in (
        (("boxes", boxes, "--out", boxes), "would replace what it labels"),
        (
            ("boxes", boxes, "--out", f"../{tmp_path.name}/boxes.json"),
            "would replace what it labels",
        ),
        ((*points, "--out", clicked), "would replace what it labels"),
        (
            ("boxes", here / "truth.json", "--with", "boxes.json", "--out", boxes),
            "would replace what it labels",
        ),
        (("none", drawn, "--out", "mine.json"), "would have overlays replace"),
        (("none", drawn / "a.mp4", "--out", "mine.json"), "would have overlays replace"),
        (("none", here / "JPEGImages", "--out", here), "is a folder: name a json file"),
        (("none", here / "JPEGImages", "--out", "."), "is a folder: name a json file"),
        (("none", here / "JPEGImages", "--out", "/"), "is a folder: name a json file"),
    ):
        with pytest.raises(SystemExit) as stopped:
            evis("label", *given)
        assert stopped.value.code == 2 and said in capsys.readouterr().err
    assert boxes.read_bytes() == before and clicked.read_text() == "{}"
    assert (drawn / "a.mp4").read_text() == "a film"


def test_a_video_that_can_not_be_drawn_is_refused_before_it_is_labelled(
    tmp_path, capsys, monkeypatch
):
    Image.new("L", (16_400, 2)).save(tmp_path / "a.png")
    monkeypatch.setattr(videos, "make", None)
    command = ("label", "none", tmp_path, "--out", tmp_path / "l.json", "--overlay", "mp4")
    assert evis(*command) == 2
    assert "pictures of 2 x 16400 are too large for a .mp4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("/dev/null", "/dev/null: is a pipe or a device"),
        ("file/l.json", "can't be opened or made: Not a directory"),
        (f"{'l' * 240}.json", "File name too long"),
    ],
)
def test_where_labels_can_not_be_written_nothing_is_made(
    here, tmp_path, capsys, monkeypatch, out, said
):
    (tmp_path / "file").touch()
    monkeypatch.setattr(videos, "make", None)
    assert evis("label", "none", here / "JPEGImages", "--out", tmp_path / out) == 2
    assert said in capsys.readouterr().err


def test_frames_of_films_are_not_written_between_the_films(tmp_path, capsys):
    """A second run would find every film twice."""
    source, out = tmp_path / "frames", tmp_path / "l.json"
    source.mkdir()
    write_video(source / "cat.mp4", [np.full((24, 36, 3), 90, np.uint8)] * 2, rate=6)
    for _ in range(2):
        assert evis("label", "none", source, "--out", out, "--blocks", "--overlay", "gif") == 0
        assert [path.name for path in source.iterdir()] == ["cat.mp4"]
    assert own.read(out).frame(1, 1).shape == (24, 36, 3), "and are found beside the labels"
    (tmp_path / "l_overlays" / "dog.mp4").touch()  # somebody's own; cat.gif is of an earlier run
    assert evis("label", "none", source, "--out", out, "--blocks", "--overlay", "mp4") == 0
    assert {path.name for path in (tmp_path / "l_overlays").iterdir()} == {"cat.mp4", "dog.mp4"}


@pytest.mark.parametrize(
    "wrong",
    [
        ["none", "x"],
        ["none", "x", "--out", "o", "--tau", "2"],
        ["none", "x", "--out", "o", "--clip", "c"],
        ["none", "x", "--out", "o", "--name-from", "0.5"],
        ["none", "x", "--out", "o", "--size", "480"],
        ["none", "x", "--out", "o", "--flow", "dis"],
        ["motion", "x", "--out", "o", "--size", "480", "--features", "toy_dino"],
        ["motion", "x", "--out", "o", "--size", "0"],
        ["points", "c", "x"],
    ],
)
def test_wrong_usage(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        evis("label", *wrong)
    assert stopped.value.code == 2 and "usage:" in capsys.readouterr().err
