"""IDOL: golden models, transformers' detector, plain loops over queries; training and weights."""

import gzip
import json
import math
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from evis.data.errors import DataError
from evis.models import IDOL, checkpoints, idol, idol_reference
from evis.models.config import SIZES as MASK2FORMERS
from evis.models.config import ModelConfig, ResNet, Swin, Tiny
from evis.models.dynamic_masks import DynamicMasks, doubled
from evis.models.idol import SIZES, named

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = [0, 1]
RELEASED_BACKBONE = "detr.detr.backbone.0.backbone."
FIELDS = ("class_logits", "boxes", "mask_logits", "embeddings")
SMALL = ModelConfig(
    classes=3,
    backbone=ResNet(depths=(1, 1, 1, 1), stem=8, widths=(16, 32, 32, 64), reduction=2),
    queries=6,
    hidden=32,
    mask_channels=4,
    heads=4,
    encoder_layers=2,
    encoder_feed_forward=48,
    decoder_layers=3,
    decoder_feed_forward=40,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@cache
def golden(case):
    with np.load(GOLDEN / f"idol_tiny_{case}.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def weights(case):
    return {k.removeprefix("weight:"): v for k, v in golden(case).items() if "weight:" in k}


def lively(config):
    """A fresh model in eval mode, with boxes and offsets that depend on what is seen."""
    model = IDOL(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.any() or "sampling_offsets" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def some_frames(*shape):
    return torch.randint(0, 256, (*shape[:2], 3, *shape[2:])).float()


def same(ours, theirs, atol=0.0):
    assert ours.stride == theirs.stride and len(ours.layers) == len(theirs.layers)
    for ours_now, theirs_now in zip((*ours.layers, ours), (*theirs.layers, theirs), strict=True):
        for name in FIELDS:
            here, there = getattr(ours_now, name), getattr(theirs_now, name)
            assert (here is None) == (there is None)
            if here is not None:
                torch.testing.assert_close(here, there, rtol=0, atol=atol)


# the reference's numbers


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_golden_models_give_the_references_numbers(case, device):
    """In float64, whose rounding tells nothing: masks differ by the reference's own, of float32."""
    expected = {name: array.to(device) for name, array in golden(case).items()}
    model = checkpoints.load_reference(weights(case)).to(device).double()
    assert isinstance(model, IDOL) and not model.training
    frames = expected["frames"].double()
    found = model(frames[None])

    height, width = frames.shape[-2:]
    rows, columns = math.ceil(height / 4), math.ceil(width / 4)
    assert len(found.layers) == model.config.decoder_layers - 1
    for number, layer in enumerate((*found.layers, found)):
        prefix = f"layer{number}_" if number < len(found.layers) else ""
        near(layer.class_logits[0], expected[prefix + "pred_logits"], 1e-5)
        near(layer.boxes[0], expected[prefix + "pred_boxes"], 1e-5)
        masks = expected[prefix + "pred_masks"][..., :rows, :columns]
        near(layer.mask_logits[0], masks, 2e-6 * masks.abs().max().item())
        assert (layer.embeddings is None) == (number < len(found.layers))
    near(found.embeddings[0], expected["pred_inst_embed"], 1e-5)

    padding = 0, -width % 32, 0, -height % 32
    maps = model.backbone(F.pad((frames - model.mean) / model.deviation, padding)).feature_maps
    for number, features in enumerate(maps[1:]):
        near(features, expected[f"feature:res{number + 3}"], 1e-4)
    seen = model.see(maps[1:], F.pad(frames.new_ones(1, 1, height, width), padding))
    assert torch.equal(torch.tensor(seen.sizes, device=device), expected["level_shapes"])
    near(seen.tokens, expected["memory"], 1e-4)
    near(model.masks.describe(seen.maps()[:3]), expected["mask_features"], 1e-4)
    centres = [layer.centres for layer in model.find(seen)]
    near(centres[0], expected["init_reference"], 1e-5)
    for number, reference in enumerate(expected["inter_references"][:-1]):
        near(centres[number + 1], reference[..., :2], 1e-5)


def near(ours, theirs, atol):
    torch.testing.assert_close(ours, theirs.double(), rtol=0, atol=atol)


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_single_precision_is_enough_and_autocast_leaves_places_alone(case, device):
    model = checkpoints.load_reference(weights(case)).to(device)
    frames = golden(case)["frames"][None].to(device)
    with torch.autocast(device.type, torch.bfloat16):
        rough = model(frames)
    single = model(frames)
    exact = model.double()(frames.double())
    for name in FIELDS:
        there = getattr(exact, name)
        scale = there.abs().max().item()
        assert (getattr(single, name) - there).abs().max() < 1e-5 * scale
        assert getattr(rough, name).dtype == torch.float32
    assert (rough.boxes - exact.boxes).abs().max() < 0.05


@pytest.mark.parametrize("size", [(64, 96), (60, 90), (50, 70), (33, 130)])
@torch.no_grad()
def test_boxes_and_classes_are_those_of_transformers_detector_with_box_refinement(size):
    """Padded pictures too, where maps have rows and columns that are nothing but padding."""
    from transformers import DeformableDetrConfig, DeformableDetrForObjectDetection, ResNetConfig

    model = lively(SMALL)
    widths = list(SMALL.backbone.widths)
    stages = ["stage2", "stage3", "stage4"]
    backbone = ResNetConfig(hidden_sizes=widths, depths=[1] * 4, out_features=stages)
    detector = DeformableDetrForObjectDetection(
        DeformableDetrConfig(
            backbone_config=backbone,
            d_model=SMALL.hidden,
            num_queries=SMALL.queries,
            num_labels=SMALL.classes,
            encoder_layers=2,
            encoder_ffn_dim=48,
            encoder_attention_heads=4,
            decoder_layers=3,
            decoder_ffn_dim=40,
            decoder_attention_heads=4,
            with_box_refine=True,
        )
    ).eval()
    detector.model.backbone = Given(model.backbone)
    ours = model.state_dict()
    named_here = [
        ("class_embed.", "classify."),
        ("model.decoder.bbox_embed.", "decoder.bbox_embed."),
        ("model.input_proj.", "projections."),
        ("model.level_embed", "level_embedding"),
        ("model.query_position_embeddings.weight", "queries"),
        ("model.reference_points.", "first_centre."),
        ("model.encoder.", "encoder."),
        ("model.decoder.", "decoder."),
    ]
    filled = {}
    for name in detector.state_dict():
        for theirs, here in named_here:
            if name.startswith(theirs):
                key = here + name.removeprefix(theirs)
                for number in (2, 1):
                    key = key.replace(f".layers.{number}.", f".{2 * number}.", "bbox" in key)
                filled[name] = ours[key.replace(".layers.0.", ".0.", "bbox" in key)]
                break
    missing, unexpected = detector.load_state_dict(filled, strict=False)
    assert not unexpected
    assert all(name.startswith(("model.backbone", "bbox_embed")) for name in missing)
    detector.bbox_embed = detector.model.decoder.bbox_embed

    frames = some_frames(1, 2, *size)
    height, width = size
    padding = 0, -width % 32, 0, -height % 32
    pictures = F.pad((frames[0] - model.mean) / model.deviation, padding)
    mask = F.pad(torch.ones(2, height, width), padding)
    theirs = detector(pictures, mask)
    found = model(frames)
    torch.testing.assert_close(found.class_logits[0], theirs.logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.boxes[0], theirs.pred_boxes, rtol=0, atol=1e-5)
    rows, columns = math.ceil(height / 4), math.ceil(width / 4)
    assert found.mask_logits.shape == (1, 2, SMALL.queries, rows, columns)


class Given(torch.nn.Module):
    """A backbone as transformers' detector wants it."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, pictures, mask):
        maps = self.backbone(pictures).feature_maps[1:]
        return [(m, F.interpolate(mask[None], m.shape[-2:])[0].bool()) for m in maps]


# masks


@torch.no_grad()
def test_a_mask_is_the_querys_own_network_at_every_pixel():
    masks = DynamicMasks(SMALL, stride=8)
    assert masks.controller[-1].out_features == 8 * 6 + 8 * 8 + 8 + 8 + 8 + 1
    queries, centres = torch.randn(2, 3, 32), torch.rand(2, 3, 2) * 40
    pixels = torch.randn(2, 4, 4, 5)
    found = masks(queries, centres, pixels)
    numbers = masks.controller(queries)
    for picture in range(2):
        for query in range(3):
            n = numbers[picture, query]
            w1, w2, w3 = n[:48].view(8, 6), n[48:112].view(8, 8), n[112:120].view(1, 8)
            b1, b2, b3 = n[120:128], n[128:136], n[136:]
            coarse = torch.empty(4, 5)
            for row in range(4):
                for column in range(5):
                    place = torch.tensor([8 * column + 4, 8 * row + 4])
                    relative = centres[picture, query] - place
                    x = torch.cat([relative, pixels[picture, :, row, column]])
                    x = w2 @ (w1 @ x + b1).relu() + b2
                    coarse[row, column] = (w3 @ x.relu() + b3).item()
            # a value stands at odd places, its neighbours' mean between, and the edge is repeated
            edged = torch.cat([coarse[:1], coarse])
            edged = torch.cat([edged[:, :1], edged], 1)
            fine = torch.empty(8, 10)
            for row in range(8):
                for column in range(10):
                    rows = [row // 2, row // 2 + 1] if row % 2 == 0 else [row // 2 + 1]
                    columns = [column // 2, column // 2 + 1]
                    columns = columns if column % 2 == 0 else columns[1:]
                    fine[row, column] = edged[rows][:, columns].mean()
            torch.testing.assert_close(found[picture, query], fine, rtol=1e-4, atol=1e-4)


def test_full_size_queries_write_169_numbers():
    with torch.device("meta"):
        assert DynamicMasks(named("r50", 40), 8).controller[-1].out_features == 169


@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    slopes=st.tuples(*[st.integers(-8, 8)] * 3),
)
def test_enlarging_keeps_ramps_but_at_the_upper_left_edge(height, width, slopes):
    down, right, base = slopes
    y, x = torch.arange(2.0 * height)[:, None], torch.arange(2.0 * width)
    ramp = down * (y - 1) / 2 + right * (x - 1) / 2 + base
    enlarged = doubled(ramp[None, None, 1::2, 1::2])[0, 0]
    torch.testing.assert_close(enlarged[1:, 1:], ramp[1:, 1:], rtol=0, atol=1e-4)
    torch.testing.assert_close(enlarged[0], enlarged[1], rtol=0, atol=1e-4)


# the network


def test_no_tensor_of_the_full_model_is_made_elsewhere_and_no_value_is_looked_at():
    with torch.device("meta"):
        model = IDOL(named("r50", classes=40)).eval()
    pictures = torch.zeros(2, 3, 384, 640, device="meta")
    seen = model.see(model.backbone(pictures).feature_maps[1:], torch.ones_like(pictures[:1, :1]))
    *_, last = model.find(seen)
    pixels = model.masks.describe(seen.maps()[:3])
    assert last.boxes.shape == (2, 300, 4)
    assert model.classify[-1](last.queries).shape == (2, 300, 40)
    assert model.masks(last.queries, last.centres, pixels).shape == (2, 300, 96, 160)
    assert model.embed(last.queries).shape == (2, 300, 256)
    assert pixels.device.type == "meta"


@torch.no_grad()
def test_frames_are_seen_alone_however_many_at_once_and_layers_can_be_spared(monkeypatch):
    model = lively(SMALL)
    frames = some_frames(2, 3, 50, 70)
    whole = model(frames)
    assert whole.stride == 4 and len(whole.layers) == 2
    alone = [model(frames[i : i + 1, j : j + 1]) for i in range(2) for j in range(3)]
    for name in FIELDS:
        joined = torch.cat([getattr(part, name)[0] for part in alone]).unflatten(0, (2, 3))
        torch.testing.assert_close(getattr(whole, name), joined, rtol=1e-4, atol=1e-4)
    monkeypatch.setattr(idol, "SEEN_AT_ONCE", 4 * 50 * 70)
    same(model(frames), whole, atol=1e-3)
    sparing = model(frames, every_layer=False)
    same(sparing, replace(whole, layers=()), atol=1e-3)


def test_at_first_boxes_are_small_and_stay_where_they_are_and_nothing_is_an_object():
    model = IDOL(named("tiny", classes=4)).eval()
    found = model(some_frames(1, 2, 64, 96))
    for layer in found.layers:
        assert torch.allclose(layer.boxes, found.boxes, atol=1e-5)
    small = torch.full_like(found.boxes[..., 2:], 1 / (1 + math.e**2))
    torch.testing.assert_close(found.boxes[..., 2:], small, rtol=0, atol=1e-5)
    assert found.class_logits.sigmoid().mean().item() == pytest.approx(0.01, rel=0.5)
    offsets = model.encoder.layers[0].self_attn.sampling_offsets
    assert not offsets.weight.any()
    four_steps_right = torch.tensor([[1.0, 0], [2, 0], [3, 0], [4, 0]])  # the first head's
    torch.testing.assert_close(offsets.bias.view(4, 4, 4, 2)[0, 0], four_steps_right)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("config, stride", [(named("tiny", 3), 2), (SMALL, 4)], ids=["tiny", "r"])
def test_every_parameter_learns_from_64_x_96_pixels(config, stride, recompute, device):
    model = lively(config).to(device)
    frames = some_frames(1, 2, 64, 96).to(device)
    model.recompute_activations = recompute
    found = model(frames)
    assert found.mask_logits.shape == (1, 2, config.queries, 64 // stride, 96 // stride)
    assert found.stride == stride
    summed(found).backward()
    assert [name for name, p in model.named_parameters() if not p.grad.any()] == []


def summed(found):
    layers = (*found.layers, found)
    of_layers = [
        layer.class_logits.square().mean() + layer.boxes.square().mean() + layer.mask_logits.mean()
        for layer in layers
    ]
    return sum(of_layers) + found.embeddings.square().mean()


def test_recomputed_activations_give_the_same_gradients():
    model = lively(SMALL)
    frames = some_frames(1, 2, 40, 64)
    gradients = []
    for recompute in (False, True):
        model.recompute_activations = recompute
        model.zero_grad()
        summed(model(frames)).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-4)


def test_a_layers_boxes_teach_no_earlier_layers_boxes():
    model = lively(SMALL)
    model(some_frames(1, 1, 64, 64)).boxes.sum().backward()
    taught = [refine[-1].bias.grad is not None for refine in model.decoder.bbox_embed]
    assert taught == [False, False, True]


def test_dropout_is_for_training():
    model = lively(SMALL)
    frames = some_frames(1, 1, 64, 64)
    same(model(frames), model(frames))
    model.train()
    assert not torch.equal(model(frames).class_logits, model(frames).class_logits)


@pytest.mark.slow
def test_a_tiny_model_learns_where_a_bright_square_is():
    model = IDOL(named("tiny", classes=1, decoder_layers=1))
    frames = torch.zeros(1, 2, 3, 64, 96)
    truth = torch.zeros(1, 2, 32, 48)
    for time, left in enumerate((10, 50)):
        frames[0, time, :, 20:44, left : left + 24] = 255
        truth[0, time, 10:22, left // 2 : left // 2 + 12] = 1
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(40):
        found = model(frames)
        masks = found.mask_logits[:, :, 0]
        loss = F.binary_cross_entropy_with_logits(masks, truth)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
    inside = (model.eval()(frames).mask_logits[:, :, 0] > 0).float()
    assert (inside * truth).sum() / (inside + truth).clamp(max=1).sum() > 0.8


@pytest.mark.parametrize("shape", [(2, 3, 64, 96), (1, 2, 1, 64, 96), (1, 0, 3, 64, 96)])
def test_frames_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="clips, frames, 3, height, width"):
        IDOL(SMALL)(torch.zeros(shape))


def test_pictures_of_one_pixel_are_seen():
    model = lively(SMALL)
    found = model(some_frames(1, 2, 1, 1))
    assert found.mask_logits.shape == (1, 2, 6, 1, 1)
    assert all(getattr(found, name).isfinite().all() for name in FIELDS)


def test_sizes_go_by_name():
    assert set(SIZES) == {"r50", "swin_l", "tiny", "tiny_l"}
    larger, masked = named("tiny_l", 25), MASK2FORMERS["tiny_l"]
    assert (larger.backbone, larger.hidden) == (masked.backbone, masked.hidden)
    assert replace(larger, backbone=Tiny(), hidden=64, heads=4) == named("tiny", 25)
    assert named("swin_l", 25).backbone == Swin(192, (2, 2, 18, 2), (6, 12, 24, 48), window=12)
    with pytest.raises(ValueError, match="no size of IDOL is called 'r18'; there are r50, swin_l"):
        named("r18", 3)


# weights


def test_every_tensor_of_the_full_model_has_its_place():
    packed = (GOLDEN / "keys_idol_r50.json.gz").read_bytes()
    listed = {name: shape for name, (shape, _) in json.loads(gzip.decompress(packed)).items()}
    config = named("r50", classes=40)
    with torch.device("meta"):
        model = IDOL(config)
        there = checkpoints.reference.up_to_date({k: torch.empty(s) for k, s in listed.items()})
    assert len(there) == len(listed)
    set_aside = {name for name in there if idol_reference.reason_to_set_aside(name)}
    assert len(set_aside) == 36 and all(".decoder.bbox_embed." in name for name in set_aside)
    found = idol_reference.to_ours(there, model.state_dict())
    shapes = {name: t.shape for name, t in found.items() if name not in set_aside}
    assert shapes == {name: t.shape for name, t in model.state_dict().items()}
    assert idol_reference.config_of(there) == config
    assert idol_reference.is_idol(listed) and idol_reference.is_idol(model.state_dict())


def test_every_tensor_of_swin_l_has_its_place_behind_idol_s_prefix():
    """By the released names of Mask2Former-VIS's Swin-L, which is the same class in both."""
    packed = json.loads(gzip.decompress((GOLDEN / "keys.json.gz").read_bytes()))["swin_l"]
    start = "backbone."
    with torch.device("meta"):
        model = IDOL(named("swin_l", classes=40))
        listed = {
            RELEASED_BACKBONE + name.removeprefix(start): torch.empty(shape)
            for name, (shape, _) in packed.items()
            if name.startswith(start)
        }
        there = checkpoints.reference.up_to_date(listed)
    assert len(there) == len(listed) == 357
    set_aside = {name for name in there if idol_reference.reason_to_set_aside(name)}
    finest = {f"{start}norm0.weight", f"{start}norm0.bias"}
    assert finest <= set_aside and len(set_aside) == 2 + sum((2, 2, 18, 2))
    assert all(name.endswith("relative_position_index") for name in set_aside - finest)
    own = {name: t.shape for name, t in model.state_dict().items() if name.startswith(start)}
    found = idol_reference.to_ours(there, own)
    assert {name: t.shape for name, t in found.items() if name not in set_aside} == own
    shapes = {name: tuple(t.shape) for name, t in there.items()}
    assert checkpoints.reference.backbone_of(shapes) == model.config.backbone


def test_sizes_of_swin_are_read_off_its_tensors():
    small = replace(SMALL, backbone=Swin(16, (1, 2, 2, 1), (1, 2, 4, 8), window=4))
    model = lively(small)
    there = as_released(model)
    index = "layers.0.blocks.0.attn.relative_position_index"
    for extra in ("norm0.weight", index):
        there[RELEASED_BACKBONE + extra] = torch.ones(16)
    again, report = checkpoints.load_with_report(there)
    assert again.config == small
    assert [fate for fate in report.values() if fate != "tensors loaded"] == [
        "set aside: belongs to the finest map, which IDOL doesn't use",
        "set aside: follows from the window's size",
    ]
    assert_equal_weights(again, model)


def as_released(model):
    """A model's tensors under the reference's names."""
    parts = defaultdict(list)
    state = model.state_dict()
    for name in sorted(state, key=lambda name: name.replace("q_proj", "a_proj")):  # q, k, v
        theirs = idol_reference.theirs(name)
        parts[theirs.replace("backbone.", RELEASED_BACKBONE, 1)].append(state[name])
    return {name: torch.cat(of) if len(of) > 1 else of[0] for name, of in parts.items()}


def assert_equal_weights(model, other):
    here, there = model.state_dict(), other.state_dict()
    assert here.keys() == there.keys()
    assert [name for name in here if not torch.equal(here[name], there[name])] == []


def test_queries_keys_and_values_are_parts_of_one_tensor_in_this_order():
    model = checkpoints.load_reference(weights(0)).state_dict()
    block = "decoder.layers.1.self_attn."
    parts = [model[f"{block}{letter}_proj.weight"] for letter in "qkv"]
    theirs = "detr.detr.transformer.decoder.layers.1.self_attn.in_proj_weight"
    assert torch.equal(torch.cat(parts), weights(0)[theirs])


@pytest.mark.parametrize("prefix", ["", "module.", "model."])
def test_a_released_checkpoint_is_read_from_a_file_with_every_tensor_accounted_for(
    prefix, tmp_path
):
    there = {prefix + name: tensor for name, tensor in weights(1).items()}
    torch.save({"model": there, "iteration": 7}, tmp_path / "model_final.pth")
    model, report = checkpoints.load_with_report(tmp_path / "model_final.pth")
    assert model.config == ModelConfig(
        classes=4,
        backbone=ResNet(stem=4, widths=(8, 16, 32, 64), reduction=2),
        queries=20,
        hidden=32,
        mask_channels=1,
        heads=4,
        encoder_layers=2,
        encoder_feed_forward=64,
        decoder_layers=3,
        decoder_feed_forward=64,
    )
    assert Counter(report.values()) == {
        "tensors loaded": len(model.state_dict()),
        "set aside: is detr.detr.bbox_embed once more": 18,
    }
    assert model.shorter_side == 480 and model.classes is None


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda w: w.pop("detr.detr.class_embed.0.weight"), "class_embed.0.weight is missing"),
        (lambda w: w.pop("detr.reid_embed_head.layers.1.bias"), "1 missing .embed.2.bias"),
        (lambda w: w.update({"detr.more": torch.zeros(1)}), "1 unexpected .detr.more"),
        (
            lambda w: w.update({"detr.controller.layers.2.bias": torch.zeros(9)}),
            r"of another shape, .9,. there, .121,. here .masks.controller.4.bias",
        ),
        (
            lambda w: w.update({"detr.detr.transformer.level_embed": torch.zeros(4, 9)}),
            "no model has the sizes",
        ),
        (
            lambda w: w.update({"detr.controller.layers.0.bias": torch.full((64,), torch.nan)}),
            "NaN",
        ),
    ],
)
def test_what_is_no_whole_checkpoint_is_refused(spoil, said):
    there = weights(0)
    spoil(there)
    with pytest.raises(DataError, match=said):
        checkpoints.load_reference(there)


