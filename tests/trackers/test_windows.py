"""Windows: which frames they take, and how each way of joining continues or begins tracks."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evis.trackers.windows import ByMasks, ByQueries, plan


@given(st.integers(1, 60), st.integers(1, 20), st.data())
def test_windows_have_one_length_share_enough_and_part_the_frames(length, window, data):
    overlap = data.draw(st.integers(0, window - 1))
    windows = plan(length, window, overlap)
    kept = [frame for w in windows for frame in range(w.first, w.last)]
    assert kept == list(range(length))
    for w in windows:
        assert w.stop - w.start == min(window, length)
        assert w.start <= w.first < w.last <= w.stop
    for before, after in zip(windows, windows[1:], strict=False):
        assert after.start > before.start
        assert before.stop - after.start >= overlap
        if overlap >= 2:  # the frame at a seam has a frame that both have seen on either side
            assert after.start < after.first < before.stop


def test_without_a_window_the_video_is_one():
    (whole,) = plan(7, None)
    assert (whole.start, whole.stop, whole.first, whole.last) == (0, 7, 0, 7)


def _rows(*spans: tuple[int, int]) -> torch.Tensor:
    """(Q, 2, 1, 12) logits: query q is on from spans[q][0] to spans[q][1] in both frames."""
    logits = torch.full((len(spans), 2, 1, 12), -1.0)
    for query, (start, stop) in enumerate(spans):
        logits[query, :, :, start:stop] = 1.0
    return logits


def test_masks_continue_tracks_end_them_and_begin_new_ones(device):
    join = ByMasks()
    first, second, third = (
        _rows(*spans).to(device)
        for spans in (
            [(0, 4), (6, 10), (0, 0)],
            [(11, 12), (0, 4), (0, 0)],
            [(0, 3), (6, 10), (11, 12)],
        )
    )
    assert join.join(None, first, 0).tolist() == [0, 1, 2]
    # the second query here is the first one there; the others are of no track so far
    assert join.join(None, second, 1).tolist() == [3, 0, 4]
    # track 1 has ended and doesn't come back; 3 and 0 go on
    assert join.join(None, third, 1).tolist() == [0, 5, 3]


def test_masks_of_little_overlap_are_not_one_object():
    join = ByMasks()
    join.join(None, _rows((0, 6)), 0)
    assert join.join(None, _rows((3, 9)), 1).tolist() == [1]  # IoU 1/3
    assert join.join(None, _rows((4, 10)), 1).tolist() == [1]  # IoU 5/7


def test_only_the_shared_frames_are_compared():
    join = ByMasks()
    first = torch.cat([_rows((0, 4))[:, :1], _rows((8, 12))[:, :1]], 1)  # moves to the right
    join.join(None, first, 0)
    second = torch.cat([_rows((8, 12))[:, :1], _rows((0, 4))[:, :1]], 1)  # and back
    assert join.join(None, second, 1).tolist() == [0]


def test_masks_are_paired_for_the_best_sum_and_not_greedily():
    join = ByMasks()
    join.join(None, _rows((0, 10), (0, 7)), 0)
    # IoUs .9 .7 with track 0, .78 .4 with track 1: the .9 alone would lead to 1.3, not to 1.48
    assert join.join(None, _rows((0, 9), (3, 10)), 1).tolist() == [1, 0]


def test_queries_are_followed_through_windows_of_any_order(device):
    torch.manual_seed(0)
    join, tracks = ByQueries(), torch.randn(5, 8)
    orders = [torch.arange(5), *(torch.randperm(5) for _ in range(6))]
    for order in orders:
        noisy = tracks[order] + 0.05 * torch.randn(5, 8)
        masks = torch.zeros(5, 1, 1, 1, device=device)
        assert join.join(noisy.to(device), masks, 0).tolist() == order.tolist()


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_window_as_long_as_the_video_is_all_of_it(overlap):
    assert plan(6, 6, overlap) == plan(6, None)
