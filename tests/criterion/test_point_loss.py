"""Losses at clicked points: the released numbers, brute force, and that no mask is read."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from loss_cases import all_layers, changed, clip, gradients, padded, part, prediction

from evis.criterion.matched import grouped
from evis.criterion.point_loss import PointLoss
from evis.criterion.step import Step
from evis.criterion.targets import clicked
from evis.criterion.terms import click_terms
from evis.data.errors import DataError
from evis.losses import masks
from evis.matching import WEIGHTS, Clicks

GOLDEN = Path(__file__).parents[1] / "golden"
VISP, CINEG = PointLoss(), PointLoss(cross_instance=True)


def pointed(video_id=7, objects=2, frames=3, negatives=0, seed=0, **size):
    """A clip with a click in every frame on every object, and negatives off it in some."""
    one = clip(video_id, objects, frames, seed=seed, **size)
    g = torch.Generator().manual_seed(seed)
    rows = []
    for n in range(objects):
        for t in range(frames):
            inside, outside = one.masks[n, t].nonzero(), (~one.masks[n, t]).nonzero()
            for places, count, sign in ((inside, 1, 1), (outside, (n + t) % (negatives + 1), 0)):
                for place in torch.randint(len(places), (count,), generator=g).tolist():
                    y, x = places[place].tolist()
                    rows.append((n, t, x, y, sign))
    points = torch.tensor(rows, dtype=torch.long).reshape(-1, 5)
    return replace(one, points=points, masks=None, boxes=None)


def with_others(one):
    """By hand: the positive clicks on all other objects of a frame, as negatives."""
    rows = one.points.tolist()
    shown = {(n, t) for n, t, *_ in rows}
    added = [
        (m, t, x, y, 0)
        for n, t, x, y, sign in rows
        for m in range(len(one.labels))
        if sign and m != n and (m, t) in shown
    ]
    return replace(one, points=torch.tensor(rows + added))


def test_losses_at_points_are_the_released_ones():
    for name in ("point_losses_0", "point_losses_1"):
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            golden = {key: torch.from_numpy(array) for key, array in arrays.items()}
        positive = golden["point_targets"][None]  # one object, (1, T, K); a share between pixels
        counted = torch.ones_like(positive, dtype=torch.bool)
        # A point more, of another object's say, that does not count.
        more = [torch.cat([x, x[:, :, :1]], 2) for x in (golden["points"][None], positive)]
        not_counted = torch.cat([counted, ~counted[:, :, :1]], 2)
        logits = golden["mask_logits"][None, None, :, 0]  # (L, M, T, h, w)
        for clicks in (Clicks(golden["points"][None], positive, counted), (*more, not_counted)):
            terms = click_terms(logits, Clicks(*clicks), objects=1)
            for term in ("bce", "dice"):
                assert terms[term].shape == (1,)
                torch.testing.assert_close(
                    terms[term][0], golden[f"loss_{term}"], rtol=1e-6, atol=0
                )


def cost(layer, one, number):
    """Of a clip's queries and objects, from the definition: (Q, N), and BCE and dice by frame."""
    logits = layer.mask_logits[number].detach().cpu()
    height, width = (4 * side for side in logits.shape[-2:])
    chances = layer.class_logits[number].detach().cpu().softmax(-1)
    table, terms = np.zeros((len(logits), len(one.labels))), {}
    for q, query in enumerate(logits):
        for n, label in enumerate(one.labels.tolist()):
            values, signs, of_frames = [], [], []
            for t in range(len(query)):
                own = [row for row in one.points.tolist() if row[:2] == [n, t]]
                at = torch.tensor([[(x + 0.5) / width, (y + 0.5) / height] for *_, x, y, _ in own])
                read = masks.sample_points(query[t][None], at.reshape(1, -1, 2))
                wanted = torch.tensor([[row[-1] for row in own]], dtype=torch.float32)
                values.append(read), signs.append(wanted)
                if own:
                    of_frames.append((masks.bce(read, wanted), masks.dice(read, wanted)))
            rows = torch.cat(values, 1), torch.cat(signs, 1)
            terms[q, n] = [float(sum(term)) for term in zip(*of_frames, strict=True)]
            table[q, n] = -2 * chances[q, label] + 5 * masks.bce(*rows) + 5 * masks.dice(*rows)
    return table, terms


@pytest.mark.parametrize("loss", [VISP, CINEG])
def test_every_layer_is_matched_and_judged_as_by_brute_force(loss):
    clips = [pointed(1, negatives=2), pointed(2, objects=0), pointed(3, objects=3, seed=3)]
    clips[2] = replace(clips[2], points=clips[2].points[1:])  # an object that a frame doesn't show
    predicted = prediction(batch=3, queries=4)
    found = loss(predicted, clips, Step())
    known = [with_others(one) for one in clips] if loss.cross_instance else clips
    for suffix, layer in zip(("_0", "_1", ""), all_layers(predicted), strict=True):
        sums = np.zeros(2)
        for number, one in enumerate(known):
            table, terms = cost(layer, one, number)
            objects = range(len(one.labels))
            best = min(
                permutations(range(4), len(one.labels)),
                key=lambda queries: sum(table[q, n] for n, q in enumerate(queries)),
            )
            sums += sum((np.array(terms[best[n], n]) for n in objects), np.zeros(2))
        for name, expected in zip(("bce", "dice"), sums / 5, strict=True):
            assert found[name + suffix].item() == pytest.approx(expected, rel=1e-5)
    parts = {n: sum(found[n + s] for s in ("", "_0", "_1")) for n in ("class", "bce", "dice")}
    expected = sum(w * parts[n] for w, n in zip(WEIGHTS, parts, strict=True))
    torch.testing.assert_close(found["total"], expected)


