"""Measured rows are found by what determines them, lie on their shelf alone, and repeat."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from evis.companion import held_out as sets
from evis.companion import measured, store
from evis.companion.held_out import IN_HALVES, HeldOut
from evis.data import paths, toy
from evis.data.predictions import PredictedTrack
from evis.metrics import attributes
from evis.models import VideoMask2Former, load, named, read_about, save
from evis.papers.eigencluster import experiments
from evis.training import changed

VIDEOS = 4  # that are trained on
SMALL = HeldOut("smoke", 4, 3)
OTHER_CLASSES = HeldOut("smoke", 4, 3, "toy-ytvis21", IN_HALVES)


def brief(name, seed=0):
    """An experiment of the smallest size on few videos, in a step or two a stage."""
    run = experiments.group("comparison", "tiny_s")[name].seeded(seed)
    stages = [replace(r, steps=2, batch=2, micro_batch=2, warm_up_steps=1) for r in run.stages]
    return replace(run, stages=tuple(stages), videos=VIDEOS)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A repository without any row or weights."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("root")
        patch.setenv("EVIS_ROOT", str(folder))
        yield folder


@pytest.fixture(scope="module")
def row(root):
    return measured.row(brief("boxes"), SMALL, measured.again(), progress=False)


def test_a_row_has_every_metric_and_its_origin(row):
    names = [*sets.SCORES, *(f"agnostic {name}" for name in sets.SCORES)]
    assert list(row.metrics) == [*names, "mIoU", "unsteadiness"]
    assert all(0 <= value <= 1 for value in row.metrics.values())
    assert 0 < row.metrics["mIoU"] < 1
    assert (row.dataset, row.seed) == ("toy-ytvis19 smoke (4 videos, seed 3)", 0)
    assert [stage["steps"] for stage in row.recipe["stages"]] == [2, 2]
    assert row.recipe["data"] == {n: toy.SPECS[n].hash for n in ("toy-coco", "toy-ytvis19")}
    assert row.machine["device"] == "cpu" and len(row.machine["fingerprint"]) == 12


def test_a_row_is_found_again_without_weights(row, root, monkeypatch):
    shelf = measured.again()
    runs = shelf / "runs"
    away = runs.rename(root / "away")
    monkeypatch.setattr(measured, "train", None)  # neither is anything trained
    try:
        assert measured.find(brief("boxes"), SMALL, shelf) == row
        assert measured.row(brief("boxes"), SMALL, shelf, progress=False) == row
    finally:
        away.rename(runs)
    monkeypatch.setattr(measured, "load", None)
    boxes = brief("boxes")
    others = [brief("boxes", seed=1), brief("TK"), replace(boxes, stages=boxes.stages[1:])]
    for other in (*others, replace(boxes, videos=VIDEOS + 1)):
        assert measured.find(other, SMALL, shelf) is None
    assert measured.find(boxes, replace(SMALL, seed=4), shelf) is None


def test_shelves_do_not_mix(row, root):
    shelf = measured.again()
    assert shelf == root / "build" / "again" / "no commit"
    assert measured.find(brief("boxes"), SMALL) is None
    assert not paths.results().exists() and not (paths.build() / "runs").exists()
    runs = sorted(path.name.split("-0-")[0] for path in (shelf / "runs").iterdir())
    assert runs == ["toy.boxinst", "toy.eigencluster.stage1"]


def test_measured_twice_the_numbers_are_the_same(row, tmp_path):
    again = measured.row(brief("boxes"), SMALL, tmp_path, progress=False)
    assert again.metrics == row.metrics and again.key == row.key
    assert again.machine == row.machine
    shutil.rmtree(tmp_path / "results")  # and so they are from the weights that it left
    assert measured.row(brief("boxes"), SMALL, tmp_path, progress=False).metrics == row.metrics
    other = measured.row(brief("boxes", seed=1), SMALL, tmp_path, progress=False)
    assert other.metrics != row.metrics


def test_stills_alone_are_tested_on_the_videos_classes(root):
    row = measured.row(brief("stage one only"), SMALL, measured.again(), progress=False)
    assert row.metrics["mIoU"] > 0
    assert row.recipe["data"] == {"toy-coco": toy.SPECS["toy-coco"].hash}


def test_classes_that_stills_do_not_have_start_alike_whatever_was_drawn_before(monkeypatch):
    """With the repository's weights, as training would have seeded all generators."""
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    alone, classifiers = experiments.group("comparison", "tiny_s")["stage one only"].seeded(0), []
    for seed in (5, 6):
        torch.manual_seed(seed)
        model = measured._model(alone, measured.HERE)
        classifiers.append(model.decoder.classify.weight)
        assert torch.initial_seed() == seed
    assert torch.equal(*classifiers)


