"""The loss: the sum of its terms, who gets a gradient, the firewall, and what may go wrong."""

from dataclasses import replace
from pathlib import Path

import loss_cases
import numpy as np
import pytest
import torch
from loss_cases import CLASSES, LATE, all_layers, fix_points, gradients, padded, part
from loss_cases import clip as _clip
from loss_cases import prediction as _prediction

from evis import matching
from evis.criterion.step import Step
from evis.criterion.targets import fill_boxes
from evis.data.clip_prediction import ClipPrediction
from evis.data.errors import DataError
from evis.losses import boxinst, masks, tel, tk
from evis.losses.qcc import quality_cluster_coefficient
from evis.losses.tensors import resize
from evis.matching import match
from evis.papers.eigencluster import loss as loss_module
from evis.papers.eigencluster import settings as loss_settings
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.settings import Settings
from evis.papers.eigencluster.temporal import SCHEMES

GOLDEN = Path(__file__).parents[2] / "golden"
BOX = Settings()
RELEASED = replace(BOX, **loss_settings.RELEASED)
MASK = Settings(supervision="mask", points=200)
ALL = pytest.mark.parametrize("settings", [BOX, RELEASED, MASK], ids=["paper", "released", "mask"])


@pytest.fixture(autouse=True)
def seeded_with_few_points(monkeypatch, device):
    torch.manual_seed(0)
    monkeypatch.setattr(matching, "POINTS", 1000)
    monkeypatch.setattr(loss_cases, "DEVICE", device)


def _run(prediction, clips, settings, step=LATE, seed=0):
    return Loss(settings)(prediction, clips, Step(step), torch.Generator().manual_seed(seed))


@ALL
def test_total_is_the_weighted_sum_of_the_terms_ofall_layers(settings):
    found = _run(_prediction(), [_clip()], settings)
    classes = sum(found[f"class{layer}"] for layer in ("", "_0", "_1")) * 2
    names = ("bce", "dice") if settings is MASK else ("projection", "pairwise", "temporal")
    rest = sum(5 * found[f"{name}{layer}"] for name in names for layer in ("", "_0", "_1"))
    if settings is MASK:
        expected = classes + rest
    elif settings is BOX:
        expected = classes + found["qcc"] * rest
    else:
        expected = found["qcc"] * (classes + rest)
    torch.testing.assert_close(found["total"], expected)
    assert found["total"].shape == () and all(value.isfinite() for value in found.values())


@pytest.mark.parametrize(
    "settings", [BOX, replace(BOX, change="sum"), RELEASED], ids=["paper", "sum", "released"]
)
def test_the_terms_of_the_last_layer_are_those_of_its_parts(settings):
    prediction, clip = _prediction(layers=0), _clip()
    flavour = "released" if settings is RELEASED else "paper"
    change = {"mean": "mean", "sum": "paper", "detached mean": "released"}[settings.change]
    found = _run(prediction, [clip], settings, step=50)
    boxes = fill_boxes(clip.boxes, clip.visible, (64, 80))
    classes, all_logits = prediction.class_logits.cpu(), prediction.mask_logits.cpu()
    ((rows, columns),) = match(classes, all_logits, [(clip.labels, boxes)], "boxes")
    logits = all_logits[0, rows]
    small = resize(boxes[columns], (16, 20))
    lab = boxinst.lab(clip.frames, 4, flavour)
    flat = logits.flatten(0, 1), small.flatten(0, 1)
    color = boxinst.color_similarity(lab).repeat(2, 1, 1, 1)
    pairs = [(0, 1), (1, 2), (2, 0)] if flavour == "paper" else [(0, 1), (0, 2), (1, 2)]
    patch = [tk.patch_similarity(lab[[a]], lab[[b]]) for a, b in pairs]
    l_tk = tk.tk_loss(logits, patch, small, pairs, flavour=flavour)
    solver = "secular" if flavour == "paper" else "released"
    l_eig = tel.eigenvalue_loss(tel.eigenvalues(logits, solver=solver), pairs, change)
    wanted = torch.full((6,), CLASSES)
    wanted[rows] = clip.labels[columns]
    weight = torch.tensor([1.0] * CLASSES + [0.1])
    chances = classes[0].log_softmax(-1)[torch.arange(6), wanted]
    expected = {
        "class": -(weight[wanted] * chances).sum() / weight[wanted].sum(),
        "projection": boxinst.projection_loss(*flat),
        "pairwise": boxinst.pairwise_loss(flat[0], color, flat[1], flavour=flavour),
        "tk": l_tk.sum(),
        "tel": l_eig.sum(),
        "temporal": 0.1 * 50 / 200 * (l_tk * (1 + 0.16 * l_eig)).sum(),
        "qcc": quality_cluster_coefficient(all_logits, [2], flavour=flavour),
    }
    assert set(found) == {*expected, "total"}
    for name, value in expected.items():
        torch.testing.assert_close(found[name].cpu(), value, msg=lambda m, n=name: f"{n}: {m}")
    assert found["temporal"] > 0 and found["pairwise"] > 0 and found["qcc"] > 1


