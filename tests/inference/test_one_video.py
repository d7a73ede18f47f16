"""One video: planted objects come back whole, however they are cut into windows and joined."""

import json
import tracemalloc
from dataclasses import asdict

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import COLOURS, ByColour, truth, video

from evis.data import masks
from evis.data import video as own_video
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Video, VISDataset
from evis.inference import Options, fitting, predict
from evis.inference.tracks import Tracks
from evis.inference.video_writer import write_video
from evis.models import VideoMask2Former, named

NATIVE = {"shorter_side": None, "top": 3}


def _run(frames, model=None, **options) -> tuple[PredictedTrack, ...]:
    return predict(model or ByColour(), frames, Options(**NATIVE | options), progress=False)


def _assert_found(tracks, frames, blocks=(0, 1, 2)):
    """Each block is one track of its own class, best first, with exactly its pixels."""
    assert [track.category_id for track in tracks] == [block + 1 for block in blocks]
    for track, block in zip(tracks, blocks, strict=True):
        for mask, wanted in zip(track.masks, truth(frames, block), strict=True):
            found = np.zeros_like(wanted) if mask is None else masks.decode(mask)
            assert np.array_equal(found, wanted)
            assert (mask is None) == (not wanted.any())


def test_the_whole_video_at_once():
    frames = video(10, absent={1: range(4, 7)})
    tracks = _run(frames)
    _assert_found(tracks, frames)
    logits = torch.tensor([5.0, 0, 0, 0, 0])
    assert tracks[0].score == pytest.approx(logits.softmax(0)[0].item())


