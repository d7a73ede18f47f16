"""Dropout in both decoders: in training alone, and in nothing that is stored."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from evis import papers
from evis.data import paths
from evis.models import VideoMask2Former, load, named, save
from evis.papers.flowcut import method


def network(rate, seed=0):
    torch.manual_seed(seed)
    return VideoMask2Former(named("tiny_s", 1, dropout=rate))


@pytest.fixture
def frames():
    noise = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (1, 2, 3, 32, 48), generator=noise, dtype=torch.uint8)


def masks(model, frames, seed=0):
    torch.manual_seed(seed)
    return model(frames).mask_logits


def test_without_training_and_without_a_rate_nothing_drops(frames):
    dropping, plain = network(0.3), network(0.0)
    assert list(dropping.state_dict()) == list(plain.state_dict())
    assert torch.equal(masks(dropping.eval(), frames), masks(plain.eval(), frames))
    plain.train()
    assert torch.equal(masks(plain, frames, 1), masks(plain, frames, 2))
    before = torch.get_rng_state()
    plain(frames)
    assert torch.equal(torch.get_rng_state(), before), "no number is drawn, so old runs repeat"


@pytest.mark.parametrize("part", ["pixel_decoder", "decoder"])
def test_either_decoder_drops_in_training(frames, part):
    model = network(0.3).eval()
    getattr(model, part).train()
    assert not torch.equal(masks(model, frames, 1), masks(model, frames, 2))
    assert torch.equal(masks(model, frames, 1), masks(model, frames, 1))


def test_every_sublayer_of_a_decoder_layer_drops():
    """At a rate of all but everything each of the three steps is left out, again and again."""
    layer = network(0.3).decoder.layers[0].train()
    width, batch = layer.self_norm.normalized_shape[0], 2
    queries, position = torch.randn(2, 5 * batch, width)
    values = torch.randn(7 * batch, width)
    closed = torch.zeros(batch, 5, 7, dtype=torch.bool)

    def outputs():
        return torch.stack([layer(queries, position, values, values, closed) for _ in range(2)])

    assert not torch.equal(*outputs())
    for kept in ("cross_attention", "self_attention", "feed_forward"):
        weakened = network(0.3).decoder.layers[0].train()
        weakened.load_state_dict(layer.state_dict())
        for name in {"cross_attention", "self_attention", "feed_forward"} - {kept}:
            for parameter in getattr(weakened, name).parameters():
                torch.nn.init.zeros_(parameter)
        drawn = [weakened(queries, position, values, values, closed) for _ in range(2)]
        assert not torch.equal(*drawn), kept


def test_recomputed_activations_drop_the_same(frames):
    gradients = []
    for recompute in (False, True):
        model = network(0.3).train()
        model.recompute_activations = recompute
        masks(model, frames).square().sum().backward()
        gradients.append(model.decoder.query_content.grad)
    torch.testing.assert_close(*gradients)


def test_files_of_before_and_after_load(tmp_path, frames):
    before = paths.data() / "weights" / "toy_stage1_tiny_s.safetensors"
    with safe_open(before, "pt") as file:
        assert "dropout" not in json.loads(file.metadata()["evis"])["config"]
    assert load(before).config.dropout == 0.0
    model = network(0.3).eval()
    again = load(save(model, tmp_path / "weights.safetensors"))
    assert again.config == model.config and not again.training
    assert torch.equal(masks(again, frames), masks(model, frames))


def test_the_rate_is_the_stages():
    stage = papers.named("flowcut", toy=True)
    assert stage.dropout == 0.3 and method.build(stage, ["object"]).config.dropout == 0.3
    assert method.build(replace(stage, dropout=0.0), ["object"]).config.dropout == 0.0
    assert papers.build(papers.named("uvis", toy=True), ["a"]).config.dropout == 0.0
