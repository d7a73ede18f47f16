"""BoxInst's terms equal the golden numbers, plain loops over pixels, and survive extreme logits.

The golden files hold what these tests and those of TK need: the corner of one frame, the LAB
picture of all, the matched queries' logits and gradients (the others' are zero).
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import logsigmoid

from evis.losses import boxinst
from evis.losses.color import rgb_to_lab
from evis.losses.neighbours import RING, inside_picture, window_cost
from evis.losses.tensors import resize

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("boxinst_tk_*.npz"))


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def golden(request):
    return {name: torch.from_numpy(value) for name, value in np.load(request.param).items()}


def close(found, wanted, relative=1e-5):
    """Within `relative` of the largest wanted value, everywhere."""
    found, wanted = found.detach().double(), wanted.double()
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() <= relative * wanted.abs().max()


def matched(golden):
    """Logits that need gradients, and boxes at their size, both (B * N * T, h, w)."""
    logits = golden["mask_logits"].clone().requires_grad_()
    boxes = resize(golden["box_masks"].flatten(0, 1), logits.shape[-2:])
    return logits, logits.flatten(0, 2), boxes.flatten(0, 1)


def similarities(golden):
    clips, instances, frames = golden["mask_logits"].shape[:3]
    found = boxinst.color_similarity(golden["lab"]).unflatten(0, (clips, 1, frames))
    return found.expand(-1, instances, -1, -1, -1, -1).flatten(0, 2)


def test_there_are_golden_files():
    assert len(GOLDEN) == 2


def test_golden_lab(golden):
    found = boxinst.lab(golden["frames_rgb"])
    height, width = found.shape[-2:]
    assert torch.equal(found, golden["lab"][:1, :, :height, :width])


def test_golden_color_similarity(golden):
    found = boxinst.color_similarity(golden["lab"][:1])
    torch.testing.assert_close(found, golden["color_similarity"], rtol=1e-5, atol=0)


def test_golden_pairwise_term(golden):
    _, logits, _ = matched(golden)
    close(window_cost(logits[:1], logits[:1], 2, RING), golden["pairwise_term"])


def test_golden_projection(golden):
    logits, masks, boxes = matched(golden)
    loss = boxinst.projection_loss(masks, boxes)
    loss.backward()
    close(loss, golden["loss_projection"])
    close(logits.grad, golden["grad_loss_mask_proj"])


def test_golden_pairwise(golden):
    logits, masks, boxes = matched(golden)
    loss = boxinst.pairwise_loss(masks, similarities(golden), boxes)
    loss.backward()
    close(loss, golden["loss_pairwise"])
    close(logits.grad, golden["grad_loss_bound"])


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((10, 10, 10), (2.74, 0, 0)),
    ],
)
def test_known_colours(rgb, lab):
    found = rgb_to_lab(torch.tensor(rgb).view(3, 1, 1)).flatten()
    torch.testing.assert_close(found, torch.tensor(lab, dtype=torch.float32), rtol=0, atol=0.02)


def test_lab_is_opencvs():
    pixels = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    wanted = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    found = rgb_to_lab(torch.from_numpy(pixels).permute(2, 0, 1))
    assert (
        np.abs(found.permute(1, 2, 0).numpy() - wanted).max() < 0.5
    )  # OpenCV reads curves off a table


def test_the_released_picture_swaps_red_and_blue_and_cuts_fractions():
    frames = torch.randint(0, 256, (2, 3, 9, 13), generator=torch.Generator().manual_seed(0))
    mean = frames[..., :8, :12].float().unflatten(-1, (3, 4)).unflatten(-3, (2, 4)).mean((-1, -3))
    paper, released = boxinst.lab(frames, flavour="paper"), boxinst.lab(frames)
    torch.testing.assert_close(paper, rgb_to_lab(mean))
    torch.testing.assert_close(released, rgb_to_lab(mean.byte()[:, [2, 1, 0]]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(boxinst.lab(frames), released)


def slow_similarity(lab, dilation):
    frames, _, height, width = lab.shape
    found = np.zeros((frames, 8, height, width))
    for f, k, y, x in np.ndindex(found.shape):
        v, u = y + dilation * RING[k][0], x + dilation * RING[k][1]
        other = lab[f, :, v, u] if 0 <= v < height and 0 <= u < width else np.zeros(3)
        found[f, k, y, x] = np.exp(-0.5 * np.linalg.norm(lab[f, :, y, x] - other))
    return found


def slow_pairwise(masks, similarity, boxes, threshold, dilation, flavour):
    """Over undirected edges for Eq. 3, over each pixel's neighbours for the released form."""
    total = count = 0.0
    count_m, height, width = masks.shape
    for m, k, y, x in np.ndindex(count_m, 8, height, width):
        v, u = y + dilation * RING[k][0], x + dilation * RING[k][1]
        inside = 0 <= v < height and 0 <= u < width
        here = masks[m, y, x]
        there = masks[m, v, u] if inside else 0.0
        cost = -np.log(here * there + (1 - here) * (1 - there)) if inside else 0.0
        alike = similarity[m, k, y, x] >= threshold
        if flavour == "released":
            total += boxes[m, y, x] * alike * cost
            count += boxes[m, y, x] * alike
        elif inside and k < 4 and (boxes[m, y, x] or boxes[m, v, u]):
            total += alike * cost
            count += 1
    return total / max(count, 1)


