"""What a run writes: the table's numbers by hand, overlays that decode, sources of every kind."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from evis.data import files, masks, toy
from evis.data import predictions as prediction_files
from evis.data import video as own_video
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Video, VISDataset
from evis.inference import drawing, fitting, overlay, run, weights
from evis.inference.options import Options
from evis.inference.table import table
from evis.inference.video_writer import write_video
from evis.models import VideoMask2Former, checkpoints, named

GREY = np.full((40, 60, 3), 90, dtype=np.uint8)


def _mask(top, bottom, left, right):
    mask = np.zeros((40, 60), dtype=bool)
    mask[top:bottom, left:right] = True
    return masks.encode(mask)


SMALL, LARGE = _mask(10, 20, 5, 25), _mask(10, 30, 15, 35)  # 200 and 400 pixels
DATASET = VISDataset(
    (Video(3, "park", 40, 60, tuple("abcdef")), Video(8, "road", 40, 60, tuple("abcdef"))),
    (),
    (Category(1, "cat"), Category(2, "dog")),
    lambda of, frame: GREY,
)
TRACKS = (
    PredictedTrack(8, 1, 0.6, (None, SMALL, None, None, LARGE, LARGE)),
    PredictedTrack(3, 2, 0.5, (SMALL,) * 6),
    PredictedTrack(3, 1, 0.9, (LARGE, None, LARGE, None, None, None)),
    PredictedTrack(3, 2, 0.8, (None,) * 6),
    PredictedTrack(3, 2, 0.1, (SMALL,) * 6),
)


def test_the_table_has_a_line_a_visible_track_with_its_numbers():
    found = table(TRACKS, DATASET, threshold=0.2)
    assert found[["video", "track", "category", "score"]].to_numpy().tolist() == [
        ["park", 1, "cat", 0.9],
        ["park", 2, "dog", 0.5],
        ["road", 1, "cat", 0.6],
    ]
    road = found.iloc[2]
    assert (road.first_frame, road.last_frame, road.frames_visible, road.longest_gap) == (
        1,
        5,
        3,
        2,
    )
    assert road.mean_area == pytest.approx(1000 / 3)
    assert (road.box_x, road.box_y) == pytest.approx((35 / 3, 10))
    assert (road.box_width, road.box_height) == pytest.approx((20, 50 / 3))
    assert found.longest_gap.tolist() == [1, 0, 2]
    assert list(table((), DATASET).columns) == list(found.columns)


def test_overlays_show_masks_outlines_and_labels_where_the_track_is():
    pictures = list(overlay.draw(DATASET, 3, TRACKS, threshold=0.55))
    assert len(pictures) == 6
    scale = pictures[0].shape[0] // 40
    assert pictures[0].shape == (40 * scale, 60 * scale, 3) and 40 * scale >= 320
    assert (pictures[1] == 90).all()  # only the track of 0.9 is shown, and it is not in sight
    changed = (pictures[0] != 90).any(-1)
    inside = np.zeros_like(changed)
    inside[10 * scale : 30 * scale, 15 * scale : 35 * scale] = True
    assert changed[inside].all()
    outside = np.argwhere(changed & ~inside)
    assert len(outside) > 0 and outside[:, 0].max() < 10 * scale  # the label, above the mask


def test_labels_stay_within_the_picture():
    corner = PredictedTrack(3, 1, 0.9, (_mask(0, 3, 57, 60),) * 6)
    plain = next(overlay.draw(DATASET, 3, ()))
    drawn = next(overlay.draw(DATASET, 3, (corner,)))
    changed = np.argwhere((plain != drawn).any(-1))
    assert changed[:, 1].min() < 57 * drawn.shape[1] // 60  # moved to the left to fit


def test_labels_of_one_place_stand_below_each_other():
    twins = [PredictedTrack(3, 1, score, (SMALL,) * 6) for score in (0.9, 0.8, 0.7)]
    drawn = next(overlay.draw(DATASET, 3, twins))
    for number in range(3):
        plate = (drawn == drawing.colour(number)).all(-1)
        assert plate.sum() > 300  # none is covered by the next; outlines have fewer pixels


@pytest.mark.parametrize("kind", ["mp4", "gif"])
def test_written_overlays_decode_to_what_was_drawn(tmp_path, kind):
    path = overlay.write(tmp_path / f"o.{kind}", DATASET, 8, TRACKS)
    decoded = np.stack([frame[..., :3] for frame in iio.imiter(path)]).astype(int)
    drawn = np.stack(list(overlay.draw(DATASET, 8, TRACKS))).astype(int)
    assert decoded.shape == drawn.shape
    assert np.abs(decoded - drawn).mean() < 4
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_odd_sides_are_kept_and_failures_leave_no_file(tmp_path):
    path = write_video(tmp_path / "odd.mp4", [np.zeros((31, 45, 3), np.uint8)] * 3, 5.0)
    assert iio.imread(path).shape == (3, 32, 46, 3)
    dataset = own_video.read(path)
    assert overlay.frame_rate(dataset, 1) == pytest.approx(5.0)
    assert overlay.frame_rate(DATASET, 1) == overlay.FRAME_RATE

    def breaks():
        yield np.zeros((32, 32, 3), np.uint8)
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        write_video(tmp_path / "broken.mp4", breaks(), 5.0)
    with pytest.raises(DataError, match="no frames"):
        write_video(tmp_path / "empty.mp4", [], 5.0)
    with pytest.raises(DataError, match=r"film.avi: videos are written as .mp4 or .gif"):
        write_video(tmp_path / "film.avi", [np.zeros((32, 32, 3), np.uint8)], 5.0)
    assert [p.name for p in tmp_path.iterdir()] == ["odd.mp4"]


def _strip(height, width) -> VISDataset:
    picture = np.full((height, width, 3), 90, np.uint8)
    return replace(
        DATASET,
        videos=(Video(1, "strip", height, width, ("a",)),),
        read_frame=lambda of, frame: picture,
    )


@pytest.mark.parametrize(
    ("size", "scale"),
    [((1, 32_768), 1), ((1, 3_000), 1), ((2, 2_000), 2), ((64, 96), 5), ((320, 9_000), 1)],
)
def test_low_and_wide_frames_are_not_enlarged_beyond_bounds(size, scale):
    (picture,) = overlay.draw(_strip(*size), 1, ())
    assert picture.shape == (scale * size[0], scale * size[1], 3)


@pytest.mark.parametrize(
    ("size", "kind", "fits"),
    [
        ((16, 16_384), "mp4", True),
        ((16, 16_385), "mp4", False),
        ((16_386, 16), "mp4", False),
        ((16, 16_385), "gif", True),
        ((2, 65_534), "gif", True),
        ((2, 65_535), "gif", False),
    ],
)
def test_what_no_encoder_takes_is_refused_before_any_work(sets, tmp_path, size, kind, fits):
    dataset = _strip(*size)
    if fits:
        overlay.check(dataset, kind)
        assert overlay.write(tmp_path / f"o.{kind}", dataset, 1, ()).stat().st_size > 0
        return
    said = f"too large for a .{kind}. Choose gif, .* or none .--overlay"
    blind = replace(dataset, read_frame=None)  # no frame of it is seen
    with pytest.raises(DataError, match=f"video strip: pictures of {size[0]} x {size[1]} are"):
        run.predict_and_write(blind, sets[1], tmp_path / "out", Options(), overlays=kind)
    with pytest.raises(DataError, match=f"o.{kind}: .* {said}"):
        overlay.write(tmp_path / f"o.{kind}", dataset, 1, ())


def test_a_rate_that_no_one_could_watch_is_another(tmp_path, monkeypatch):
    dataset = own_video.read(write_video(tmp_path / "slow.mp4", [GREY] * 3, 0.02))
    assert overlay.frame_rate(dataset, 1) == pytest.approx(0.02)
    dataset = own_video.read(write_video(tmp_path / "slow.mp4", [GREY] * 3, 0.001))
    assert overlay.frame_rate(dataset, 1) == overlay.FRAME_RATE


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A folder with two splits of a toy set, and weights that nobody trained."""
    root = tmp_path_factory.mktemp("sets")
    dataset = toy.build("toy-ytvis19", root / "toy", videos=2, progress=False)
    toy.build("toy-ytvis19", root / "toy", videos=1, split="valid", progress=False)
    torch.manual_seed(0)
    model = VideoMask2Former(named("tiny_s", len(dataset.categories)))
    return root / "toy", checkpoints.save(model, root / "w.safetensors")


