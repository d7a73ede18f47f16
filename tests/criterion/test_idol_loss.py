"""IDOL's loss: the golden terms put together, each frame in its role, which terms count."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from loss_cases import clip

from evis.criterion.idol_loss import IDOLLoss, assigned, objects_in
from evis.criterion.step import Step
from evis.data.clips import Clip
from evis.data.errors import DataError
from evis.data.frame_prediction import FramePrediction
from evis.losses import boxinst, idol
from evis.losses.tensors import Diverged

GOLDEN = Path(__file__).parents[1] / "golden"
SPATIAL = ("class", "l1", "giou")
PMVIS = IDOLLoss(box_weight=1.0, mask_weight=0.5, threshold=0.2)


def prediction(batch=1, queries=120, height=16, width=20, layers=2, seed=1, classes=5):
    g = torch.Generator().manual_seed(seed)

    def leaf(*shape):
        return torch.randn(*shape, generator=g).requires_grad_()

    def layer(last=False):
        boxes = torch.rand(batch, 2, queries, 4, generator=g) * 0.6 + 0.2
        embeddings = leaf(batch, 2, queries, 6) if last else None
        masks = leaf(batch, 2, queries, height, width)
        logits = leaf(batch, 2, queries, classes)
        return FramePrediction(logits, boxes.requires_grad_(), masks, embeddings)

    earlier = tuple(layer() for _ in range(layers))
    return replace(layer(last=True), layers=earlier)


def pair(**options) -> Clip:
    return clip(frames=2, **options)


def run(predicted, clips, loss=IDOLLoss(), number=0, seed=0):  # noqa: B008
    return loss(predicted, clips, Step(number), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("loss", "names"),
    [
        (IDOLLoss(), (*SPATIAL, "focal", "dice")),
        (IDOLLoss(box_weight=1.0, mask_weight=0.0), (*SPATIAL, "projection", "pairwise")),
        (PMVIS, (*SPATIAL, "focal", "dice", "projection", "pairwise")),
    ],
)
def test_the_total_is_the_weighted_sum_of_the_terms_that_count(loss, names):
    found = run(prediction(), [pair()], loss)
    suffixes = ("", "_0", "_1")
    alike = {"total", "contrastive", "cosine"}
    assert set(found) == alike | {name + suffix for name in names for suffix in suffixes}
    weights = {"class": 2, "l1": 5, "giou": 2, "projection": 1, "pairwise": 1}
    weights |= {"focal": 2 * loss.mask_weight, "dice": 5 * loss.mask_weight}
    expected = 2 * found["contrastive"] + 3 * found["cosine"]
    expected += sum(weights[name] * found[name + suffix] for name in names for suffix in suffixes)
    torch.testing.assert_close(found["total"], expected)


def test_a_gpu_is_seldom_waited_for(monkeypatch):
    """By the benchmark's stand-in for a GPU: six layers of two clips."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from operations import Counted

    predicted = prediction(batch=2, layers=5)
    with Counted(torch.nn.Identity()) as counted:
        for layer in (predicted, *predicted.layers):
            for tensor in (layer.class_logits, layer.boxes, layer.mask_logits, layer.embeddings):
                if tensor is not None:
                    counted.there[tensor] = True
        run(predicted, [pair(), pair()], PMVIS)
    assert 0 < counted.waits.total() <= 40  # three a layer and clip, and a few; they were 171


def test_the_pairwise_term_is_raised_slowly_if_asked_for():
    loss = replace(PMVIS, warm_up_steps=10)
    first, middle, late = (run(prediction(), [pair()], loss, n) for n in (0, 5, 10))
    pairwise = sum(late[name] for name in ("pairwise", "pairwise_0", "pairwise_1"))
    assert pairwise > 0
    torch.testing.assert_close(late["total"] - first["total"], pairwise)
    torch.testing.assert_close(middle["total"] - first["total"], pairwise / 2)


