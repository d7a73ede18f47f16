"""The TK loss equals the golden numbers and plain loops over pixels, candidates and patches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import pad

from evis.losses import boxinst, tk
from evis.losses.neighbours import WINDOW, window_cost
from evis.losses.tensors import resize

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("boxinst_tk_*.npz"))
PAIRS = [(0, 1), (0, 2), (1, 2)]


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def golden(request):
    return {name: torch.from_numpy(value) for name, value in np.load(request.param).items()}


def clips(golden):
    return golden["lab"].unflatten(0, golden["mask_logits"].shape[::2][:2])  # (B, T, 3, h, w)


def found_in(lab, pairs=PAIRS):
    return [tk.patch_similarity(lab[:, a], lab[:, b]) for a, b in pairs]


def test_golden_patch_similarity(golden):
    for (a, b), found in zip(PAIRS, found_in(clips(golden)), strict=True):
        if f"patch_similarity_{a}{b}" in golden:
            wanted = golden[f"patch_similarity_{a}{b}"]
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-12)


def test_golden_best_five_and_their_cost():
    golden = {name: torch.from_numpy(value) for name, value in np.load(GOLDEN[1]).items()}
    similarity = golden["patch_similarity_01"]
    assert torch.equal(similarity * tk.best_candidates(similarity), golden["patch_top5_01"])
    logits = golden["mask_logits"].flatten(0, 1)[:1]
    cost = window_cost(logits[:, 0], logits[:, 1], 3)
    torch.testing.assert_close(cost, golden["temporal_term_01"], rtol=1e-5, atol=1e-6)


def test_golden_loss(golden):
    """It is 0: these pictures are noise, and no patch resembles another. See the loops below."""
    logits = golden["mask_logits"].clone().requires_grad_()
    boxes = resize(golden["box_masks"].flatten(0, 1), logits.shape[-2:])
    instances = logits.shape[1]
    similarity = [each.repeat_interleave(instances, 0) for each in found_in(clips(golden))]
    loss = tk.tk_loss(logits.flatten(0, 1), similarity, boxes, PAIRS).sum()
    loss = loss * 0.1 * boxinst.warm_up(1000, 2000)
    loss.backward()
    assert loss == golden["loss_temporal_at_step_1000"] == 0
    assert not logits.grad.any()


def patches(picture, dilation=1):
    """(3, h, w) -> (9, 3, h, w) by padding with zeros."""
    height, width = picture.shape[-2:]
    wide = pad(picture, [dilation] * 4)
    return torch.stack(
        [
            wide[
                :,
                dilation * (y + 1) : dilation * (y + 1) + height,
                dilation * (x + 1) : dilation * (x + 1) + width,
            ]
            for y, x in WINDOW
        ]
    )


def slow_patch_similarity(first, second):
    height, width = first.shape[-2:]
    first, second = patches(first).numpy(), patches(second).numpy()
    found = np.zeros((9, height, width))
    for k, y, x in np.ndindex(found.shape):
        v, u = y + 3 * WINDOW[k][0], x + 3 * WINDOW[k][1]
        inside = 0 <= v < height and 0 <= u < width
        other = first[:, :, v, u] if inside else np.zeros((9, 3))
        found[k, y, x] = np.exp(-0.5 * np.sqrt(((second[:, :, y, x] - other) ** 2).sum()))
    return found


def slow_loss(masks, similarity, boxes, a, b, top_k, threshold, flavour):
    instances, _, height, width = masks.shape
    total = count = 0.0
    for n, y, x in np.ndindex(instances, height, width):
        best = np.argsort(-similarity[n, :, y, x], kind="stable")[:top_k]
        for k in best:
            if similarity[n, k, y, x] < threshold:
                continue
            if flavour == "released" and not boxes[n, :, y, x].any():
                continue
            count += 1
            v, u = y + 3 * WINDOW[k][0], x + 3 * WINDOW[k][1]
            if 0 <= v < height and 0 <= u < width:
                m, o = masks[n, b, y, x], masks[n, a, v, u]
                total -= np.log(m * o + (1 - m) * (1 - o))
    return total / (max(count, 1) if flavour == "released" else instances * height * width)


def example(seed, instances=2, frames=4, height=8, width=9):
    """Logits, each instance's picture with colours close enough to match, and boxes."""
    generator = torch.Generator().manual_seed(seed)
    size = (height, width)
    logits = 2 * torch.randn(instances, frames, *size, generator=generator, dtype=torch.float64)
    lab = 0.4 * torch.randn(instances, frames, 3, *size, generator=generator, dtype=torch.float64)
    boxes = torch.zeros(instances, frames, *size)
    boxes[0, 0, 1:5, 2:6] = 1
    boxes[0, 3, 4:7, 3:8] = 1
    boxes[1, 1:3, :, :4] = 1
    return logits, lab, boxes


