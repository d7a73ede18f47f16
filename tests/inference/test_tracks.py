"""Masks are made of winners alone: the same as if all were made; and kept as a tuple would be."""

import pickle
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import ByColour, video
from torch.utils._python_dispatch import TorchDispatchMode

from evis.data import masks
from evis.data.clip_prediction import ClipPrediction
from evis.data.files import Spill
from evis.data.masks import RLE, Kept, encode
from evis.data.predictions import PredictedTrack
from evis.data.types import Video
from evis.inference import Options, fitting, instances, one_video, predict, run_lengths, tracks
from evis.inference.tally import Tally
from evis.models import VideoMask2Former, named
from evis.trackers.windows import JOINS, plan

SIZE = (20, 28)  # of the video; the model sees 16 x 24, and gives masks of a quarter of that


def _predictions(windows, seed: int, queries: int = 6) -> list[ClipPrediction]:
    """What a model might say: noise, in which some queries have no mask in some frames."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for window in windows:
        masks = torch.randn(1, queries, window.stop - window.start, 4, 6, generator=generator)
        masks -= 9 * (torch.rand(*masks.shape[:3], 1, 1, generator=generator) < 0.3)
        classes = 2 * torch.randn(1, queries, 5, generator=generator)
        embeddings = torch.randn(1, queries, 8, generator=generator)
        found.append(ClipPrediction(classes, masks, embeddings=embeddings))
    return found


def _all_encoded(options, of: Video, windows, predictions) -> list[tuple]:
    """The definition: every mask of every track, then the best. Nothing is pruned or put aside."""
    join, stop, sums, masks = JOINS[options.join](), 0, {}, {}
    for window, prediction in zip(windows, predictions, strict=True):
        classes, logits = prediction.class_logits[0].double(), prediction.mask_logits[0]
        numbers = range(len(classes))
        if len(windows) > 1:
            shared = stop - window.start
            numbers = join.join(prediction.embeddings[0], logits, shared).tolist()
        stop = window.stop
        for query, number in enumerate(numbers):
            total, times = sums.get(number, (0, 0))
            sums[number] = total + classes[query], times + 1
            for frame in range(window.first, window.last):
                one = logits[query, frame - window.start][None]
                (rle,) = instances.encode(one, 4, (16, 24), SIZE)
                masks.setdefault(number, [None] * of.length)[frame] = rle
    means = torch.stack([total / times for _, (total, times) in sorted(sums.items())])
    best = instances.choose(means, options.top, options.class_agnostic)
    return [(number, label, score, tuple(masks[number])) for number, label, score in best]


@pytest.mark.parametrize("tracker", ["memory", "memory-weighted"])
def test_memories_weigh_by_how_sure_a_query_is_of_an_object(tracker):
    """The object of track 0 is seen once, hidden for six frames, and back as the second query."""
    look, other, nothing = torch.eye(3)
    hidden = torch.stack([nothing + 0.1 * look, other])
    back = torch.stack([nothing + 0.2 * look, look])
    embeddings = torch.stack([torch.stack([look, other]), *[hidden] * 6, back])
    seen = torch.tensor([True, *[False] * 7])
    classes = torch.full((8, 2, 2), 3.0)
    classes[..., 1] = -3  # no object
    classes[~seen, 0] *= -1
    where = torch.full((8, 2, 1, 4, 6), -9.0)
    where[:, 0, :, :, :3] = where[:, 1, :, :, 3:] = 9  # the first query's mask is at the left
    said = [
        ClipPrediction(c[None], m[None], embeddings=e[None])
        for c, m, e in zip(classes, where, embeddings, strict=True)
    ]
    of = Video(1, "hidden", *SIZE, tuple(map(str, range(8))))
    options = Options(window=1, tracker=tracker)
    found = _run(options, of, plan(8, 1), said)
    of_hidden = next(masks_ for number, *_, masks_ in found if number == 0)
    is_left = masks.decode(of_hidden[-1])[:, :8].any()
    assert is_left == (tracker == "memory"), "the weighted one finds it again"


def _run(options, of, windows, predictions, room=2**40, at_once=1) -> list[tuple]:
    found = tracks.Tracks(options, of, (16, 24), room)
    for n in range(0, len(windows), at_once):
        some = predictions[n : n + at_once]
        parts = ("class_logits", "mask_logits", "embeddings")
        joined = (torch.cat([getattr(p, part) for p in some]) for part in parts)
        classes, masks, embeddings = joined
        prediction = ClipPrediction(classes, masks, embeddings=embeddings)
        found.add(windows[n : n + at_once], prediction)
    return [(*rest, tuple(masks)) for *rest, masks in found.best()]


@settings(max_examples=30)
@given(
    st.integers(1, 24),
    st.integers(2, 7),
    st.sampled_from(["queries", "masks"]),
    st.sampled_from([1, 3, 10, 100]),
    st.booleans(),
    st.integers(1, 4),
    st.data(),
)
def test_winners_have_the_masks_that_they_would_have_if_all_were_made(
    length, window, join, top, class_agnostic, at_once, data
):
    overlap = data.draw(st.integers(1, window - 1))
    options = Options(window, overlap, join, None, top=top, class_agnostic=class_agnostic)
    of, windows = Video(1, "v", *SIZE, ("",) * length), plan(length, window, overlap)
    predictions = _predictions(windows, data.draw(st.integers(0, 99)))
    wanted = _all_encoded(options, of, windows, predictions)
    assert _run(options, of, windows, predictions, at_once=at_once) == wanted


@pytest.mark.parametrize("join", ["queries", "masks"])
@pytest.mark.parametrize("room", [0, 2000, 20_000])
def test_with_little_room_scores_stay_and_frames_of_no_importance_lose_their_masks(join, room):
    options = Options(4, 1, join, None, top=2)
    of, windows = Video(1, "v", *SIZE, ("",) * 40), plan(40, 4, 1)
    predictions = _predictions(windows, 0, queries=12)
    wanted = _all_encoded(options, of, windows, predictions)
    found = _run(options, of, windows, predictions, room)
    assert [each[:3] for each in found] == [each[:3] for each in wanted]
    for part, full in ((a[3], b[3]) for a, b in zip(found, wanted, strict=True)):
        assert all(mask in (None, whole) for mask, whole in zip(part, full, strict=True))
        assert any(part)


def test_an_object_that_comes_late_in_a_long_video_keeps_its_masks(monkeypatch):
    frames = video(60, absent={1: range(0, 48), 2: range(8, 60)})
    options = Options(window=4, shorter_side=None, top=3)
    wanted = predict(ByColour(forgets=False), frames, options, progress=False)
    monkeypatch.setattr(fitting, "ON_DISK", 8 * 6 * 24 * 32 * 4)  # of 8 frames
    monkeypatch.setattr(tracks, "SPARE", 1)
    assert predict(ByColour(forgets=False), frames, options, progress=False) == wanted


@pytest.mark.parametrize("room", [0, 2**40])
def test_maskness_is_over_all_windows_whatever_room_there_is(room, monkeypatch):
    monkeypatch.setattr(one_video, "room", lambda device: room)
    frames = video(30, absent={1: range(0, 12)})
    options = Options(window=4, shorter_side=None, top=3, score="maskness")
    found = predict(ByColour(), frames, options, progress=False)
    sure = predict(ByColour(), frames, replace(options, score="confidence"), progress=False)
    assert found == tuple(replace(track, score=found[0].score) for track in sure)
    assert found[0].score == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-6)


def test_ended_tracks_are_forgotten_once_they_cannot_win():
    tally, generator = Tally(3, class_agnostic=True), torch.Generator().manual_seed(0)
    everything = []
    for n in range(50):
        logits = torch.randn(4, 3, generator=generator, dtype=torch.float64)
        tally.add(torch.arange(4 * n, 4 * n + 4), logits)
        everything.append(logits)
        assert len(tally.numbers) <= 4 + 3
    assert tally.best(3) == instances.choose(torch.cat(everything), 3, class_agnostic=True)


def test_kept_masks_read_like_a_tuple():
    rles = [encode(np.eye(5, 7, k) > 0) for k in range(3)]
    spill = Spill(in_memory=10)  # and so in a file
    kept, other = Kept((5, 7), 6, spill), Kept((5, 7), 6, spill)
    for frame, rle in ((4, rles[0]), (0, rles[1])):
        kept.put(frame, rle)
        other.put(frame, rles[2])
    plain = (rles[1], None, None, None, rles[0], None)
    assert kept == plain and plain == kept and kept != other and plain != other
    assert (len(kept), tuple(kept), kept[-2], kept[3:]) == (6, plain, rles[0], plain[3:])
    assert repr(kept) == repr(plain)
    with pytest.raises(IndexError):
        kept[6]
    track = PredictedTrack(1, 2, 0.5, kept)
    assert track == PredictedTrack(1, 2, 0.5, plain) == pickle.loads(pickle.dumps(track))
    assert type(pickle.loads(pickle.dumps(kept))) is tuple
    assert not any(Kept((5, 7), 3, spill))


class Waits(TorchDispatchMode):
    """Counts operations whose result a host must have before it can go on."""

    def __init__(self):
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        by_mask = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        self.number += by_mask or name in ("_local_scalar_dense", "nonzero", "equal")
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("window", [1, 4])
def test_a_gpu_would_be_read_a_few_times_a_window(window, monkeypatch):
    """Masks encoded as on CUDA. Copies are counted where they are asked for; those of `pair` and
    `nonzero` of what is on the host already are no reads, and are left out."""
    torch.manual_seed(0)
    model = VideoMask2Former(named("tiny_s", 4))
    frames = np.random.default_rng(0).integers(0, 255, (40, 64, 96, 3), dtype=np.uint8)
    copies = []
    to_cpu = torch.Tensor.cpu

    def cpu(tensor):
        copies.append(Path(sys._getframe(1).f_code.co_filename).stem)
        return to_cpu(tensor)

    def as_on_cuda(columns):
        counts = run_lengths.compressed(torch.from_numpy(columns))
        return [RLE(size=[64, 96], counts=text) for text in counts]

    options = Options(window=window, shorter_side=None)
    wanted = predict(model, frames, options, progress=False)
    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    monkeypatch.setattr(masks, "encode_columns", as_on_cuda)
    with Waits() as waits:
        found = predict(model, frames, options, progress=False)
    assert found == wanted and any(any(track.masks) for track in found)
    windows, batches, encoded, enlarged = 40 // window, 2, 3, 5
    wanted = {
        "minvis": windows - 1,  # on the host already
        "tracks": 2 * batches,  # class logits and embeddings
        "instances": encoded,  # which masks are empty
        "run_lengths": 2 * enlarged,  # texts and their lengths
    }
    assert Counter(copies) <= Counter(wanted)
    # Two a window are the tallies', on the host; the network has none.
    assert waits.number <= 2 * windows + encoded + 2 * enlarged
