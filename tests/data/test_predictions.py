"""Result files: json and zip there and back, and results that fit another data set."""

import json
import os
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from evis.data import DataError, masks, predictions
from evis.data.predictions import PredictedTrack


@pytest.fixture
def tracks(dataset):
    panda, _, small = dataset.tracks
    return (
        PredictedTrack(5, 2, 0.75, panda.masks),
        PredictedTrack(5, 40, 1 / 3, (None,) * 4),
        PredictedTrack(9, 40, 0.0, small.masks),
    )


@pytest.mark.parametrize("name", ["results.json", "new/submission.zip"])
def test_a_result_file_comes_back(tmp_path, dataset, tracks, name):
    path = predictions.write(tracks, tmp_path / name)
    assert predictions.read(path, dataset) == tracks
    assert predictions.read(str(path), dataset) == tracks
    before = path.read_bytes()
    predictions.write(tracks, path)
    assert path.read_bytes() == before, "the same bytes each time"


def test_the_file_is_laid_out_as_the_servers_ask(tmp_path, tracks):
    rows = json.loads(predictions.write(tracks, tmp_path / "results.json").read_text())
    assert [sorted(row) for row in rows] == [
        ["category_id", "score", "segmentations", "video_id"]
    ] * 3
    assert rows[0]["segmentations"][1] is None and rows[0]["score"] == 0.75
    assert sorted(rows[0]["segmentations"][0]) == ["counts", "size"]
    with zipfile.ZipFile(predictions.write(tracks * 50, tmp_path / "r.zip")) as archive:
        assert archive.namelist() == ["results.json"]
        info = archive.getinfo("results.json")
        assert info.compress_size < info.file_size / 10
        assert len(json.loads(archive.read("results.json"))) == 150


def test_numbers_may_come_from_numpy_and_torch(tmp_path, dataset):
    track = PredictedTrack(np.int64(9), np.int32(2), torch.tensor(0.5), (None,))
    path = predictions.write([track], tmp_path / "a.json")
    assert predictions.read(path, dataset) == (PredictedTrack(9, 2, 0.5, (None,)),)


def test_no_predictions_are_a_valid_result(tmp_path, dataset):
    assert predictions.read(predictions.write([], tmp_path / "a.zip"), dataset) == ()


@pytest.mark.parametrize("score", [float("nan"), float("inf"), np.float32("nan")])
def test_a_score_that_is_no_number_is_refused_and_the_old_file_stays(tmp_path, tracks, score):
    path = predictions.write(tracks, tmp_path / "new" / "a.json")
    before = path.read_bytes()
    bad = PredictedTrack(5, 2, score, (None,) * 4)
    with pytest.raises(DataError, match="video 5, field score: .*is (nan|inf)"):
        predictions.write([*tracks, bad], path)
    assert path.read_bytes() == before and os.listdir(path.parent) == ["a.json"]


OTHER_SIZE = dict(masks.encode(np.ones((30, 20), dtype=bool)))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("video_id", 6, ["field [1].video_id", "should be one of 5, 9, is 6"]),
        ("video_id", "5", ["field [1].video_id", "whole number, is '5'"]),
        ("category_id", 3, ["video 0a1b", "field [1].category_id", "should be one of 2, 40, is 3"]),
        ("score", None, ["video 0a1b", "field [1].score", "should be a number, is null"]),
        ("score", "0.5", ["field [1].score", "should be a number"]),
        ("segmentations", None, ["field [1].segmentations", "should be a list, is null"]),
        ("segmentations", [None] * 3, ["video 0a1b", "has 3 entries", "4 frames", "write null"]),
        (
            "segmentations",
            [None, OTHER_SIZE, None, None],
            [
                "video 0a1b",
                "frame 1",
                "[1].segmentations",
                "size is [30, 20], the video's is [20, 30]",
            ],
        ),
        (
            "segmentations",
            [None, None, None, {"size": [20, 30], "counts": "abc"}],
            ["video 0a1b", "frame 3", "RLE"],
        ),
    ],
)
def test_results_that_do_not_fit_the_data_set_are_named(
    tmp_path, dataset, tracks, key, value, expected
):
    path = predictions.write(tracks, tmp_path / "a.json")
    rows = json.loads(path.read_text())
    for change in ("replace", "delete"):
        if change == "replace":
            rows[1][key] = value
        else:
            del rows[1][key]
            expected = [f"field [1].{key}", "is missing"]
        path.write_text(json.dumps(rows))
        with pytest.raises(DataError) as caught:
            predictions.read(path, dataset)
        for part in [f"file {path}", *expected]:
            assert part in str(caught.value)