def test_sources_of_every_kind_hold_no_annotation(sets, tmp_path):
    root, _ = sets
    assert len(run.open_source(root, "train").videos) == 2
    valid = run.open_source(root, "valid")
    assert len(valid.videos) == 1 and not valid.tracks
    assert run.open_source(root / "valid.json").videos == valid.videos
    moved = tmp_path / "elsewhere.json"
    moved.write_bytes((root / "valid.json").read_bytes())
    with pytest.raises(DataError, match="--frames"):
        run.open_source(moved)
    there = run.open_source(moved, frames_root=root / "valid" / "JPEGImages")
    assert there.frame(there.videos[0].id, 0).ndim == 3
    with pytest.raises(DataError, match=r"2 splits. Give --split train\|valid"):
        run.open_source(root)
    with pytest.raises(DataError, match="no split 'test'"):
        run.open_source(root, "test")
    Image.fromarray(GREY).save(tmp_path / "0.png")
    assert run.open_source(tmp_path).videos[0].length == 1
    with pytest.raises(DataError, match="no such file"):
        run.open_source(tmp_path / "nothing")


@pytest.mark.slow
def test_a_run_writes_results_table_and_overlays(sets, tmp_path):
    root, path = sets
    dataset = run.open_source(root, "train")
    tracks = run.predict_and_write(
        dataset, path, tmp_path, Options(shorter_side=None), threshold=0.05, overlays="gif"
    )
    found = prediction_files.read(tmp_path / "results.json", dataset)
    assert [track.video_id for track in found] == [1] * 10 + [2] * 10
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "tracks.csv"), tracks, atol=1e-4)
    assert len(tracks) == len(table(found, dataset, 0.05)) > 0
    names = sorted(video.name for video in dataset.videos)
    assert sorted(p.name for p in (tmp_path / "overlays").iterdir()) == [f"{n}.gif" for n in names]
    before = (tmp_path / "results.json").read_bytes()
    run.predict_and_write(dataset, path, tmp_path, Options(shorter_side=None), overlays=None)
    assert (tmp_path / "results.json").read_bytes() == before
    one = dataset.subset([1])
    run.predict_and_write(one, path, tmp_path / "one", Options(shorter_side=None, window=5))
    assert (tmp_path / "one" / "overlay.mp4").stat().st_size > 0


