from pathlib import Path

import numpy as np
import pytest
import scipy.sparse.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from evis.losses import tel

FILES = (Path(__file__).parents[1] / "golden").glob("tel_*.npz")
GOLDEN = [np.load(path) for path in sorted(FILES)]


@pytest.fixture(params=range(len(GOLDEN)))
def golden(request):
    return {name: torch.from_numpy(array) for name, array in GOLDEN[request.param].items()}


def spectrum(pixels, count=3, solver="secular"):
    """One frame of one instance: (n,) -> (count,)"""
    logits = torch.as_tensor(pixels, dtype=torch.float64).reshape(1, 1, 1, -1)
    return tel.eigenvalues(logits, count, scale=1, solver=solver)[0, 0]


def assert_like_dense(found, pixels, count):
    """1e-8 relative, beside what `eigvalsh` itself can tell from zero."""
    largest = torch.linalg.eigvalsh(tel.laplacian(pixels)).max()
    dense = spectrum(pixels, count, "dense")
    torch.testing.assert_close(found, dense, rtol=1e-8, atol=1e-13 * float(largest) * len(pixels))


# Golden numbers -----------------------------------------------------------------------------------


def test_there_are_three_golden_cases():
    assert len(GOLDEN) == 3


def test_resizing(golden):
    expected = golden["resized"]
    assert torch.equal(tel.features(golden["mask_logits"]), expected)


@pytest.mark.parametrize("solver", ["secular", "dense"])
def test_the_paper_s_eigenvalues(golden, solver):
    pixels = golden["resized"].double()
    found = tel.eigenvalues(pixels[:, :, None], scale=1, solver=solver)
    torch.testing.assert_close(found, golden["paper_lambda3"], rtol=1e-8, atol=1e-8)


def test_more_of_the_spectrum(golden):
    found = tel.eigenvalues(golden["resized"].double()[:, :, None], count=12, scale=1)
    expected = golden["paper_eigenvalues_all"][..., :12]
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def test_float32_logits(golden):
    found = tel.eigenvalues(golden["mask_logits"])
    assert found.dtype == torch.float32
    expected = golden["paper_lambda3"].float()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_the_paper_s_loss(golden):
    values = tel.eigenvalues(golden["resized"].double()[:, :, None], scale=1)
    found = tel.eigenvalue_loss(values, tel.cyclic_pairs(values.shape[1]))
    torch.testing.assert_close(found, golden["paper_l1_sum_consecutive"], rtol=1e-9, atol=1e-9)


def test_the_released_eigenvalues_up_to_their_noise(golden):
    found = tel.eigenvalues(golden["mask_logits"], solver="released")
    expected = golden["released_eigenvalues"]
    assert torch.equal(found.round().abs(), expected.round().abs())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-2)


def test_the_released_loss(golden):
    pairs = [tuple(pair) for pair in golden["pairs"].tolist()]
    assert pairs == tel.all_pairs(golden["mask_logits"].shape[1])
    found = tel.eigenvalue_loss(golden["released_eigenvalues"], pairs, "released")
    torch.testing.assert_close(found, golden["released_l1_mean_pairs"], rtol=1e-4, atol=1e-6)


def test_the_mean_is_the_released_one_with_a_gradient(golden):
    pairs, values = tel.all_pairs(golden["mask_logits"].shape[1]), golden["released_eigenvalues"]
    leaf = values.clone().requires_grad_()
    found = tel.eigenvalue_loss(leaf, pairs, "mean")
    assert torch.equal(found, tel.eigenvalue_loss(values, pairs, "released"))
    found.sum().backward()
    assert leaf.grad.abs().sum() > 0


def test_the_released_limit_counts_blocks(golden):
    limit = tel.released_limit(golden["mask_logits"])
    off = (limit - golden["released_eigenvalues"]).abs() > 0.5
    # beside two positive pixels of 112, the released solver misses one eigenvalue 0
    assert off.sum() == (1 if len(limit[0]) == 5 else 0)


# Exact values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ([3.0, 5.0], [0, 2 * 3 * 5, 0]),  # one edge of weight 15; no third eigenvalue
        ([1e-9, 1.0], [0, 2e-9, 0]),  # what a dense solver can't see
        ([2.0, 2.0, 2.0], [0, 12, 12]),  # complete graph: n p^2
        ([-2.0, -2.0, -2.0], [0, 12, 12]),
        ([2.0, 2.0, -1.0, -1.0], [0, 0, 2]),
        ([1.0, -1.0], [0, 0, 0]),  # one-pixel blocks
        ([4.0], [0, 0, 0]),
        ([0.0, 0.0, 0.0, 0.0], [0, 0, 0]),
        ([0.0, 3.0, 5.0], [0, 0, 30]),  # a pixel of weight 0 stands alone
        ([-0.0, 3.0, 5.0], [0, 0, 30]),
    ],
)
def test_small_graphs(pixels, expected):
    found = spectrum(pixels)
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_eigenvalues_beyond_the_second_of_a_tie():
    pixels = torch.tensor([1.0, 1, 1, 1, 2, 2, 5], dtype=torch.float64)
    found = spectrum(pixels, 7)
    assert_like_dense(found, pixels, 7)
    torch.testing.assert_close(found[1:4], torch.full((3,), 13.0, dtype=torch.float64))