@settings(max_examples=12)
@given(st.integers(1, 20), st.integers(1, 9), st.data())
def test_any_windows_joined_by_queries_give_the_whole_videos_tracks(length, window, data):
    overlap = data.draw(st.integers(0, window - 1))
    frames = video(length, absent={0: range(3, 6), 2: range(0, length // 2)})
    assert _run(frames, window=window, overlap=overlap) == _run(frames)


@settings(max_examples=12)
@given(st.integers(1, 20), st.integers(2, 9), st.data())
def test_any_windows_joined_by_masks_give_the_whole_videos_tracks(length, window, data):
    overlap = data.draw(st.integers(1, window - 1))
    frames = video(length)
    assert _run(frames, window=window, overlap=overlap, join="masks") == _run(frames)


def test_objects_that_come_and_go_are_joined_by_masks_though_queries_forget_them():
    frames = video(20, absent={0: range(12, 20), 1: range(0, 9)})
    options = {"window": 6, "overlap": 2, "join": "masks"}
    _assert_found(_run(frames, ByColour(forgets=True), **options), frames)


@pytest.mark.parametrize("window", [None, 3])
def test_empty_frames_and_whole_blank_videos_are_videos_too(window):
    frames = video(9)
    frames[4] = 0
    tracks = _run(frames, window=window)
    assert [[mask is not None for mask in t.masks] for t in tracks] == [
        [n != 4 for n in range(9)]
    ] * 3
    blank = _run(np.zeros_like(frames), window=window)
    assert len(blank) == 3 and not any(any(track.masks) for track in blank)


@pytest.mark.parametrize("length, window", [(1, "auto"), (3, "auto"), (3, 1)])
def test_frames_of_one_pixel(length, window):
    torch.manual_seed(0)
    model = VideoMask2Former(named("tiny_s", 2))
    pixels = np.full((length, 1, 1, 3), 200, dtype=np.uint8)
    tracks = _run(pixels, model, shorter_side="auto", window=window)
    assert len(tracks) == 3
    assert all(mask is None or mask["size"] == [1, 1] for track in tracks for mask in track.masks)


def test_frame_by_frame_is_a_window_of_one():
    frames, model = video(7), ByColour()
    _assert_found(_run(frames, model, window=1), frames)
    assert model.seen == [1] * 7


def test_scores_are_of_the_class_logits_mean_over_windows():
    frames = video(8, absent={2: range(4, 8)})
    tracks = _run(frames, ByColour(forgets=True), window=4, top=24)
    seen, unseen = torch.tensor([0, 0, 3.0, 0, 0]), torch.tensor([0, 0, 0, 0, 4.0])
    wanted = ((seen + unseen) / 2).softmax(0)[2].item()
    assert wanted in [pytest.approx(t.score) for t in tracks if t.category_id == 3 and any(t.masks)]


def test_class_agnostic_gives_a_query_once_with_the_probability_of_any_object():
    frames = video(3)
    tracks = _run(frames, class_agnostic=True, top=10)
    assert len(tracks) == ByColour.queries
    logits = torch.tensor([5.0, 0, 0, 0, 0])
    assert tracks[0].score == pytest.approx(1 - logits.softmax(0)[-1].item())
    assert len(_run(frames, top=100)) == ByColour.queries * ByColour.classes


def test_categories_stand_for_the_models_classes_in_order():
    frames, options = video(2), Options(**NATIVE)
    names = [Category(n, f"c{n}") for n in (40, 7, 12, 3)]
    tracks = predict(ByColour(), frames, options, names, progress=False)
    assert [track.category_id for track in tracks] == [40, 7, 12]
    with pytest.raises(DataError, match="knows 4 classes, the data set has 3 categories"):
        predict(ByColour(), frames, options, names[:3], progress=False)


def test_masks_come_back_at_the_videos_size_when_the_model_sees_another():
    frames = video(3, scale=8)
    tracks = _run(frames, ByColour(stride=4), shorter_side=144)
    for track, block in zip(tracks, range(3), strict=True):
        found = np.stack([masks.decode(mask) for mask in track.masks])
        wanted = truth(frames, block)
        assert found.shape == wanted.shape
        assert (found & wanted).sum() / (found | wanted).sum() > 0.85


class Lazy:
    """Frames made when they are asked for, as a reader would; counts how often."""

    def __init__(self, length: int):
        self.cycle, self.length, self.reads = video(12, scale=4), length, []

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, frame: int) -> np.ndarray:
        self.reads.append(frame)
        return self.cycle[frame % 12].copy()


@pytest.mark.parametrize("join", ["queries", "masks"])
def test_memory_is_flat_in_the_number_of_frames(join):
    windows = {"window": 8, "overlap": 2, "join": join}
    a_frame = 96 * 128 * (3 + 4 * ByColour.queries)  # bytes, with its logits
    more = _peak(160, **windows) - _peak(40, **windows)
    assert more < a_frame  # for 120 frames more: run lengths alone
    assert _peak(40) - _peak(16) > 24 * a_frame  # what would grow is counted


def _peak(length: int, **options) -> int:
    """Bytes; numpy's arrays too, and so the frames and the planted model's logits."""
    tracemalloc.start()
    _run(Lazy(length), **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_frames_are_read_once_and_in_order():
    frames = Lazy(30)
    _run(frames, window=7, overlap=5)
    assert frames.reads == [0, *range(30)]  # the first once more, for its size


class Hungry(torch.nn.Module):
    """Fails where the real one would."""

    def __init__(self, error: Exception):
        super().__init__()
        self.error = error

    def forward(self, frames):
        raise self.error


def test_running_out_of_memory_says_where_and_what_to_change():
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    with pytest.raises(DataError, match=r"frames 0 to 7: out of memory .*--window"):
        _run(video(20), Hungry(error), window=8)
    with pytest.raises(RuntimeError) as real:
        torch.empty(2**60)
    with pytest.raises(DataError, match=r"frames 0 to 0: out of memory .* smaller frames"):
        _run(video(2), Hungry(real.value), window=1)
    with pytest.raises(RuntimeError, match="shape"):
        _run(video(2), Hungry(RuntimeError("shape mismatch")))


def test_running_out_of_memory_beside_the_model_says_where_too(monkeypatch):
    class Full(Lazy):
        def __getitem__(self, frame):
            if frame == 9:
                raise MemoryError
            return super().__getitem__(frame)

    with pytest.raises(DataError, match=r"frames 8 to 15: out of memory with 8 .*--window"):
        _run(Full(20), window=8)

    def full(self):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(Tracks, "best", full)
    with pytest.raises(DataError, match=r"frames 0 to 5: out of memory as the best .*--top"):
        _run(video(6), window=2)


def test_bad_frames_are_one_line_errors():
    with pytest.raises(DataError, match="no frames"):
        _run([])
    with pytest.raises(DataError, match=r"frame 1: the picture is 48 x 64 .* 24 x 32"):
        _run([*video(1), *video(1, scale=2)])
    with pytest.raises(DataError, match="uint8 RGB"):
        _run(video(2).astype(float))
    several = VISDataset((_video(1), _video(2)), (), ())
    with pytest.raises(DataError, match="2 videos"):
        _run(several)


def _video(number: int) -> Video:
    return Video(number, f"v{number}", 24, 32, ("a.png",))


def test_a_folder_and_an_mp4_stream_from_disk(tmp_path):
    frames = video(6, scale=4)
    for index, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{index}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    _assert_found(_run(tmp_path, window=4, overlap=2), frames)
    path = write_video(tmp_path / "clip.mp4", frames, rate=6)
    for track, block in zip(_run(path, window=4, overlap=2), range(3), strict=True):
        found = np.stack([masks.decode(mask) for mask in track.masks])
        wanted = truth(frames, block)
        assert (found & wanted).sum() / (found | wanted).sum() > 0.8  # the codec blurs colours
    assert _run(own_video.read(tmp_path))[0].video_id == 1
    (tmp_path / "bad.mp4").write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="bad.mp4"):
        _run(tmp_path / "bad.mp4")


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"overlap": 2}, "needs a window"),
        ({"window": 4, "overlap": 4}, "from 0 to"),
        ({"window": 4, "join": "masks"}, "overlap of at least one"),
        ({"join": "masks"}, "overlap of at least one"),
        ({"window": 0}, "at least 1"),
        ({"window": 2.5}, "window should be a whole number, at least 1, is 2.5"),
        ({"window": "some"}, "window should be a whole number"),
        ({"shorter_side": float("nan")}, "shorter_side should be a whole number"),
        ({"top": None}, "top should be a whole number, at least 1, is None"),
        ({"window": 4, "overlap": 1.5}, "overlap should be a whole number, at least 0, is 1.5"),
        ({"window": 4, "overlap": -1}, "overlap should be a whole number, at least 0, is -1"),
        ({"join": "boxes"}, "queries, masks"),
        ({"precision": "float16"}, "precision should be one of auto, float32, bfloat16"),
    ],
)
def test_options_that_can_not_be_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Options(**wrong)


