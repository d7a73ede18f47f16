"""Our own temporal terms: what they must see, what they must not, and their gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evis.losses import tel
from evis.papers.eigencluster.beyond import VARIANTS, relative_change, scale_free, total_eigenvalue
from evis.papers.eigencluster.temporal import knn_patches

PAIRS = [(0, 1), (1, 2), (2, 0)]


def clip(seed=0, count=2, side=16):
    random = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(count, 3, side, side, generator=random, dtype=torch.float64)
    still = 50 * torch.rand(1, 1, 3, side, side, generator=random, dtype=torch.float64)
    return logits, still.expand(1, 3, 3, side, side), torch.ones(count, 3, side, side)


def test_the_total_eigenvalue_is_the_sum_of_the_dense_ones():
    logits = clip(side=6)[0]
    dense = tel.laplacian(logits.float().sigmoid().double().flatten(2))
    expected = torch.linalg.eigvalsh(dense).sum(-1)
    found = total_eigenvalue(logits)[..., 0].double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_the_total_eigenvalue_is_blind_to_where_the_mask_lies():
    logits = clip()[0]
    moved = logits.roll((3, 5), (-2, -1))
    torch.testing.assert_close(total_eigenvalue(moved), total_eigenvalue(logits))


@given(st.floats(0.01, 1e4), st.integers(0, 50))
def test_the_relative_change_has_no_scale_and_is_at_most_one(factor, seed):
    values = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    change = relative_change(values, PAIRS)
    torch.testing.assert_close(relative_change(factor * values, PAIRS), change)
    assert ((change >= 0) & (change <= 1)).all()


def test_the_relative_change_by_hand():
    values = torch.tensor([[[1.0, 0.0], [3.0, 0.0], [3.0, 1.0]]])
    expected = [(2 / 4 + 0) / 2, (0 + 1) / 2, (2 / 4 + 1) / 2]
    torch.testing.assert_close(relative_change(values, PAIRS), torch.tensor(expected))


def test_no_instances_cost_nothing():
    assert relative_change(torch.zeros(0, 3, 4), PAIRS).tolist() == [0, 0, 0]


def test_scale_free_lies_between_tk_and_its_double():
    logits, pictures, boxes = clip()
    tk = knn_patches(logits, pictures, boxes, PAIRS)
    found = scale_free(logits, pictures, boxes, PAIRS)
    assert (tk > 0).all() and (found > tk).all() and (found <= 2 * tk).all()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_still_mask_on_a_still_picture_costs_less_than_a_changing_one(name):
    logits, pictures, boxes = clip()
    still = logits[:, :1].expand(-1, 3, -1, -1)
    scheme = VARIANTS[name]()
    growing = still + torch.tensor([0.0, 2.0, 4.0]).view(1, 3, 1, 1)
    values = [scheme(each, pictures, boxes, PAIRS) for each in (still, growing)]
    assert values[0].shape == (len(PAIRS),)
    assert values[0].sum() < values[1].sum()


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients(name):
    logits, pictures, boxes = clip(count=1, side=8)
    boxes = boxes[:1].double()
    logits = logits.float().double().requires_grad_()
    scheme = VARIANTS[name]()
    value = scheme(logits, pictures, boxes, PAIRS).sum()
    (gradient,) = torch.autograd.grad(value, logits)
    step = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        ahead, behind = (
            scheme(logits + sign * 1e-2 * step, pictures, boxes, PAIRS).sum() for sign in (1, -1)
        )
    slope = (ahead - behind).double() / 2e-2
    torch.testing.assert_close((gradient * step).sum(), slope, rtol=2e-2, atol=1e-4)
