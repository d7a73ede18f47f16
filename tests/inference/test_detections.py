"""Trackers of detections in `predict`: the reference's results, planted objects, every model."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from planted import COLOURS, HEIGHT, WIDTH, ByColour, truth

from evis import cli, models
from evis.data import masks, paths, toy
from evis.data.errors import DataError
from evis.data.frame_prediction import FramePrediction
from evis.data.types import Video
from evis.inference import Options, detections, instances, predict
from evis.labels import points
from evis.models import IDOL, checkpoints
from evis.models.idol import named
from evis.trackers import idol, memory, minvis
from evis.trackers.windows import plan

GOLDEN = Path(__file__).parents[1] / "golden"


def _golden(name):
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(np.array(array)) for key, array in arrays.items()}


def _results(options, video, seen, frames: FramePrediction, at_once=3):
    found = detections.Detections(options, video, seen)
    windows = plan(video.length, 1)
    parts = ("class_logits", "boxes", "mask_logits", "embeddings")
    for n in range(0, video.length, at_once):
        some = {name: getattr(frames, name)[n : n + at_once] for name in parts}
        found.add(windows[n : n + at_once], FramePrediction(**some))
    return found.best()


@pytest.mark.parametrize(("case", "tracker"), [("0", "idol"), ("1", "idol-ovis")])
@pytest.mark.parametrize("at_once", [1, 5])
def test_idol_s_results_are_the_reference_ones(case, tracker, at_once):
    case = _golden(f"idol_track_{case}")
    inputs = [
        case[f"pred_{name}"].unsqueeze(1) for name in ("logits", "boxes", "masks", "inst_embed")
    ]
    shape = case["result_shape"].tolist()
    size, seen = shape[-2:], case["image_size"].tolist()
    packed = np.unpackbits(case["result_masks"].numpy(), axis=-1)[..., : shape[-1]].astype(bool)
    video = Video(1, "v", *size, ("",) * len(inputs[0]))
    options = Options(1, tracker=tracker, top=10_000)
    found = _results(options, video, seen, FramePrediction(*inputs), at_once)
    scores = [score for *_, score, _ in found]
    assert scores == sorted(scores, reverse=True)
    found = {(number, label): rest for number, label, *rest in found}
    expected = list(zip(*(case[f"result_{k}"].tolist() for k in ("track_ids", "labels")), strict=1))
    assert found.keys() == set(expected) and len(expected) > 3
    for entry, key in enumerate(expected):
        score, kept = found[key]
        assert score == pytest.approx(case["result_scores"][entry].item(), abs=1e-6)
        for frame, rle in enumerate(kept):
            mask = np.zeros(size, bool) if rle is None else masks.decode(rle)
            assert np.array_equal(mask, packed[entry, frame]), (key, frame)


def _still(length, absent=()):
    """Three blocks that stay where they are, the second one but for some frames."""
    frames = np.full((length, HEIGHT, WIDTH, 3), 40, dtype=np.uint8)
    for block in range(3):
        frames[:, 4 * block + 2 : 4 * block + 12, 10 * block + 1 : 10 * block + 8] = COLOURS[block]
    for frame in absent:
        frames[frame, 6:16, 11:18] = 40
    return frames


@pytest.mark.parametrize("stride", [1, 2])
def test_deepsort_finds_an_object_again_that_was_away(stride):
    frames = _still(30, absent=range(8, 20))
    options = Options(tracker="deepsort", shorter_side=None, top=5)
    model = ByColour(stride, forgets=True)
    found = predict(model, frames, options, progress=False)
    assert model.seen == [1] * 30
    # Every block is first by its own class: a track each, then the same tracks' other classes.
    assert sorted(t.category_id for t in found[:3]) == [1, 2, 3]
    for track in found[:3]:
        wanted = truth(frames, track.category_id - 1)
        for mask, there in zip(track.masks, wanted, strict=True):
            assert (mask is not None) == there.any()
            if stride == 1 and mask is not None:
                assert np.array_equal(masks.decode(mask), there)
    assert all(track.score < 0.1 for track in found[3:])


def test_deepsort_s_tracks_of_two_frames_are_no_results_but_of_a_video_of_two_they_are():
    options = Options(tracker="deepsort", shorter_side=None, class_agnostic=True)
    brief = predict(ByColour(forgets=True), _still(9, absent=range(2, 9)), options, progress=False)
    assert sorted(track.category_id for track in brief) == [1, 3]
    two = predict(ByColour(forgets=True), _still(2), options, progress=False)
    assert sorted(track.category_id for track in two) == [1, 2, 3]
    nothing = np.full((4, HEIGHT, WIDTH, 3), 40, dtype=np.uint8)
    assert predict(ByColour(forgets=True), nothing, options, progress=False) == ()


@pytest.fixture(scope="module")
def idol_model():
    """Untrained, but sure enough of something to track it."""
    torch.manual_seed(3)
    model = IDOL(named("tiny", 3)).eval()
    with torch.no_grad():
        model.classify[-1].bias.fill_(0.0)
        model.masks.controller[-1].weight.mul_(3)
    return model


@pytest.fixture(scope="module")
def noise():
    shades = np.random.default_rng(0).integers(0, 256, (6, 8, 12, 3), dtype=np.uint8)
    return shades.repeat(8, 1).repeat(8, 2)


@torch.inference_mode()
def test_idol_is_followed_by_its_own_tracker(idol_model, noise):
    frames = torch.from_numpy(noise).permute(0, 3, 1, 2)[None]
    said = idol_model(frames)
    queries = said.class_logits[0], said.boxes[0], said.mask_logits[0], said.embeddings[0]
    of_tracks, probabilities = idol.tracks(idol.track(*queries), said.class_logits[0])
    assert len(of_tracks) > 1
    wanted = instances.ranked(probabilities.double(), 10)
    found = predict(idol_model, noise, progress=False)
    assert [t.category_id - 1 for t in found] == [label for _, label, _ in wanted]
    assert [t.score for t in found] == pytest.approx([score for *_, score in wanted], abs=1e-5)
    for track, (number, *_) in zip(found, wanted, strict=True):
        seen = (of_tracks[number] >= 0).tolist()
        assert all(mask is None or there for mask, there in zip(track.masks, seen, strict=True))
    one_each = predict(idol_model, noise, Options(class_agnostic=True), progress=False)
    assert len(one_each) == min(10, len(of_tracks))
    halved = predict(idol_model, noise, Options(precision="bfloat16"), progress=False)
    assert 0 < len(halved) <= 10


def test_what_does_not_go_together_is_refused(idol_model, noise):
    frame = noise[:1]
    for model, options, said in [
        (idol_model, Options(tracker="memory"), "'memory' can't follow what a IDOL"),
        (idol_model, Options(window=4), "'idol' follows objects frame by frame: its window is 1"),
        (idol_model, Options(window=None), "its window is 1, not None"),
        (ByColour(), Options(tracker="idol"), "Choose minvis or memory or memory-weighted"),
    ]:
        with pytest.raises(DataError, match=said):
            predict(model, frame, options, progress=False)
    with pytest.raises(ValueError, match="tracker should be one of auto, minvis"):
        Options(tracker="sort")
    with pytest.raises(ValueError, match="leaves nothing to the tracker 'memory'"):
        Options(4, 2, "masks", tracker="memory")
    with pytest.raises(ValueError, match="'deepsort' follows objects frame by frame"):
        Options(4, tracker="deepsort")


def test_weights_that_give_no_numbers_are_named(idol_model, noise):
    damaged = IDOL(idol_model.config).eval()
    with torch.no_grad():
        damaged.embed[-1].bias.fill_(torch.nan)
    with pytest.raises(DataError, match="NaN or infinite.*weights damaged"):
        predict(damaged, noise, progress=False)
    damaged = models.load(paths.data() / "weights" / "toy_stage1_tiny_s.safetensors")
    with torch.no_grad():
        damaged.pixel_decoder.level_embed.fill_(torch.nan)
    with pytest.raises(DataError, match="frame 0.*NaN or infinite.*weights damaged"):
        predict(damaged, noise, progress=False)


@torch.inference_mode()
def test_the_memory_links_as_defined():
    shades = np.random.default_rng(10).integers(0, 256, (25, 8, 12, 3), dtype=np.uint8)
    noise = shades.repeat(8, 1).repeat(8, 2)
    model = models.load(paths.data() / "weights" / "toy_stage1_tiny_s.safetensors")
    said = [model(torch.from_numpy(frame).permute(2, 0, 1)[None, None]) for frame in noise]
    classes, embeddings = (
        torch.cat([getattr(one, name) for one in said]) for name in ("class_logits", "embeddings")
    )
    found = {}
    sure = classes.double().softmax(-1)[..., :-1].sum(-1)
    links = {"minvis": minvis.link(embeddings), "memory": memory.link(embeddings)}
    links["memory-weighted"] = memory.link(embeddings, sure=sure)
    for tracker, link in links.items():
        of_tracks = minvis.follow(link, classes.double()).mean(0)
        wanted = instances.choose(of_tracks, 10)
        found[tracker] = predict(model, noise, Options(tracker=tracker), progress=False)
        scores = [track.score for track in found[tracker]]
        assert scores == pytest.approx([score for *_, score in wanted], abs=1e-5)
    assert found["minvis"] != found["memory"], "of this noise"
    assert found["minvis"] == predict(model, noise, progress=False), "the default for pictures"
    assert found["minvis"] != predict(model, noise, Options(window=None), progress=False)


@torch.inference_mode()
def test_scores_by_maskness_are_those_of_the_soft_masks():
    dataset = toy.sample("toy-ytvis19", 1)
    dataset = dataset.subset([dataset.videos[0].id]).bare()
    (of,) = dataset.videos
    film = [dataset.frame(of.id, t) for t in range(of.length)]
    model = models.load(paths.data() / "weights" / "toy_stage1_tiny_s.safetensors")
    said = [model(torch.from_numpy(frame).permute(2, 0, 1)[None, None]) for frame in film]
    parts = "embeddings", "class_logits", "mask_logits"
    embeddings, classes, logits = (torch.cat([getattr(one, n) for one in said]) for n in parts)
    _, logits = minvis.tracks(minvis.link(embeddings), classes, logits[:, :, 0])
    soft = F.interpolate(logits, (of.height, of.width), mode="bilinear").sigmoid().numpy()
    wanted = points.maskness(soft, "cited")
    how = {"top": len(soft), "class_agnostic": True, "score": "maskness"}
    found = predict(model, dataset, Options(tracker="minvis", **how), progress=False)
    assert [track.score for track in found] == pytest.approx(sorted(wanted, reverse=True), abs=1e-5)
    for track, n in zip(found, wanted.argsort()[::-1], strict=True):
        own = [np.zeros_like(soft[n, 0]) if m is None else masks.decode(m) for m in track.masks]
        assert (np.stack(own) != (soft[n] > 0.5)).mean() < 1e-3
    sure = predict(model, dataset, Options(tracker="minvis", **how | {"score": "confidence"}))
    assert [t.masks for t in sure] != [t.masks for t in found], "in another order"
    assert {t.masks for t in map(plain, sure)} == {t.masks for t in map(plain, found)}
    with pytest.raises(ValueError, match="score should be one of confidence, maskness"):
        Options(score="area")


def plain(track):
    """The track with masks that can be told from others' in a set."""
    rles = tuple(m if m is None else (tuple(m["size"]), m["counts"]) for m in track.masks)
    return replace(track, masks=rles)


