"""What a run writes: the table's numbers by hand, overlays that decode, sources of every kind."""

import imageio.v3 as iio
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from evis.data import masks, toy
from evis.data import predictions as prediction_files
from evis.data import video as own_video
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Video, VISDataset
from evis.inference import drawing, overlay, run, sources, weights
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
    assert overlay.frame_rate(dataset) == pytest.approx(5.0)
    assert overlay.frame_rate(DATASET) == overlay.FRAME_RATE

    def breaks():
        yield np.zeros((32, 32, 3), np.uint8)
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        write_video(tmp_path / "broken.mp4", breaks(), 5.0)
    with pytest.raises(DataError, match="no frames"):
        write_video(tmp_path / "empty.mp4", [], 5.0)
    assert [p.name for p in tmp_path.iterdir()] == ["odd.mp4"]


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
    assert len(sources.open_source(root, "train").videos) == 2
    valid = sources.open_source(root, "valid")
    assert len(valid.videos) == 1 and not valid.tracks
    assert sources.open_source(root / "valid.json").videos == valid.videos
    moved = tmp_path / "elsewhere.json"
    moved.write_bytes((root / "valid.json").read_bytes())
    with pytest.raises(DataError, match="--frames"):
        sources.open_source(moved)
    there = sources.open_source(moved, frames_root=root / "valid" / "JPEGImages")
    assert there.frame(there.videos[0].id, 0).ndim == 3
    with pytest.raises(DataError, match=r"2 splits. Give --split train\|valid"):
        sources.open_source(root)
    with pytest.raises(DataError, match="no split 'test'"):
        sources.open_source(root, "test")
    Image.fromarray(GREY).save(tmp_path / "0.png")
    assert sources.open_source(tmp_path).videos[0].length == 1
    with pytest.raises(DataError, match="no such file"):
        sources.open_source(tmp_path / "nothing")


def test_a_run_writes_results_table_and_overlays(sets, tmp_path):
    root, path = sets
    dataset = sources.open_source(root, "train")
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


def test_weights_are_read_once_a_process(sets):
    _, path = sets
    assert weights.load(path) is weights.load(str(path))
    assert weights.class_names(path) is None
    first = weights.load(path)
    torch.manual_seed(1)
    checkpoints.save(VideoMask2Former(first.config), path, categories=["a"])
    assert weights.load(path) is not first
    assert weights.class_names(path) == ("a",)
    assert joblib.hash(weights.digest(path)) != joblib.hash(weights.digest(first))
