"""Hugging Face's Mask2Former: transformers' own logits, every tensor accounted for, bad folders."""

import json
import os
import shutil

import pytest
import safetensors.torch
import torch
from transformers import (
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    ResNetConfig,
    SwinConfig,
)

from evis import models
from evis.data import DataError
from evis.models import checkpoints

STAGES = ["stage1", "stage2", "stage3", "stage4"]
NAMES = ["person", "red bird", "cat"]
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
BACKBONES = {
    "resnet": ResNetConfig(
        embedding_size=8,
        hidden_sizes=[16, 32, 64, 128],
        depths=[1, 2, 2, 1],
        out_features=STAGES,
    ),
    "swin": SwinConfig(
        embed_dim=12,
        depths=[1, 2, 2, 1],
        num_heads=[1, 2, 3, 6],
        window_size=3,
        mlp_ratio=2.0,
        out_features=STAGES,
    ),
}


def build(kind, seed=0, **changes):
    """A small model in which no tensor is as it is at the start, norms and statistics included."""
    sizes = {
        "feature_size": 32,
        "mask_feature_size": 24,
        "hidden_dim": 32,
        "encoder_feedforward_dim": 48,
        "encoder_layers": 2,
        "decoder_layers": 5,
        "num_attention_heads": 4,
        "dim_feedforward": 64,
        "num_queries": 7,
        "id2label": dict(enumerate(NAMES)),
    }
    torch.manual_seed(seed)
    config = Mask2FormerConfig(backbone_config=BACKBONES[kind], **(sizes | changes))
    model = Mask2FormerForUniversalSegmentation(config).eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif tensor.is_floating_point():
                tensor.add_(0.1 * torch.randn_like(tensor))
    return model


@pytest.fixture(scope="module", params=sorted(BACKBONES))
def pair(request, tmp_path_factory):
    """transformers' model and the folder that it was saved to."""
    model, folder = build(request.param), tmp_path_factory.mktemp("hf") / request.param
    model.save_pretrained(folder)
    return model, folder


def their_input(frames):
    """(B, 3, h, w) 0..255 as their processor prepares it: normalised, padded to whole 32s."""
    shape = (3, 1, 1)
    pictures = (frames / 255 - torch.tensor(MEAN).view(shape)) / torch.tensor(DEVIATION).view(shape)
    height, width = frames.shape[-2:]
    return torch.nn.functional.pad(pictures, (0, -width % 32, 0, -height % 32))