@pytest.mark.parametrize("tracker", ["deepsort", "idol"])
def test_detections_are_scored_by_maskness_too(tracker, idol_model, noise):
    weights = paths.data() / "weights" / "toy_stage1_tiny_s.safetensors"
    model = idol_model if tracker == "idol" else models.load(weights)
    sure = predict(model, noise, Options(tracker=tracker), progress=False)
    found = predict(model, noise, Options(tracker=tracker, score="maskness"), progress=False)
    scores = [track.score for track in found]
    assert scores == sorted(scores, reverse=True)
    assert {plain(t).masks for t in sure} == {plain(t).masks for t in found}
    for track in found:
        seen = any(mask is not None for mask in track.masks)
        assert 0.5 < track.score <= 1 if seen else track.score == 0


def test_tracks_that_have_ended_and_cannot_win_are_forgotten():
    generator = torch.Generator().manual_seed(0)
    frames = 400
    logits = 3 * torch.randn(frames, 1, 4, 2, generator=generator)
    boxes = torch.tensor([[0.1, 0.1, 0.1, 0.1], [0.4, 0.1, 0.1, 0.1]] * 2)
    boxes[2:, 1] = 0.7
    mask_logits = torch.full((frames, 1, 4, 8, 8), -1.0)
    for query in range(4):
        mask_logits[:, :, query, 2 * query : 2 * query + 2] = 1.0
    embeddings = 3 * torch.randn(frames, 1, 4, 8, generator=generator)
    said = FramePrediction(logits, boxes.expand(frames, 1, 4, 4), mask_logits, embeddings)
    video = Video(1, "v", 32, 32, ("",) * frames)
    every = _results(Options(1, tracker="idol", top=10_000), video, (32, 32), said)
    some = _results(Options(1, tracker="idol", top=2), video, (32, 32), said)
    assert some == every[:2]
    kept = detections.Detections(Options(1, tracker="idol", top=2), video, (32, 32))
    kept.add(plan(frames, 1), said)
    assert len(kept._tracks) < 30 < len({number for number, *_ in every})


