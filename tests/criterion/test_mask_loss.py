"""Mask supervision: a clip's loss is its own, and an object weighs the same in any split."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from loss_cases import all_layers, changed, clip, fix_points, gradients, padded, part, prediction

from evis.criterion.mask_loss import MaskLoss
from evis.criterion.matched import grouped, matched
from evis.criterion.step import Step
from evis.criterion.terms import discoveries

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


DROP = MaskLoss(points=200, drop_iou=0.01)


def _sparse(predicted, most=6):
    """Each query shows one square somewhere, in each layer another; the last one shows nothing."""

    g = torch.Generator().manual_seed(5)  # of all layers, so that they differ

    def change(classes, masks):
        few = torch.full_like(masks, -3.0)
        for one in few.flatten(0, 1)[:-1]:
            y, x, side = (int(torch.randint(1, top, (1,), generator=g)) for top in (12, 16, most))
            one[:, y : y + side, x : x + side] = 3.0
        return classes, few

    return changed(predicted, change)


def _brute_force(layer, clips, drop_iou):
    """(B, Q) bool, pixel by pixel at full size, from the definition."""
    found = torch.zeros(layer.class_logits.shape[:2], dtype=torch.bool)
    for b, one in enumerate(clips):
        height, width = one.frames.shape[-2:]
        for q, logits in enumerate(layer.mask_logits[b].detach().cpu()):
            shown = (logits > 0).repeat_interleave(4, 1).repeat_interleave(4, 2)
            shown = shown[:, :height, :width]
            ious = [float((shown & m).sum() / (shown | m).sum()) for m in one.masks]
            found[b, q] = bool(shown.any()) and max(ious, default=0.0) <= drop_iou
    return found


@pytest.mark.parametrize("drop_iou", [0.0, 0.01, 0.2])
def test_droploss_drops_what_lies_beside_all_labels_and_nothing_else(drop_iou):
    clips = [clip(1, objects=1), clip(2, objects=0), clip(3, objects=3, seed=2)]
    predicted = _sparse(prediction(batch=3, queries=12))
    (group,) = grouped(predicted, clips, "masks", as_padded=False)
    (match,) = matched(group, 200, torch.Generator().manual_seed(0))
    dropped = discoveries(match, drop_iou)
    layers = all_layers(predicted)
    expected = torch.stack([_brute_force(x, clips, drop_iou).flatten() for x in layers])
    assert torch.equal(dropped.cpu(), expected)
    assert expected.any(1).all() and not expected.all(1).any()
    assert not torch.equal(expected[0], expected[1]), "each layer is judged by its own masks"
    loss = MaskLoss(points=200, drop_iou=drop_iou)
    found = _run(predicted, clips, loss)
    plain = _run(predicted, clips)
    weights = 4 + 0.1 * (36 - 4)  # all queries', the dropped ones' too
    for number, suffix in enumerate(("_0", "_1", "")):
        unmatched = torch.ones(36, dtype=torch.bool)
        unmatched[match.queries[number].cpu()] = False
        rows = (unmatched & expected[number]).nonzero().flatten()
        logits = layers[number].class_logits.flatten(0, 1).detach().cpu()
        told = F.cross_entropy(logits[rows], torch.full((len(rows),), 5), reduction="sum")
        difference = (plain["class" + suffix] - found["class" + suffix]).detach().cpu()
        torch.testing.assert_close(difference, 0.1 * told / weights, rtol=1e-4, atol=1e-6)
        for name in ("bce", "dice"):
            assert torch.equal(found[name + suffix], plain[name + suffix])


def test_a_dropped_query_has_no_gradient_and_all_others_have_theirs():
    clips, predicted = [clip(1)], _sparse(prediction(queries=12, layers=0))
    again = _sparse(prediction(queries=12, layers=0))
    dropped = _brute_force(predicted, clips, 0.01)[0]
    _run(predicted, clips, DROP)["total"].backward()
    _run(again, clips)["total"].backward()
    mine, plain = (gradients(x)[0][0].cpu() for x in (predicted, again))
    (group,) = grouped(predicted, clips, "masks", as_padded=False)
    (match,) = matched(group, 200, torch.Generator().manual_seed(0))
    dropped[match.queries[0].cpu()] = False  # matched queries learn as ever
    assert 0 < dropped.sum() < 12 - 2
    assert not mine[dropped].any() and plain[dropped].any(1).all()
    torch.testing.assert_close(mine[~dropped], plain[~dropped])
    assert torch.equal(gradients(predicted)[1], gradients(again)[1])


def test_a_matched_query_is_told_its_class_wherever_its_mask_lies():
    """One query, one object, and a mask that misses it."""
    one = clip(1, objects=1)
    away = changed(
        prediction(queries=1, layers=0),
        lambda classes, masks: (classes, 6 * (_last_row_of(masks)) - 3),
    )
    one = replace(one, masks=torch.zeros_like(one.masks))
    one.masks[:, :, :8] = True
    assert _brute_force(away, [one], 0.01).all()
    assert torch.equal(_run(away, [one], DROP)["class"], _run(away, [one])["class"])


def _last_row_of(masks):
    row = torch.zeros_like(masks)
    row[..., -1, :] = 1
    return row


def test_what_shows_nothing_is_still_no_object():
    clips = [clip(1, objects=0)]
    dark = changed(prediction(layers=1), lambda classes, masks: (classes, -masks.abs() - 1))
    assert torch.equal(_run(dark, clips, DROP)["class"], _run(dark, clips)["class"])
    shown = _sparse(prediction(layers=1))
    only_dark = _run(shown, clips, DROP)["class"]  # of 6 queries the last one
    entropy = -shown.class_logits[0, 5].log_softmax(-1)[-1]
    torch.testing.assert_close(only_dark, entropy * 0.1 / (1 + 0.1 * 5), check_device=False)


@pytest.mark.parametrize("parts", [[[0, 1], [2, 3]], [[0], [1], [2], [3]]])
def test_with_droploss_any_split_of_a_step_has_the_same_gradient(parts, monkeypatch):
    fix_points(monkeypatch)
    clips = [clip(n, objects=count, seed=n) for n, count in enumerate((1, 0, 2, 3))]
    whole = _sparse(prediction(batch=4))
    _run(whole, clips, DROP, step=Step(0, 6))["total"].backward()
    split = [torch.zeros_like(x) for x in gradients(whole)]
    for numbers in parts:
        own = part(whole, numbers)
        step = Step(0, 6 / len(parts))
        (_run(own, [clips[n] for n in numbers], DROP, step)["total"] / len(parts)).backward()
        for sums, of_part in zip(split, gradients(own), strict=True):
            sums[numbers] = of_part
    for mine, at_once in zip(split, gradients(whole), strict=True):
        torch.testing.assert_close(mine, at_once, rtol=1e-5, atol=1e-9)


def test_with_droploss_sizes_and_padding_change_nothing():
    clips = [clip(1), clip(2, objects=3, height=48, width=64, seed=2)]
    together = _sparse(prediction(batch=2))
    found = _run(together, clips, DROP, step=Step(0, 5))
    wide = _run(padded(together, 5, 3), clips, DROP, step=Step(0, 5))
    for name, value in found.items():
        assert torch.equal(wide[name], value), name
