"""From queries to instances: scores by hand, masks enlarged to the right pixel."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import masks
from evis.inference import instances, run_lengths


def _bounds(rle) -> tuple[int, int, int, int]:
    """The mask's top, bottom, left and right; it must be a rectangle."""
    mask = masks.decode(rle)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert mask.sum() == len(rows) * len(columns)
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


@pytest.mark.parametrize("size", [(45, 51), (450, 510), (90, 204)])
def test_masks_lie_where_the_model_saw_them_though_its_last_row_and_column_overhang(size):
    """The model saw 45 x 51 pixels: at stride 4 its masks are 12 x 13, which stand for 48 x 52."""
    x = torch.arange(13) * 4 + 2.0  # the middles of its pixels
    y = torch.arange(12) * 4 + 2.0
    left_of_31 = (31 - x).expand(12, 13)
    above_20 = (20 - y)[:, None].expand(12, 13)
    found = instances.encode(torch.stack([left_of_31, above_20]), 4, (45, 51), size)
    down, across = size[0] / 45, size[1] / 51
    assert _bounds(found[0]) == pytest.approx((0, size[0], 0, 31 * across), abs=1)
    assert _bounds(found[1]) == pytest.approx((0, 20 * down, 0, size[1]), abs=1)


def test_masks_are_the_same_however_many_are_enlarged_at_once(monkeypatch):
    torch.manual_seed(0)
    logits = torch.randn(7, 6, 8)
    logits[2] = -1.0
    at_once = instances.encode(logits, 4, (22, 30), (40, 60))
    monkeypatch.setattr(instances, "AT_ONCE", (2 * 40 * 60, 2 * 40 * 60))
    assert instances.encode(logits, 4, (22, 30), (40, 60)) == at_once
    assert [mask is None for mask in at_once] == [n == 2 for n in range(7)]


def test_where_no_query_has_a_pixel_no_mask_is_made():
    assert instances.encode(torch.full((3, 6, 8), -1.0), 4, (22, 30), (40, 60)) == [None] * 3
    assert instances.encode(torch.zeros(0, 6, 8), 4, (22, 30), (40, 60)) == []


def test_probabilities_are_summed_within_each_mask_alone(monkeypatch):
    torch.manual_seed(0)
    logits, how = torch.randn(7, 6, 8), (4, (22, 30), (40, 60))
    logits[2] = -1.0
    encoded, sums = instances.encode(logits, *how), instances.inside(logits, *how)
    large = F.interpolate(logits[None], (24, 32), mode="bilinear")[..., :22, :30]
    soft = F.interpolate(large, (40, 60), mode="bilinear")[0].sigmoid().double()
    for n, rle in enumerate(encoded):
        mask = torch.from_numpy(masks.decode(rle) > 0 if rle else np.zeros((40, 60), bool))
        wanted = [float(soft[n][mask].sum()), float(mask.sum())]
        assert sums[n].tolist() == pytest.approx(wanted, rel=1e-6) and (wanted[1] > 0) == (n != 2)
    monkeypatch.setattr(instances, "AT_ONCE", (2 * 40 * 60, 2 * 40 * 60))
    assert torch.equal(instances.inside(logits, *how), sums)
    assert instances.inside(logits[:0], *how).shape == (0, 2)


def test_tracks_by_maskness_are_ordered_anew_and_without_pixels_have_none():
    sums = {4: torch.tensor([3.0, 4.0]), 7: torch.tensor([0.9, 1.0]), 8: torch.tensor([0.0, 0.0])}
    best = [
        (4, 1, 0.9, "a"),
        (5, 1, 0.8, "b"),
        (7, 0, 0.7, "c"),
        (8, 0, 0.6, "d"),
        (4, 2, 0.1, "e"),
    ]
    found = instances.by_maskness(best, sums)
    assert [(t, label, kept) for t, label, _, kept in found] == [
        *[(7, 0, "c"), (4, 1, "a"), (4, 2, "e"), (5, 1, "b"), (8, 0, "d")]
    ]
    assert [score for *_, score, _ in found] == pytest.approx([0.9, 0.75, 0.75, 0, 0])


def test_the_best_of_all_tracks_and_classes_without_no_object():
    probabilities = torch.tensor([[0.5, 0.2, 0.3], [0.05, 0.9, 0.05], [0.04, 0.06, 0.9]])
    logits = probabilities.log()
    found = instances.choose(logits, 3)
    assert [(track, label) for track, label, _ in found] == [(1, 1), (0, 0), (0, 1)]
    assert [score for *_, score in found] == pytest.approx([0.9, 0.5, 0.2])
    found = instances.choose(logits, 10, class_agnostic=True)
    assert [(track, label) for track, label, _ in found] == [(1, 1), (0, 0), (2, 1)]
    assert [score for *_, score in found] == pytest.approx([0.95, 0.7, 0.1])


def test_equal_scores_keep_the_tracks_order():
    assert [t for t, *_ in instances.choose(torch.zeros(30, 2), 30)] == list(range(30))


@settings(max_examples=40)
@given(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.data())
def test_run_lengths_made_on_a_device_are_pycocotools_own(number, width, height, percent, data):
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    columns = torch.rand(number, width, height, generator=generator) * 100 < percent
    wanted = [rle["counts"] for rle in masks.encode_columns(columns.numpy())]
    assert run_lengths.compressed(columns) == wanted


def test_run_lengths_of_large_masks(device):
    columns = torch.zeros(3, 1280, 720, dtype=torch.bool)
    columns[1, 600] = True  # runs that differ by 20 bits, up and down
    columns[2] = torch.rand(1280, 720, generator=torch.Generator().manual_seed(0)) < 0.5
    wanted = [rle["counts"] for rle in masks.encode_columns(columns.numpy())]
    assert run_lengths.compressed(columns.to(device)) == wanted