@pytest.mark.parametrize(
    "changes", [{"title": "Another"}, {"source": "Elsewhere"}, {"unknown": ("all",)}]
)
@pytest.mark.parametrize("stage", [0, 1])
def test_words_do_not_change_the_key(changes, stage):
    assert _key(_with(stage, changes)) == _key(brief("TK"))


@pytest.mark.parametrize(
    "changes",
    [
        {"settings.temporal_factor": 0.2},
        {"settings.change": "sum"},
        {"steps": 3},
        {"model": "tiny"},
        {"seed": 1},
        {"name": "toy.maskfree"},
    ],
)
@pytest.mark.parametrize("stage", [0, 1])
def test_what_determines_a_row_changes_the_key(changes, stage):
    assert _key(_with(stage, changes)) != _key(brief("TK"))


def test_the_key_has_the_toy_sets_and_their_number(monkeypatch):
    run = brief("TK")
    videos_alone = replace(run, stages=run.stages[1:])
    keys = {_key(run), _key(replace(run, videos=None)), _key(videos_alone)}
    spec = toy.SPECS["toy-coco"]
    monkeypatch.setitem(toy.SPECS, "toy-coco", replace(spec, growth=0.9))
    assert len({*keys, _key(run)}) == 4 and _key(videos_alone) in keys


def _with(stage, changes):
    run = brief("TK")
    stages = [changed(r, changes) if n == stage else r for n, r in enumerate(run.stages)]
    return replace(run, stages=tuple(stages))


def _key(run):
    return store.key(measured.content(run), str(SMALL), 0)


def test_a_seed_is_that_of_all_stages_but_of_a_first_one_that_units_share():
    run = experiments.group("comparison", "tiny_s")["more steps"]
    assert [stage.seed for stage in run.seeded(7).stages] == [7, 7, 7] and run.seeded(7).seed == 7
    shared = replace(run, units_of_first=3)
    assert [stage.seed for stage in shared.seeded(7).stages] == [2, 7, 7]
    assert shared.seeded(6).stages[0] == shared.seeded(8).stages[0] != shared.seeded(5).stages[0]


def test_a_row_keeps_every_videos_score(row):
    dataset = SMALL.dataset()
    objects = [sum(t.video_id == v.id for t in dataset.tracks) for v in dataset.videos]
    assert len(row.per_video) == len(dataset.videos) and "per_video" not in row.metrics
    assert row.per_video == [round(score, 3) for score in row.per_video]
    mean = sum(n * score for n, score in zip(objects, row.per_video, strict=True)) / sum(objects)
    assert mean == pytest.approx(row.metrics["mIoU"], abs=1e-3)  # the mean over objects


@pytest.mark.parametrize("size", ["tiny_s", "tiny"])
def test_stage_one_is_in_the_repository(size, tmp_path, monkeypatch):
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    alone = experiments.group("comparison", size)["stage one only"].seeded(0)
    (recipe,) = alone.stages
    path = measured.trained(alone, measured.Place(tmp_path))
    assert path.parent == paths.data() / "weights" and not (tmp_path / "runs").exists()
    about = read_about(path)
    assert about["recipe"] == json.loads(json.dumps(recipe.to_json()))
    assert about["categories"] == list(toy.SPECS["toy-coco"].category_names)
    assert load(path).config == named(size, len(about["categories"]))
    longer = replace(recipe, steps=recipe.steps + 1)
    for other in (longer, replace(recipe, seed=1), replace(recipe, model="tiny_l")):
        assert measured.committed(replace(alone, stages=(other,))) is None


