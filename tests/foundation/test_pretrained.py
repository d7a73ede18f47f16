"""Weights are looked for here only; whatever is wrong with them ends in one error that helps."""

import logging
import subprocess
import sys

import pytest
import torch
from transformers import ViTConfig, ViTModel

from evis.data import DataError
from evis.foundation import clip, dino, pretrained, sam

ADAPTERS = pytest.mark.parametrize("adapter", [dino, clip, sam], ids=lambda module: module.__name__)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vit")
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = ViTConfig(**sizes, intermediate_size=8, image_size=8, patch_size=4)
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_nothing_imports_transformers_before_it_is_called():
    lines = "from evis.foundation import clip, colour, dino, pretrained, sam; import sys"
    check = "assert not {'transformers', 'huggingface_hub'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{lines}; {check}"], check=True)


@ADAPTERS
@pytest.mark.parametrize("source", ["nobody/nothing", "no/such/folder", "/no/such/folder", "x y"])
def test_what_is_not_there_is_said_with_where_and_how(adapter, source, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataError) as error:
        adapter.load(source)
    said = str(error.value)
    assert source in said and str(tmp_path) in said and f"hf download {adapter.EXAMPLE}" in said


@ADAPTERS
def test_a_folder_of_something_else_is_refused(adapter, tmp_path, vit):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match=f"(?s)transformers reads no.*{adapter.EXAMPLE}"):
        adapter.load(tmp_path)
    if adapter is not dino:
        with pytest.raises(DataError, match=adapter.EXAMPLE):
            adapter.load(vit)


def test_a_damaged_folder_is_refused(vit, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((vit / name).read_bytes())
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="transformers reads no ViTModel there"):
        dino.load(tmp_path)


def test_a_network_that_lacks_tensors_is_refused(vit):
    """With a pooling layer, which DINO's have not: transformers would fill it at random."""
    with pytest.raises(DataError, match="is no whole ViTModel: it lacks 2 tensors"):
        pretrained.model("ViTModel", vit, dino.EXAMPLE)


def test_reading_is_quiet_and_leaves_transformers_as_it_was(vit, capfd, caplog):
    from transformers.utils import logging as theirs

    before = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    with caplog.at_level(logging.WARNING):
        network = pretrained.model("ViTModel", vit, dino.EXAMPLE, add_pooling_layer=False)
    assert not network.training and {p.dtype for p in network.parameters()} == {torch.float32}
    assert (theirs.get_verbosity(), theirs.is_progress_bar_enabled()) == before
    assert capfd.readouterr().err == "" and not caplog.records


def test_without_transformers_it_says_what_to_install(monkeypatch, vit):
    monkeypatch.setitem(sys.modules, "transformers", None)
    for adapter in (dino, clip, sam):
        with pytest.raises(ImportError, match="pip install transformers"):
            adapter.load(vit)