def key_of(seed: int) -> int:
    return int(torch.randint(2, (1,), generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_only_the_key_frame_is_held_against_objects_and_lots_decide_which_it_is(seed):
    assert {key_of(n) for n in range(4)} == {0, 1}
    predicted = prediction(layers=1)
    run(predicted, [pair()], PMVIS, seed=seed)["total"].backward()
    key = key_of(seed)
    for layer in (predicted, *predicted.layers):
        for tensor in (layer.class_logits, layer.boxes, layer.mask_logits):
            assert (tensor.grad[:, key] != 0).any() and not (tensor.grad[:, 1 - key] != 0).any()
    assert (predicted.embeddings.grad[:, key] != 0).any()
    assert (predicted.embeddings.grad[:, 1 - key] != 0).any()


def test_golden_terms_of_a_batch_from_boxes_and_masks_in_pixels():
    """The reference's numbers: assignment, class, boxes, and masks of its queries."""
    with np.load(GOLDEN / "idol_match_losses_0.npz") as arrays:
        golden = {key: torch.from_numpy(value) for key, value in arrays.items()}
    counts = golden["targets_per_image"].tolist()
    height, width = golden["target_masks"].shape[-2:]
    starts = np.cumsum([0, *counts[:-1]])
    size = torch.tensor([width, height, width, height])
    learns = golden["target_of_query"]
    logits, boxes = golden["pred_logits"], golden["pred_boxes"]
    batch, queries = learns.shape
    masks = torch.zeros(batch, queries, *golden["pred_masks"].shape[-2:])
    masks[learns >= 0] = golden["pred_masks"]
    clips = []
    for number, (start, count) in enumerate(zip(starts, counts, strict=True)):
        rows = slice(start, start + count)
        wanted = golden["target_boxes"][rows]
        corners = idol.corners(wanted)[:, None] * size
        labels = golden["target_labels"][rows]
        clips.append(
            Clip(
                frames=torch.zeros(2, 3, height, width, dtype=torch.uint8),
                video_id=number,
                frame_indices=(0, 1),
                track_ids=tuple(range(count)),
                labels=labels,
                visible=torch.ones(count, 2, dtype=torch.bool),
                boxes=corners.repeat(1, 2, 1),
                masks=golden["target_masks"][rows].bool()[:, None].repeat(1, 2, 1, 1),
            )
        )
    both = [x[:, None].repeat(1, 2, *[1] * (x.ndim - 1)) for x in (logits, boxes, masks)]
    said = FramePrediction(*both, embeddings=torch.randn(batch, 2, queries, 4))
    objects = objects_in(said, clips, [0] * batch)
    pairs, _ = assigned(said, [0] * batch, objects)
    for row, of_clip in zip(learns, pairs, strict=True):
        assert torch.equal(of_clip.queries, (row >= 0).nonzero().flatten())
    found = run(said, clips)
    names = {"class": "ce", "l1": "bbox", "giou": "giou", "focal": "mask", "dice": "dice"}
    for name, theirs in names.items():
        torch.testing.assert_close(found[name], golden[f"loss_{theirs}"].float(), rtol=1e-4, atol=0)


def test_projection_and_pairwise_are_boxinst_s_of_the_boxes_drawn_at_the_logits_size():
    predicted, one = prediction(layers=0), pair()
    found = run(predicted, [one], PMVIS)
    key = key_of(0)
    objects = objects_in(predicted, [one], [key])
    (pairs,), _ = assigned(predicted, [key], objects)
    logits = predicted.mask_logits[0, key, pairs.queries]
    # The clip's masks fill its boxes.
    filled = one.masks[pairs.objects, key, 2::4, 2::4]
    colours = boxinst.color_similarity(boxinst.lab(one.frames[key, None], 4, "paper"))
    colours = colours.expand(len(logits), -1, -1, -1)
    torch.testing.assert_close(found["projection"], boxinst.projection_loss(logits, filled))
    pairwise = boxinst.pairwise_loss(logits, colours, filled, 0.2, flavour="paper")
    torch.testing.assert_close(found["pairwise"], pairwise)


def test_under_boxes_no_mask_is_read():
    boxes_only = replace(pair(), masks=None)
    loss = IDOLLoss(box_weight=1.0, mask_weight=0.0)
    plain, noise = pair(), replace(pair(), masks=torch.rand(2, 2, 64, 80) < 0.5)
    totals = [run(prediction(), [one], loss)["total"] for one in (boxes_only, plain, noise)]
    assert totals[0] == totals[1] == totals[2]
    with pytest.raises(DataError, match="video 7.*no masks.*evis label boxes"):
        run(prediction(), [boxes_only], PMVIS)
    with pytest.raises(DataError, match="no boxes"):
        run(prediction(), [replace(pair(), boxes=None)], loss)


def test_objects_seen_in_one_frame_alone_give_no_item_and_none_at_all_give_zeros():
    here = pair(objects=3)
    apart = replace(here, visible=torch.tensor([[True, False], [False, True], [False, True]]))
    found = run(prediction(), [apart])
    assert found["contrastive"] == found["cosine"] == 0 < found["l1"]
    nothing = replace(here, visible=torch.zeros(3, 2, dtype=torch.bool))
    predicted = prediction()
    found = run(predicted, [nothing], PMVIS)
    assert found["l1"] == found["projection"] == found["dice"] == 0 < found["class"]
    found["total"].backward()
    assert all(x.grad is not None for x in (predicted.embeddings, predicted.mask_logits))
    empty = pair(objects=0)
    assert run(prediction(), [empty])["class"] > 0


def test_an_object_of_the_reference_frame_alone_is_as_if_it_were_nowhere():
    """Though it lies on another one, whose queries it would take."""
    three = pair(objects=3)
    boxes = torch.cat([three.boxes[:2], three.boxes[:1] + 1])
    visible = torch.ones(3, 2, dtype=torch.bool)
    visible[2, key_of(0)] = False
    apart = replace(three, boxes=boxes, visible=visible)
    parts = ("track_ids", "labels", "visible", "boxes", "masks")
    without = replace(apart, **{name: getattr(apart, name)[:2] for name in parts})
    for seed in range(1, 6):
        found, expected = (run(prediction(seed=seed), [one]) for one in (apart, without))
        assert found == expected, seed


def test_the_same_object_is_pulled_together_and_others_apart():
    predicted = prediction()
    optimiser = torch.optim.Adam([predicted.embeddings], lr=0.1)
    before = run(predicted, [pair()])
    for _ in range(40):
        optimiser.zero_grad()
        terms = run(predicted, [pair()])
        (terms["contrastive"] + terms["cosine"]).backward()
        optimiser.step()
    assert terms["contrastive"] < before["contrastive"] / 10
    assert terms["cosine"] < before["cosine"] / 2


def test_clips_of_two_sizes_lie_on_one_canvas():
    small, large = pair(height=48, width=64, seed=3), pair()
    predicted = prediction(batch=2)
    boxes = objects_in(predicted, [small, large], [0, 0])[0].boxes
    low, high = small.boxes[:, 0, :2], small.boxes[:, 0, 2:]
    torch.testing.assert_close(boxes[:, :2] * torch.tensor([80, 64]), (low + high) / 2)
    assert run(predicted, [small, large], PMVIS)["total"].isfinite()


def test_input_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="prediction of 2 clips came with 1"):
        run(prediction(batch=2), [pair()])
    with pytest.raises(DataError, match="clips of 2 frames, these have 3"):
        three = prediction()
        parts = ("class_logits", "boxes", "mask_logits", "embeddings")
        longer = {name: torch.cat([getattr(three, name)] * 2, 1)[:, :3].detach() for name in parts}
        run(FramePrediction(**longer), [clip(frames=3)])
    wrong = prediction()
    with torch.no_grad():
        wrong.class_logits[0, 0, 0] = wrong.class_logits[0, 1, 0] = torch.nan
    with pytest.raises(Diverged, match="class_logits hold NaN"):
        run(wrong, [pair()])
