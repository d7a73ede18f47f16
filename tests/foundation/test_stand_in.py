"""Files of stand-ins: written and read whole, refused where damaged or of something else."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from evis.data import DataError
from evis.foundation import stand_in, toy_clip, toy_dino
from evis.foundation.toy_clip import ToyClipNetwork
from evis.foundation.toy_dino import ToyDino
from evis.foundation.toy_sam import ToySam

MOST = 4 * 2**20  # bytes of a committed file


@pytest.fixture
def network():
    torch.manual_seed(0)
    return ToyDino(width=8, blocks=1, prototypes=6)


def test_what_was_written_is_read(network, tmp_path, device):
    path = stand_in.save(network, tmp_path / "w.safetensors", recipe={"steps": 3})
    again = stand_in.load(ToyDino, "toy_dino", path, device)
    assert not again.training and again.sizes == network.sizes
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name].cpu(), tensor)
    assert stand_in.read(ToyDino, "toy_dino", path).about == {"recipe": {"steps": 3}}
    half = stand_in.load(ToyDino, "toy_dino", path, dtype=torch.bfloat16)
    assert {tensor.dtype for tensor in half.state_dict().values()} == {torch.bfloat16}


def test_missing_files_say_where_they_were_looked_for(tmp_path):
    for load in (toy_dino.load, toy_clip.load):
        with pytest.raises(DataError, match=r"nowhere.*there is no such file.*evis train toy_"):
            load(tmp_path / "nowhere.safetensors")


def test_files_of_something_else_are_refused(network, tmp_path):
    path = tmp_path / "w.safetensors"
    stand_in.save(ToyClipNetwork(["star"], 4, 8), path)
    with pytest.raises(DataError, match="holds no weights of a toy_dino.*of ToyClipNetwork"):
        toy_dino.load(path)
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(DataError, match="evis stand-in"):
        toy_dino.load(path)
    path.write_bytes(b"no weights")
    with pytest.raises(DataError, match="holds no weights of a toy_clip"):
        toy_clip.load(path)
    network.sizes["width"] = 2**20  # more than any memory holds
    stand_in.save(network, path)
    with pytest.raises(DataError, match="holds no weights of a toy_dino"):
        toy_dino.load(path)


@pytest.mark.parametrize("of, size", [("blocks", 10**9), ("width", 0), ("prototypes", 2**40)])
def test_sizes_that_its_tensors_cannot_have_are_refused_before_it_is_built(
    network, tmp_path, of, size
):
    network.sizes[of] = size
    path = stand_in.save(network, tmp_path / "w.safetensors")
    with pytest.raises(DataError, match=f"holds no weights of a toy_dino .{of} = {size}"):
        stand_in.read(ToyDino, "toy_dino", path)


def test_numbers_that_are_not_finite_are_refused(network, tmp_path):
    network.prototypes.data[0, 0] = torch.nan
    path = stand_in.save(network, tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="prototypes holds NaN or infinity"):
        toy_dino.load(path)


@pytest.mark.parametrize(
    "kind, name",
    [(ToyDino, "toy_dino"), (ToyClipNetwork, "toy_clip"), (ToySam, "toy_sam")],
)
def test_the_repositorys_own_are_small_and_say_how_they_were_made(kind, name):
    path = stand_in.committed(name)
    assert path.stat().st_size <= MOST
    stand_in.load(kind, name)
    stored = stand_in.read(kind, name)
    assert stored.about["recipe"]["name"] == name and stored.about["recipe"]["seed"] == 0
    assert load_file(path).keys() == stored.tensors.keys()