@pytest.mark.parametrize("name", ["boxinst_tk_0", "boxinst_tk_1"])
def test_box_terms_and_their_gradients_are_the_released_ones(name, monkeypatch):
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        golden = {key: torch.from_numpy(array) for key, array in arrays.items()}
    batch, objects, _, *size = golden["box_masks"].shape
    logits = golden["mask_logits"].clone().requires_grad_()
    class_logits = torch.zeros(batch, logits.shape[1], objects + 1)
    class_logits[:, range(objects), range(objects)] = 50  # query n is for object n
    monkeypatch.setattr(boxinst, "lab", lambda *_: golden["lab"])  # the pictures are not kept
    blank = _clip(objects=objects, height=size[0], width=size[1])
    clips = [
        replace(blank, labels=torch.arange(objects), boxes=_corners(boxes), masks=None)
        for boxes in golden["box_masks"]
    ]
    settings = replace(RELEASED, alpha=0, beta=0)
    found = _run(ClipPrediction(class_logits, logits), clips, settings, step=1000)
    for term, loss, gradient in (
        ("projection", "loss_projection", "grad_loss_mask_proj"),
        ("pairwise", "loss_pairwise", "grad_loss_bound"),
    ):
        torch.testing.assert_close(found[term], golden[loss], rtol=1e-5, atol=0)
        (slope,) = torch.autograd.grad(found[term], logits, retain_graph=True)
        largest = golden[gradient].abs().max().item()
        torch.testing.assert_close(slope, golden[gradient], rtol=0, atol=1e-5 * largest)
    assert found["temporal"] == golden["loss_temporal_at_step_1000"] == 0  # no patches match there