def _evis(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_the_command_follows_idol_and_pictures_as_asked(idol_model, noise, tmp_path, capsys):
    weights = checkpoints.save(idol_model, tmp_path / "idol.safetensors", categories=list("abc"))
    pictures = paths.data() / "weights" / "toy_stage1_tiny_s.safetensors"
    (tmp_path / "video").mkdir()
    for number, frame in enumerate(noise):
        Image.fromarray(frame).save(tmp_path / "video" / f"{number}.png")
    basics = ("predict", tmp_path / "video", "--threshold", 0, "--overlay", "none")
    for model, asked, used in [
        (weights, "auto", ("idol", 1)),
        (weights, "idol-ovis", ("idol-ovis", 1)),
        (pictures, "auto", ("minvis", 1)),
        (pictures, "memory", ("memory", 1)),
        (pictures, "memory-weighted", ("memory-weighted", 1)),
        (pictures, "deepsort", ("deepsort", 1)),
    ]:
        out = tmp_path / asked
        assert _evis(*basics, "--weights", model, "--tracker", asked, "--out", out) == 0
        (video,) = json.loads((out / "made_by.json").read_text())["videos"]
        assert (video["tracker"], video["window"]) == used
        listed = (out / "tracks.csv").read_text()
        if model == weights:
            assert any(f",{name}," in listed for name in "abc")
    out = tmp_path / "x"
    assert _evis(*basics, "--weights", weights, "--tracker", "deepsort", "--out", out) == 2
    assert "Choose idol or idol-ovis, or auto" in capsys.readouterr().err
    assert _evis(*basics, "--weights", weights, "--window", 4, "--out", out) == 2
    assert "its window is 1, not 4" in capsys.readouterr().err
