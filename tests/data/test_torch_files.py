"""torch's files by whoever reads them: none that is packed, none whose few numbers claim many."""

import sys
import zipfile
from types import ModuleType

import pytest
import torch

from evis.data import DataError, torch_files
from evis.foundation import dino, flow
from evis.models import weight_files
from evis.training import checkpoint

CLAIM = torch.zeros(1).expand(2**20, 2**10)  # 4 GB that are four bytes


@pytest.fixture
def raft(monkeypatch):
    module = ModuleType("torchvision.models.optical_flow")
    module.raft_large = lambda weights, progress: torch.nn.Linear(2**10, 2**20, device="meta")
    for name in ("torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return flow.raft


@pytest.fixture(params=["weights", "a checkpoint", "DINO", "RAFT"])
def read(request):
    if request.param == "RAFT":
        return request.getfixturevalue("raft")
    by = {"weights": weight_files.read, "DINO": dino.load}
    return by.get(request.param, lambda path: checkpoint.latest(path.parent))


@pytest.mark.filterwarnings("ignore:.* is damaged")  # a checkpoint
def test_a_file_that_was_packed_is_not_unpacked(tmp_path, read, monkeypatch):
    torch.save({"weight": torch.zeros(10_000)}, tmp_path / "whole")
    path = tmp_path / "step-00000001.pt"
    source = zipfile.ZipFile(tmp_path / "whole")
    with source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for part in source.namelist():
            packed.writestr(part, source.read(part))
    assert path.stat().st_size < 5_000
    assert torch.load(path, weights_only=True)["weight"].shape == (10_000,)  # torch would
    with pytest.raises(ValueError, match="bytes are packed in it, where torch packs nothing"):
        torch_files.load(path)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(DataError):
        read(path)


@pytest.mark.parametrize("read", ["DINO", "RAFT"], indirect=True)
def test_few_numbers_that_claim_to_be_many_are_refused(tmp_path, read):
    torch.save({"cls_token": CLAIM, "weight": CLAIM}, tmp_path / "claim.pth")
    with pytest.raises(DataError, match="its tensors would take 8,589,934,592 bytes"):
        read(tmp_path / "claim.pth")


def test_a_vit_whose_sizes_stand_in_one_tensor_alone_is_never_built(tmp_path):
    patch = torch.zeros(2**18, 3, 1, 1)
    sizes = {"cls_token": torch.zeros(1, 1, 2**18), "pos_embed": torch.zeros(1, 2, 1)}
    blocks = {f"blocks.{n}.attn.qkv.weight": torch.zeros(3) for n in range(3)}
    sizes |= {"patch_embed.proj.weight": patch, "blocks.0.mlp.fc1.weight": torch.zeros(2**18, 1)}
    torch.save(sizes | blocks, tmp_path / "dino.pth")
    with pytest.raises(DataError, match="no weights of a ViT.*(Error.s. in loading|mismatch)"):
        dino.load(tmp_path / "dino.pth")