def _corners(box_masks):
    """(N, T, H, W) -> (N, T, 4)."""
    boxes = torch.zeros(*box_masks.shape[:2], 4)
    for n, t in np.ndindex(boxes.shape[:2]):
        ys, xs = torch.nonzero(box_masks[n, t], as_tuple=True)
        boxes[n, t] = torch.tensor([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    return boxes


def test_mask_terms_are_sums_over_frames_and_means_over_objects(monkeypatch):
    y, x = torch.meshgrid(
        (torch.arange(16) + 0.5) / 16, (torch.arange(20) + 0.5) / 20, indexing="ij"
    )
    centres = torch.stack((x, y), -1).reshape(1, -1, 2).to(loss_cases.DEVICE)
    monkeypatch.setattr(
        masks, "uncertain_points", lambda logits, *_, **__: centres.expand(len(logits), -1, -1)
    )
    prediction, clip = _prediction(layers=0), _clip()
    clip = replace(clip, masks=torch.zeros_like(clip.masks))  # objects that are nowhere
    found = _run(prediction, [clip], MASK)
    ((rows, _),) = match(
        prediction.class_logits, prediction.mask_logits, [(clip.labels, clip.masks)]
    )
    logits = prediction.mask_logits[0, rows]  # (2, 3, 16, 20)
    bce = torch.nn.functional.softplus(logits).mean((2, 3)).sum() / 2
    torch.testing.assert_close(found["bce"], bce)
    dice = (1 - 1 / (logits.sigmoid().sum((2, 3)) + 1)).sum() / 2
    torch.testing.assert_close(found["dice"], dice)


@ALL
def test_each_term_reaches_the_logits_it_is_about_and_no_other(settings):
    prediction = _prediction(layers=1)
    found = _run(prediction, [_clip()], settings)
    for name in settings.weights:
        layers = all_layers(prediction)
        leaves = [layer.class_logits for layer in layers] + [layer.mask_logits for layer in layers]
        for number, suffix in enumerate(("_0", "")):
            grads = torch.autograd.grad(
                found[name + suffix], leaves, retain_graph=True, allow_unused=True
            )
            reached = [g is not None and bool(g.abs().sum() > 0) for g in grads]
            place = number if name == "class" else 2 + number
            assert reached == [n == place for n in range(4)], name


@ALL
def test_only_matched_queries_get_a_mask_gradient(settings):
    prediction = _prediction(layers=0)
    _run(prediction, [_clip()], settings)["total"].backward()
    touched = prediction.mask_logits.grad.abs().sum((2, 3, 4))[0] > 0
    assert touched.sum() == 2
    assert (prediction.class_logits.grad.abs().sum(-1) > 0).all()


@pytest.mark.parametrize(
    "parts, reached",
    [
        ({}, True),
        ({"change": "sum"}, True),
        ({"change": "detached mean"}, False),
        ({"spectrum": "released"}, False),
    ],
)
def test_tel_has_a_gradient_unless_it_is_the_codes(parts, reached):
    value = _run(_prediction(layers=0), [_clip()], replace(BOX, **parts))["tel"]
    assert value > 0 and value.requires_grad == reached


def test_the_mean_is_the_sum_over_objects_and_eigenvalues():
    """Of all sizes' objects together: 2 + 4 of 3 eigenvalues each."""
    case = _prediction(batch=2), [_clip(1, height=48), _clip(2, objects=4)]
    of = {
        change: _run(*case, replace(BOX, change=change))["tel"]
        for change in ("mean", "sum", "detached mean")
    }
    torch.testing.assert_close(of["mean"], of["sum"] / (6 * 3))
    assert of["mean"] == of["detached mean"]


def test_tk_over_its_matches_is_one_mean_over_clips_of_any_size():
    settings = replace(BOX, tk_mean="matches", beta=0)
    both, clips = _prediction(batch=2), [_clip(1), _clip(2, height=48, seed=2)]
    found = _run(both, clips, settings)["tk"]
    alone = [_run(part(both, [n]), [clips[n]], settings)["tk"] for n in (0, 1)]
    assert min(alone) < found < max(alone) and min(alone) > 0


def test_alpha_and_beta_of_zero_switch_q_and_tel_off():
    prediction, clip = _prediction(), _clip()
    plain = _run(prediction, [clip], replace(BOX, alpha=0, beta=0))
    assert not {name for name in plain if name.startswith(("qcc", "tel"))}
    full = _run(prediction, [clip], BOX)
    torch.testing.assert_close(plain["temporal"], 0.1 * plain["tk"])
    for same in ("class", "projection", "pairwise", "tk"):
        torch.testing.assert_close(plain[same], full[same])
    weighted = sum(w * plain[name + s] for name, w in BOX.weights.items() for s in ("", "_0", "_1"))
    torch.testing.assert_close(plain["total"], weighted)


def test_the_soft_q_of_ours_has_a_gradient_of_its_own():
    prediction, clip = _prediction(), _clip()
    assert not _run(prediction, [clip], BOX)["qcc"].requires_grad
    soft = _run(prediction, [clip], replace(BOX, kmeans="soft"))["qcc"]
    (gradient,) = torch.autograd.grad(soft, prediction.mask_logits)
    assert gradient.abs().sum() > 0


def test_q_is_that_of_the_kmeans_that_is_asked_for():
    case = _prediction(), [_clip(objects=3)]
    kinds = {"best start": "paper", "one start": "released", "soft": "soft"}
    for kmeans, flavour in kinds.items():
        found = _run(*case, replace(BOX, kmeans=kmeans))["qcc"]
        expected = quality_cluster_coefficient(case[0].mask_logits, [3], flavour=flavour)
        torch.testing.assert_close(found, expected)
    one, best = (_run(*case, replace(BOX, kmeans=f"{k} start"))["qcc"] for k in ("one", "best"))
    assert one != best


def test_a_constant_in_q_s_place_scales_what_q_scales_and_matches_as_before(monkeypatch):
    """Weights times the same constant scale the same terms, and what queries are matched by too."""
    matched_by = []

    matching_of = loss_module.matched

    def watched(group, points, generator, weights):
        matched_by.append(weights)
        return matching_of(group, points, generator, weights)

    monkeypatch.setattr(loss_module, "matched", watched)
    plain = replace(BOX, alpha=0, beta=0)
    cases = {
        "none": plain,
        "constant": replace(plain, q_placebo=1.4),
        "weights": replace(plain, mask_weight=7.0, dice_weight=7.0),
    }
    found = {name: _run(_prediction(), [_clip()], settings) for name, settings in cases.items()}
    none, constant, weights = (found[name]["total"] for name in cases)
    classes = 2 * sum(found["none"][f"class{layer}"] for layer in ("", "_0", "_1"))
    torch.testing.assert_close(constant - classes, 1.4 * (none - classes))
    assert matched_by == [(2, 5, 5), (2, 5, 5), (2, 7, 7)]
    assert weights > none


def test_one_object_leaves_the_loss_unscaled():
    found = _run(_prediction(), [_clip(objects=1)], BOX)
    assert found["qcc"] == 1


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("objects", [0, 2])
def test_every_scheme_of_table_two_can_take_the_place_of_the_temporal_term(name, objects):
    prediction, clip, scheme = _prediction(layers=1), _clip(objects=objects), SCHEMES[name]()
    if isinstance(scheme, torch.nn.Module):
        scheme.to(loss_cases.DEVICE)
    found = Loss(RELEASED, scheme)(prediction, [clip], Step(LATE))
    assert not {"tk", "tel"} & set(found) and {"temporal", "temporal_0"} <= set(found)
    assert (found["temporal"] > 0) == (objects > 0 and name != "Baseline (No Matching)")
    found["total"].backward()
    if objects and isinstance(scheme, torch.nn.Module):
        assert any(p.grad is not None and p.grad.any() for p in scheme.parameters())
    if name == "Temporal KNN-Matching (TK)":
        own = _run(prediction, [clip], replace(RELEASED, beta=0))
        torch.testing.assert_close(own["temporal"], found["temporal"])


def test_the_last_scheme_of_table_two_is_tel_in_stage_two():
    """So that its row needs no scheme, and has its beta in its recipe."""
    case = _prediction(layers=1), [_clip()]
    settings = replace(BOX, alpha=0, beta=0.04, tk_mean="matches")
    own = Loss(settings)(*case, Step(LATE), torch.Generator().manual_seed(0))
    scheme = SCHEMES["Temporal EigenValue + TK"]()
    found = Loss(settings, scheme)(*case, Step(LATE), torch.Generator().manual_seed(0))
    torch.testing.assert_close(own["temporal"], found["temporal"])
    torch.testing.assert_close(own["total"], found["total"])


def test_warm_up_starts_at_nothing_and_ends_at_the_full_term():
    prediction, clip = _prediction(), _clip()
    at = [_run(prediction, [clip], BOX, step)["temporal"].item() for step in (0, 50, 200, 900)]
    assert at[0] == 0 and at[1] == pytest.approx(at[2] / 4) and at[2] == at[3] > 0


@ALL
def test_every_layer_adds_its_own_terms(settings):
    names = set(_run(_prediction(layers=0), [_clip()], settings)) - {"qcc", "total"}
    found = _run(_prediction(layers=3), [_clip()], settings)
    extra = {f"{name}_{layer}" for name in names for layer in range(3)}
    assert set(found) - {"qcc", "total"} == names | extra


@ALL
def test_permuted_queries_leave_the_loss(settings):
    prediction, clip, order = _prediction(layers=1), _clip(objects=3), torch.randperm(6)

    def moved(layer):
        return ClipPrediction(layer.class_logits[:, order], layer.mask_logits[:, order])

    shuffled = replace(moved(prediction), layers=(moved(prediction.layers[0]),))
    before, after = _run(prediction, [clip], settings), _run(shuffled, [clip], settings)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", [BOX, RELEASED], ids=["paper", "released"])
def test_permuted_objects_leave_the_loss(settings):
    prediction, clip, order = _prediction(layers=1), _clip(objects=3), torch.tensor([2, 0, 1])
    swapped = replace(
        clip,
        labels=clip.labels[order],
        visible=clip.visible[order],
        boxes=clip.boxes[order],
        masks=clip.masks[order],
    )
    before, after = _run(prediction, [clip], settings), _run(prediction, [swapped], settings)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=1e-5, atol=1e-6)


@ALL
def test_one_seed_gives_one_loss(settings):
    case = _prediction(), [_clip(objects=3)], settings
    first, second, other = _run(*case, seed=4), _run(*case, seed=4), _run(*case, seed=5)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(first["total"], other["total"]) == (settings is not MASK)


@ALL
def test_a_clip_without_objects_teaches_the_class_logits_only(settings):
    prediction = _prediction(layers=1)
    found = _run(prediction, [_clip(objects=0)], settings)
    found["total"].backward()
    assert found["total"].isfinite()
    for name in settings.weights:
        assert (found[name] == 0) == (name != "class")
    for layer in all_layers(prediction):
        assert layer.class_logits.grad.abs().sum() > 0
        assert layer.mask_logits.grad is None or not layer.mask_logits.grad.any()


@ALL
def test_a_batch_may_mix_sizes_and_clips_without_objects(settings):
    prediction = _prediction(batch=3, height=17, width=21)
    clips = [_clip(1), _clip(2, objects=0, height=48), _clip(3, objects=4, width=48)]
    found = _run(prediction, clips, settings)
    found["total"].backward()
    assert found["total"].isfinite() and prediction.mask_logits.grad.isfinite().all()
    touched = prediction.mask_logits.grad.abs().sum((2, 3, 4)) > 0
    assert touched.sum(1).tolist() == [2, 0, 4]


@ALL
def test_each_clip_of_a_batch_has_its_own_prediction_and_pictures(settings, monkeypatch):
    fix_points(monkeypatch)  # which ones an object gets depends on its place in the batch
    prediction, clips = _prediction(batch=2), [_clip(1, seed=1), _clip(2, objects=3, seed=2)]

    def swapped(layer):
        return ClipPrediction(layer.class_logits.flip(0), layer.mask_logits.flip(0))

    turned = replace(swapped(prediction), layers=tuple(map(swapped, prediction.layers)))
    before, after = _run(prediction, clips, settings), _run(turned, clips[::-1], settings)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "settings", [BOX, MASK, replace(BOX, kmeans="soft")], ids=["paper", "mask", "soft"]
)
def test_what_a_clip_is_padded_to_changes_no_term_and_no_gradient(settings):
    small, clips = _prediction(height=15), [_clip(height=60)]  # TEL's cells don't divide it
    large = padded(small, 5, 3)
    plain, wide = _run(small, clips, settings), _run(large, clips, settings)
    assert plain["total"] > 0 and (settings is MASK or plain["qcc"] > 1)
    for name, value in plain.items():
        assert torch.equal(wide[name], value), name
    plain["total"].backward(), wide["total"].backward()
    for mine, theirs in zip(gradients(large), gradients(small), strict=True):
        if mine.ndim == 5:
            assert not mine[..., 15:, :].any() and not mine[..., 20:].any()
            mine = mine[..., :15, :20]
        torch.testing.assert_close(mine, theirs)


