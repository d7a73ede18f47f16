import numpy as np
import pytest
import torch

from evis.data import toy
from evis.data.supervision import weaken
from evis.losses import boxinst, tel, tk
from evis.papers.eigencluster import fit

BOXES = [[(4.0, 3.0, 6.0, 5.0), (5.0, 3.0, 6.0, 5.0)], [(12.0, 8.0, 6.0, 6.0), None]]


@pytest.fixture(scope="module")
def clip():
    frames = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), dtype=np.uint8)
    frames[:, 3:8, 4:11] = (200, 40, 40)
    return fit.boxed(frames, BOXES)


def test_boxes_are_filled_and_shrink_with_the_stride(clip):
    assert clip.lab.shape == (2, 3, 16, 24) and clip.boxes.shape == (2, 2, 16, 24)
    assert clip.boxes[0, 0, 3:8, 4:10].all() and clip.boxes[0, 0].sum() == 30
    assert clip.boxes[1, 1].sum() == 0
    frames = np.zeros((1, 16, 24, 3), np.uint8)
    small = fit.boxed(frames, [[(4.0, 4.0, 8.0, 8.0)]], stride=4)
    assert small.lab.shape == (1, 3, 4, 6)
    assert small.boxes[0, 0, 1:3, 1:3].all() and small.boxes.sum() == 4


def test_boxes_are_all_that_is_read_of_a_dataset():
    boxes = weaken(toy.sample("toy-ytvis19", 2), "box")
    times = [0, 1]
    clip = fit.from_dataset(boxes, 1, times)
    tracks = fit.seen_throughout(boxes, 1, times)
    assert len(clip.boxes) == len(tracks) > 0
    assert clip.boxes[0, 0].sum() == np.prod(tracks[0].boxes[0][2:])


def test_blur_keeps_sums_and_constants():
    spot = torch.zeros(2, 1, 21, 21)
    spot[..., 10, 10] = 1
    spread = fit.blurred(spot, 2.0)
    assert torch.allclose(spread.sum((2, 3)), torch.ones(2, 1)) and spread.amax() < 0.05
    assert torch.allclose(spread, spread.transpose(-1, -2)) and spread[0, 0, 10, 12] > 0
    assert torch.allclose(fit.blurred(torch.full((1, 1, 9, 9), 3.0), 2.0), torch.tensor(3.0))
    assert fit.blurred(spot, 0) is spot


def test_terms_are_those_of_the_losses(clip):
    logits = torch.randn(2, 2, 16, 24, generator=torch.Generator().manual_seed(0))
    terms = fit.Objective(fit.TEMPORAL, beta=0.5).terms(clip, logits)
    flat, boxes = logits.flatten(0, 1), clip.boxes.flatten(0, 1)
    similarity = torch.cat([boxinst.color_similarity(clip.lab)] * 2)  # of each object's two frames
    assert terms["projection"] == boxinst.projection_loss(flat, boxes)
    pairwise = boxinst.pairwise_loss(flat, similarity, boxes, flavour="paper")
    torch.testing.assert_close(terms["pairwise"], pairwise)
    pairs = [(0, 1), (1, 0)]
    patches = [tk.patch_similarity(clip.lab[None, a], clip.lab[None, b]) for a, b in pairs]
    found = tk.tk_loss(logits, patches, clip.boxes, pairs, flavour="paper")
    change = tel.eigenvalue_loss(tel.eigenvalues(logits), pairs)
    expected = (found * (1 + 0.5 * change)).sum()
    torch.testing.assert_close(terms["temporal"], expected)
    assert fit.Objective({"pairwise": 2.0}).terms(clip, logits).keys() == {"pairwise"}


@pytest.mark.parametrize("model", [fit.FreeLogits, fit.ColourNetwork])
def test_descent_descends_and_keeps_every_step(clip, model):
    runs = [fit.fit(clip, model(clip), steps=12) for _ in range(2)]
    assert torch.equal(runs[0].path, runs[1].path)
    assert runs[0].path.shape == (13, 2, 2, 16, 24)
    assert (runs[0].path[1:] != runs[0].path[:-1]).flatten(1).any(1).all()
    cost = fit.SPATIAL["projection"] * runs[0].terms.projection
    cost += fit.SPATIAL["pairwise"] * runs[0].terms.pairwise
    assert cost.iloc[-1] < 0.9 * cost.iloc[0]


def test_unblurred_steps_do_not_share_memory(clip):
    path = fit.fit(clip, fit.FreeLogits(clip, blur=0), steps=3).path
    assert not torch.equal(path[0], path[-1])


def test_a_network_leaves_the_global_random_state_alone(clip):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    fit.ColourNetwork(clip, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_iou():
    a, b = torch.zeros(2, 4, 4, dtype=torch.bool), torch.zeros(2, 4, 4, dtype=torch.bool)
    a[0, :2], b[0, 1:3] = True, True
    assert fit.ious(a, b).tolist() == [pytest.approx(4 / 12), 0.0]