def test_negatives_of_other_objects_are_what_clicks_there_would_be():
    clips = [pointed(1, negatives=1), pointed(2, objects=3, seed=3)]
    mine, by_hand = prediction(batch=2), prediction(batch=2)
    found = CINEG(mine, clips, Step())
    expected = VISP(by_hand, [with_others(one) for one in clips], Step())
    found["total"].backward(), expected["total"].backward()
    for name in found:
        torch.testing.assert_close(found[name], expected[name])
    for ours, theirs in zip(gradients(mine), gradients(by_hand), strict=True):
        torch.testing.assert_close(ours, theirs)
    alone = [pointed(objects=1)]
    assert torch.equal(CINEG(mine, alone * 2, Step())["bce"], VISP(mine, alone * 2, Step())["bce"])


def test_other_objects_clicks_count_in_frames_that_show_both_alone(device):
    one = pointed(objects=2, frames=2)
    only = replace(one, points=torch.tensor([[0, 0, 5, 6, 1], [1, 0, 70, 50, 1], [1, 1, 8, 9, 1]]))
    known = clicked([only], (64, 80), device, cross_instance=True)
    assert known.counted.sum(2).tolist() == [[2, 0], [2, 1]]
    assert (known.positive & known.counted).sum(2).tolist() == [[1, 0], [1, 1]]
    places = (known.places * torch.tensor([80, 64], device=device)).cpu()
    assert places[0, 0].tolist() == [[5.5, 6.5], [70.5, 50.5]]
    assert places[1, 0].tolist() == [[70.5, 50.5], [5.5, 6.5]]


def test_positive_clicks_alone_teach_every_mask_to_grow_and_others_hold_it_back():
    clips = [pointed(objects=3)]
    grown, held = prediction(), prediction()
    VISP(grown, clips, Step())["total"].backward()
    CINEG(held, clips, Step())["total"].backward()
    of_masks = [[x for x in gradients(p) if x.ndim == 5] for p in (grown, held)]
    assert all((x <= 0).all() and (x < 0).any() for x in of_masks[0])
    assert all((x > 0).any() and (x < 0).any() for x in of_masks[1])


def test_pixels_beside_the_clicks_are_never_looked_at():
    clips = [pointed(objects=2, negatives=1)]
    predicted = prediction()
    loss = CINEG(predicted, clips, Step())
    loss["total"].backward()
    touched = torch.zeros(3, 16, 20, dtype=torch.bool)
    for _, t, x, y, _ in clips[0].points.tolist():
        column, row = (int(v) for v in ((x + 0.5) / 4 - 0.5, (y + 0.5) / 4 - 0.5))
        touched[t, max(0, row) : row + 2, max(0, column) : column + 2] = True
    assert touched.float().mean() < 0.15
    for gradient in gradients(predicted):
        if gradient.ndim == 5:
            assert gradient.any() and not gradient.cpu()[..., ~touched].any()
    noise = torch.rand(2, 3, 64, 80) > 0.5
    again = CINEG(predicted, [replace(clips[0], masks=noise)], Step())
    assert all(torch.equal(again[name], value) for name, value in loss.items())


def test_what_a_clip_is_padded_to_changes_nothing():
    small, clips = prediction(), [pointed(negatives=1)]
    plain, wide = (CINEG(x, clips, Step()) for x in (small, padded(small, 5, 3)))
    for name, value in plain.items():
        torch.testing.assert_close(wide[name], value)


@pytest.mark.parametrize("parts", [[[0, 1], [2, 3]], [[0], [1], [2], [3]]])
def test_any_split_of_a_step_has_the_same_gradient(parts):
    clips = [pointed(n, objects=count, seed=n) for n, count in enumerate((1, 0, 2, 3))]
    clips[3] = pointed(3, objects=3, seed=3, height=48, width=64)
    whole = prediction(batch=4)
    CINEG(whole, clips, Step(0, 6))["total"].backward()
    split = [torch.zeros_like(x) for x in gradients(whole)]
    for numbers in parts:
        own, step = part(whole, numbers), Step(0, 6 / len(parts))
        (CINEG(own, [clips[n] for n in numbers], step)["total"] / len(parts)).backward()
        for sums, of_part in zip(split, gradients(own), strict=True):
            sums[numbers] = of_part
    for mine, at_once in zip(split, gradients(whole), strict=True):
        torch.testing.assert_close(mine, at_once, rtol=1e-5, atol=1e-9)


def test_no_objects_teach_the_classes_only_and_too_many_leave_some_out():
    predicted = prediction(layers=1)
    found = VISP(predicted, [pointed(objects=0)], Step())
    found["total"].backward()
    assert found["bce"] == found["dice"] == 0 and found["class"] > 0
    assert not any(x.any() for x in gradients(predicted) if x.ndim == 5)
    few = prediction(queries=2, layers=3)
    found = CINEG(few, [pointed(objects=5)], Step())
    found["total"].backward()
    assert found["total"].isfinite() and all(x.any() for x in gradients(few))


def test_huge_logits_stay_finite():
    huge = changed(prediction(), lambda classes, masks: (classes, 1e30 * masks.sign()))
    found = CINEG(huge, [pointed(objects=3)], Step())
    found["total"].backward()
    assert found["total"].isfinite() and all(x.isfinite().all() for x in gradients(huge))


def test_clips_without_clicks_are_refused():
    with pytest.raises(DataError, match=r"carries no points.*weaken"):
        grouped(prediction(), [clip()], "points", as_padded=False)
