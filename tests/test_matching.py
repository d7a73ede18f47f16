"""Matching: the released costs and assignments, every permutation by brute force, bad input."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evis import matching
from evis.losses import masks
from evis.losses.tensors import Diverged
from evis.matching import WEIGHTS, Weights, match, match_layers, seen

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def _case(seed=0, batch=1, queries=5, objects=3, frames=2, classes=6, side=(6, 8)):
    """Noise within a box of its own for each query and object, and labels that differ: no ties."""
    g = torch.Generator().manual_seed(seed)
    height, width = side
    class_logits = torch.randn(batch, queries, classes + 1, generator=g)
    within = _random_boxes(g, (batch, queries, frames), side)
    mask_logits = 3 * torch.randn(within.shape, generator=g) - 20 * ~within
    targets = []
    for _ in range(batch):
        within = _random_boxes(g, (objects, frames), (4 * height, 4 * width))
        noise = torch.rand(within.shape, generator=g) > 0.4
        targets.append((torch.randperm(classes, generator=g)[:objects], within & noise))
    return class_logits, mask_logits, targets


def _random_boxes(generator, shape, side):
    spans = []
    for length in side:
        ends = torch.rand(*shape, 2, generator=generator).sort(-1).values * length
        place = torch.arange(length) + 0.5
        spans.append((place > ends[..., :1]) & (place < ends[..., 1:]))
    return spans[0].unsqueeze(-1) & spans[1].unsqueeze(-2)


def costs(class_logits, mask_logits, labels, target_masks, by, points, weights=WEIGHTS):
    """Of one clip: (Q, N)."""
    guess, truth = (seen(masks[None], by, points) for masks in (mask_logits, target_masks))
    return matching.costs(class_logits[None], guess, labels[None], truth, by, weights)[0]


@pytest.mark.parametrize("name, by", [("matcher_boxes_0", "boxes"), ("matcher_masks_1", "masks")])
def test_costs_and_assignment_are_the_released_ones(name, by):
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        golden = {key: torch.from_numpy(array) for key, array in arrays.items()}
    target = golden["target_labels"], golden["target_masks"]
    cost = costs(golden["pred_logits"][0], golden["pred_masks"][0], *target, by, golden["points"])
    torch.testing.assert_close(cost, golden["cost"].double(), rtol=1e-6, atol=1e-6)
    pairs = match(golden["pred_logits"], golden["pred_masks"], [target], by, golden["points"])
    assert len(pairs) == 1
    assert torch.equal(pairs[0][0], golden["rows"]) and torch.equal(pairs[0][1], golden["cols"])


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    queries=st.integers(1, 5),
    objects=st.integers(0, 5),
    frames=st.integers(1, 4),
    by=st.sampled_from(["masks", "boxes"]),
)
def test_no_permutation_is_cheaper(seed, queries, objects, frames, by):
    class_logits, mask_logits, targets = _case(seed, 1, queries, objects, frames)
    points = torch.rand(1, 40, 2, generator=torch.Generator().manual_seed(seed))
    ((rows, columns),) = match(class_logits, mask_logits, targets, by, points)
    cost = costs(class_logits[0], mask_logits[0], *targets[0], by, points)
    pairs = min(queries, objects)
    assert len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows) == pairs
    few, many = (cost, cost.T)[:: 1 if queries <= objects else -1]
    table = few.tolist()  # a row for each of the fewer
    cheapest = min(
        sum(row[place] for row, place in zip(table, chosen, strict=True))
        for chosen in permutations(range(len(many)), pairs)
    )
    assert cost[rows, columns].sum().item() == pytest.approx(cheapest, abs=1e-9)


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_costs_are_the_losses_of_every_pair_one_by_one(by):
    class_logits, mask_logits, ((labels, target_masks),) = _case(frames=3)
    points = torch.rand(1, 60, 2)
    cost = costs(class_logits[0], mask_logits[0], labels, target_masks, by, points)
    for q in range(5):
        for n in range(3):
            guess, truth = mask_logits[0, q], target_masks[n].float()
            expected = -2 * class_logits[0, q].softmax(0)[labels[n]]
            if by == "boxes":
                p, t = (
                    masks.sample_points(_boxes_by_loop(m)[None], points).flatten()
                    for m in (guess > 0, truth > 0.5)
                )
                expected += 5 * (1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1))
            else:
                p, t = (masks.sample_points(m[None], points).flatten(1) for m in (guess, truth))
                expected += 5 * masks.bce(p, t)[0] + 5 * masks.dice(p, t)[0]
            assert cost[q, n].item() == pytest.approx(expected.item(), abs=1e-5)


def _boxes_by_loop(stack):
    filled = torch.zeros(stack.shape)
    for box, mask in zip(filled, stack, strict=True):
        ys, xs = torch.nonzero(mask, as_tuple=True)
        if len(ys):
            box[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = 1
    return filled


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 7), st.integers(1, 7), st.floats(0, 1), st.integers(0, 10_000))
def test_tight_boxes_are_those_of_the_positive_pixels_read_between_them(height, width, share, seed):
    g = torch.Generator().manual_seed(seed)
    stack = torch.rand(3, height, width, generator=g) < share
    points = torch.rand(1, 40, 2, generator=g)
    wanted = masks.sample_points(_boxes_by_loop(stack)[None], points)[0]
    for values in (stack, stack.float() - 0.5):  # masks, and logits
        found = seen(values[None, :, None], "boxes", points)[0]
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


def test_matching_by_boxes_sees_boxes_only():
    class_logits, mask_logits, ((labels, target_masks),) = _case()
    points = torch.rand(1, 50, 2)
    hollow = target_masks.clone()
    hollow[..., 1:-1, 1:-1] = False  # the outline is kept, so are the boxes
    hollow[..., [0, -1], :] = hollow[..., :, [0, -1]] = True
    solid = torch.ones_like(hollow)
    a, b = (
        costs(class_logits[0], mask_logits[0], labels, m, "boxes", points) for m in (hollow, solid)
    )
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_permuted_queries_and_objects_permute_the_matching(by):
    class_logits, mask_logits, ((labels, target_masks),) = _case(queries=6)
    points = torch.rand(1, 80, 2)
    ((rows, columns),) = match(class_logits, mask_logits, [(labels, target_masks)], by, points)
    queries, objects = torch.randperm(6), torch.randperm(3)
    moved = [(labels[objects], target_masks[objects])]
    ((new_rows, new_columns),) = match(
        class_logits[:, queries], mask_logits[:, queries], moved, by, points
    )
    before = set(zip(rows.tolist(), columns.tolist(), strict=True))
    after = zip(queries[new_rows].tolist(), objects[new_columns].tolist(), strict=True)
    assert set(after) == before


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_the_right_queries_are_found_without_points_given(by):
    class_logits, mask_logits, targets = _case(batch=2, queries=4)
    for clip, (labels, target_masks) in enumerate(targets):
        target_masks[:] = False
        for n in range(3):  # three boxes side by side, drawn by queries 3, 2, 1
            target_masks[n, :, 4:20, 10 * n + 1 : 10 * n + 9] = True
            small = torch.nn.functional.interpolate(target_masks[n : n + 1].float(), (6, 8))[0]
            mask_logits[clip, 3 - n] = 20 * (small - 0.5)
            class_logits[clip, 3 - n, labels[n]] = 5.0
    for rows, columns in match(class_logits, mask_logits, targets, by):
        assert dict(zip(rows.tolist(), columns.tolist(), strict=True)) == {1: 2, 2: 1, 3: 0}


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_one_seed_gives_one_matching_and_each_clip_its_own_points(by, monkeypatch):
    case = _case(batch=2)
    drawn = []
    monkeypatch.setattr(
        matching, "random_points", lambda *a: drawn.append(masks.random_points(*a)) or drawn[-1]
    )
    runs = [match(*case, by=by, generator=torch.Generator().manual_seed(5)) for _ in range(2)]
    assert [tuple(points.shape) for points in drawn] == [(2, 20_000, 2)] * 2
    assert torch.equal(*drawn) and not torch.equal(*drawn[0])
    for one, two in zip(*runs, strict=True):
        assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_an_object_absent_from_a_frame_or_from_all_is_matched_all_the_same(by):
    class_logits, mask_logits, targets = _case()
    targets[0][1][0, 1] = False
    targets[0][1][1] = False
    ((rows, columns),) = match(class_logits, mask_logits, targets, by)
    assert sorted(columns.tolist()) == [0, 1, 2]


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_no_objects_give_no_pairs(by):
    class_logits, mask_logits, targets = _case(objects=0)
    ((rows, columns),) = match(class_logits, mask_logits, targets, by)
    assert rows.shape == columns.shape == (0,) and rows.dtype == torch.long


@pytest.mark.parametrize("by", ["masks", "boxes"])
@pytest.mark.parametrize("size", [1e4, 1e37])
def test_huge_logits_are_matched(by, size):
    class_logits, mask_logits, targets = _case()
    ((rows, _),) = match(class_logits * size, mask_logits.sign() * size, targets, by)
    assert len(rows) == 3


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_autocast_changes_nothing(by):
    class_logits, mask_logits, ((labels, target_masks),) = _case()
    arguments = class_logits[0], mask_logits[0], labels, target_masks, by, torch.rand(1, 90, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = costs(*arguments)
    torch.testing.assert_close(under, costs(*arguments), rtol=0, atol=0)


@pytest.mark.parametrize("by", ["masks", "boxes"])
@pytest.mark.parametrize("which, value", [(0, torch.nan), (1, torch.nan), (1, torch.inf)])
def test_logits_that_are_not_finite_are_named_with_their_clip(by, which, value):
    *logits, targets = _case(batch=2)
    logits[which][1, 2] = value
    what = ("class_logits", "mask_logits")[which]
    with pytest.raises(Diverged, match=f"clip 1 of the batch, layer 0: {what} hold NaN or inf"):
        match(*logits, targets, by)
    with pytest.raises(Diverged, match=f"video 8, layer 0: {what} hold NaN or infinity"):
        names = ["video 7", "video 8"]
        match_layers([logits], targets, by, None, None, names, WEIGHTS)


@pytest.mark.parametrize(
    "kind", [torch.int8, torch.uint8, torch.int16, torch.uint16, torch.int32, torch.uint64]
)
def test_labels_are_whole_numbers_of_any_kind(kind):
    class_logits, mask_logits, targets = _case(batch=2)
    points = torch.rand(1, 50, 2, generator=torch.Generator().manual_seed(0))
    others = [(labels.to(kind), masks) for labels, masks in targets]
    wanted, found = (
        match(class_logits, mask_logits, of, points=points) for of in (targets, others)
    )
    for one, other in zip(wanted, found, strict=True):
        assert all(map(torch.equal, one, other))
    match(class_logits, mask_logits, others, points=np.int64(50))


def test_wrong_input_is_refused_with_the_reason():
    class_logits, mask_logits, targets = _case()
    ((labels, target_masks),) = targets
    with pytest.raises(ValueError, match="by should be one of masks, boxes"):
        match(class_logits, mask_logits, targets, by="points")
    with pytest.raises(ValueError, match=r"mask_logits should be \(B, Q, T, h, w\), B = 1, Q = 4"):
        match(class_logits[:, 1:], mask_logits, targets)
    with pytest.raises(ValueError, match="1 clips came with the targets of 2"):
        match(class_logits, mask_logits, targets * 2)
    with pytest.raises(ValueError, match=r"\(B, Q, T, h, w\)"):
        match(class_logits, mask_logits[0], targets)
    with pytest.raises(ValueError, match=r"needs target masks \(3, 2\) \+ \(H, W\), got \(3, 1"):
        match(class_logits, mask_logits, [(labels, target_masks[:, :1])])
    with pytest.raises(ValueError, match="not all below 6"):
        match(class_logits, mask_logits, [(labels + 6, target_masks)])
    with pytest.raises(ValueError, match="clip 0 of the batch should be whole numbers"):
        match(class_logits, mask_logits, [(labels.float(), target_masks)])
    with pytest.raises(ValueError, match=r"needs labels \(N,\)"):
        match(class_logits, mask_logits, [(labels[:, None], target_masks)])
    with pytest.raises(ValueError, match="logits should hold a query"):
        match(class_logits[:, :0], mask_logits[:, :0], targets)
    with pytest.raises(ValueError, match="class_logits should be a torch.Tensor, is a ndarray"):
        match(class_logits.numpy(), mask_logits, targets)
    for shape in ((3, 2), (1, 0, 2), (5, 3, 2)):
        with pytest.raises(ValueError, match=r"points should be \(1 or B, P, 2\)"):
            match(class_logits, mask_logits, targets, points=torch.zeros(shape))
    for points in (0, -3, 1.5, "3", 10**13):
        with pytest.raises(ValueError, match="points should be a whole number from 1 to 10,000"):
            match(class_logits, mask_logits, targets, points=points)


@pytest.mark.parametrize("by", ["masks", "boxes"])
def test_weights_decide_what_a_pair_costs(by):
    class_logits, mask_logits, targets = _case()
    arguments = class_logits[0], mask_logits[0], *targets[0], by, torch.rand(1, 90, 2)
    classes = costs(*arguments, Weights(1, 0, 0))
    torch.testing.assert_close(classes.float(), -class_logits[0].softmax(-1)[:, targets[0][0]])
    parts = [w * costs(*arguments, Weights(*np.eye(3)[n])) for n, w in enumerate((2, 5, 5))]
    torch.testing.assert_close(sum(parts), costs(*arguments))
    # Only the class counts: query n is for object 2 - n, whatever it draws.
    class_logits[0, range(3), targets[0][0].flip(0)] = 50
    layers = [(class_logits, mask_logits)]
    (((queries, objects),),) = match_layers(
        layers, targets, by, None, None, ["clip"], Weights(1, 0, 0)
    )
    assert (queries + objects).tolist() == [2, 2, 2]
