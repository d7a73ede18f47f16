"""Measured rows are found by what determines them, lie on their shelf alone, and repeat."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from evis.companion import measured, store
from evis.companion.measured import AGAIN, STORED, HeldOut
from evis.data import paths, toy
from evis.data.predictions import PredictedTrack
from evis.metrics import attributes
from evis.models import VideoMask2Former, load, named, read_about, save
from evis.papers.eigencluster import experiments
from evis.training import changed

VIDEOS = 4  # that are trained on
SMALL = HeldOut("smoke", 4, 3)
OTHER_CLASSES = HeldOut("smoke", 4, 3, "toy-ytvis21")


def brief(name, seed=0):
    """An experiment of the smallest size in a step or two a stage."""
    stages = experiments.comparison("tiny_s")[name].seeded(seed)
    return [replace(r, steps=2, batch=2, micro_batch=2, warm_up_steps=1) for r in stages]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A repository without any row or weights."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("root")
        patch.setenv("EVIS_ROOT", str(folder))
        yield folder


@pytest.fixture(scope="module")
def row(root):
    return measured.row(brief("boxes"), SMALL, VIDEOS, AGAIN, progress=False)


def test_a_row_has_every_metric_and_its_origin(row):
    names = [*measured.SCORES, *(f"agnostic {name}" for name in measured.SCORES)]
    assert list(row.metrics) == [*names, "mIoU", "unsteadiness"]
    assert all(0 <= value <= 1 for value in row.metrics.values())
    assert 0 < row.metrics["mIoU"] < 1
    assert (row.dataset, row.seed) == ("toy-ytvis19 smoke (4 videos, seed 3)", 0)
    assert [stage["steps"] for stage in row.recipe["stages"]] == [2, 2]
    assert row.recipe["data"] == {n: toy.SPECS[n].hash for n in ("toy-coco", "toy-ytvis19")}


def test_a_row_is_found_again_without_weights(row, root, monkeypatch):
    runs = AGAIN.runs()
    away = runs.rename(root / "away")
    monkeypatch.setattr(measured, "train", None)  # neither is anything trained
    try:
        assert measured.find(brief("boxes"), SMALL, VIDEOS, AGAIN) == row
        assert measured.row(brief("boxes"), SMALL, VIDEOS, AGAIN, progress=False) == row
    finally:
        away.rename(runs)
    monkeypatch.setattr(measured, "load", None)
    for other in (brief("boxes", seed=1), brief("TK"), brief("boxes")[1:]):
        assert measured.find(other, SMALL, VIDEOS, AGAIN) is None
    assert measured.find(brief("boxes"), SMALL, VIDEOS + 1, AGAIN) is None
    assert measured.find(brief("boxes"), replace(SMALL, seed=4), VIDEOS, AGAIN) is None


def test_shelves_do_not_mix(row, root):
    assert AGAIN.results() == root / "build" / "again" / "no commit" / "results"
    assert STORED.results() == paths.results() == root / "data" / "results"
    assert measured.find(brief("boxes"), SMALL, VIDEOS) is None
    assert not paths.results().exists() and not STORED.runs().exists()
    runs = sorted(path.name.split("-0-")[0] for path in AGAIN.runs().iterdir())
    assert runs == ["toy.boxinst", "toy.eigencluster.stage1"]


def test_measured_twice_the_numbers_are_the_same(row, tmp_path):
    shelf = measured.Shelf.below(lambda: tmp_path)
    again = measured.row(brief("boxes"), SMALL, VIDEOS, shelf, progress=False)
    assert again.metrics == row.metrics and again.key == row.key
    shutil.rmtree(tmp_path / "results")  # and so they are from the weights that it left
    assert measured.row(brief("boxes"), SMALL, VIDEOS, shelf, progress=False).metrics == row.metrics
    other = measured.row(brief("boxes", seed=1), SMALL, VIDEOS, shelf, progress=False)
    assert other.metrics != row.metrics


def test_stills_alone_are_tested_on_the_videos_classes(root):
    row = measured.row(brief("stage one only"), SMALL, VIDEOS, AGAIN, progress=False)
    assert row.metrics["mIoU"] > 0
    assert row.recipe["data"] == {"toy-coco": toy.SPECS["toy-coco"].hash}


def test_classes_that_stills_do_not_have_start_alike_whatever_was_drawn_before(monkeypatch):
    """With the repository's weights, as training would have seeded all generators."""
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    stages, found = experiments.comparison("tiny_s")["stage one only"].seeded(0), []
    for seed in (5, 6):
        torch.manual_seed(seed)
        model = measured._model(stages, None, STORED, progress=False)
        found.append(model.decoder.classify.weight)
        assert torch.initial_seed() == seed
    assert torch.equal(*found)


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
        {"settings.flavour": "released"},
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
    stages = brief("TK")
    keys = {_key(stages), _key(stages, VIDEOS), _key(stages[1:])}
    spec = toy.SPECS["toy-coco"]
    monkeypatch.setitem(toy.SPECS, "toy-coco", replace(spec, growth=0.9))
    assert len({*keys, _key(stages)}) == 4 and _key(stages[1:]) in keys


