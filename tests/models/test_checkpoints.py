"""Weights in and out: golden models, full-size key lists, every tensor accounted for, bad files."""

import gzip
import json
import os
import pickle
import struct
import tempfile
import tracemalloc
import zipfile
from collections import Counter, OrderedDict, defaultdict
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from evis.data.errors import DataError
from evis.models import (
    VideoMask2Former,
    checkpoints,
    named,
    reference,
    video_mask2former,
    weight_files,
)
from evis.models.config import ResNet, Swin

GOLDEN = Path(__file__).parents[1] / "golden"
TINY = ["r50", "swin"]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@cache
def golden(size):
    with np.load(GOLDEN / f"model_tiny_{size}.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def weights(size):
    return {k.removeprefix("weight:"): v for k, v in golden(size).items() if "weight:" in k}


@cache
def golden_model(size):
    """Not to be written to."""
    return checkpoints.load_reference(weights(size))


def same(model, other):
    theirs = other.state_dict()
    return model.state_dict().keys() == theirs.keys() and all(
        torch.equal(tensor, theirs[name]) for name, tensor in model.state_dict().items()
    )


def another_like(model):
    """A model of the same sizes with weights of its own."""
    return VideoMask2Former(model.config)


# the reference's numbers


@pytest.fixture
def precise(device, dtype):
    """Where the reference's numbers, of float32, can be met."""
    if dtype != torch.float32:
        pytest.skip("the reference's numbers are of float32, with its rounding")
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield device
    torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize("size", TINY)
def test_golden_models_give_the_references_features_and_logits(size, precise):
    expected = {name: array.to(precise) for name, array in golden(size).items()}
    model = checkpoints.load_reference(weights(size))
    assert not model.training
    model.to(precise)
    frames = expected["frames"][None]
    with torch.no_grad():
        prediction = model(frames)
        maps = model.backbone((frames[0] - model.mean) / model.deviation).feature_maps
    for stage, features in enumerate(maps):
        theirs = expected[f"feature:res{stage + 2}"]  # up to 237, and rounded there
        largest = float(theirs.abs().max())
        torch.testing.assert_close(features, theirs, rtol=0, atol=max(1e-4, 2e-6 * largest))
    assert len(prediction.layers) == 3
    for number, layer in enumerate(prediction.layers):
        near(layer.class_logits, expected[f"aux{number}_pred_logits"])
        near(layer.mask_logits, expected[f"aux{number}_pred_masks"])
    near(prediction.class_logits, expected["pred_logits"])
    near(prediction.mask_logits, expected["pred_masks"])


@pytest.mark.parametrize("size", ["tiny_s", "r50", "swin_t"])
def test_no_tensor_is_made_elsewhere_and_no_value_is_looked_at(size):
    """Neither could be on this device, which has shapes only; on GPUs either would wait."""
    with torch.device("meta"):
        model = VideoMask2Former(named(size, classes=5))
        maps = model.backbone(torch.zeros(6, 3, 96, 64)).feature_maps
    features, pixels = model.pixel_decoder(maps)
    found = model.decoder([f.unflatten(0, (2, 3)) for f in features], pixels.unflatten(0, (2, 3)))
    stride = model.config.backbone.strides[0]
    queries = model.config.queries
    assert found.mask_logits.shape == (2, queries, 3, 96 // stride, 64 // stride)
    assert found.mask_logits.device.type == "meta"


@torch.no_grad()
def test_neither_shapes_alone_nor_another_precision_leave_anything_behind():
    """A tensor kept from one call would be of the wrong kind in the next."""
    model = VideoMask2Former(named("tiny_s", classes=5)).eval()
    frames = torch.rand(1, 2, 3, 64, 96)
    expected = model(frames).mask_logits
    with FakeTensorMode():
        shapes = VideoMask2Former(named("tiny_s", classes=5)).eval()(torch.zeros(1, 2, 3, 64, 128))
    assert shapes.mask_logits.shape == (1, model.config.queries, 2, 32, 64)
    model(torch.rand(1, 2, 3, 64, 128))
    with torch.inference_mode():
        model(frames)
    assert torch.equal(model(frames).mask_logits, expected)
    assert model.double()(frames.double()).mask_logits.dtype == torch.double


@torch.no_grad()
def test_frames_are_seen_alike_however_many_at_once_and_layers_can_be_spared(monkeypatch):
    model = VideoMask2Former(named("tiny_s", classes=3)).eval()
    frames = torch.randint(0, 256, (2, 5, 3, 40, 56), dtype=torch.uint8)
    whole = model(frames)
    monkeypatch.setattr(video_mask2former, "SEEN_AT_ONCE", 3 * 40 * 56)
    sparing = model(frames, every_layer=False)
    assert (len(whole.layers), len(sparing.layers)) == (3, 0)
    torch.testing.assert_close(sparing.mask_logits, whole.mask_logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sparing.class_logits, whole.class_logits, rtol=1e-4, atol=1e-4)
    with torch.enable_grad():
        learning = model(frames)
    torch.testing.assert_close(learning.mask_logits, whole.mask_logits, rtol=1e-4, atol=1e-4)


def near(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def test_sizes_are_read_off_the_tensors():
    shared = {
        "classes": 5,
        "queries": 10,
        "hidden": 32,
        "mask_channels": 32,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "decoder_feed_forward": 64,
    }
    resnet = ResNet(stem=8, widths=(16, 32, 64, 128), reduction=2)
    swin = Swin(channels=16, depths=(1, 2, 2, 1), heads=(1, 2, 4, 8), window=4)
    for size, backbone in (("r50", resnet), ("swin", swin)):
        model = checkpoints.load_reference(weights(size))
        assert model.config == named("r50", **shared, backbone=backbone)


@pytest.mark.parametrize("size", ["r50", "r101", "swin_l"])
def test_every_tensor_of_the_full_models_has_its_place(size):
    """In the right shape, and none is left over on either side but what is set aside."""
    shapes = {name: shape for name, (shape, _) in full_size_keys()[size].items()}
    config = named(size, classes=40)
    with torch.device("meta"):
        here = {name: list(t.shape) for name, t in VideoMask2Former(config).state_dict().items()}
        there = {name: torch.empty(shape) for name, shape in shapes.items()}
    set_aside = {name for name in shapes if reference.reason_to_set_aside(name)}
    assert all(name.endswith("relative_position_index") for name in set_aside)
    parts = defaultdict(list)
    for name, shape in here.items():
        parts[reference.theirs(name)].append(shape)
    assert parts.keys() == shapes.keys() - set_aside
    for name, (first, *others) in parts.items():
        assert all(other == first for other in others)
        assert shapes[name] == [len(parts[name]) * first[0], *first[1:]], name
    assert reference.config_of(there) == config


@cache
def full_size_keys():
    return json.loads(gzip.decompress((GOLDEN / "keys.json.gz").read_bytes()))


def test_queries_keys_and_values_are_parts_of_one_tensor_in_this_order():
    block = "backbone.swin.encoder.layers.1.blocks.0.attention."
    theirs = {reference.theirs(f"{block}{letter}_proj.weight") for letter in "qkv"}
    assert theirs == {"backbone.layers.1.blocks.0.attn.qkv.weight"}
    model = golden_model("swin").state_dict()
    parts = [model[f"{block}{letter}_proj.weight"] for letter in "qkv"]
    assert torch.equal(torch.cat(parts), weights("swin")[theirs.pop()])


# every tensor is accounted for


@pytest.mark.parametrize("size", TINY)
def test_a_whole_checkpoint_leaves_nothing_open(size, tmp_path):
    there = weights(size)
    torch.save({"model": there, "iteration": 7}, tmp_path / "model_final.pth")
    model, report = checkpoints.load_with_report(tmp_path / "model_final.pth")
    assert sorted(with_fate(report, "tensors loaded")) == sorted(model.state_dict())
    assert set_aside(report) == there.keys() - set(map(reference.theirs, model.state_dict()))
    fates = {"tensors loaded": len(model.state_dict())}
    if size == "swin":
        fates["set aside: follows from the window's size"] = 6
    assert Counter(report.values()) == fates


def with_fate(report, fate) -> list[str]:
    return [name for name, became in report.items() if became.startswith(fate)]


def set_aside(report) -> set[str]:
    return set(with_fate(report, "set aside"))


@pytest.mark.slow
@settings(max_examples=15)
@given(data=st.data())
def test_whatever_is_in_a_file_each_tensor_has_one_fate(data, tmp_path_factory):
    there = weights("swin")
    names = sorted(there)
    pick = st.sets(st.sampled_from(names), max_size=6)
    lost, reshaped = data.draw(pick), data.draw(pick)
    added = data.draw(st.sets(st.sampled_from(["x", "backbone.norm9.weight", "head.w"])))
    there = {name: t for name, t in there.items() if name not in lost}
    there |= {name: there[name][:, None] for name in reshaped - lost if there[name].ndim == 1}
    there |= {name: torch.zeros(3) for name in added}
    path = tmp_path_factory.mktemp("any") / "some.pth"
    torch.save(there, path)
    model = filled_with_sevens()
    report = checkpoints.load_into(model, path, strict=False)
    after = model.state_dict()

    assert report.keys() == after.keys() | set_aside(report) | added
    assert set(with_fate(report, "unexpected")) == added
    loaded = with_fate(report, "tensors loaded")
    of_theirs = {reference.theirs(name) for name in (after.keys() & report.keys())}
    missing = {reference.theirs(name) for name in with_fate(report, "missing")}
    assert there.keys() == (of_theirs - missing) | set_aside(report) | added
    assert all((after[name] == 7).all() for name in after.keys() - set(loaded))
    parts = defaultdict(list)
    for name, tensor in after.items():
        parts[reference.theirs(name)].append(tensor)
    for theirs in map(reference.theirs, loaded):
        assert torch.equal(torch.cat(parts[theirs]), there[theirs])
    if len(loaded) < len(after) or added:
        with pytest.raises(DataError, match="do not fit"):
            checkpoints.load_into(model, path)


def filled_with_sevens():
    model = sevens()
    for tensor in model.state_dict().values():
        tensor.fill_(7)
    return model


@cache
def sevens():
    return another_like(golden_model("swin"))


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda w: w.pop("backbone.res3.1.conv2.weight"), "1 missing (backbone.encoder.stages.1."),
        (
            lambda w: w.update({f"extra{i}": torch.zeros(1) for i in range(25)}),
            "25 unexpected (extra0, extra1, extra2, ...)",
        ),
        (
            lambda w: w.update({"backbone.stem.conv1.norm.bias": torch.zeros(9)}),
            "of another shape, (9,) there, (8,) here (backbone.embedder.embedder.normalization.",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_touched(spoil, said, tmp_path):
    there = weights("r50")
    spoil(there)
    path = tmp_path / "spoilt.pth"
    torch.save(there, path)
    with pytest.raises(DataError) as error:
        checkpoints.load(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert "strict=False" in str(error.value)
    with pytest.raises(DataError):
        checkpoints.load_reference(there)

    model = another_like(golden_model("r50"))
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(DataError):
        checkpoints.load_into(model, path)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


@pytest.mark.parametrize("kind", [torch.bool, torch.uint8, torch.int64, torch.complex64])
def test_weights_of_other_numbers_are_refused(kind, tmp_path):
    """bool would make each of them 0 or 1, and predict."""
    model = golden_model("r50")
    other = another_like(model)
    name = "decoder.query_content"
    other.decoder.query_content = nn.Parameter(
        other.decoder.query_content.to(kind), requires_grad=False
    )
    path = checkpoints.save(other, tmp_path / "other.safetensors")
    for read in (checkpoints.load, lambda path: checkpoints.load_into(another_like(model), path)):
        with pytest.raises(DataError, match=rf"1 of other numbers, {kind} there, .*\({name}\)"):
            read(path)


def test_another_number_of_classes_keeps_its_own_classifier(tmp_path):
    trained = golden_model("r50")
    torch.save({"model": weights("r50")}, tmp_path / "five.pth")
    model = VideoMask2Former(replace(trained.config, classes=8))
    own = model.decoder.classify.weight.clone()
    report = checkpoints.load_into(model, tmp_path / "five.pth", strict=False)
    assert {n: fate for n, fate in report.items() if fate != "tensors loaded"} == {
        "decoder.classify.weight": "of another shape, (6, 32) there, (9, 32) here",
        "decoder.classify.bias": "of another shape, (6,) there, (9,) here",
    }
    assert torch.equal(model.decoder.classify.weight, own)
    assert torch.equal(model.decoder.query_content, trained.decoder.query_content)


def test_a_warm_start_forgives_the_classifier_s_shape_and_nothing_else(tmp_path):
    trained = golden_model("r50")
    torch.save({"model": weights("r50")}, tmp_path / "five.pth")
    model = VideoMask2Former(replace(trained.config, classes=8))
    checkpoints.warm_start(model, tmp_path / "five.pth", [f"class {n}" for n in range(8)])
    assert torch.equal(model.decoder.query_content, trained.decoder.query_content)
    other = VideoMask2Former(replace(trained.config, classes=8, queries=7))
    with pytest.raises(DataError, match=r"2 of another shape.*\(decoder.query_content, "):
        checkpoints.warm_start(other, tmp_path / "five.pth", [f"class {n}" for n in range(8)])


def test_a_whole_checkpoint_needs_the_norms_that_imagenets_lack():
    there = weights("swin")
    del there["backbone.norm2.bias"]
    with pytest.raises(DataError, match="1 missing .backbone.hidden_states_norms.stage3.bias"):
        checkpoints.load_reference(there)


# names of other times and programs


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: "module." + name,
        lambda name: "model." + name,
        lambda name: "module._orig_mod." + name,
        lambda name: name.replace("query_feat", "static_query"),
        lambda name: name.replace("sem_seg_head.pixel_decoder.", "sem_seg_head."),
    ],
)
def test_older_and_wrapped_names_mean_the_same(rename):
    expected = golden_model("r50")
    renamed = {rename(name): tensor for name, tensor in weights("r50").items()}
    assert renamed.keys() != weights("r50").keys()
    assert same(checkpoints.load_reference({"state_dict": renamed}), expected)


def test_what_belongs_to_no_model_is_set_aside_with_a_reason(tmp_path):
    extra = {
        "criterion.empty_weight": torch.ones(6),
        "pixel_mean": torch.zeros(3, 1, 1),
        "pixel_std": torch.ones(3, 1, 1),
        "backbone.stem.conv1.norm.num_batches_tracked": torch.tensor(0),
    }
    torch.save({"model": weights("r50") | extra}, tmp_path / "a.pth")
    _, report = checkpoints.load_with_report(tmp_path / "a.pth")
    assert set_aside(report) == extra.keys()
    assert report["criterion.empty_weight"] == "set aside: belongs to the loss"


def test_a_tensor_with_two_claims_is_refused():
    twice = weights("r50")
    twice["sem_seg_head.predictor.static_query.weight"] = torch.zeros(10, 32)
    with pytest.raises(DataError, match="1 unexpected .sem_seg_head.predictor.static_query.weigh"):
        checkpoints.load_reference(twice)


# ImageNet backbones


def imagenet_resnet(size="r50"):
    """As detectron2's conversion of torchvision's R-50: no prefix, numpy arrays, a classifier."""
    arrays = {
        name.removeprefix("backbone."): tensor.numpy()
        for name, tensor in weights(size).items()
        if name.startswith("backbone.")
    }
    arrays["stem.fc.weight"] = np.zeros((10, 128), np.float32)
    arrays["stem.fc.bias"] = np.zeros(10, np.float32)
    arrays["stem.conv1.norm.num_batches_tracked"] = np.array(0)
    return {"model": arrays, "__author__": "torchvision", "matching_heuristics": True}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_imagenet_resnet_fills_the_backbone_alone(protocol, tmp_path):
    path = tmp_path / "R-50.pkl"
    path.write_bytes(pickle.dumps(imagenet_resnet(), protocol=protocol))
    trained = golden_model("r50")
    model = another_like(trained)
    decoder = {name: t.clone() for name, t in model.decoder.state_dict().items()}
    report = checkpoints.load_backbone(model, path)
    assert len(set_aside(report)) == 3
    assert same(model.backbone, trained.backbone)
    assert all(torch.equal(t, decoder[name]) for name, t in model.decoder.state_dict().items())


def test_numpy_1s_pickles_are_read(tmp_path):
    older = pickle.dumps(imagenet_resnet(), protocol=2).replace(b"numpy._core.", b"numpy.core.")
    assert b"numpy.core.multiarray" in older
    (tmp_path / "R-50.pkl").write_bytes(older)
    model = another_like(golden_model("r50"))
    checkpoints.load_backbone(model, tmp_path / "R-50.pkl")
    assert same(model.backbone, golden_model("r50").backbone)


def test_python_2s_pickles_are_read(tmp_path):
    """Its strings are bytes, here an array of one number that isn't ASCII."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        b"(K\x01(K\x01tcnumpy\ndtype\n(U\x02f4K\x00K\x01tR"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x04" + np.float32(-2).tobytes() + b"tb"
    )
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02}U\x04name" + array + b"s.")
    tensors, _ = weight_files.read(tmp_path / "a.pkl")
    assert tensors.keys() == {"name"} and tensors["name"].tolist() == [-2]


def test_imagenet_swin_leaves_the_norms_of_its_features(tmp_path):
    trained = golden_model("swin")
    there = {
        name.removeprefix("backbone."): tensor
        for name, tensor in weights("swin").items()
        if name.startswith("backbone.") and not name.startswith("backbone.norm")
    }
    more = {
        "norm.weight": torch.zeros(128),
        "norm.bias": torch.zeros(128),
        "head.weight": torch.zeros(10, 128),
        "head.bias": torch.zeros(10),
        "layers.1.blocks.1.attn_mask": torch.zeros(4, 16, 16),
    }
    torch.save({"model": there | more}, tmp_path / "swin_tiny.pth")
    model = another_like(trained)
    report = checkpoints.load_backbone(model, tmp_path / "swin_tiny.pth")
    assert set_aside(report) >= {f"backbone.{name}" for name in more}
    assert Counter(report.values())["set aside: ImageNet's classifiers have none"] == 8
    assert same(model.backbone.swin, trained.backbone.swin)

    del there["layers.2.blocks.1.attn.qkv.bias"]
    torch.save({"model": there | more}, tmp_path / "swin_tiny.pth")
    with pytest.raises(DataError, match="3 missing"):
        checkpoints.load_backbone(model, tmp_path / "swin_tiny.pth")


def test_a_backbone_comes_out_of_a_whole_checkpoint_too(tmp_path):
    trained = golden_model("r50")
    torch.save({"model": weights("r50")}, tmp_path / "theirs.pth")
    checkpoints.save(trained, tmp_path / "ours.safetensors")
    for name in ("theirs.pth", "ours.safetensors"):
        model = another_like(trained)
        content = model.decoder.query_content.clone()
        report = checkpoints.load_backbone(model, tmp_path / name)
        assert set(report.values()) == {"tensors loaded", "set aside: not of the backbone"}
        assert same(model.backbone, trained.backbone)
        assert torch.equal(model.decoder.query_content, content)


def test_a_backbone_of_another_kind_does_not_fit(tmp_path):
    (tmp_path / "R-50.pkl").write_bytes(pickle.dumps(imagenet_resnet()))
    with pytest.raises(DataError, match="do not fit"):
        checkpoints.load_backbone(golden_model("swin"), tmp_path / "R-50.pkl")
    with pytest.raises(DataError, match="load_backbone"):
        checkpoints.load(tmp_path / "R-50.pkl")


def test_msras_network_is_refused(tmp_path):
    blobs = {"conv1_w": np.zeros(3), "res2_0_branch1_w": np.zeros(3)}
    (tmp_path / "R-50.pkl").write_bytes(pickle.dumps(blobs))
    with pytest.raises(DataError, match=r"BGR.*torchvision"):
        checkpoints.load_backbone(another_like(golden_model("swin")), tmp_path / "R-50.pkl")


# evis's own files


@pytest.mark.parametrize("size", ["tiny_s", "r50", "swin"])
def test_what_is_saved_comes_back_bit_for_bit(size, tmp_path):
    model = golden_model(size) if size in TINY else VideoMask2Former(named(size, classes=3))
    path = checkpoints.save(model, tmp_path / "a" / "m.safetensors", recipe="stage one", seed=3)
    again = checkpoints.load(path)
    assert again.config == model.config
    assert not again.training
    assert same(again, model)
    assert checkpoints.read_about(path) == {"recipe": "stage one", "seed": 3}
    twin = checkpoints.save(again, tmp_path / "twin.safetensors", recipe="stage one", seed=3)
    assert twin.read_bytes() == path.read_bytes()
    checkpoints.load_into(another_like(model), path)


def test_saving_is_whole_or_not_at_all(tmp_path, monkeypatch):
    model = VideoMask2Former(named("tiny_s", classes=3))
    path = checkpoints.save(model, tmp_path / "m.safetensors")
    before = path.read_bytes()

    def crash(*_):
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="power cut"):
        checkpoints.save(VideoMask2Former(model.config), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# bad files


def _own_file(tmp_path, entry):
    tensors = {"decoder.norm.weight": torch.zeros(4)}
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors.torch.save(tensors, entry))
    return path


def _cut(path, source):
    content = source.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def bad_files(folder):
    """name -> what the error says"""
    torch.save(weights("r50"), folder / "whole.pth")
    torch.save(weights("r50"), folder / "old.pth", _use_new_zipfile_serialization=False)
    checkpoints.save(VideoMask2Former(named("tiny_s", classes=3)), folder / "whole.safetensors")
    (folder / "whole.pkl").write_bytes(pickle.dumps(imagenet_resnet()))
    _cut(folder / "cut.pth", folder / "whole.pth")
    _cut(folder / "cut_old.pth", folder / "old.pth")
    _cut(folder / "cut.pkl", folder / "whole.pkl")
    _cut(folder / "cut.safetensors", folder / "whole.safetensors")
    (folder / "folder.pth").mkdir()
    (folder / "empty.pth").write_bytes(b"")
    (folder / "page.pth").write_text("\n<!DOCTYPE html><html>404</html>")
    (folder / "lfs.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    (folder / "text.pth").write_text("these are not weights, whatever the name says")
    np.savez(folder / "arrays.npz", a=np.zeros(3))
    torch.save({"model": "a name"}, folder / "string.pth")
    torch.save([torch.zeros(3)], folder / "list.pth")
    torch.save({}, folder / "nothing.pth")
    torch.save({"a": torch.zeros(3)}, folder / "strange.pth")
    torch.save({"sem_seg_head.predictor.query_feat.weight": torch.zeros(3, 4)}, folder / "part.pth")
    (folder / "plain.safetensors").write_bytes(safetensors.torch.save({"a": torch.zeros(3)}))
    return {
        "missing.pth": "no such file",
        "folder.pth": "is a directory without config.json",
        "cut.pth": "cannot be read (",
        "cut_old.pth": "cannot be read (",
        "cut.pkl": "cannot be read (",
        "cut.safetensors": "cannot be read (",
        "empty.pth": "it begins with b''",
        "page.pth": "<!DOCTYPE html>",
        "lfs.pth": "version https://git-lfs",
        "text.pth": "is neither a .pth",
        "arrays.npz": "cannot be read (",
        "string.pth": "holds no weights by name",
        "list.pth": "holds no weights by name",
        "nothing.pth": "holds no weights by name",
        "strange.pth": "without which the model's sizes are unknown",
        "part.pth": "sem_seg_head.predictor.class_embed.weight is missing",
        "plain.safetensors": "was not written by evis",
    }


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_name(wrong, tmp_path):
    spoilt = dict(weights("r50"))
    name = "sem_seg_head.predictor.decoder_norm.bias"
    spoilt[name] = spoilt[name].clone().index_fill(0, torch.tensor(3), wrong)
    torch.save(spoilt, tmp_path / "theirs.pth")
    model = another_like(golden_model("r50"))
    with torch.no_grad():
        model.decoder.norm.bias[3] = wrong
    checkpoints.save(model, tmp_path / "ours.safetensors")
    filled = another_like(model)
    before = {name: t.clone() for name, t in filled.state_dict().items()}
    for file, tensor in (("theirs.pth", name), ("ours.safetensors", "decoder.norm.bias")):
        with pytest.raises(DataError, match=f"{file}: the tensor {tensor} holds NaN or infinity"):
            checkpoints.load(tmp_path / file)
        with pytest.raises(DataError, match="NaN"):
            checkpoints.load_into(filled, tmp_path / file, strict=False)
    assert all(torch.equal(t, before[name]) for name, t in filled.state_dict().items())


def test_what_a_model_was_trained_at_comes_with_its_file(tmp_path):
    model = VideoMask2Former(named("tiny_s", classes=3))
    assert (model.shorter_side, golden_model("r50").shorter_side) == (64, 360)
    path = checkpoints.save(model, tmp_path / "m.safetensors", recipe={"shorter_sides": (96, 72)})
    assert checkpoints.load(path).shorter_side == 72
    path = checkpoints.save(model, tmp_path / "m.safetensors", recipe="a name")
    assert checkpoints.load(path).shorter_side == 64


def test_what_clips_a_model_was_trained_on_is_read_off_its_recipe(tmp_path):
    model, path = VideoMask2Former(named("tiny_s", 2)), tmp_path / "m.safetensors"
    recipe = {"still_frames": 1, "frames": 3}
    for mixture, length in [((("stills", 1.0),), 1), ((("stills", 1.0), ("videos", 0.5)), 3)]:
        checkpoints.save(model, path, recipe=recipe | {"mixture": mixture})
        assert checkpoints.load(path).clip_length == length
    checkpoints.save(model, path, recipe={})
    assert checkpoints.load(path).clip_length is None


def test_bad_files_are_named_with_a_remedy(tmp_path):
    for name, said in bad_files(tmp_path).items():
        with pytest.raises(DataError) as error:
            checkpoints.load(tmp_path / name)
        assert said in str(error.value), name
        assert error.value.file == tmp_path / name
        assert error.value.remedy, name
    for name in ("whole.pth", "old.pth", "whole.safetensors"):
        checkpoints.load(tmp_path / name)


@pytest.mark.parametrize(
    "entry, said",
    [
        (None, "was not written by evis"),
        ({"format": "pt"}, "was not written by evis"),
        ({"evis": "not json"}, "was not written by evis"),
        ({"evis": "[]"}, "was not written by evis"),
        ({"evis": '{"config": {}, "about": {}}'}, "was not written by evis"),
        ({"evis": '{"config": [], "about": {}}'}, "was not written by evis"),
        (
            {"evis": '{"config": {"backbone": {"kind": "ViT"}}, "about": {}}'},
            "was not written by evis",
        ),
        (
            {"evis": '{"config": {"backbone": {"kind": "Tiny"}, "depth": 1}, "about": {}}'},
            "was not written by evis",
        ),
        (
            {"evis": '{"config": {"backbone": {"kind": "Tiny"}, "classes": "x"}, "about": {}}'},
            "no model has classes = 'x'",
        ),
        ({"evis": '{"config": ' + '{"a": ' * 50_000 + "1" + "}" * 50_001}, "RecursionError"),
    ],
)
def test_a_safetensors_of_another_origin(entry, said, tmp_path):
    path = _own_file(tmp_path, entry)
    with pytest.raises(DataError) as error:
        checkpoints.load(path)
    assert said in str(error.value)
    assert error.value.file == path and error.value.remedy


# hostile files


@cache
def _small():
    """The metadata and the tensors of a small model's file."""
    model, recipe = VideoMask2Former(named("tiny_s", classes=2)), {"shorter_sides": [64]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.safetensors"
        checkpoints.save(model, path, categories=["a", "b"], recipe=recipe)
        with safetensors.safe_open(path, "pt") as whole:
            tensors = {name: whole.get_tensor(name).clone() for name in whole.keys()}  # noqa: SIM118
            return whole.metadata()["evis"], tensors


def _told(change, folder):
    """A file of a small model whose metadata `change` has been at."""
    text, tensors = _small()
    entry = json.loads(text)
    change(entry)
    path = folder / "told.safetensors"
    safetensors.torch.save_file(tensors, path, {"evis": json.dumps(entry)})
    return path


SIZES = [field.name for field in fields(named("tiny_s", classes=2)) if field.name != "dropout"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("value", [None, True, 0, -1, 1.5, "3", [], [3], {}, 10**9, 10**30])
def test_a_size_that_is_none_is_refused(size, value, tmp_path):
    path = _told(lambda entry: entry["config"].update({size: value}), tmp_path)
    with pytest.raises(DataError, match="told.safetensors: was not written by evis"):
        checkpoints.load(path)


@pytest.mark.parametrize("value", [None, True, -1, 1.5, "0.3", [], [0.3], {}, 10**30])
def test_a_rate_that_is_none_is_refused(value, tmp_path):
    path = _told(lambda entry: entry["config"].update(dropout=value), tmp_path)
    with pytest.raises(DataError, match="told.safetensors: was not written by evis"):
        checkpoints.load(path)


@pytest.mark.parametrize(
    "backbone",
    [
        {"kind": "Tiny", "widths": [16, 32, 48]},
        {"kind": "Tiny", "widths": [16.0, 32, 48, 64]},
        {"kind": "Tiny", "widths": ["16", 32, 48, 64]},
        {"kind": "Tiny", "blocks": 10**9},
        {"kind": "ResNet", "reduction": 0},
        {"kind": "ResNet", "depths": [10**9] * 4},
        {"kind": "Swin", "drop_path": "0.3"},
        {"kind": "Swin", "mlp_ratio": float("nan")},
        {"kind": ["Tiny"]},
    ],
)
def test_a_backbone_that_is_none_is_refused(backbone, tmp_path):
    path = _told(lambda entry: entry["config"].update(backbone=backbone), tmp_path)
    with pytest.raises(DataError, match="told.safetensors: was not written by evis"):
        checkpoints.load(path)


@pytest.mark.parametrize(
    ("size", "value"),
    [
        ("hidden", 2**20),
        ("queries", 2**20),
        ("encoder_layers", 99),
        ("decoder_feed_forward", 2**20),
    ],
)
def test_what_the_tensors_are_not_is_never_built(size, value, tmp_path, monkeypatch):
    path = _told(lambda entry: entry["config"].update({size: value}), tmp_path)

    def planned(config):
        if torch.get_default_device().type != "meta":
            raise RuntimeError("it would take gigabytes")
        return VideoMask2Former(config)

    monkeypatch.setattr(checkpoints, "VideoMask2Former", planned)
    with pytest.raises(DataError, match="told.safetensors: the weights do not fit the model"):
        checkpoints.load(path)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"categories": "ab"}, "categories should be a list of names, is 'ab'"),
        ({"categories": [1, 2]}, "categories should be"),
        ({"categories": [["a"], ["b"]]}, "categories should be"),
        ({"categories": {"a": 1, "b": 2}}, "categories should be"),
        ({"categories": ["a", "\ud800"]}, "categories should be"),
        ({"recipe": {"shorter_sides": 5}}, "shorter_sides should be a list of pixels, is 5"),
        ({"recipe": {"shorter_sides": ["a"]}}, "shorter_sides should be"),
        ({"recipe": {"shorter_sides": [0]}}, "shorter_sides should be"),
        ({"recipe": {"shorter_sides": [10**9]}}, "shorter_sides should be"),
        ({"recipe": {"mixture": [["stills", 1]], "still_frames": 0}}, "clips should have a number"),
        ({"recipe": {"mixture": [["films", 1]]}}, "films"),
        ({"recipe": {"mixture": 3}}, "not iterable"),
    ],
)
def test_what_a_file_says_about_its_model_is_checked(about, said, tmp_path):
    path = _told(lambda entry: entry["about"].update(about), tmp_path)
    for read in (checkpoints.load, checkpoints.read_about):
        with pytest.raises(DataError, match=said):
            read(path)


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (b'{"a": 1}', 2**63),
        (b'{"a": 1}', 2**40),
        (b'{"a": ' * 50_000, None),
        (b'{"a": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 16]}}', None),
        (b'{"a": {"dtype": "F32", "shape": [9223372036854775807], "data_offsets": [0, 16]}}', None),
        (b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 1000000000000]}}', None),
        (b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [-1, 16]}}', None),
        (
            b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},'
            b'"b": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}',
            None,
        ),
        (b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}', None),
        (b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}}', None),
        (b'{"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}}', None),
        (b'{"a": {"dtype": "F32", "shape": [4, 0, 4], "data_offsets": [0, 16]}}', None),
        (b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}', 2**31),
        (b'{"a": {"dtype": "F99", "shape": [4], "data_offsets": [0, 16]}}', None),
        (b'{"a": {"dtype": "F8_E4M3", "shape": [16], "data_offsets": [0, 16]}}', None),
    ],
)  # fmt: skip
def test_absurd_headers_are_refused(header, size, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", size or len(header)) + header + bytes(16))
    for read in (checkpoints.load, checkpoints.read_about):
        with pytest.raises(DataError, match="m.safetensors: (cannot be read|the tensor a is of)"):
            read(path)


def test_tensors_without_plain_numbers_are_refused_by_name(tmp_path):
    for strange in (torch.eye(3).to_sparse(), torch.zeros(3, device="meta")):
        with pytest.raises(DataError, match="the tensor a is of a kind that weights are not"):
            checkpoints.load({"a": strange})


@pytest.mark.parametrize("is_new", [True, False])
def test_a_few_numbers_that_stand_for_many_are_refused(tmp_path, is_new):
    path = tmp_path / "bomb.pth"
    bomb = {"model": {"a": torch.zeros(1).expand(100_000, 100_000)}}
    torch.save(bomb, path, _use_new_zipfile_serialization=is_new)
    for read in (checkpoints.load, checkpoints.read_about):
        with pytest.raises(
            DataError, match="bomb.pth: its tensors would take 40,000,000,000 bytes"
        ):
            read(path)
    (tmp_path / "bomb.pkl").write_bytes(pickle.dumps({"a": Repeated()}))
    with pytest.raises(DataError, match="bomb.pkl: its tensors would take 1,000,000,000,000 bytes"):
        checkpoints.load(tmp_path / "bomb.pkl")


def test_weights_that_were_zipped_anew_but_not_packed_are_read(tmp_path):
    path, whole = tmp_path / "again.pth", tmp_path / "whole.pth"
    torch.save({"model": {"a": torch.zeros(2)}}, whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as archive:
        for part in source.namelist():
            archive.writestr(part, source.read(part))
    assert torch.equal(weight_files.read(path)[0]["a"], torch.zeros(2))


@pytest.mark.parametrize(
    "asked",
    [b"\x80\x02]r" + struct.pack("<I", 2**23), b"\x80\x05\x96" + struct.pack("<Q", 2**26)],
)
def test_a_short_pickle_takes_no_memory_for_what_it_does_not_hold(asked, tmp_path):
    """A place in the memo, and a bytearray's length, that such a file can set as it likes."""
    (tmp_path / "a.pkl").write_bytes(asked + b".")
    tracemalloc.start()
    with pytest.raises(DataError, match="a.pkl: (cannot be read|holds no weights)"):
        weight_files.read(tmp_path / "a.pkl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


class Repeated:
    """A terabyte that is one byte."""

    def __reduce__(self):
        return np.ndarray, ((10**6, 10**6), "u1", bytes(1), 0, (0, 0))


@pytest.mark.parametrize("shape", [(), (0,), (10**9, 0), (0, 10**9), (1, 1, 1, 1)])
def test_shapes_that_no_model_has_are_refused(shape, monkeypatch):
    def planned(config):
        assert torch.get_default_device().type == "meta", "it is built"
        return VideoMask2Former(config)

    monkeypatch.setattr(checkpoints, "VideoMask2Former", planned)
    for part in ("query_feat.weight", "class_embed.weight", "mask_embed.layers.2.weight"):
        (name,) = [name for name in weights("r50") if name.endswith(part)]
        with pytest.raises(DataError):
            checkpoints.load(weights("r50") | {name: torch.zeros(shape)})


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_pickle_runs_nothing(tmp_path):
    sign = tmp_path / "sign"
    content = {"model": weights("r50"), "trainer": Hostile(sign)}
    torch.save(content, tmp_path / "new.pth")
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(imagenet_resnet() | {"x": Hostile(sign)}))
    for name in ("new.pth", "old.pth", "plain.pkl"):
        with pytest.raises(DataError, match=r"asks for \w+\.mkdir,.*not read") as error:
            checkpoints.load(tmp_path / name)
        assert error.value.file == tmp_path / name and error.value.remedy
    assert not sign.exists()
    pickle.loads(pickle.dumps(Hostile(sign)))
    assert sign.exists()  # so the test would have noticed


@pytest.mark.parametrize(
    "asked",
    [b"cbuiltins\neval\n.", b"cnumpy\nload\n.", b"\x8c\x05numpy\x8c\x11ndarray.__class__\x93."],
)
def test_only_arrays_and_containers_come_out_of_a_plain_pickle(asked, tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04" + asked)
    with pytest.raises(DataError, match="asks for"):
        checkpoints.load(tmp_path / "a.pkl")


def test_containers_and_byte_orders_of_a_plain_pickle(tmp_path):
    content = imagenet_resnet()
    arrays = OrderedDict(
        (name, a.astype(a.dtype.newbyteorder(">"))) for name, a in content["model"].items()
    )
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": arrays, "note": {1, 2}}, protocol=4))
    trained = golden_model("r50")
    model = another_like(trained)
    checkpoints.load_backbone(model, tmp_path / "a.pkl")
    assert same(model.backbone, trained.backbone)


def test_a_safetensors_whose_length_begins_like_a_pickle_is_read(tmp_path):
    """Its first byte is that of the header's length, which one file in 32 shares with pickles."""
    contents = (
        safetensors.torch.save({"a": torch.ones(3)}, {"note": "x" * length})
        for length in range(300)
    )
    content = next(content for content in contents if content[0] == pickle.dumps(None)[0])
    (tmp_path / "m.safetensors").write_bytes(content)
    tensors, metadata = weight_files.read(tmp_path / "m.safetensors")
    assert torch.equal(tensors["a"], torch.ones(3)) and set(metadata) == {"note"}