def test_options_may_be_numpy_s():
    told = Options(window=np.int64(4), overlap=np.int32(2), top=np.uint8(3))
    assert json.dumps(asdict(told)) == json.dumps(asdict(Options(window=4, overlap=2, top=3)))


def test_the_real_model_keeps_its_mode_and_odd_sizes_work(device):
    torch.manual_seed(0)
    model = VideoMask2Former(named("tiny_s", 2)).to(device).train()
    frames = np.random.default_rng(0).integers(0, 255, (3, 45, 51, 3), dtype=np.uint8)
    tracks = _run(frames, model, window=2, overlap=1)
    assert model.training and len(tracks) == 3
    sizes = {tuple(mask["size"]) for track in tracks for mask in track.masks if mask}
    assert sizes == {(45, 51)}
    assert len(COLOURS) == ByColour.classes


def _disagreement(tracks, others) -> float:
    """The share of pixels; scores must be in one order and nearly the same."""
    pairs = []
    for one, other in zip(tracks, others, strict=True):
        assert one.score == pytest.approx(other.score, abs=0.02)
        for masks_at_t in zip(one.masks, other.masks, strict=True):
            pairs.append([np.zeros((64, 96)) if m is None else masks.decode(m) for m in masks_at_t])
    return float(np.mean([a != b for a, b in pairs]))


@pytest.fixture(scope="module")
def untrained():
    """A model of classes that it tells apart, 12 frames of noise, and its tracks, whole."""
    torch.manual_seed(0)
    model = VideoMask2Former(named("tiny_s", 2)).eval()
    with torch.no_grad():
        model.decoder.classify.weight.mul_(8)
    frames = np.random.default_rng(0).integers(0, 255, (12, 64, 96, 3), dtype=np.uint8)
    return model, frames


@pytest.mark.parametrize("window", [1, 5])
def test_small_windows_in_one_batch_are_what_they_are_alone(untrained, window, monkeypatch):
    together = _run(untrained[1], untrained[0], window=window)
    monkeypatch.setattr(fitting, "AT_ONCE", (1, 1))
    alone = _run(untrained[1], untrained[0], window=window)
    assert _disagreement(together, alone) < 1e-3  # batches are rounded otherwise


def test_bfloat16_is_a_choice_and_near(untrained, monkeypatch):
    model, frames = untrained
    asked, forward = [], type(model).forward

    def noting(self, *arguments, **settings):
        asked.append(torch.is_autocast_enabled("cpu"))
        return forward(self, *arguments, **settings)

    monkeypatch.setattr(type(model), "forward", noting)
    precise = _run(frames, model, window=4, class_agnostic=True)
    halved = _run(frames, model, window=4, class_agnostic=True, precision="bfloat16")
    assert asked == [False, True] and halved != precise
    assert _disagreement(halved, precise) < 0.1