def _own(root, name, pictures):
    folder = root / name
    folder.mkdir(parents=True)
    for index, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{index}.png")
    return folder


def test_a_blank_video_has_a_whole_result(sets, tmp_path):
    _, path = sets
    with torch.no_grad():
        model = checkpoints.load(path)
        model.decoder.embed_mask[-1].weight.zero_()
        model.decoder.embed_mask[-1].bias.zero_()  # so that no query has a pixel above 0
    checkpoints.save(model, tmp_path / "w.safetensors")
    source = run.open_source(_own(tmp_path, "black", np.zeros((4, 64, 96, 3), np.uint8)))
    out = tmp_path / "out"
    tracks = run.predict_and_write(source, tmp_path / "w.safetensors", out, Options(), threshold=0)
    assert tracks.empty and len(pd.read_csv(out / "tracks.csv")) == 0
    found = json.loads((out / "results.json").read_text())
    assert len(found) == 10 and all(row["segmentations"] == [None] * 4 for row in found)
    assert iio.imread(out / "overlay.mp4").shape[0] == 4


def test_frames_of_one_pixel_are_predicted_and_drawn(sets, tmp_path):
    _, path = sets
    source = run.open_source(_own(tmp_path, "dot", np.full((2, 1, 1, 3), 9, np.uint8)))
    run.predict_and_write(source, path, tmp_path / "out", Options(), threshold=0)
    assert iio.imread(tmp_path / "out" / "overlay.mp4").shape[0] == 2