@pytest.mark.parametrize("config", [SMALL, named("tiny", 2)], ids=["resnet", "tiny"])
def test_own_files_give_back_the_same_model(config, tmp_path):
    model = lively(config)
    recipe = {"shorter_sides": [320, 352]}
    path = tmp_path / "idol.safetensors"
    checkpoints.save(model, path, categories=["a", "b"], recipe=recipe)
    again = checkpoints.load(path)
    assert isinstance(again, IDOL) and again.config == config
    assert again.shorter_side == 320 and again.classes == ["a", "b"]
    assert_equal_weights(again, model)
    frames = some_frames(1, 1, 64, 96)
    same(again(frames), model(frames))


def test_a_warm_start_keeps_the_rows_of_classes_with_the_same_name(tmp_path):
    trained = lively(replace(SMALL, classes=2))
    for classify in trained.classify:
        torch.nn.init.normal_(classify.bias)
    path = tmp_path / "idol.safetensors"
    checkpoints.save(trained, path, categories=["cat", "dog"])
    model = IDOL(SMALL)
    checkpoints.warm_start(model, path, ["cow", "dog", "ant"])
    for head, learned in zip(model.classify, trained.classify, strict=True):
        assert torch.equal(head.weight[1], learned.weight[1])
        fresh = torch.full((2,), math.log(0.01 / 0.99))
        torch.testing.assert_close(head.bias[[0, 2]], fresh)
        assert head.bias[1] == learned.bias[1]
    assert torch.equal(model.queries, trained.queries)
    with pytest.raises(DataError, match="of another shape"):
        other = replace(SMALL, queries=5)
        checkpoints.warm_start(IDOL(other), path, ["cow", "dog", "ant"])


