"""Mask losses: the released numbers, the formulas by hand, gradients, and where points fall."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.losses import masks

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", ["point_losses_0", "point_losses_1"])
def test_point_losses_are_the_released_ones(name):
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        golden = {key: torch.from_numpy(array) for key, array in arrays.items()}
    logits = masks.sample_points(golden["mask_logits"][:, 0], golden["points"])
    targets = masks.sample_points(golden["targets"][:, 0], golden["points"])
    for ours, theirs in ((logits, "point_logits"), (targets, "point_targets")):
        expected = golden[theirs]
        # The reference's own rounding is up to 1.3e-6 of its largest value, by float64.
        torch.testing.assert_close(ours, expected, rtol=0, atol=3e-6 * float(expected.abs().max()))
    torch.testing.assert_close(
        masks.bce(logits, targets).sum(), golden["loss_bce"], rtol=1e-6, atol=0
    )
    torch.testing.assert_close(
        masks.dice(logits, targets).sum(), golden["loss_dice"], rtol=1e-6, atol=0
    )


def test_formulas_on_numbers_worked_by_hand():
    logits = torch.tensor([[0.0, np.log(3.0)]])  # p = 1/2, 3/4
    targets = torch.tensor([[1.0, 0.0]])
    assert masks.bce(logits, targets).item() == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert masks.dice(logits, targets).item() == pytest.approx(1 - (2 * 0.5 + 1) / (1.25 + 1 + 1))


@pytest.mark.parametrize("loss", [masks.bce, masks.dice])
def test_gradients_by_finite_differences(loss):
    torch.manual_seed(0)
    logits = torch.randn(2, 7, dtype=torch.float64, requires_grad=True)
    targets = torch.rand(2, 7, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), logits)


def test_gradient_of_point_sampling_by_finite_differences():
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    points = torch.rand(2, 5, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: masks.sample_points(x, points), maps)


@pytest.mark.parametrize("loss", [masks.bce, masks.dice])
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_huge_logits_stay_finite(loss, size):
    logits = torch.tensor([[-size, size, -size, size, 0.0]], requires_grad=True)
    value = loss(logits, torch.tensor([[0.0, 1.0, 1.0, 0.0, 1.0]]))
    value.sum().backward()
    assert value.isfinite().all() and logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", [masks.bce, masks.dice])
def test_no_rows_give_no_values(loss):
    assert loss(torch.zeros(0, 5), torch.zeros(0, 5)).shape == (0,)


@pytest.mark.parametrize("loss", [masks.bce, masks.dice])
def test_points_that_do_not_count_are_as_if_they_were_not_there(loss):
    logits, targets = torch.randn(3, 7, requires_grad=True), torch.rand(3, 7)
    with torch.no_grad():
        logits[0, 4] = 1e30
    counted = torch.zeros(3, 7, dtype=torch.bool)
    counted[0, :4] = counted[1] = True
    found = loss(logits, targets, counted)
    torch.testing.assert_close(found[:1], loss(logits[:1, :4], targets[:1, :4]))
    torch.testing.assert_close(found[1:2], loss(logits[1:2], targets[1:2]))
    assert found[2] == 0
    found.sum().backward()
    assert logits.grad[counted].all() and not logits.grad[~counted].any()


@pytest.mark.parametrize("loss", [masks.bce, masks.dice])
def test_autocast_changes_nothing(loss):
    logits, targets = torch.randn(2, 50), torch.rand(2, 50)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(logits, targets)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(logits, targets), rtol=0, atol=0)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 2**31 - 1))
def test_dice_is_between_zero_and_one_and_perfect_on_itself(rows, count, seed):
    generator = torch.Generator().manual_seed(seed)
    targets = (torch.rand(rows, count, generator=generator) > 0.5).float()
    loss = masks.dice(torch.randn(rows, count, generator=generator), targets)
    assert ((loss >= 0) & (loss < 1)).all()
    perfect = masks.dice((targets - 0.5) * 200, targets)
    torch.testing.assert_close(perfect, torch.zeros(rows), rtol=0, atol=1e-6)


def test_a_sample_at_a_pixel_centre_is_that_pixel_and_between_two_their_mean():
    maps = torch.arange(12.0).reshape(1, 3, 4)
    centres = torch.tensor([[[(x + 0.5) / 4, (y + 0.5) / 3] for y in range(3) for x in range(4)]])
    torch.testing.assert_close(masks.sample_points(maps, centres), maps.flatten(1))
    between = torch.tensor([[[1 / 4, 0.5 / 3]]])
    assert masks.sample_points(maps, between).item() == pytest.approx(0.5)


def test_sampling_every_pixel_centre_keeps_the_sum_of_a_mask():
    generator = torch.Generator().manual_seed(0)
    maps = (torch.rand(3, 9, 7, generator=generator) > 0.4).float()
    y, x = torch.meshgrid((torch.arange(9) + 0.5) / 9, (torch.arange(7) + 0.5) / 7, indexing="ij")
    points = torch.stack((x, y), -1).reshape(1, -1, 2).expand(3, -1, -1)
    torch.testing.assert_close(masks.sample_points(maps, points).sum(1), maps.sum((1, 2)))


def test_shared_points_are_the_same_points_for_each_map():
    maps, points = torch.randn(4, 6, 5), torch.rand(1, 9, 2)
    torch.testing.assert_close(
        masks.sample_points(maps[None], points)[0],
        masks.sample_points(maps, points.expand(4, -1, -1)),
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_uncertain_points_have_their_number_and_range(count):
    points = masks.uncertain_points(torch.randn(count, 5, 6), 10)
    assert points.shape == (count, 10, 2)
    assert ((points >= 0) & (points <= 1)).all()


def test_uncertain_points_gather_where_the_logits_are_zero():
    logits = torch.full((1, 20, 20), 8.0)
    logits[:, :, 5:15] = 0.0  # half of the map is undecided, so candidates there are enough
    points = masks.uncertain_points(logits, 400, generator=torch.Generator().manual_seed(0))
    inside = (points[0, :, 0] > 0.25) & (points[0, :, 0] < 0.75)
    assert inside[:300].all()  # a share of 0.75, kept for its logits
    assert abs(inside[300:].float().mean().item() - 0.5) < 0.15  # the rest is uniform


def test_the_kept_points_are_the_least_certain_of_all_candidates():
    logits = torch.randn(2, 8, 8)
    candidates = torch.rand(2, 30, 2, generator=torch.Generator().manual_seed(3))
    kept = masks.uncertain_points(logits, 10, generator=torch.Generator().manual_seed(3))[:, :7]
    certainty = masks.sample_points(logits, candidates).abs().sort(1).values
    torch.testing.assert_close(masks.sample_points(logits, kept).abs(), certainty[:, :7])


def test_one_seed_gives_the_same_points():
    draws = [
        masks.uncertain_points(torch.ones(2, 4, 4), 12, generator=torch.Generator().manual_seed(s))
        for s in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_point_sampling_refuses_wrong_shapes():
    with pytest.raises(ValueError, match="M, K, h, w"):
        masks.sample_points(torch.zeros(4, 4), torch.zeros(1, 5, 2))
    with pytest.raises(ValueError, match=r"maps should be \(M, K, h, w\), M = 3"):
        masks.sample_points(torch.zeros(2, 4, 4), torch.zeros(3, 5, 2))


def test_sampling_is_grid_sample_on_any_float_type():
    maps, points = torch.randn(2, 5, 6).bfloat16(), torch.rand(2, 4, 2)
    expected = F.grid_sample(maps.float()[:, None], 2 * points[:, :, None] - 1, align_corners=False)
    torch.testing.assert_close(masks.sample_points(maps, points), expected[:, 0, :, 0])
