"""Every loss on the device and of the type under test, against itself in float64 on the CPU."""

from functools import partial

import pytest
import torch

from evis.losses import boxinst, masks, qcc, secular, tel, tk
from evis.matching import match

SIZE = (8, 12)
PAIRS = [(0, 1), (1, 2), (2, 0)]


def _random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


BOXES = torch.zeros(2, 3, *SIZE)
BOXES[:, :, 2:6, 3:9] = 1
BOXES[:, 1:, 6, 3:9] = 0.5  # as resizing leaves borders
COLOURS, FRAMES = 0.4 * _random(2, 3, *SIZE, seed=1), 0.4 * _random(3, 2, 3, *SIZE, seed=2)
POINTS = _random(6, 9, 2, seed=3).sigmoid()
# Similarities are compared with thresholds, so they are the same in all tests.
SIMILAR = boxinst.color_similarity(COLOURS)
PATCHES = torch.stack([tk.patch_similarity(FRAMES[a], FRAMES[b]) for a, b in PAIRS])


def _losses(device="cpu"):
    """By name, functions of logits (2, 3, h, w)."""
    boxes, similar, patches, points = (x.to(device) for x in (BOXES, SIMILAR, PATCHES, POINTS))
    rows = boxes.flatten(0, 1).flatten(1)

    def pairwise(x, flavour):
        return boxinst.pairwise_loss(x[:, 0], similar, boxes[:, 0], flavour=flavour)

    def temporal(x, flavour):
        return tk.tk_loss(x, patches, boxes, PAIRS, flavour=flavour).sum()

    def eigenvalues(x, solver):
        return tel.eigenvalue_loss(tel.eigenvalues(x, 4, 2, solver), PAIRS).sum()

    return {
        "projection": lambda x: boxinst.projection_loss(x[:, 0], boxes[:, 0]),
        "pairwise, paper": partial(pairwise, flavour="paper"),
        "pairwise, released": partial(pairwise, flavour="released"),
        "TK, paper": partial(temporal, flavour="paper"),
        "TK, released": partial(temporal, flavour="released"),
        "TEL": partial(eigenvalues, solver="secular"),
        "TEL, dense": partial(eigenvalues, solver="dense"),
        "QCC, soft": lambda x: qcc.quality_cluster_coefficient(x[None], [3], 2, "soft"),
        "BCE": lambda x: masks.bce(x.flatten(0, 1).flatten(1), rows).sum(),
        "dice": lambda x: masks.dice(x.flatten(0, 1).flatten(1), rows).sum(),
        "points": lambda x: masks.sample_points(x.flatten(0, 1), points).square().sum(),
    }


every_loss = pytest.mark.parametrize("name", _losses())


def _value_and_slope(loss, logits):
    logits = logits.requires_grad_()
    value = loss(logits)
    (slope,) = torch.autograd.grad(value, logits)
    return value.detach(), slope


@every_loss
def test_any_device_and_type_gives_the_same_value_and_gradient(name, device, dtype):
    logits = 2 * _random(2, 3, *SIZE).to(dtype)
    value, slope = _value_and_slope(_losses(device)[name], logits.to(device).clone())
    assert value.device.type == slope.device.type == device.type
    assert value.dtype == torch.promote_types(dtype, torch.float32) and slope.dtype == dtype
    exact, exact_slope = _value_and_slope(_losses()[name], logits.double())
    torch.testing.assert_close(value.cpu().double(), exact, rtol=1e-4, atol=1e-6)
    allowed = 4 * max(torch.finfo(dtype).eps, 1e-5) * exact_slope.abs().max().item()
    torch.testing.assert_close(slope.cpu().double(), exact_slope, rtol=0, atol=allowed)


@every_loss
def test_tensors_are_built_where_the_inputs_are(name, device):
    """With another default device, whatever is built without naming one can't be used."""
    logits, loss = 2 * _random(2, 3, *SIZE).to(device), _losses(device)[name]
    expected = loss(logits)
    with torch.device("meta"):
        torch.testing.assert_close(loss(logits), expected)


@pytest.mark.parametrize("flavour", ["paper", "released"])
def test_q_of_any_device_and_type(flavour, device, dtype):
    features = 2 * _random(2, 4, 3, *SIZE).to(dtype)
    exact = qcc.quality_cluster_coefficient(features.double(), [3, 2], 2, flavour)
    with torch.device("meta"):
        found = qcc.quality_cluster_coefficient(features.to(device), [3, 2], 2, flavour)
    assert found.device.type == device.type
    torch.testing.assert_close(found.cpu().double(), exact, rtol=1e-5, atol=0)


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_matching_on_any_device_and_of_any_type(by, device, dtype):
    classes, logits = _random(2, 5, 4).to(dtype), 3 * _random(2, 5, 3, *SIZE, seed=4).to(dtype)
    labels = torch.tensor([0, 2])
    targets = [(labels, _random(2, 3, 32, 48, seed=seed) > 1.0) for seed in (5, 6)]

    def run(place):
        there = [(labels.to(place), drawn.to(place)) for labels, drawn in targets]
        generator = torch.Generator().manual_seed(0)
        with torch.device("meta"):
            return match(classes.to(place), logits.to(place), there, by, 500, generator)

    for pair, expected in zip(run(device), run("cpu"), strict=True):
        assert all(torch.equal(*sides) for sides in zip(pair, expected, strict=True))


@every_loss
def test_second_derivatives_are_right_or_refused(name):
    loss, logits = _losses()[name], 2 * _random(2, 3, *SIZE).requires_grad_()
    refuses = {
        "TEL": "once_differentiable",
        "QCC, soft": "_cdist_backward",
    }
    if name not in refuses:
        try:
            assert torch.autograd.gradgradcheck(loss, logits, fast_mode=True)
        except RuntimeError as error:  # of reading between pixels, before torch 2.13
            assert name == "points" and "is not implemented" in str(error)
        return
    (slope,) = torch.autograd.grad(loss(logits), logits, create_graph=True)
    with pytest.raises(RuntimeError, match=refuses[name]):
        slope.square().sum().backward()


def test_what_is_computed_so_that_a_gpu_is_not_waited_for_is_the_same(monkeypatch):
    points = torch.cat((_random(2, 60, 3), 3 + _random(2, 60, 3, seed=1)), 1)
    logits = 2 * _random(2, 3, *SIZE)
    logits[0, 0] = logits[0, 0].abs()  # one block alone

    def found():
        weights = logits.clone().requires_grad_()
        values = tel.eigenvalues(weights, 4, 2)
        (slope,) = torch.autograd.grad(values.sum(), weights)
        return *qcc.kmeans(points, [2, 5]), values.detach(), slope, tk.matches(PATCHES, 3)

    here = found()
    for module in (qcc, secular, tel, tk):
        monkeypatch.setattr(module, "is_far", lambda values: True)
    for near, far in zip(here, found(), strict=True):
        torch.testing.assert_close(far, near, rtol=1e-10, atol=1e-12)
