"""Mask supervision: a clip's loss is its own, and an object weighs the same in any split."""

import pytest
import torch
from loss_cases import clip, fix_points, gradients, padded, part, prediction

from evis.criterion.mask_loss import MaskLoss
from evis.criterion.step import Step

LOSS = MaskLoss(points=200)


def _run(predicted, clips, loss=LOSS, step=Step(), seed=0):  # noqa: B008
    return loss(predicted, clips, step, torch.Generator().manual_seed(seed))


def test_the_total_is_the_weighted_sum_of_all_layers():
    found = _run(prediction(), [clip()])
    suffixes = ("", "_0", "_1")
    assert set(found) == {"total", *(n + s for n in ("class", "bce", "dice") for s in suffixes)}
    parts = {n: sum(found[n + s] for s in suffixes) for n in ("class", "bce", "dice")}
    expected = 2 * parts["class"] + 5 * parts["bce"] + 5 * parts["dice"]
    torch.testing.assert_close(found["total"], expected)


def test_weights_are_those_asked_for():
    loss = MaskLoss(0.5, 3.0, 7.0, points=200)
    found = _run(prediction(layers=0), [clip()], loss)
    expected = 0.5 * found["class"] + 3 * found["bce"] + 7 * found["dice"]
    torch.testing.assert_close(found["total"], expected)


def test_what_a_clip_is_padded_to_changes_nothing():
    small, clips = prediction(), [clip()]
    large = padded(small, 5, 3)
    plain, wide = _run(small, clips), _run(large, clips)
    for name, value in plain.items():
        assert torch.equal(wide[name], value), name
    plain["total"].backward(), wide["total"].backward()
    for mine, theirs in zip(gradients(large), gradients(small), strict=True):
        if mine.ndim == 5:
            assert not mine[..., 16:, :].any() and not mine[..., 20:].any()
            mine = mine[..., :16, :20]
        torch.testing.assert_close(mine, theirs)
    as_padded = _run(padded(small, 5, 3), clips, MaskLoss(points=200, as_padded=True))
    assert not torch.equal(as_padded["total"], plain["total"])


def test_a_batch_of_several_sizes_is_the_sum_of_its_clips(monkeypatch):
    fix_points(monkeypatch)
    clips = [clip(1), clip(2, objects=3, height=48, width=64, seed=2)]
    together = prediction(batch=2)
    found = _run(together, clips)
    alone = [_run(part(together, [n]), [clips[n]], step=Step(0, 5)) for n in (0, 1)]
    for name in ("bce", "dice", "bce_0", "dice_1"):
        torch.testing.assert_close(found[name], alone[0][name] + alone[1][name])


@pytest.mark.parametrize("parts", [[[0, 1], [2, 3]], [[1, 2], [0, 3]], [[0], [1], [2], [3]]])
def test_any_split_of_a_step_has_the_same_gradient(parts, monkeypatch):
    """6 objects at once, or 1 + 5, 3 + 3, 1 + 0 + 2 + 3 in micro-batches or processes."""
    fix_points(monkeypatch)
    clips = [clip(n, objects=count, seed=n) for n, count in enumerate((1, 0, 2, 3))]
    whole = prediction(batch=4)
    _run(whole, clips, step=Step(0, 6))["total"].backward()
    split = [torch.zeros_like(x) for x in gradients(whole)]
    for numbers in parts:
        own = part(whole, numbers)
        step = Step(0, 6 / len(parts))
        (_run(own, [clips[n] for n in numbers], step=step)["total"] / len(parts)).backward()
        for sums, of_part in zip(split, gradients(own), strict=True):
            sums[numbers] = of_part
    for mine, at_once in zip(split, gradients(whole), strict=True):
        torch.testing.assert_close(mine, at_once, rtol=1e-5, atol=1e-9)


def test_without_a_number_the_batch_counts_its_own_objects():
    predicted, clips = prediction(batch=2), [clip(1), clip(2, objects=3, seed=2)]
    mine, given = _run(predicted, clips), _run(predicted, clips, step=Step(0, 5))
    assert all(torch.equal(mine[name], given[name]) for name in mine)
    halved = _run(predicted, clips, step=Step(0, 10))
    torch.testing.assert_close(halved["bce"], mine["bce"] / 2)


def test_no_objects_at_all_teach_the_classes_only():
    predicted = prediction(layers=1)
    found = _run(predicted, [clip(objects=0)])
    found["total"].backward()
    assert found["bce"] == found["dice"] == 0 and found["class"] > 0
    assert not any(x.any() for x in gradients(predicted) if x.ndim == 5)