def _with(stage, changes):
    stages = brief("TK")
    return [changed(r, changes) if n == stage else r for n, r in enumerate(stages)]


def _key(stages, videos=None):
    return store.key(measured.content(stages, videos), str(SMALL), 0)


@pytest.mark.parametrize("size", ["tiny_s", "tiny"])
def test_stage_one_is_in_the_repository(size, tmp_path, monkeypatch):
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    (recipe,) = experiments.comparison(size)["stage one only"].seeded(3)
    shelf = measured.Shelf.below(lambda: tmp_path)
    path = measured.trained([recipe], shelf=shelf)
    assert path.parent == paths.data() / "weights" and not (tmp_path / "runs").exists()
    about = read_about(path)
    assert about["recipe"] == json.loads(json.dumps(recipe.to_json()))
    assert about["categories"] == list(toy.SPECS["toy-coco"].category_names)
    assert load(path).config == named(size, len(about["categories"]))
    longer = replace(recipe, steps=recipe.steps + 1)
    for other in (longer, replace(recipe, seed=1), replace(recipe, model="tiny_l")):
        assert measured.committed([other]) is None


def test_other_files_beside_the_repositorys_weights_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    stages = experiments.comparison("tiny_s")["stage one only"].seeded(0)
    own = measured.committed(stages)
    monkeypatch.setattr(paths, "data", lambda: tmp_path)
    folder = tmp_path / "weights"
    folder.mkdir()
    save_file({"w": torch.ones(1)}, folder / "mine.safetensors")
    save(VideoMask2Former(named("tiny_s", 3)), folder / "toy_mine.safetensors")
    assert measured.committed(stages) is None
    shutil.copy(own, folder)
    assert measured.committed(stages) == folder / own.name


def test_later_stages_are_not_taken_for_stage_one(monkeypatch):
    monkeypatch.delenv("EVIS_ROOT", raising=False)
    for stages in (e.seeded(0) for e in experiments.comparison("tiny").values()):
        for stage in stages[1:]:
            assert measured.committed([stage]) is None


@pytest.mark.parametrize("toy_set", ["toy-ytvis21", "toy-ovis"])
def test_other_classes_are_scored_as_objects(root, row, toy_set):
    held_out = replace(OTHER_CLASSES, toy_set=toy_set)
    found = measured.row(brief("boxes"), held_out, VIDEOS, AGAIN, progress=False).metrics
    halves = [f"mIoU, {half} {name}" for name in measured.SPLITS for half in ("low", "high")]
    assert list(found) == ["mIoU", *halves]
    assert 0 < found["mIoU"] < 1
    for name in measured.SPLITS:
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

        monkeypatch.setattr(measured, "predict_dataset", predict)
        return measured.scores(None, SMALL, progress=False)

    right, wrong = found(wrong=False), found(wrong=True)
    assert right["AP"] == right["AR10"] == right["agnostic AP"] == right["mIoU"] == 1
    assert wrong["AP"] < 0.5 < wrong["agnostic AP"] == wrong["mIoU"] == 1
    assert right["unsteadiness"] == wrong["unsteadiness"] == 0


def test_terms_are_means_of_the_log_and_factors_are_after_warm_up(tmp_path, monkeypatch):
    """A log by hand: warm-up to step 4; TK 0 has no factor; step 0 has no weight yet."""
    monkeypatch.setenv("EVIS_ROOT", str(tmp_path))
    stages = experiments.comparison("tiny_s")[experiments.BOTH].seeded(0)
    settings = replace(stages[-1].settings, warm_up_steps=4, temporal_factor=0.5)
    stages = (*stages[:-1], replace(stages[-1], settings=settings))
    lines = [  # step, TK, the weighted temporal term, Q
        (0, 1.0, 0.0, 1.0),
        (2, 2.0, 2.0 * 0.25 * 3, 2.0),  # a factor of 3, half warmed up
        (4, 2.0, 2.0 * 0.5 * 5, 3.0),
        (8, 1.0, 1.0 * 0.5 * 13, 4.0),
        (9, 0.0, 0.0, 5.0),
    ]
    names = ("step", "tk", "temporal", "qcc")
    log = [dict(zip(names, line, strict=True)) | {"tel": 1.0, "total": 2.0} for line in lines]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    monkeypatch.setattr(measured, "trained", lambda *_: tmp_path / "weights.safetensors")
    shelf = measured.Shelf.below(lambda: tmp_path)
    found = measured.terms_row(stages, shelf, progress=False).metrics
    assert found["TEL factor, median"] == pytest.approx(5)
    assert found["TEL factor, mean"] == pytest.approx(7)
    assert (found["Q, mean"], found["Q, last"]) == pytest.approx((3, 4))
    assert found["tk"] == pytest.approx(1.2) and "pairwise" not in found


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

    monkeypatch.setattr(measured, "predict_dataset", perfect)
    found = measured.generalisation(model, OTHER_CLASSES, progress=False)
    assert (found["mIoU, low instances"], found["mIoU, high instances"]) == (1.0, 0.0)
    share = sum(track.video_id in calm for track in dataset.tracks) / len(dataset.tracks)
    assert found["mIoU"] == pytest.approx(share)