def test_released_clips_are_judged_on_the_canvas_of_their_batch():
    small, clips = _prediction(), [_clip()]
    plain, wide = (_run(x, clips, RELEASED) for x in (small, padded(small, 5, 3)))
    assert all(wide[name] != plain[name] for name in ("projection", "tel", "qcc"))


def test_a_batch_of_several_sizes_has_the_terms_of_its_clips_together(monkeypatch):
    fix_points(monkeypatch)
    clips = [_clip(1), _clip(2, objects=3, height=48, width=64, seed=2)]
    together = _prediction(batch=2)
    settings = replace(BOX, temporal_factor=1.0, warm_up_steps=0)
    found = _run(together, clips, settings)
    first, second = (
        Loss(settings)(part(together, [n]), [clips[n]], Step(0, objects=5)) for n in (0, 1)
    )
    for name in ("projection", "tk", "tk_1"):  # sums over objects, of which there are 5
        torch.testing.assert_close(found[name], first[name] + second[name])
    torch.testing.assert_close(found["tel"], (2 * first["tel"] + 3 * second["tel"]) / 5)
    scores = (first["qcc"] - 1) + (second["qcc"] - 1)
    torch.testing.assert_close(found["qcc"], 1 + scores / 2)
    l_pair = sorted(each["pairwise"].item() for each in (first, second))
    assert l_pair[0] < found["pairwise"] < l_pair[1]  # a mean over the edges of both
    stray = together.mask_logits.detach().clone()
    stray[1, :, :, 12:] = torch.randn_like(stray[1, :, :, 12:])
    beyond = replace(together, mask_logits=stray)
    for name, value in _run(beyond, clips, settings).items():
        assert torch.equal(value, found[name]), name