@pytest.mark.slow
def test_nothing_of_an_earlier_run_stands_as_if_it_were_of_this_one(sets, tmp_path):
    root, path = sets
    dataset = run.open_source(root, "train")
    out = tmp_path / "out"
    run.predict_and_write(dataset, path, out, Options(), threshold=0, overlays="gif")
    broken = replace(dataset, read_frame=None)
    with pytest.raises(DataError, match="without frames"):
        run.predict_and_write(broken, path, out, Options(window=2))
    assert sorted(p.name for p in out.rglob("*") if p.is_file() and p.parent.name != "videos") == []
    one = dataset.subset([1])
    run.predict_and_write(dataset, path, out, Options(), threshold=0, overlays="gif")
    run.predict_and_write(one, path, out, Options(), threshold=0)
    written = sorted(p.name for p in out.rglob("*") if p.is_file() and p.parent.name != "videos")
    assert written == ["made_by.json", "overlay.mp4", "results.json", "tracks.csv"]


def test_what_auto_came_to_is_written_down(sets, tmp_path, monkeypatch):
    root, path = sets
    dataset = run.open_source(root, "valid")
    whole = run.predict_and_write(dataset, path, tmp_path, Options(), threshold=0, overlays=None)
    made_by = json.loads((tmp_path / "made_by.json").read_text())
    assert made_by["weights"]["sha256"] == weights.digest(path)
    (video,) = made_by["videos"]
    assert (video["video"], video["window"]) == (dataset.videos[0].name, None)
    assert video["shorter_side"] == 64
    monkeypatch.setattr(fitting, "LEAST", 0)
    monkeypatch.setattr(fitting, "MOST", 0)  # no memory at all: frame by frame
    pieces = run.predict_and_write(dataset, path, tmp_path, Options(), threshold=0, overlays=None)
    made_by = json.loads((tmp_path / "made_by.json").read_text())
    assert made_by["videos"][0]["window"] == 1
    assert not pieces.equals(whole)


def test_each_video_has_an_overlay_of_its_own(sets, tmp_path):
    _, path = sets
    names = ["a b", "a_b", "a/b", "a%20b", "ä"]
    videos = tuple(Video(n, name, 64, 96, ("0", "1")) for n, name in enumerate(names, start=1))
    dataset = VISDataset(videos, (), (), lambda of, t: np.full((64, 96, 3), 9, np.uint8))
    run.predict_and_write(dataset, path, tmp_path, Options(), overlays="gif")
    overlays = {p.name for p in (tmp_path / "overlays").iterdir()}
    assert overlays == {"a%20b.gif", "a_b.gif", "a%2Fb.gif", "a%2520b.gif", "ä.gif"}


def test_names_that_no_file_can_have_are_cut_and_stay_apart(tmp_path):
    for name in ("x" * 200, "x" * 201, "x" * 400, "x" * 400 + "y", "ä" * 150, "\udcff" * 300):
        files.write_text(tmp_path / f"{run.file_name(name)}.mp4", "")
    assert (tmp_path / f"{'x' * 200}.mp4").exists()
    assert len(list(tmp_path.iterdir())) == 6


FULL = """
import resource, signal, sys
import numpy as np
from evis.data import files
from evis.inference.video_writer import write_video
from evis.models import VideoMask2Former, named, save
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # as a disk with so many bytes left
noise = np.random.default_rng(0).integers(0, 255, (20, 64, 96, 3), dtype=np.uint8)
for write in (
    lambda: write_video(sys.argv[1] + "/o.mp4", noise, 6),
    lambda: write_video(sys.argv[1] + "/o.gif", noise, 6),
    lambda: save(VideoMask2Former(named("tiny_s", 2)), sys.argv[1] + "/w.safetensors"),
):
    try:
        write()
    except (OSError, ValueError) as error:
        print(" ".join(str(error).split()))
"""


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_no_half_written_file(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    for line, name in zip(done.stdout.splitlines(), ("o.mp4", "o.gif", "w.saf"), strict=True):
        assert name in line and ("File too large" in line or "ended" in line), done.stdout
    assert not list(tmp_path.iterdir())


def test_weights_are_read_once_a_process(sets, tmp_path):
    path = Path(shutil.copy(sets[1], tmp_path))
    assert weights.load(path) is weights.load(str(path))
    first = weights.load(path)
    torch.manual_seed(1)
    checkpoints.save(VideoMask2Former(first.config), path, categories=["a"])
    assert weights.load(path) is not first
    assert joblib.hash(weights.digest(path)) != joblib.hash(weights.digest(first))
