"""Flow: planted motion, every size of picture, the standard colours, RAFT behind one signature."""

import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import DataError
from evis.foundation import flow

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("flowcolour_*.npz"))


def cloth(height, width, seed=0):
    """(h, w, 3) uint8 of soft spots."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


def moved(right, down, height=80, width=120):
    """Two views of one cloth, the second with everything moved right and down."""
    whole = cloth(height + 40, width + 40)
    views = [(20, 20), (20 - down, 20 - right)]
    return [whole[y : y + height, x : x + width].copy() for y, x in views]


def test_dis_finds_planted_motion():
    found = flow.dis(*moved(right=6, down=-4))
    assert found.shape == (80, 120, 2) and found.dtype == np.float32
    np.testing.assert_allclose(np.median(found, (0, 1)), (6, -4), atol=0.1)


def test_dis_is_the_same_on_any_number_of_threads():
    frames, before = moved(3, 2), cv2.getNumThreads()
    try:
        results = []
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            results.append(flow.dis(*frames))
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(*results)


@pytest.mark.parametrize("size", [(1, 1), (2, 60), (11, 40), (16, 200), (24, 500), (200, 3)])
def test_dis_takes_flat_and_tiny_pictures(size):
    found = flow.dis(cloth(*size), cloth(*size))
    assert found.shape == (*size, 2) and np.abs(found).max() < 1e-3


@settings(max_examples=50)
@given(st.integers(2, 30), st.integers(1, 6))
def test_a_partner_is_four_away_wherever_the_video_allows(length, gap):
    for frame in range(length):
        other = flow.partner(frame, length, gap)
        assert 0 <= other < length
        if frame + gap < length:
            assert other == frame + gap
        elif frame >= gap:
            assert other == frame - gap
        else:
            assert abs(other - frame) == max(frame, length - 1 - frame)


def test_flow_goes_forward_and_at_the_end_of_a_video_back():
    whole = cloth(60, 160)
    frames = [whole[:, 2 * t : 2 * t + 100].copy() for t in range(8)]  # all moves left by 2
    for frame, wanted in ((0, -8), (3, -8), (4, 8), (7, 8)):
        assert np.median(flow.of_frame(frames, frame)[..., 0]) == pytest.approx(wanted, abs=0.1)
    assert np.median(flow.of_frame(frames[:2], 0)[..., 0]) == pytest.approx(-2, abs=0.1)
    with pytest.raises(DataError, match="one frame, in which nothing moves. Give two frames"):
        flow.of_frame(frames[:1], 0)
    with pytest.raises(ValueError, match="two frames of one video have one size"):
        flow.of_frame([frames[0], frames[1][:50]], 0)


def test_there_are_golden_files():
    assert len(GOLDEN) == 2


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_colours(path):
    golden = np.load(path)
    assert np.array_equal(flow.wheel(), golden["colour_wheel"])
    for name in ("random", "smooth", "zero", "constant", "one_pixel"):
        single = golden[f"flow_{name}"]
        for given_flow, wanted in ((single, "rgb"), (single.astype(float), "rgb_float64")):
            assert np.array_equal(flow.colours(given_flow), golden[f"{wanted}_{name}"]), name
    assert np.array_equal(flow.painted(golden["uv_unnormalised"]), golden["rgb_unnormalised"])


@pytest.mark.parametrize("kind", [np.float16, np.int16, np.int32, np.int64])
def test_a_long_flow_of_any_kind_has_the_same_colours(kind):
    long = np.random.default_rng(0).integers(-300, 301, (12, 15, 2)).astype(np.float32)
    assert np.abs(long).max() > 256
    assert np.array_equal(flow.colours(long.astype(kind)), flow.colours(long))


def test_opposite_motions_have_opposite_colours_and_empty_flow_none():
    right, left = (flow.colours(np.full((2, 2, 2), (u, 0.0)))[0, 0] for u in (1.0, -1.0))
    assert right.tolist() == [255, 0, 0] and left[0] < 20 and left[2] > 200
    assert flow.colours(np.zeros((0, 5, 2))).shape == (0, 5, 3)


class FakeRaft(torch.nn.Module):
    """As torchvision's: pictures in [-1, 1], sides multiples of 8 and at least 128, many flows."""

    def __init__(self):
        super().__init__()
        self.move = torch.nn.Parameter(torch.zeros(2))

    def forward(self, first, second, num_flow_updates):
        assert first.shape == second.shape and first.shape[:2] == (1, 3)
        assert all(side % 8 == 0 and side >= 128 for side in first.shape[2:])
        assert first.min() == -1 and first.max() == 1
        last = self.move.view(1, 2, 1, 1).expand(-1, -1, *first.shape[2:])
        return [torch.zeros_like(last)] * (num_flow_updates - 1) + [last]