@pytest.mark.parametrize("flavour", ["released", "paper"])
@pytest.mark.parametrize(("top_k", "threshold"), [(5, 0.05), (2, 0.2), (9, 1e-6)])
def test_by_plain_loops(flavour, top_k, threshold):
    logits, lab, boxes = example(0)
    pairs = [(0, 1), (3, 0), (2, 2)]
    similarity = found_in(lab, pairs)
    found = tk.tk_loss(logits, similarity, boxes, pairs, top_k, threshold, flavour)
    masks = logits.sigmoid().numpy()
    for (a, b), alike, value in zip(pairs, similarity, found.tolist(), strict=True):
        slow = np.stack([slow_patch_similarity(clip[a], clip[b]) for clip in lab])
        np.testing.assert_allclose(alike.numpy(), slow, rtol=1e-10)
        wanted = slow_loss(masks, slow, boxes.numpy(), a, b, top_k, threshold, flavour)
        assert wanted > 0 and value == pytest.approx(wanted, rel=1e-9)


def test_the_box_of_any_frame_counts_and_half_covered_pixels_add_up():
    boxes = torch.zeros(1, 3, 1, 4)
    boxes[0, :, 0] = torch.tensor([[0, 0.5, 0.5, 1], [0, 0.25, 0.5, 0], [0, 0, 0, 0]])
    assert tk.in_any_box(boxes).flatten().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("flavour", ["released", "paper"])
def test_gradients_by_finite_differences(flavour):
    logits, lab, boxes = (each[:1, ::3] for each in example(1, height=4, width=6))
    similarity, logits = found_in(lab, [(0, 1)]), logits.clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: tk.tk_loss(x, similarity, boxes, [(0, 1)], flavour=flavour), logits
    )


def test_a_still_clip_with_a_steady_certain_mask_costs_nothing():
    _, lab, boxes = example(2)
    still, mask = lab[:, :1].expand_as(lab), 200 * boxes[:, :1].expand_as(boxes) - 100
    same_pixel = torch.zeros(2, 9, *boxes.shape[-2:])
    same_pixel[:, 4] = found_in(still, [(0, 1)])[0][:, 4]
    assert (same_pixel[:, 4] == 1).all()  # the same patch is found exactly
    loss = tk.tk_loss(mask, [same_pixel], boxes, [(0, 1)])
    assert 0 <= loss.item() < 1e-30
    gone = torch.cat((mask[:, :1], torch.full_like(mask[:, 1:], -100.0)), 1)
    assert tk.tk_loss(gone, [same_pixel], boxes, [(0, 1)]).item() > 10


def test_one_clip_serves_all_its_instances():
    logits, lab, boxes = example(3, instances=3)
    similarity = found_in(lab[:1])
    each = [alike.expand(3, -1, -1, -1) for alike in similarity]
    one = tk.tk_loss(logits, similarity, boxes, PAIRS)
    torch.testing.assert_close(one, tk.tk_loss(logits, each, boxes, PAIRS))
    torch.testing.assert_close(one, tk.tk_loss(logits, torch.stack(each), boxes, PAIRS))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 5), st.integers(1, 7), st.integers(1, 7))
