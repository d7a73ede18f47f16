"""Table II's matching schemes keep one interface, and each matches what its name says."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from evis.data import paths
from evis.losses import tel, tk
from evis.losses.neighbours import WINDOW, displaced, inside_picture, window_cost
from evis.papers.eigencluster.temporal import (
    SCHEMES,
    dis_flow,
    eigenvalue_and_knn,
    flow_based,
    knn_patches,
    pairwise_3d,
)
from evis.papers.eigencluster.temporal_learned import DeformableMatching, LearnableMatching

PAIRS = [(0, 1), (2, 0)]
BASELINE = "Baseline (No Matching)"


def example(seed=0, instances=2, height=13, width=14):
    """Logits, the LAB picture of one clip that stands still but for noise, and boxes."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(instances, 3, height, width, generator=generator)
    still = torch.randn(1, 1, 3, height, width, generator=generator)
    pictures = still + 0.1 * torch.randn(1, 3, 3, height, width, generator=generator)
    pictures[:, :, 0] += 50
    boxes = torch.zeros(instances, 3, height, width)
    boxes[:, :, 2:9, 3:11] = 1
    return logits, pictures, boxes


@pytest.fixture(params=SCHEMES)
def scheme(request):
    torch.manual_seed(0)
    return SCHEMES[request.param]()


def test_names_and_parameters_are_those_of_the_table():
    table = pd.read_csv(paths.data() / "papers" / "eigen-cluster-vis_table02.csv")
    learns = table[table.metric == "Param"].set_index("row_label").value
    assert list(SCHEMES) == list(learns.index)
    learns["Flow-based Matching"] = 0  # the paper counts RAFT's; DIS has none
    for name, make in SCHEMES.items():
        made = make()
        has_parameters = isinstance(made, nn.Module) and any(True for _ in made.parameters())
        assert has_parameters == bool(learns[name]), name


def test_one_value_a_pair_and_finite_gradients(scheme):
    logits, pictures, boxes = example()
    values = scheme(logits.requires_grad_(), pictures, boxes, PAIRS)
    assert values.shape == (2,) and (values >= 0).all()
    if scheme is not SCHEMES[BASELINE]():
        values.sum().backward()
        assert (values > 0).all() and logits.grad.isfinite().all() and logits.grad.any()


def test_flicker_costs_more_than_a_steady_mask(scheme):
    _, pictures, boxes = example()
    steady = 16 * boxes - 8
    flicker = steady.clone()
    flicker[:, 0] = -8
    kept, lost = (scheme(x, pictures, boxes, PAIRS).sum() for x in (steady, flicker))
    assert lost > 1.5 * kept or scheme is SCHEMES[BASELINE]()


def test_one_clip_or_one_for_each_instance(scheme):
    logits, pictures, boxes = example()
    each = pictures.expand(2, -1, -1, -1, -1)
    torch.testing.assert_close(
        scheme(logits, pictures, boxes, PAIRS), scheme(logits, each, boxes, PAIRS)
    )


def test_gradients_by_finite_differences(scheme):
    logits, pictures, boxes = (each.double() for each in example(1, 1, 12, 12))
    if isinstance(scheme, nn.Module):
        scheme.double()
    if scheme is not SCHEMES[BASELINE]():
        logits.requires_grad_()
        assert torch.autograd.gradcheck(
            lambda x: scheme(x, pictures, boxes, PAIRS[:1]), logits, fast_mode=True
        )