def test_other_files_beside_the_repositorys_weights_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    alone = experiments.group("comparison", "tiny_s")["stage one only"].seeded(0)
    ready = measured.committed(alone)
    monkeypatch.setattr(paths, "data", lambda: tmp_path)
    folder = tmp_path / "weights"
    folder.mkdir()
    save_file({"w": torch.ones(1)}, folder / "mine.safetensors")
    save(VideoMask2Former(named("tiny_s", 3)), folder / "toy_mine.safetensors")
    assert measured.committed(alone) is None
    shutil.copy(ready, folder)
    assert measured.committed(alone) == folder / ready.name


def test_later_stages_are_not_taken_for_stage_one(monkeypatch):
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    for run in (row.seeded(0) for row in experiments.group("comparison", "tiny").values()):
        for stage in run.stages[1:]:
            assert measured.committed(replace(run, stages=(stage,))) is None


@pytest.mark.parametrize("toy_set", ["toy-ytvis21", "toy-ovis"])
def test_other_classes_are_scored_as_objects(root, row, toy_set):
    held_out = replace(OTHER_CLASSES, toy_set=toy_set)
    again = measured.row(brief("boxes"), held_out, measured.again(), progress=False)
    found = again.metrics
    halves = [f"mIoU, {half} {name}" for name in sets.SPLITS for half in ("low", "high")]
    assert list(found) == ["mIoU", *halves] and len(again.per_video) == held_out.videos
    assert 0 < found["mIoU"] < 1
    for name in sets.SPLITS:
        low, high = (found[f"mIoU, {half} {name}"] for half in ("low", "high"))
        assert min(low, high) <= found["mIoU"] <= max(low, high)


def test_scores_tell_classes_objects_and_steadiness_apart(monkeypatch):
    """Every object is found in full, under the next class's name; and under its own."""
    dataset = SMALL.dataset()
    classes = [category.id for category in dataset.categories]
    following = dict(zip(classes, classes[1:] + classes[:1], strict=True))

    def found(wrong):
        def predict(model, given, *_, **__):
            names = [following[t.category_id] if wrong else t.category_id for t in dataset.tracks]
            return [
                PredictedTrack(track.video_id, name, 0.9, track.masks)
                for track, name in zip(dataset.tracks, names, strict=True)
            ]

        monkeypatch.setattr(sets, "predict_dataset", predict)
        return SMALL.score(None, progress=False)

    right, wrong = found(wrong=False), found(wrong=True)
    assert right["AP"] == right["AR10"] == right["agnostic AP"] == right["mIoU"] == 1
    assert wrong["AP"] < 0.5 < wrong["agnostic AP"] == wrong["mIoU"] == 1
    assert right["unsteadiness"] == wrong["unsteadiness"] == 0


def test_halves_are_those_of_the_videos(root, monkeypatch):
    """A predictor that finds every object of the calm half of the videos, and none elsewhere."""
    model = VideoMask2Former(named("tiny_s", 3))
    dataset = OTHER_CLASSES.dataset()
    counts = attributes.table(dataset, progress=False).set_index("video")["instances"]
    calm = set(counts.index[attributes.median_split(counts) == "low"])

    def perfect(network, given, *_, **__):
        assert network is model and not given.tracks and given.supervision == "none"
        assert [category.id for category in given.categories] == [1, 2, 3]
        return [
            PredictedTrack(track.video_id, 1 + track.id % 3, 0.9, track.masks)
            for track in dataset.tracks
            if track.video_id in calm
        ]

    monkeypatch.setattr(sets, "predict_dataset", perfect)
    found = OTHER_CLASSES.score(model, progress=False)
    assert (found["mIoU, low instances"], found["mIoU, high instances"]) == (1.0, 0.0)
    assert found["per_video"] == [float(video.id in calm) for video in dataset.videos]
    share = sum(track.video_id in calm for track in dataset.tracks) / len(dataset.tracks)
    assert found["mIoU"] == pytest.approx(share)


def test_a_row_is_scored_on_one_thread():
    before = torch.get_num_threads()
    seen = sets.Scoring(("threads",), lambda *_: {"threads": torch.get_num_threads()})
    torch.set_num_threads(2)
    try:
        assert replace(SMALL, scoring=seen).score(None) == {"threads": 1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