def test_any_size_and_number_of_frames(seed, frames, height, width):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, frames, height, width, generator=generator)
    lab = torch.randn(1, frames, 3, height, width, generator=generator)
    pairs = [(t, (t + 1) % frames) for t in range(frames)]
    boxes = torch.ones(1, frames, height, width)
    similarity = found_in(lab, pairs)
    values = tk.tk_loss(logits, similarity, boxes, pairs)
    assert values.shape == (frames,) and (values >= 0).all()
    mirrored = tk.tk_loss(logits.flip(-1), found_in(lab.flip(-1), pairs), boxes, pairs, top_k=9)
    torch.testing.assert_close(mirrored, tk.tk_loss(logits, similarity, boxes, pairs, top_k=9))


@pytest.mark.parametrize("value", [0.0, 1e4, -1e4, 3e38])
@pytest.mark.parametrize("flavour", ["released", "paper"])
def test_extreme_logits(value, flavour):
    logits = torch.full((2, 2, 5, 6), value)
    logits[:, 1, ::2] *= -1
    logits.requires_grad_()
    similarity = [torch.ones(2, 9, 5, 6)]  # all equal: any five are the best
    boxes = torch.ones(2, 2, 5, 6)
    loss = tk.tk_loss(logits, similarity, boxes, [(0, 1)], flavour=flavour).sum()
    if abs(value) < 1e30:
        loss.backward()
        assert loss.isfinite() and logits.grad.isfinite().all()
    assert not loss.isnan()


@pytest.mark.parametrize("flavour", ["released", "paper"])
def test_no_instances_and_no_matches(flavour):
    none = torch.zeros(0, 2, 5, 6, requires_grad=True)
    loss = tk.tk_loss(none, [torch.zeros(0, 9, 5, 6)], none, [(0, 1)], flavour=flavour)
    loss.sum().backward()
    assert loss.tolist() == [0]
    logits = torch.randn(1, 2, 5, 6, requires_grad=True)
    boxes = torch.ones(1, 2, 5, 6)
    loss = tk.tk_loss(logits, [torch.zeros(1, 9, 5, 6)], boxes, [(0, 1)], flavour=flavour)
    loss.sum().backward()
    assert loss.tolist() == [0] and not logits.grad.any()


def test_low_precision_is_computed_in_float32():
    logits, lab, boxes = example(4)
    similarity = [alike.float() for alike in found_in(lab)]
    low = logits.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = tk.tk_loss(low, similarity, boxes.bfloat16(), PAIRS)
    assert found.dtype == torch.float32
    wanted = tk.tk_loss(low.double(), similarity, boxes, PAIRS)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=0)


def test_bad_input_is_refused():
    logits, similarity = torch.zeros(2, 3, 5, 6), [torch.zeros(2, 9, 5, 6)]
    with pytest.raises(ValueError, match=r"\(N, T, h, w\)"):
        tk.tk_loss(logits, similarity, logits[:1], [(0, 1)])
    with pytest.raises(ValueError, match="frames 0 to 2"):
        tk.tk_loss(logits, similarity, logits, [(0, 3)])
    with pytest.raises(ValueError, match="frames 0 to 2"):
        tk.tk_loss(logits, [], logits, [])
    with pytest.raises(ValueError, match="each of 2 pairs"):
        tk.tk_loss(logits, similarity, logits, [(0, 1), (1, 2)])
    with pytest.raises(ValueError, match=r"\(N, 9, h, w\)"):
        tk.tk_loss(logits, [similarity[0][:, :8]], logits, [(0, 1)])
    with pytest.raises(ValueError, match="from 1 to 9"):
        tk.tk_loss(logits, similarity, logits, [(0, 1)], top_k=10)
    with pytest.raises(ValueError, match="flavour"):
        tk.tk_loss(logits, similarity, logits, [(0, 1)], flavour="tk")
    with pytest.raises(ValueError, match=r"lab_b should be \(B, 3, h, w\)"):
        tk.patch_similarity(torch.zeros(1, 3, 5, 6), torch.zeros(1, 3, 6, 5))


def test_colours_may_be_whole_numbers():
    lab = torch.randint(0, 100, (1, 3, 8, 8), dtype=torch.uint8)
    found = tk.patch_similarity(lab, lab.flip(-1))
    torch.testing.assert_close(found, tk.patch_similarity(lab.float(), lab.flip(-1).float()))