@pytest.mark.parametrize("value", [1e4, -1e4])
def test_extreme_logits_no_instances_and_autocast(scheme, value):
    logits, pictures, boxes = example()
    logits = torch.full_like(logits, value)
    logits[:, 0] *= -1
    values = scheme(logits.requires_grad_(), pictures, boxes, PAIRS)
    assert values.isfinite().all()
    if values.requires_grad:
        values.sum().backward()
        assert logits.grad.isfinite().all()
    assert scheme(logits[:0], pictures, boxes[:0], PAIRS).tolist() == [0, 0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = scheme(example()[0].bfloat16(), pictures, boxes, PAIRS)
    assert low.dtype == torch.float32
    torch.testing.assert_close(
        low, scheme(example()[0], pictures, boxes, PAIRS), rtol=0.02, atol=0.01
    )


def test_bad_input_is_refused(scheme):
    logits, pictures, boxes = example()
    with pytest.raises(ValueError, match="pictures"):
        scheme(logits, pictures[0], boxes, PAIRS)
    with pytest.raises(ValueError, match="pictures"):
        scheme(logits, pictures[..., :-1], boxes, PAIRS)
    with pytest.raises(ValueError, match="frames 0 to 2"):
        scheme(logits, pictures, boxes, [(0, 3)])
    with pytest.raises(ValueError, match=r"\(N, T, h, w\)"):
        scheme(logits, pictures, boxes[:1], PAIRS)


def test_3d_pairwise_by_plain_loops():
    logits, pictures, boxes = example(2, height=6, width=7)
    masks, lab = logits.sigmoid().double().numpy(), pictures[0].double().numpy()
    seen = boxes.any(1).numpy()
    (found,) = pairwise_3d(logits, pictures, boxes, [(2, 0)]).tolist()
    total = count = 0.0
    for n, y, x in zip(*seen.nonzero(), strict=True):
        for dy, dx in WINDOW:
            v, u = y + 2 * dy, x + 2 * dx
            inside = 0 <= v < 6 and 0 <= u < 7
            other = lab[2, :, v, u] if inside else np.zeros(3)
            if np.exp(-0.5 * np.linalg.norm(lab[0, :, y, x] - other)) < 0.3:
                continue
            count += 1
            if inside:
                m, o = masks[n, 0, y, x], masks[n, 2, v, u]
                total -= np.log(m * o + (1 - m) * (1 - o))
    assert count > seen.sum() and found == pytest.approx(total / count, rel=1e-5)


def test_reading_a_displaced_picture():
    picture = torch.arange(20.0).view(1, 4, 5)
    shifts = torch.tensor([[1.0, -1.0], [0.5, -0.5]]).view(1, 2, 2, 1, 1).expand(1, 2, 2, 4, 5)
    there, inside = displaced(picture.expand(3, -1, -1), shifts)
    assert there.shape == (3, 2, 4, 5)
    assert torch.equal(inside[0, :1], inside_picture(picture, 1, [(-1, 1)]))
    torch.testing.assert_close(there[0, 0, 1:, :-1], picture[0, :-1, 1:])
    torch.testing.assert_close(there[2, 1, 1, 0], picture[0, :2, :2].mean())


def moving(shift: int):
    """A texture and a mask on it that move right by `shift` pixels a frame."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 1, 14, 18, generator=generator)
    texture = nn.functional.interpolate(coarse, (56, 72), mode="bicubic")[0]
    mask = torch.full((1, 56, 72), -8.0)
    mask[:, 20:36, 30:46] = 8
    start = 4 * shift
    clip = [texture[..., start - t * shift :][..., :56] for t in range(3)]
    masks = [mask[..., start - t * shift :][..., :56] for t in range(3)]
    lightness = 50 + 20 * torch.stack(clip)  # (T, 1, h, w)
    pictures = torch.cat((lightness, torch.zeros(3, 2, 56, 56)), dim=1)[None]
    return torch.stack(masks, dim=1), pictures


def test_flow_follows_what_moves():
    logits, pictures = moving(3)
    boxes = (logits > 0).float()
    back = dis_flow(pictures[:, 1], pictures[:, 0])[0]
    assert back[:, 20:36, 20:40].mean((1, 2)).tolist() == pytest.approx([-3, 0], abs=0.3)
    followed, stayed = (
        flow_based(logits, pictures, boxes, [(0, 1), (0, 2)], flow)
        for flow in (dis_flow, lambda start, end: torch.zeros(1, 2, 56, 56))
    )
    assert (followed < 0.2 * stayed).all()
    known = flow_based(
        logits,
        pictures,
        boxes,
        [(0, 1)],
        lambda start, end: torch.tensor([-3.0, 0]).view(1, 2, 1, 1).expand(1, 2, 56, 56),
    )
    assert known.item() < 1e-2
    out_of_sight = flow_based(
        logits, pictures, boxes, [(0, 1)], lambda start, end: torch.full((1, 2, 56, 56), 60.0)
    )
    assert out_of_sight.item() == 0
    flat = torch.zeros(1, 3, 8, 60)  # flatter than OpenCV 5 can take: it is padded
    assert (dis_flow(flat, flat) == 0).all() and dis_flow(flat, flat).shape == (1, 2, 8, 60)


@pytest.mark.parametrize("side", [1, 3])
def test_learned_weights_prefer_the_same_colours(side):
    torch.manual_seed(0)
    _, pictures, _ = example()
    matching = LearnableMatching(side)
    embedded = matching.embed(pictures[:, 0] / 5)
    share = matching.share(embedded, embedded)
    torch.testing.assert_close(share.sum(1), torch.ones(1, 13, 14))
    assert not share[:, ~inside_picture(embedded, 3)].any()
    assert (share.argmax(1) == 4).all()


@pytest.mark.parametrize("make", [lambda: LearnableMatching(1), DeformableMatching])
def test_matching_is_learned_from_the_cost(make):
    logits, pictures = moving(3)
    boxes = (logits > 0).float()
    torch.manual_seed(0)
    matching = make()
    optimiser = torch.optim.Adam(matching.parameters(), 0.02)
    costs = []
    for _ in range(15):
        loss = matching(logits, pictures, boxes, [(0, 1)]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        costs.append(loss.item())
    assert costs[-1] < 0.9 * costs[0]


def test_deformable_matching_begins_as_the_plain_window():
    logits, pictures, boxes = example()
    found = DeformableMatching()(logits, pictures, boxes, [(0, 1)])
    cost = window_cost(logits[:, 0], logits[:, 1], 3).mean(1, keepdim=True)
    seen = tk.in_any_box(boxes)
    torch.testing.assert_close(found, ((cost * seen).sum() / seen.sum())[None])


def test_tk_and_tel_are_those_of_their_modules():
    logits, pictures, boxes = example()
    similarity = [tk.patch_similarity(pictures[:, a], pictures[:, b]) for a, b in PAIRS]
    plain = tk.tk_loss(logits, similarity, boxes, PAIRS)
    assert torch.equal(knn_patches(logits, pictures, boxes, PAIRS), plain)
    eigenvalue = tel.eigenvalue_loss(tel.eigenvalues(logits), PAIRS, "mean")
    both = eigenvalue_and_knn(logits, pictures, boxes, PAIRS, beta=0.5)
    torch.testing.assert_close(both.sum(), tel.temporal_loss(plain, eigenvalue, 0.5))
    assert (both > plain).all()