def test_files_that_are_no_results_are_named(tmp_path, dataset, document):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match="should be a list of predicted tracks. Is it an annot"):
        predictions.read(path, dataset)
    path.write_text('[{"video_id": 5, "score": NaN}]')
    with pytest.raises(DataError, match="NaN is not a json number"):
        predictions.read(path, dataset)
    path.write_text("[1]")
    with pytest.raises(DataError, match=r"field \[0\]: should be an object, is 1"):
        predictions.read(path, dataset)


def test_of_a_key_that_stands_twice_the_last_one_counts(tmp_path, dataset, tracks):
    path = predictions.write(tracks, tmp_path / "a.json")
    path.write_text(path.read_text().replace('"score":0.75', '"score":0.1,"score":0.9'))
    assert predictions.read(path, dataset)[0].score == 0.9


def test_damaged_archives_are_named(tmp_path, dataset, tracks):
    path = predictions.write(tracks, tmp_path / "a.zip")
    whole = path.read_bytes()
    for broken in (b"", whole[:50], whole[:60] + b"\0\0\0\0" + whole[64:], b"[]"):
        path.write_bytes(broken)
        with pytest.raises(DataError, match="a.zip: can't be unpacked"):
            predictions.read(path, dataset)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/results.json", "[]")
    with pytest.raises(DataError, match="no item named .results.json.*in no folder"):
        predictions.read(path, dataset)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("results.json", "[")
    with pytest.raises(DataError, match="a.zip: broken json: .* line 1"):
        predictions.read(path, dataset)
    with pytest.raises(DataError, match="No such file"):
        predictions.read(tmp_path / "none.zip", dataset)


def bomb(path, size, declared=None, compression=zipfile.ZIP_DEFLATED):
    """A zip whose results.json has `size` bytes, of which its entry may declare others."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        with archive.open("results.json", "w") as stream:
            for _ in range(size // 2**20):
                stream.write(b" " * 2**20)
        if declared is not None:
            archive.getinfo("results.json").file_size = declared
    return path


def peak_of(path, dataset):
    tracemalloc.start()
    with pytest.raises(DataError, match="a.zip: can't be unpacked") as caught:
        predictions.read(path, dataset)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return str(caught.value), peak


def test_an_archive_that_unpacks_to_more_than_any_result_is_refused(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(predictions, "LARGEST", 2**24)
    path = bomb(tmp_path / "a.zip", 2**26)
    assert path.stat().st_size < 2**17
    said, peak = peak_of(path, dataset)
    assert f"{2**26} bytes in it" in said and peak < 2**20
    said, peak = peak_of(bomb(path, 2**26, declared=10), dataset)  # a lie
    assert "CRC" in said and peak < 2**20
    said, peak = peak_of(bomb(path, 2**26, 2**19, zipfile.ZIP_BZIP2), dataset)
    assert "use deflate" in said and peak < 2**20


def test_results_that_were_too_easily_packed_are_refused(tmp_path, dataset, tracks, monkeypatch):
    path = bomb(tmp_path / "a.zip", 2**26)  # less than `LARGEST`
    said, peak = peak_of(path, dataset)
    assert f"{2**26} bytes in it; give the json" in said and peak < 2**20
    with zipfile.ZipFile(path, "a") as archive:  # as if it had been hard to pack
        archive.getinfo("results.json").compress_size = 2**26 // 90
        archive.comment = b"written anew"
    said, peak = peak_of(path, dataset)
    assert f"{2**26} bytes in it; give the json" in said and peak < 2**20
    monkeypatch.setattr(predictions, "SMALL", 0)
    repeated = [replace(track, score=n / 100) for n in range(100) for track in tracks]
    predictions.write(repeated, path)  # a mask under 100 classes, say
    with zipfile.ZipFile(path) as archive:
        packed = archive.getinfo("results.json")
    assert packed.file_size > 10 * packed.compress_size
    assert len(predictions.read(path, dataset)) == len(repeated)