def near(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(64, 96), (60, 90)])
@torch.no_grad()
def test_one_frame_gives_transformers_own_logits_in_every_layer(pair, size):
    theirs, folder = pair
    model = models.load(folder)
    assert not model.training
    assert model.classes == NAMES and model.config.classes == len(NAMES)
    frames = torch.randint(0, 256, (2, 3, *size), generator=torch.manual_seed(1)).float()
    expected = theirs(their_input(frames), output_auxiliary_logits=True)
    found = model(frames[:, None])
    near(found.class_logits, expected.class_queries_logits)
    height, width = -(-size[0] // 4), -(-size[1] // 4)
    near(found.mask_logits[:, :, 0], expected.masks_queries_logits[..., :height, :width])
    last = expected.transformer_decoder_last_hidden_state
    near(found.embeddings, theirs.model.transformer_module.decoder.layernorm(last))
    assert len(found.layers) == len(expected.auxiliary_logits) == 4
    for layer, auxiliary in zip(found.layers, expected.auxiliary_logits, strict=True):
        near(layer.class_logits, auxiliary["class_queries_logits"])
        near(layer.mask_logits[:, :, 0], auxiliary["masks_queries_logits"][..., :height, :width])
    spread = expected.masks_queries_logits.std()
    assert spread > 0.1, "the logits would be near whatever was read"


def test_sizes_come_from_the_config(pair):
    theirs, folder = pair
    config = models.load(folder).config
    assert (config.queries, config.hidden, config.mask_channels, config.heads) == (7, 32, 24, 4)
    assert (config.encoder_layers, config.encoder_feed_forward) == (2, 48)
    assert (config.decoder_layers, config.decoder_feed_forward) == (4, 64)
    assert config.backbone.depths == (1, 2, 2, 1)


def test_a_whole_folder_leaves_nothing_open(pair):
    theirs, folder = pair
    model, report = checkpoints.load_with_report(folder)
    loaded = {name for name, fate in report.items() if fate == "tensors loaded"}
    assert loaded == model.state_dict().keys()
    aside = report.keys() - loaded
    assert all(report[name].startswith("set aside: ") for name in aside)
    unused = ("empty_weight", "num_batches_tracked", "swin.layernorm.weight", "swin.layernorm.bias")
    assert all(name.endswith(unused) for name in aside)
    # No number is lost on the way.
    numbers = {name: tensor.numel() for name, tensor in theirs.state_dict().items()}
    used = sum(number for name, number in numbers.items() if not name.endswith(unused))
    assert used == sum(tensor.numel() for tensor in model.state_dict().values())


@pytest.mark.parametrize("way", ["shards", "pickle", "present names", "half precision"])
def test_files_of_other_kinds_mean_the_same(pair, way, tmp_path):
    theirs, folder = pair
    expected = models.load(folder).state_dict()
    if way == "shards":
        theirs.save_pretrained(tmp_path, max_shard_size="40KB")
        assert len(list(tmp_path.glob("*.safetensors"))) > 1
    elif way == "present names":
        theirs.save_pretrained(tmp_path, save_original_format=False)
    elif way == "pickle":
        shutil.copy(folder / "config.json", tmp_path)
        tensors = safetensors.torch.load_file(folder / "model.safetensors")
        torch.save(tensors, tmp_path / "pytorch_model.bin")
    else:
        shutil.copy(folder / "config.json", tmp_path)
        tensors = safetensors.torch.load_file(folder / "model.safetensors")
        tensors = {n: t.half() if t.is_floating_point() else t for n, t in tensors.items()}
        save(tensors, tmp_path)
        expected = {name: tensor.half().float() for name, tensor in expected.items()}
    again = models.load(tmp_path).state_dict()
    assert again.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in again.items())


def save(tensors, folder):
    path = folder / "model.safetensors"
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hf") / "least"
    build("resnet", encoder_layers=1, decoder_layers=3).save_pretrained(folder)
    return folder


@pytest.fixture
def copied(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda w: w.pop("model.transformer_module.decoder.layers.1.fc1.bias"),
            r"1 missing \(decoder.layers.1.feed_forward.0.bias\)",
        ),
        (
            lambda w: w.pop("model.transformer_module.decoder.layers.0.self_attn.k_proj.weight"),
            r"1 missing \(decoder.layers.0.self_attention.in_proj_weight\)",
        ),
        (lambda w: w.update(extra=torch.zeros(3)), r"1 unexpected \(extra\)"),
        (
            lambda w: w.update({"class_predictor.bias": torch.zeros(9)}),
            r"1 of another shape, \(9,\) there, \(4,\) here \(decoder.classify.bias\)",
        ),
        (
            lambda w: w["class_predictor.bias"].fill_(float("nan")),
            "class_predictor.bias holds NaN or infinity",
        ),
    ],
)
def test_what_does_not_fit_is_named(copied, spoil, said, capfd):
    tensors = safetensors.torch.load_file(copied / "model.safetensors")
    spoil(tensors)
    save(tensors, copied)
    with pytest.raises(DataError, match=said) as error:
        models.load(copied)
    assert error.value.file == copied
    assert capfd.readouterr() == ("", ""), "transformers keeps quiet"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "maskformer"}, "is of a maskformer, not of a mask2former"),
        ({"pre_norm": True}, "mask2former.pre_norm: is True, evis knows False only"),
        ({"activation_function": "gelu"}, "activation_function: is 'gelu'"),
        ({"hidden_dim": 64}, "feature_size: is 32, another width"),
        ({"num_queries": "many"}, "transformers cannot read it"),
        ({"id2label": {"0": "a", "2": "b"}}, "id2label should give a name to each class"),
        ({"id2label": {"0": ""}}, "id2label should give a name to each class"),
        ({"backbone_config": {"model_type": "convnext"}}, "backbone_config: is a convnext"),
    ],
)
def test_networks_that_evis_has_not_are_refused(copied, changes, said):
    content = json.loads((copied / "config.json").read_text()) | changes
    (copied / "config.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=said):
        models.load(copied)
    with pytest.raises(DataError, match=said):
        models.read_about(copied)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("resnet", {"layer_type": "basic"}),
        ("resnet", {"downsample_in_bottleneck": True}),
        ("swin", {"patch_size": 2}),
        ("swin", {"qkv_bias": False}),
        ("swin", {"out_features": ["stage2", "stage3", "stage4"], "out_indices": [2, 3, 4]}),
    ],
)
def test_backbones_that_evis_has_not_are_refused(name, changes, tmp_path):
    backbone = BACKBONES[name].to_dict() | changes
    content = Mask2FormerConfig(backbone_config=backbone).to_dict()
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=f"field {name}.{next(iter(changes))}: is "):
        models.load(tmp_path)