logits = st.lists(
    st.one_of(
        st.floats(-20, 20).filter(lambda x: x == 0 or abs(x) > 1e-3),
        st.sampled_from([0.0, 1.0, -1.0, 2.5, -2.5]),
    ),
    min_size=1,
    max_size=40,
)


@given(logits, st.integers(1, 6))
def test_secular_equals_dense(pixels, count):
    pixels = torch.tensor(pixels, dtype=torch.float64)
    found = spectrum(pixels, count)
    assert found.isfinite().all() and (found[: len(pixels)].diff() >= 0).all()
    assert not found[len(pixels) :].any()
    assert_like_dense(found, pixels, count)


@given(logits, st.randoms(use_true_random=False))
def test_the_order_of_pixels_does_not_matter(pixels, random):
    before = spectrum(pixels, 4)
    random.shuffle(pixels)
    torch.testing.assert_close(spectrum(pixels, 4), before, rtol=1e-11, atol=0)


@given(logits)
def test_flipping_all_signs_changes_nothing(pixels):
    found = spectrum([-pixel for pixel in pixels], 4)
    torch.testing.assert_close(found, spectrum(pixels, 4), rtol=1e-12, atol=0)


@given(logits, st.sampled_from([1e-60, 1e-20, 1e-3, 7.0, 1e20, 1e60]))
def test_scaling_the_logits_scales_the_spectrum_by_its_square(pixels, factor):
    found = spectrum([factor * pixel for pixel in pixels], 4)
    torch.testing.assert_close(found, factor * (factor * spectrum(pixels, 4)), rtol=1e-11, atol=0)


@pytest.mark.parametrize("factor", [1e-44, 1e-30, 1e30, 3e38])
def test_float32_at_its_ends_stays_finite(factor):
    logits = factor * torch.tensor([[[[0.5, -0.3, 0.9, -1.0, 0.7, 0.1]]]]).requires_grad_()
    found = tel.eigenvalues(logits, scale=1)
    assert found.isfinite().all()
    logits.retain_grad()
    found.sum().backward()
    assert not logits.grad.isnan().any()


def test_weights_of_very_different_size():
    pixels = torch.tensor([10.0**k for k in range(-12, 4)], dtype=torch.float64)
    found = spectrum(pixels, 6)
    # far apart, the k-th eigenvalue lies just above S times the k-th weight; see the residual
    mu = found[1:, None] / pixels.sum()
    terms = pixels / (pixels - mu)
    assert (terms.sum(1).abs() / terms.abs().sum(1)).max() < 1e-9
    assert (mu[:, 0] > pixels[:5]).all() and (mu[:, 0] < pixels[1:6]).all()


def test_a_million_pixels():
    pixels = torch.randn(1, 1, 1000, 1000, generator=torch.Generator().manual_seed(0))
    found = tel.eigenvalues(pixels, scale=1)
    assert (found[..., :2] == 0).all() and found[..., 2] > 0


# Gradients ----------------------------------------------------------------------------------------


def distinct(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_gradients_by_finite_differences(seed, scale):
    logits = distinct(2, 2, 6, 7, seed=seed)
    torch.autograd.gradcheck(lambda x: tel.eigenvalues(x, 4, scale), logits)


@pytest.mark.parametrize("seed", range(5))
def test_gradients_equal_those_through_the_dense_solver(seed):
    logits = distinct(2, 3, 8, 9, seed=seed)
    weights = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(seed)).double()
    gradients = [
        torch.autograd.grad((weights * tel.eigenvalues(logits, 5, 1, solver)).sum(), logits)[0]
        for solver in ("secular", "dense")
    ]
    torch.testing.assert_close(*gradients, rtol=1e-7, atol=1e-9)


@given(logits)
def test_gradients_add_up_as_for_any_square_even_at_ties(pixels):
    """Euler: eigenvalues are homogeneous of degree two, so <p, gradient> = 2 lambda."""
    logits = torch.tensor(pixels, dtype=torch.float64).reshape(1, 1, 1, -1).requires_grad_()
    values = tel.eigenvalues(logits, 5, scale=1)[0, 0]
    for value in values:
        (gradient,) = torch.autograd.grad(value, logits, retain_graph=True, allow_unused=True)
        gradient = torch.zeros_like(logits) if gradient is None else gradient
        assert gradient.isfinite().all()
        total = (gradient * logits).sum().detach()
        torch.testing.assert_close(total, 2 * value.detach(), rtol=1e-7, atol=1e-250)