@pytest.mark.parametrize("parts", [[[0, 1], [2, 3]], [[1, 2], [0, 3]], [[0], [1], [2], [3]]])
def test_in_any_split_of_a_step_an_object_weighs_the_same(parts, monkeypatch):
    """6 objects at once, or 1 + 5, 3 + 3, 1 + 0 + 2 + 3 in micro-batches or processes."""
    fix_points(monkeypatch)
    settings = replace(BOX, alpha=0, beta=0, warm_up_steps=0)
    clips = [_clip(n, objects=count, seed=n) for n, count in enumerate((1, 0, 2, 3))]

    def backward(prediction, numbers, of_parts):
        step = Step(0, objects=6 / of_parts)
        found = Loss(settings)(prediction, [clips[n] for n in numbers], step)
        layers = ("", "_0", "_1")
        total = sum(found[n + x] for n in ("class", "projection", "temporal") for x in layers)
        (total / of_parts).backward()

    whole = _prediction(batch=4)
    backward(whole, range(4), 1)
    split = [torch.zeros_like(x) for x in gradients(whole)]
    for numbers in parts:
        own = part(whole, numbers)
        backward(own, numbers, len(parts))
        for sums, of_part in zip(split, gradients(own), strict=True):
            sums[numbers] = of_part
    for mine, at_once in zip(split, gradients(whole), strict=True):
        torch.testing.assert_close(mine, at_once, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("settings", [BOX, MASK], ids=["box", "mask"])
def test_the_settings_weights_decide_the_matching(settings):
    """Queries 0 and 1 name the two objects, queries 2 and 3 draw them."""
    prediction, clip = _prediction(layers=0), _clip()
    classes, masks = torch.zeros(1, 6, CLASSES + 1), torch.full((1, 6, 3, 16, 20), -9.0)
    classes[..., -1] = 50
    classes[0, [0, 1], clip.labels] = 100
    masks[0, 2:4] = 18 * clip.masks[..., 2::4, 2::4] - 9.0
    on_device = (x.to(prediction.mask_logits.device) for x in (classes, masks))
    prediction = ClipPrediction(*on_device)
    by_class = replace(settings, class_weight=1.0, mask_weight=0.0, dice_weight=0.0)
    assert _run(prediction, [clip], by_class)["class"] < 1e-3
    by_mask = replace(settings, class_weight=0.0)
    assert _run(prediction, [clip], by_mask)["class"] > 10


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("alpha", 2, "alpha should be one of 0, 1, is 2"),
        ("supervision", "point", "supervision should be one of mask, box, is 'point'"),
        ("colours", "code", "colours should be one of paper, released, is 'code'"),
        ("change", "median", "change should be one of mean, sum, detached mean"),
        ("points", 0, "points should be a whole number from 1"),
        ("eigenvalues", 0, "eigenvalues should be a whole number from 1"),
        ("beta", -0.1, "beta should be a number from 0"),
        ("class_weight", float("nan"), "class_weight should be a number from 0"),
        ("warm_up_steps", -1, "warm_up_steps should be a whole number from 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_themselves(field, value, message):
    with pytest.raises(DataError, match=f"field settings.{field}: {message}"):
        Settings(**{field: value})


@ALL
def test_tensors_are_built_where_the_logits_are(settings):
    prediction, clips = _prediction(), [_clip()]
    expected = _run(prediction, clips, settings)
    with torch.device("meta"):
        found = _run(prediction, clips, settings)
    for name, value in expected.items():
        assert found[name].device.type == prediction.mask_logits.device.type
        torch.testing.assert_close(found[name], value)


@ALL
def test_more_objects_than_queries(settings):
    found = _run(_prediction(queries=3), [_clip(objects=5)], settings)
    assert found["total"].isfinite()


@ALL
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_any_number_of_frames(settings, frames):
    prediction = _prediction(frames=frames)
    found = _run(prediction, [_clip(frames=frames)], settings)
    found["total"].backward()
    assert found["total"].isfinite() and prediction.mask_logits.grad.isfinite().all()
    if settings is not MASK:
        assert (found["temporal"] == 0) == (frames == 1)


@ALL
def test_an_object_may_be_absent_from_a_frame(settings):
    clip = _clip()
    visible = clip.visible.clone()
    visible[0, 1] = False
    kept = visible[..., None]
    clip = replace(
        clip, visible=visible, boxes=clip.boxes * kept, masks=clip.masks & kept[..., None]
    )
    prediction = _prediction()
    _run(prediction, [clip], settings)["total"].backward()
    assert prediction.mask_logits.grad.isfinite().all()


@ALL
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("what", ["class_logits", "mask_logits"])
def test_logits_that_are_not_finite_stop_the_step_and_say_where(settings, value, what):
    prediction = _prediction(batch=2)
    early = prediction.layers[1]
    broken = getattr(early, what).detach().clone()
    broken[1] = value
    layers = (prediction.layers[0], replace(early, **{what: broken}))
    with pytest.raises(ValueError, match=f"video 12, layer 1: {what} hold"):
        _run(replace(prediction, layers=layers), [_clip(11), _clip(12)], settings)


@ALL
@pytest.mark.parametrize("size", [1e4, 1e-20])
def test_huge_and_tiny_logits_stay_finite(settings, size):
    prediction = _prediction(layers=0)
    masks_ = (prediction.mask_logits.detach() * size).requires_grad_()
    found = _run(replace(prediction, mask_logits=masks_), [_clip()], settings)
    found["total"].backward()
    assert found["total"].isfinite() and masks_.grad.isfinite().all()


@ALL
def test_autocast_and_half_precision_logits(settings):
    prediction = _prediction(layers=0)
    half = ClipPrediction(prediction.class_logits.bfloat16(), prediction.mask_logits.bfloat16())
    with torch.autocast(loss_cases.DEVICE.type, dtype=torch.bfloat16):
        found = _run(half, [_clip()], settings)
    exact = _run(
        ClipPrediction(half.class_logits.float(), half.mask_logits.float()), [_clip()], settings
    )
    for name, value in found.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[name])


def test_a_scheme_that_learns_is_not_rounded_by_autocast():
    prediction, clip = _prediction(layers=0), _clip()
    scheme = SCHEMES["Learnable Pixel Matching"]().to(loss_cases.DEVICE)
    exact = Loss(RELEASED, scheme)(prediction, [clip], Step(LATE))["temporal"]
    with torch.autocast(loss_cases.DEVICE.type, dtype=torch.bfloat16):
        under = Loss(RELEASED, scheme)(prediction, [clip], Step(LATE))["temporal"]
    assert torch.equal(under, exact)


class _Forbidden:
    def __getattr__(self, name):
        raise AssertionError(f"a mask was read: .{name}")


@pytest.mark.parametrize("settings", [BOX, RELEASED], ids=["paper", "released"])
def test_under_boxes_no_mask_is_touched(settings):
    clip = _clip()
    poisoned = replace(clip, masks=_Forbidden())
    with_masks = _run(_prediction(), [clip], settings)["total"]
    assert torch.equal(_run(_prediction(), [poisoned], settings)["total"], with_masks)
    assert torch.equal(
        _run(_prediction(), [replace(clip, masks=None)], settings)["total"], with_masks
    )
    with pytest.raises(AssertionError, match="a mask was read"):
        _run(_prediction(), [poisoned], MASK)


@ALL
def test_gradient_descent_finds_the_classes_and_the_masks(settings):
    boxes = torch.tensor([[[8.0, 12.0, 36.0, 40.0]] * 3, [[48.0, 8.0, 72.0, 56.0]] * 3])
    clip = replace(_clip(), boxes=boxes, masks=fill_boxes(boxes, _clip().visible, (64, 80)))
    start = _prediction(layers=0)
    class_logits = start.class_logits.detach().clone().requires_grad_()
    mask_logits = (0.1 * start.mask_logits.detach()).requires_grad_()
    optimiser = torch.optim.Adam([class_logits, mask_logits], lr=0.3)
    losses = []
    for _ in range(50):
        optimiser.zero_grad()
        found = _run(ClipPrediction(class_logits, mask_logits), [clip], settings)
        found["total"].backward()
        optimiser.step()
        losses.append({name: value.item() for name, value in found.items()})
    answers = class_logits[0].argmax(-1)
    assert sorted(answers[answers < CLASSES].tolist()) == sorted(clip.labels.tolist())
    if settings is not MASK:  # the maxima move one pixel a row and a column at a time: slow
        assert losses[-1]["projection"] < losses[0]["projection"] / 2
        return
    for label, target in zip(clip.labels, clip.masks[:, :, 2::4, 2::4], strict=True):
        found = mask_logits[0, answers == label][0].cpu() > 0
        assert (found & target).sum() / (found | target).sum() > 0.95


def test_points_are_given_by_uncertainty(monkeypatch):
    counts = []
    sample = masks.uncertain_points
    monkeypatch.setattr(
        masks, "uncertain_points", lambda *a, **k: counts.append(a[1:]) or sample(*a, **k)
    )
    _run(_prediction(layers=1), [_clip()], MASK)
    assert counts == [(200,), (200,)]
