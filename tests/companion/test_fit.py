import numpy as np
import pytest
import torch

from evis.companion import box_cases, fit
from evis.data import toy
from evis.data.clips import cut
from evis.data.supervision import weaken
from evis.losses import boxinst, tel, tk


@pytest.fixture(scope="module")
def clip():
    frames = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), dtype=np.uint8)
    frames[:, 3:8, 4:11] = (200, 40, 40)
    lab = boxinst.lab(torch.from_numpy(frames).permute(0, 3, 1, 2), 1, "paper")
    boxes = torch.zeros(2, 2, 16, 24)
    boxes[0, 0, 3:8, 4:10] = boxes[0, 1, 3:8, 5:11] = boxes[1, 0, 8:14, 12:18] = 1
    return fit.Boxed(lab, boxes)


def test_boxes_are_filled_and_shrink_with_the_stride():
    drawn = np.zeros((2, 16, 24), bool)
    drawn[0, 4:12, 4:12] = drawn[1, 0:8, 16:24] = True
    drawn[0, 5:11, 5:11] = False  # its box is as large
    clip = box_cases.still(np.zeros((16, 24, 3), np.uint8), drawn)
    full, small = fit.boxed(clip), fit.boxed(clip, stride=4)
    assert full.lab.shape == (1, 3, 16, 24) and full.boxes[0, 0].sum() == 64
    assert small.lab.shape == (1, 3, 4, 6)
    assert small.boxes[0, 0, 1:3, 1:3].all() and small.boxes[:, 0].sum() == 8
    assert fit.shrunk(clip.masks, 4)[1, 0].sum() == 4


def test_boxes_are_all_that_is_read_of_a_dataset():
    dataset = toy.sample("toy-ytvis19", 2)
    clips = [cut(some, 1, (0, 1)) for some in (dataset, weaken(dataset, "box"))]
    assert clips[1].masks is None
    one, other = map(fit.boxed, clips)
    assert torch.equal(one.boxes, other.boxes) and torch.equal(one.lab, other.lab)
    x0, y0, x1, y1 = clips[1].boxes[0, 0]
    assert one.boxes[0, 0].sum() == (x1 - x0) * (y1 - y0) > 0


def test_blur_keeps_sums_and_constants():
    spot = torch.zeros(2, 1, 21, 21)
    spot[..., 10, 10] = 1
    spread = fit.blurred(spot, 2.0)
    assert torch.allclose(spread.sum((2, 3)), torch.ones(2, 1)) and spread.amax() < 0.05
    assert torch.allclose(spread, spread.transpose(-1, -2)) and spread[0, 0, 10, 12] > 0
    assert torch.allclose(fit.blurred(torch.full((1, 1, 9, 9), 3.0), 2.0), torch.tensor(3.0))
    assert fit.blurred(spot, 0) is spot


def test_terms_are_those_of_the_losses_weighted(clip):
    logits = torch.randn(2, 2, 16, 24, generator=torch.Generator().manual_seed(0))
    terms = fit.BoxLoss(clip, fit.TEMPORAL, beta=0.5)(logits)
    flat, boxes = logits.flatten(0, 1), clip.boxes.flatten(0, 1)
    similarity = torch.cat([boxinst.color_similarity(clip.lab)] * 2)  # of each object's two frames
    assert terms["projection"] == 5 * boxinst.projection_loss(flat, boxes)
    pairwise = boxinst.pairwise_loss(flat, similarity, boxes, flavour="paper")
    torch.testing.assert_close(terms["pairwise"], 5 * pairwise)
    pairs = [(0, 1), (1, 0)]
    patches = [tk.patch_similarity(clip.lab[None, a], clip.lab[None, b]) for a, b in pairs]
    found = tk.tk_loss(logits, patches, clip.boxes, pairs, flavour="paper")
    change = tel.eigenvalue_loss(tel.eigenvalues(logits), pairs)
    expected = (found * (1 + 0.5 * change)).sum()
    torch.testing.assert_close(terms["temporal"], 5 * expected)
    assert fit.BoxLoss(clip, ("pairwise",))(logits).keys() == {"pairwise"}


@pytest.mark.parametrize("kind", ["free", "network"])
def test_descent_descends_and_keeps_every_step(clip, kind):
    def model():
        return fit.FreeLogits(clip.start()) if kind == "free" else fit.ColourNetwork(clip)

    runs = [fit.fit(model(), fit.BoxLoss(clip), steps=12) for _ in range(2)]
    assert torch.equal(runs[0].path, runs[1].path)
    assert runs[0].path.shape == (13, 2, 2, 16, 24)
    assert (runs[0].path[1:] != runs[0].path[:-1]).flatten(1).any(1).all()
    cost = runs[0].terms.sum(axis=1)
    assert cost.iloc[-1] < 0.9 * cost.iloc[0]


def test_steps_do_not_share_memory_with_each_other_or_the_start(clip):
    start = clip.start()
    before = start.clone()
    path = fit.fit(fit.FreeLogits(start), fit.BoxLoss(clip), steps=3).path
    assert not torch.equal(path[0], path[-1]) and torch.equal(path[0], before)
    assert torch.equal(start, before)


def test_any_loss_and_optimiser_fit_and_clipping_shortens_a_step():
    start, truth = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)

    def descend(**options):
        def distance(logits):
            return {"distance": (logits - truth).square().sum()}

        sgd = lambda parameters: torch.optim.SGD(parameters, lr=0.5)  # noqa: E731
        return fit.fit(fit.FreeLogits(start), distance, 1, sgd, **options).path[-1]

    assert torch.allclose(descend(), truth)
    assert (descend(clip_norm=1.0) - start).norm() == pytest.approx(0.5)


def test_a_network_leaves_the_global_random_state_alone(clip):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    fit.ColourNetwork(clip, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_everything_runs_where_the_clip_is(clip, device):
    there = fit.Boxed(clip.lab.to(device), clip.boxes.to(device))
    loss = fit.BoxLoss(there, fit.TEMPORAL, beta=0.1)
    for model in (fit.FreeLogits(there.start(), blur=1), fit.ColourNetwork(there)):
        assert fit.fit(model, loss, steps=2).path.device.type == device.type
    truth = there.boxes > 0
    assert box_cases.edges(there, truth, [0.3]).notna().all(axis=None)
    assert box_cases.match_quality(there, truth).notna().all()


def test_a_clip_of_any_dtype_and_device_is_followed(clip):
    """What a CPU can show of the test above: nothing is made of another kind than the clip."""
    there = fit.Boxed(clip.lab.to("meta"), clip.boxes.to("meta"))
    assert there.start().is_meta and fit.ColourNetwork(there)().is_meta
    assert fit.FreeLogits(there.start(), blur=1)().is_meta


def test_iou():
    a, b = torch.zeros(2, 4, 4, dtype=torch.bool), torch.zeros(2, 4, 4, dtype=torch.bool)
    a[0, :2], b[0, 1:3] = True, True
    assert fit.ious(a, b).tolist() == [pytest.approx(4 / 12), 0.0]