def test_the_gradient_of_the_fiedler_value_sits_on_the_weakest_pixels():
    pixels = torch.tensor([0.1, 0.2, 3.0, 4.0, 5.0], dtype=torch.float64)
    logits = pixels.reshape(1, 1, 1, -1).requires_grad_()
    tel.eigenvalues(logits, 2, scale=1)[..., 1].sum().backward()
    assert logits.grad.flatten().argmax() == 0


def test_the_released_flavour_carries_no_gradient():
    logits = distinct(1, 2, 8, 8)
    assert not tel.eigenvalues(logits, solver="released").requires_grad
    values = tel.eigenvalues(logits)
    assert not tel.eigenvalue_loss(values, [(0, 1)], "released").requires_grad


# Loss ---------------------------------------------------------------------------------------------


def test_pairs():
    assert tel.cyclic_pairs(4) == [(0, 1), (1, 2), (2, 3), (3, 0)]
    assert tel.cyclic_pairs(2) == [(0, 1), (1, 0)]
    assert tel.all_pairs(3) == [(0, 1), (0, 2), (1, 2)]


def test_a_mask_that_moves_without_changing_costs_nothing():
    frame = torch.full((16, 16), -3.0)
    frames = [frame.clone() for _ in range(3)]
    for t, still in enumerate(frames):
        still[2:6, 1 + 3 * t : 5 + 3 * t] = 4.0
    values = tel.eigenvalues(torch.stack(frames)[None], scale=1)
    assert tel.eigenvalue_loss(values, tel.cyclic_pairs(3)).sum() == 0


def test_a_mask_that_vanishes_costs():
    frames = torch.full((1, 3, 16, 16), -3.0)
    frames[:, :2, 2:6, 2:6] = 4.0
    loss = tel.eigenvalue_loss(tel.eigenvalues(frames, scale=1), tel.cyclic_pairs(3))
    assert loss[0] == 0 and loss[1] > 0 and loss[2] > 0


def test_psi():
    tk, eigenvalue = torch.tensor([1.0, 2.0]), torch.tensor([10.0, 0.5])
    assert tel.temporal_loss(tk, eigenvalue, beta=0.1) == pytest.approx(1 + 1 + 2 + 0.1)


def test_no_instances():
    values = tel.eigenvalues(torch.zeros(0, 3, 8, 8))
    assert values.shape == (0, 3, 3)
    for flavour in ("paper", "mean", "released"):
        assert tel.eigenvalue_loss(values, tel.all_pairs(3), flavour).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="one of paper, mean, released, is 'sum'"):
        tel.eigenvalue_loss(values, tel.all_pairs(3), "sum")
    for solver in ("dense", "released"):
        assert tel.eigenvalues(torch.zeros(0, 3, 8, 8), solver=solver).shape == (0, 3, 3)


# Edges --------------------------------------------------------------------------------------------


def test_autocast_and_half_precision():
    logits = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = tel.eigenvalues(logits)
    torch.testing.assert_close(found, tel.eigenvalues(logits.float()))
    assert found.dtype == torch.float32


@pytest.mark.parametrize("place", [1, 3])  # the resize by 1/4 reads the first and not the other
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_broken_logits_are_refused(bad, place):
    logits = torch.zeros(1, 2, 8, 8)
    logits[0, 1, place, place] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        tel.eigenvalues(logits)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((2, 8, 8), {}, "should be"),
        ((1, 2, 8, 8), {"count": 0}, "count should be a whole number from 1 on"),
        ((1, 2, 3, 8), {}, "can't be resized"),
        ((1, 2, 8, 8), {"scale": 0}, "scale should be a whole number from 1 on, is 0"),
        ((1, 2, 8, 8), {"scale": 2.5}, "scale should be a whole number from 1 on, is 2.5"),
        ((1, 2, 8, 8), {"solver": "lanczos"}, "solver should be one of secular, dense"),
        ((1, 1, 400, 400), {"solver": "dense", "scale": 1}, "too large"),
    ],
)
def test_bad_arguments(shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        tel.eigenvalues(torch.zeros(shape), **arguments)


def test_where_the_released_solver_gives_up_the_dense_one_answers(monkeypatch):
    def give_up(*_, **__):
        raise scipy.sparse.linalg.ArpackError(3)

    monkeypatch.setattr(scipy.sparse.linalg, "eigsh", give_up)
    logits = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    found = tel.eigenvalues(logits, solver="released")
    torch.testing.assert_close(found, tel.released_limit(logits), rtol=0, atol=1e-6)