def example(seed, count=2, height=7, width=9):
    """Logits, a LAB picture smooth enough that some neighbours are alike, and boxes, one empty."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(count, height, width, generator=generator, dtype=torch.float64)
    lab = torch.randn(count, 3, height, width, generator=generator, dtype=torch.float64)
    boxes = torch.zeros(count, height, width, dtype=torch.float64)
    boxes[0, 2:6, 1:7] = 1
    return logits, lab, boxes


@pytest.mark.parametrize("flavour", ["released", "paper"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_pairwise_by_plain_loops(flavour, dilation):
    logits, lab, boxes = example(0)
    similarity = boxinst.color_similarity(lab, dilation)
    np.testing.assert_allclose(similarity, slow_similarity(lab.numpy(), dilation), rtol=1e-12)
    found = boxinst.pairwise_loss(logits, similarity, boxes, 0.3, dilation, flavour)
    masks = logits.sigmoid().numpy()
    wanted = slow_pairwise(masks, similarity.numpy(), boxes.numpy(), 0.3, dilation, flavour)
    assert wanted > 0 and found == pytest.approx(wanted, rel=1e-10)


def test_the_two_written_forms_differ():
    logits, lab, boxes = example(1)
    similarity = boxinst.color_similarity(lab)
    released = boxinst.pairwise_loss(logits, similarity, boxes)
    assert boxinst.pairwise_loss(logits, similarity, boxes, flavour="paper") < 0.9 * released


def test_projection_by_plain_loops():
    logits, _, boxes = example(2)
    wanted = 0.0
    for mask, box in zip(logits.sigmoid().numpy(), boxes.numpy(), strict=True):
        for axis in (0, 1):
            m, b = mask.max(axis), box.max(axis)
            wanted += 1 - 2 * (m @ b) / (m @ m + b @ b + 1e-5)
    assert boxinst.projection_loss(logits, boxes) == pytest.approx(wanted / 2, rel=1e-12)


@pytest.mark.parametrize("flavour", ["released", "paper"])
def test_gradients_by_finite_differences(flavour):
    logits, lab, boxes = example(3, height=4, width=5)
    similarity = boxinst.color_similarity(lab)
    logits.requires_grad_()

    def losses(x):
        pairwise = boxinst.pairwise_loss(x, similarity, boxes, flavour=flavour)
        return boxinst.projection_loss(x, boxes), pairwise

    assert torch.autograd.gradcheck(losses, logits)


def test_a_filled_box_costs_nothing_and_an_empty_one_teaches_nothing():
    _, _, boxes = example(4)
    filled = (60 * boxes - 30).requires_grad_()
    assert boxinst.projection_loss(filled[:1], boxes[:1]).item() < 1e-5  # the guard in the ratio
    flat = boxinst.projection_loss(filled[1:] + 30, boxes[1:])
    assert flat == 2
    assert not torch.autograd.grad(flat, filled)[0].any()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([1.0, 30.0, 1e4, 1e30]))
def test_flipping_picture_and_mask_changes_nothing(seed, scale):
    logits, lab, boxes = example(seed)
    logits = (scale * logits).float()

    def losses(*flips):
        x, colours, box = logits.flip(*flips), lab.flip(*flips), boxes.flip(*flips)
        pairwise = boxinst.pairwise_loss(x, boxinst.color_similarity(colours), box)
        return torch.stack((boxinst.projection_loss(x, box), pairwise.float()))

    assert losses(()).isfinite().all()
    torch.testing.assert_close(losses((-1,)), losses(()))
    torch.testing.assert_close(losses((-1, -2)), losses(()))


@pytest.mark.parametrize("value", [0.0, 1e4, -1e4, 3e38, "checkerboard"])
@pytest.mark.parametrize("flavour", ["released", "paper"])
def test_extreme_logits(value, flavour):
    if value == "checkerboard":
        logits = 1e4 * (1 - 2 * (torch.arange(2 * 6 * 7).view(2, 6, 7) % 2.0))
    else:
        logits = torch.full((2, 6, 7), value)
    logits.requires_grad_()
    similarity, boxes = torch.ones(2, 8, 6, 7), torch.ones(2, 6, 7)
    loss = boxinst.pairwise_loss(logits, similarity, boxes, dilation=1, flavour=flavour)
    loss = loss + boxinst.projection_loss(logits, boxes)
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()
    if value == "checkerboard":
        assert loss > 1e3 and logits.grad.any()  # certain and wrong: still taught


@pytest.mark.parametrize("shape", [(0, 6, 7), (2, 1, 1)])
@pytest.mark.parametrize("flavour", ["released", "paper"])
def test_no_masks_and_one_pixel(shape, flavour):
    logits = torch.randn(shape, requires_grad=True)
    similarity, boxes = torch.ones(shape[0], 8, *shape[1:]), torch.ones(shape)
    loss = boxinst.pairwise_loss(logits, similarity, boxes, flavour=flavour)
    assert loss.item() == pytest.approx(0, abs=1e-6)
    projection = boxinst.projection_loss(logits, boxes)
    (loss + projection).backward()
    assert logits.grad.isfinite().all()
    assert projection.item() == 0 or shape[0]


def test_cost_is_minus_log_of_the_probability():
    first, second = (
        torch.linspace(-8, 8, 33, dtype=torch.float64).unfold(0, 1, 1),
        torch.tensor(1.5),
    )
    m, n = first.sigmoid(), second.double().sigmoid()
    cost = window_cost(first[..., None], second.double().expand(33, 1, 1), 1, [(0, 0)])
    torch.testing.assert_close(cost.flatten(), -(m * n + (1 - m) * (1 - n)).log().flatten())
    tiny = window_cost(torch.full((1, 1), 20.0), torch.full((1, 1), 20.0), 1, [(0, 0)])
    assert tiny.item() == pytest.approx(-2 * logsigmoid(torch.tensor(20.0)).item(), rel=1e-4)


def test_a_neighbour_outside_the_picture_costs_exactly_nothing():
    logits = torch.randn(20, 5, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    cost = window_cost(logits, logits, 2, RING)
    outside = ~inside_picture(logits, 2, RING).expand_as(cost)
    assert (cost > 0).equal(~outside)
    cost[outside].sum().backward()
    assert not logits.grad.any()


def test_low_precision_is_computed_in_float32():
    logits, lab, boxes = example(5)
    similarity = boxinst.color_similarity(lab).float()
    low = logits.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pairwise = boxinst.pairwise_loss(low, similarity, boxes.bfloat16())
        projection = boxinst.projection_loss(low, boxes.bfloat16())
    assert pairwise.dtype == projection.dtype == torch.float32
    exact = low.double()
    close(pairwise, boxinst.pairwise_loss(exact, similarity, boxes))
    close(projection, boxinst.projection_loss(exact, boxes))


def test_warm_up():
    assert [boxinst.warm_up(step, 2000) for step in (0, 500, 2000, 9000)] == [0, 0.25, 1, 1]
    assert boxinst.warm_up(0, 0) == 1


def test_bad_input_is_refused():
    masks, similarity = torch.zeros(2, 5, 6), torch.zeros(2, 8, 5, 6)
    with pytest.raises(ValueError, match=r"\(M, h, w\)"):
        boxinst.projection_loss(masks, masks[:1])
    with pytest.raises(ValueError, match=r"\(M, h, w\)"):
        boxinst.pairwise_loss(masks[0], similarity, masks[0])
    with pytest.raises(ValueError, match=r"\(M, 8, h, w\)"):
        boxinst.pairwise_loss(masks, similarity[:, :7], masks)
    with pytest.raises(ValueError, match="flavour"):
        boxinst.pairwise_loss(masks, similarity, masks, flavour="boxinst")
    with pytest.raises(ValueError, match="at least 4"):
        boxinst.lab(torch.zeros(1, 3, 3, 8))
    with pytest.raises(ValueError, match="flavour"):
        boxinst.lab(torch.zeros(1, 3, 8, 8), flavour="bgr")
    with pytest.raises(ValueError, match=r"\(F, 3, h, w\)"):
        boxinst.color_similarity(torch.zeros(3, 8, 8))


@pytest.mark.parametrize("dilation", [0, -1, 1.5])
def test_the_dilation_is_a_whole_number(dilation):
    with pytest.raises(ValueError, match="dilation should be a whole number from 1 on"):
        boxinst.color_similarity(torch.rand(1, 3, 8, 8), dilation)


def test_colours_may_be_whole_numbers():
    lab = torch.randint(0, 100, (1, 3, 8, 8))
    found = boxinst.color_similarity(lab)
    torch.testing.assert_close(found, boxinst.color_similarity(lab.float()))
