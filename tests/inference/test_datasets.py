"""Data sets: the same tracks for any number of jobs and on a cluster, and runs that go on."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import joblib
import pytest
import torch
from PIL import Image
from planted import ByColour, video

from evis.data import annotations, toy
from evis.data import video as own_video
from evis.data.errors import DataError
from evis.data.types import Category, Video, VISDataset
from evis.inference import Options, predict_dataset
from evis.inference.video_writer import write_video
from evis.inference.weights import load, with_classes
from evis.labels import videos
from evis.metrics import ytvis
from evis.models import VideoMask2Former, checkpoints, named

OPTIONS = Options(window=6, overlap=2, shorter_side=None)


class Pictures:
    """A reader of planted videos; video n is n frames long."""

    def __call__(self, of: Video, frame: int):
        return video(of.length)[frame]


@pytest.fixture
def planted() -> VISDataset:
    videos = tuple(
        Video(n, f"v{n}", 24, 32, tuple(f"v{n}/{t}.png" for t in range(n))) for n in (9, 4, 6)
    )
    return VISDataset(videos, (), tuple(Category(n, f"c{n}") for n in (1, 2, 3, 4)), Pictures())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A toy set of three short videos, and a file of weights that nobody trained."""
    root = tmp_path_factory.mktemp("tiny")
    dataset = toy.build("toy-ytvis19", root / "toy", videos=3, progress=False)
    torch.manual_seed(0)
    model = VideoMask2Former(named("tiny_s", len(dataset.categories)))
    names = [category.name for category in dataset.categories]
    return dataset, checkpoints.save(model, root / "w.safetensors", categories=names)


def test_videos_come_in_the_data_sets_order(planted):
    tracks = predict_dataset(ByColour(), planted, OPTIONS, progress=False)
    assert [t.video_id for t in tracks] == [9] * 10 + [4] * 10 + [6] * 10
    assert [len(t.masks) for t in tracks[::10]] == [9, 4, 6]