@pytest.mark.parametrize(
    "changes", [{"encoder_layers": 2**63}, {"num_queries": -1}, {"decoder_layers": 10**9}]
)
def test_sizes_that_no_model_has_are_refused_before_it_is_built(copied, changes):
    content = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(content | changes))
    with pytest.raises(DataError, match="config.json: "):
        models.load(copied)


@pytest.mark.parametrize(
    "changes", [{"dim_feedforward": 2**20}, {"num_queries": 2**20, "hidden_dim": 256}]
)
def test_what_the_files_cannot_hold_is_never_built(copied, changes, monkeypatch):
    content = json.loads((copied / "config.json").read_text()) | {"feature_size": 256} | changes
    content["hidden_dim"] = content["feature_size"]
    (copied / "config.json").write_text(json.dumps(content))

    def gigabytes(*_, **__):
        pytest.fail("it was built")

    monkeypatch.setattr(Mask2FormerForUniversalSegmentation, "from_pretrained", gigabytes)
    with pytest.raises(DataError, match="config.json: asks for [0-9,]{11,} bytes of weights, and"):
        models.load(copied)


def test_a_folder_s_pickle_runs_nothing(copied, tmp_path):
    (copied / "model.safetensors").unlink()
    torch.save({"x": Hostile(tmp_path / "sign")}, copied / "pytorch_model.bin")
    with pytest.raises(DataError, match="transformers cannot read it"):
        models.load(copied)
    assert not (tmp_path / "sign").exists()
    torch.load(copied / "pytorch_model.bin", weights_only=False)
    assert (tmp_path / "sign").exists()  # so the test would have noticed


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_broken_folders_are_named(copied):
    (copied / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(DataError, match="transformers cannot read it"):
        models.load(copied)
    (copied / "model.safetensors").unlink()
    with pytest.raises(DataError, match="transformers cannot read it .*no file named"):
        models.load(copied)
    (copied / "config.json").write_text("{")
    with pytest.raises(DataError, match="config.json: broken json"):
        models.load(copied)


@pytest.mark.parametrize(
    ("size", "side"),
    [
        ({"shortest_edge": 800, "longest_edge": 1333}, 800),
        ({"height": 384, "width": 384}, 384),
        (480, 480),
        (None, 360),
    ],
)
def test_the_preprocessor_tells_the_size_of_pictures(copied, size, side):
    content = {"image_mean": MEAN, "image_std": DEVIATION, "size": size}
    (copied / "preprocessor_config.json").write_text(json.dumps(content))
    assert models.load(copied).shorter_side == side
    assert models.load(copied).clip_length == 1


@pytest.mark.parametrize("mean", [[0.5, 0.5, 0.5], [0.4], "grey"])
def test_another_normalisation_is_refused(copied, mean):
    (copied / "preprocessor_config.json").write_text(json.dumps({"image_mean": mean}))
    with pytest.raises(DataError, match="image_mean: (is|should be)"):
        models.load(copied)


def test_it_starts_a_training_and_is_saved_as_any_other(saved, tmp_path):
    model = models.load(saved)
    path = models.save(model, tmp_path / "m.safetensors", categories=model.classes)
    again = models.load(path)
    assert again.classes == NAMES and again.config == model.config
    fresh = models.VideoMask2Former(model.config)
    checkpoints.warm_start(fresh, saved, ["cat", "dog", "person"])
    assert torch.equal(fresh.decoder.query_content, model.decoder.query_content)
    assert torch.equal(
        fresh.decoder.classify.bias[[0, 2, 3]], model.decoder.classify.bias[[2, 0, 3]]
    )