@pytest.fixture
def torchvision(monkeypatch):
    module = ModuleType("torchvision.models.optical_flow")
    module.raft_large = lambda weights, progress: FakeRaft()
    for name in ("torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_raft_pads_scales_and_cuts(torchvision, tmp_path):
    torch.save({"move": torch.tensor([3.0, -1.0])}, tmp_path / "raft.pth")
    estimate = flow.raft(tmp_path / "raft.pth")
    for size in ((100, 150), (130, 131)):
        frames = [np.zeros((*size, 3), np.uint8), np.zeros((*size, 3), np.uint8)]
        frames[0][0, 0] = 255
        found = estimate(*frames)
        assert found.shape == (*size, 2) and found.dtype == np.float32
        assert (found == (3, -1)).all()


def test_raft_computes_in_half_precision_where_it_is_asked_to(torchvision, tmp_path, monkeypatch):
    torch.save({"move": torch.tensor([1 / 3, -1.0])}, tmp_path / "raft.pth")
    seen, forward = [], FakeRaft.forward

    def watched(self, first, second, num_flow_updates):
        seen.append((first.dtype, second.dtype, num_flow_updates))
        return forward(self, first, second, num_flow_updates)

    monkeypatch.setattr(FakeRaft, "forward", watched)
    frames = [np.zeros((9, 12, 3), np.uint8), np.zeros((9, 12, 3), np.uint8)]
    frames[0][0, 0] = 255
    found = flow.raft(tmp_path / "raft.pth", dtype=torch.bfloat16)(*frames)
    assert seen == [(torch.bfloat16, torch.bfloat16, 20)] and found.dtype == np.float32
    assert 0 < abs(found[0, 0, 0] - 1 / 3) < 2e-3


def test_raft_of_torchvision(tmp_path):
    models = pytest.importorskip("torchvision.models.optical_flow")
    torch.manual_seed(0)
    torch.save(models.raft_large(weights=None).state_dict(), tmp_path / "raft.pth")
    found = flow.raft(tmp_path / "raft.pth", iterations=2)(*moved(2, 1, 90, 130))
    assert found.shape == (90, 130, 2) and np.isfinite(found).all() and found.any()


def test_raft_says_what_it_lacks(torchvision, tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no such file"):
        flow.raft(tmp_path / "none.pth")
    torch.save({"other": torch.zeros(2)}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("not weights")
    for name in ("other.pth", "text.pth"):
        with pytest.raises(DataError, match="no weights of torchvision's raft_large"):
            flow.raft(tmp_path / name)
    monkeypatch.setitem(sys.modules, "torchvision.models.optical_flow", None)
    with pytest.raises(DataError, match="torchvision, which is not installed.*or use dis"):
        flow.raft(tmp_path / "other.pth")


def test_bad_input_is_refused():
    frame = cloth(20, 30)
    for estimate_of in ((frame, frame[:10]), (frame / 255, frame), (frame[..., 0], frame[..., 0])):
        with pytest.raises(ValueError, match="frames"):
            flow.dis(*estimate_of)
    with pytest.raises(ValueError, match="no frame 5"):
        flow.partner(5, 5)
    for bad in (np.zeros((4, 5)), np.full((2, 2, 2), np.nan)):
        with pytest.raises(ValueError, match=r"\(h, w, 2\)"):
            flow.colours(bad)