def test_a_backbone_comes_alone_or_out_of_a_whole_checkpoint(tmp_path):
    trained = checkpoints.load_reference(weights(0))
    torch.save(weights(0), tmp_path / "whole.pth")
    prefix = RELEASED_BACKBONE
    alone = {n.removeprefix(prefix): t for n, t in weights(0).items() if n.startswith(prefix)}
    torch.save(alone, tmp_path / "alone.pth")
    for name in ("whole", "alone"):
        model = IDOL(trained.config)
        before = model.queries.clone()
        report = checkpoints.load_backbone(model, tmp_path / f"{name}.pth")
        assert_equal_weights(model.backbone, trained.backbone)
        assert torch.equal(model.queries, before)
        fates = {fate for name, fate in report.items()}
        assert fates <= {"tensors loaded", "set aside: not of the backbone", *copies(report)}


def copies(report):
    return {fate for fate in report.values() if fate.endswith("bbox_embed once more")}


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    from evis.models import VideoMask2Former

    path = tmp_path / "idol.pth"
    torch.save(weights(0), path)
    other = VideoMask2Former(ModelConfig(classes=5, backbone=SMALL.backbone, hidden=32, heads=4))
    with pytest.raises(DataError, match="do not fit"):
        checkpoints.load_into(other, path)