@pytest.mark.slow
def test_one_job_two_jobs_and_threads_give_the_same(tiny, planted):
    alone = predict_dataset(ByColour(), planted, OPTIONS, jobs=1, progress=False)
    assert predict_dataset(ByColour(), planted, OPTIONS, jobs=2, progress=False) == alone
    dataset, path = tiny
    alone = predict_dataset(path, dataset, OPTIONS, jobs=1, progress=False)
    assert any(any(track.masks) for track in alone)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert predict_dataset(path, dataset, OPTIONS, progress=False) == alone


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Of a Dask cluster of two workers, processes of this machine."""
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        local_directory=str(tmp_path_factory.mktemp("dask")),
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.slow
def test_a_dask_cluster_of_two_workers_predicts_the_same(tiny, client, tmp_path):
    dataset, path = tiny
    alone = predict_dataset(path, dataset, OPTIONS, progress=False)
    with joblib.parallel_config(backend="dask"):
        spread = predict_dataset(path, dataset, OPTIONS, folder=tmp_path / "parts")
    assert spread == alone
    assert len(list((tmp_path / "parts").glob("*.json"))) == 3


@pytest.mark.slow
def test_a_dask_cluster_of_two_workers_labels_and_evaluates_the_same(tiny, client, tmp_path):
    dataset, _ = tiny
    labeller = videos.Cuts(outlined=False)
    alone = videos.make(dataset, labeller, progress=False)
    with joblib.parallel_config(backend="dask"):
        spread = videos.make(dataset, labeller, tmp_path / "parts", progress=False)
    here, there = (
        annotations.write(labels, tmp_path / f"{name}.json").read_bytes()
        for name, labels in (("here", alone), ("there", spread))
    )
    assert here == there and alone.tracks
    assert len(list((tmp_path / "parts").glob("*.json"))) == 3
    evaluated = client.submit(_stats, dataset, spread).result()  # as one task: it takes seconds
    assert evaluated == _stats(dataset, alone)


def _stats(dataset, labels) -> str:
    return repr(ytvis.evaluate(dataset, labels, class_agnostic=True, progress=False).stats)


class Killed(ByColour):
    """Notes each clip in a file. The first process that gets one of four frames dies."""

    def __init__(self, notes: Path):
        super().__init__()
        self.notes = notes

    def forward(self, frames):
        name = f"{frames.shape[1]}-{int(frames.sum())}"
        with open(self.notes, "a") as stream:
            stream.write(f"{name}\n")
        if self.notes.read_text().splitlines().count(name) == 1 and frames.shape[1] == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(frames)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_video_once(planted, client, tmp_path):
    options = replace(OPTIONS, window=None, overlap=0)
    alone = predict_dataset(ByColour(), planted, options, progress=False)
    notes = tmp_path / "notes"
    with joblib.parallel_config(backend="dask"):
        spread = predict_dataset(Killed(notes), planted, options, folder=tmp_path / "parts")
    assert spread == alone
    begun = sorted(line.split("-")[0] for line in notes.read_text().splitlines())
    assert begun == ["4", "4", "6", "9"]  # by length: the video of 4 frames twice


class Counting(ByColour):
    """Knows how many clips it saw, and can stop after some."""

    def __init__(self, stop_after: int | None = None):
        super().__init__()
        self.stop_after = stop_after

    def forward(self, frames):
        if len(self.seen) == self.stop_after:
            raise KeyboardInterrupt
        return super().forward(frames)


def _run(dataset, folder, options=OPTIONS, model=None):
    model = model or Counting()
    return predict_dataset(model, dataset, options, folder=folder, progress=False), len(model.seen)


def test_an_interrupted_run_goes_on_where_it_stopped(planted, tmp_path):
    options = Options(window=3, shorter_side=None)  # 3, 2 and 2 windows
    whole, clips = _run(planted, tmp_path / "other", options)
    assert clips == 7
    with pytest.raises(KeyboardInterrupt):
        _run(planted, tmp_path, options, Counting(stop_after=4))  # within the second video
    assert [part.name.split("-")[0] for part in tmp_path.glob("*.json")] == ["9"]
    assert _run(planted, tmp_path, options) == (whole, 4)
    assert _run(planted, tmp_path, options) == (whole, 0)


def test_what_was_made_otherwise_is_made_again(planted, tmp_path):
    _, clips = _run(planted, tmp_path)
    assert _run(planted, tmp_path, replace(OPTIONS, overlap=3))[1] > 0  # other options
    _run(planted, tmp_path)
    model = Counting()
    model.register_buffer("weight", torch.ones(1))
    assert _run(planted, tmp_path, model=model)[1] == clips  # other weights
    _run(planted, tmp_path)
    renumbered = replace(
        planted, categories=tuple(Category(c.id + 10, c.name) for c in planted.categories)
    )
    assert _run(renumbered, tmp_path)[1] == clips
    _run(planted, tmp_path)
    other = replace(planted, read_frame=lambda of, t: video(of.length)[t] // (2 if t == 3 else 1))
    assert _run(other, tmp_path)[1] == clips  # one other picture under the same names
    assert len(list(tmp_path.iterdir())) == 3  # what was for other pictures is gone


@pytest.mark.parametrize("kind", ["pictures", "film"])
def test_a_video_whose_later_frames_were_replaced_is_predicted_again(kind, tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    frames = video(6, scale=2)
    changed = frames.copy()
    changed[4:] = changed[4:, :, ::-1]

    def write(pictures):
        if kind == "film":
            return write_video(source / "clip.mp4", pictures, 6)
        source.mkdir(exist_ok=True)
        for index, picture in enumerate(pictures):
            Image.fromarray(picture).save(source / f"{index}.png")
        return source

    before, clips = _run(own_video.read(write(frames)), out)
    assert _run(own_video.read(source if kind == "pictures" else source / "clip.mp4"), out)[1] == 0
    after, again = _run(own_video.read(write(changed)), out)
    assert again == clips and after != before


def _damaged(text: str) -> list[str]:
    rows = json.loads(text)
    return [
        text[:-20],
        "",
        "null",
        "{}",
        "[1, 2]",
        json.dumps({"made_by": 1, "tracks": rows}),
        json.dumps([{**rows[0], "video_id": 77}]),
        json.dumps([{**rows[0], "score": "high"}]),
        json.dumps([{**rows[0], "segmentations": 5}]),
        json.dumps([{**rows[0], "segmentations": [None]}]),
        "\x00\xff",
    ]


def test_a_damaged_part_is_made_again(planted, tmp_path):
    whole, _ = _run(planted, tmp_path)
    (part,) = tmp_path.glob("4-*.json")
    (tmp_path / "4.json").write_text("{}")  # somebody else's
    sound = part.read_text()
    for text in _damaged(sound):
        part.write_text(text, encoding="latin1")
        assert _run(planted, tmp_path) == (whole, 1), text
        assert part.read_text() == sound


def test_the_models_classes_find_their_categories_by_name(tiny):
    dataset, path = tiny
    turned = replace(dataset, categories=dataset.categories[::-1])
    wanted = predict_dataset(path, dataset, OPTIONS, progress=False)
    assert predict_dataset(path, turned, OPTIONS, progress=False) == wanted
    anyones = with_classes(replace(dataset, categories=()), path)
    assert [(c.id, c.name) for c in anyones.categories] == [
        (number, category.name) for number, category in enumerate(dataset.categories, start=1)
    ]


def test_asked_for_objects_of_any_class_other_classes_are_none_of_the_models_business(tiny):
    """The set's videos keep their ids, by which they are scored."""
    dataset, path = tiny
    other = replace(dataset, categories=(Category(7, "cat"), *dataset.categories[1:]))
    agnostic = replace(OPTIONS, class_agnostic=True)
    wanted = predict_dataset(path, replace(dataset, categories=()), agnostic, progress=False)
    assert predict_dataset(path, other, agnostic, progress=False) == wanted
    for_each = dict.fromkeys([video.id for video in dataset.videos], agnostic)
    assert predict_dataset(path, other, for_each, progress=False) == wanted


def test_classes_that_the_data_set_lacks_and_files_that_are_no_weights_are_refused(tiny, tmp_path):
    dataset, path = tiny
    other = replace(dataset, categories=(Category(1, "cat"), *dataset.categories[1:]))
    with pytest.raises(DataError, match="differ in .*cat"):
        predict_dataset(path, other, OPTIONS, progress=False)
    with pytest.raises(DataError, match="categories"):
        predict_dataset(path, replace(dataset, categories=other.categories[:2]), OPTIONS)
    with pytest.raises(DataError, match="no such file"):
        predict_dataset(tmp_path / "none.pth", dataset, OPTIONS)
    (tmp_path / "text.pth").write_text("weights")
    with pytest.raises(DataError, match=r"text.pth"):
        predict_dataset(tmp_path / "text.pth", dataset, OPTIONS)


@pytest.mark.parametrize("device", ["tpu", "nowhere", "cuda:99"])
def test_a_device_that_is_not_there_is_one_line(tmp_path, device):
    with pytest.raises(DataError, match=f"there is no device '{device}' here. Give cpu"):
        load(tmp_path / "w.safetensors", device)
