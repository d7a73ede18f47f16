"""toy_dino: an extractor as DINO's, by hand from its network; grids, sizes, what it is used by."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evis.data import files
from evis.foundation import stand_in, toy_dino
from evis.foundation.toy_dino import ToyDino
from evis.labels import maskcut, videos


def frame(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("toy_dino") / "weights.safetensors"
    return stand_in.save(ToyDino(width=8, blocks=1, prototypes=6), path)


def test_grid_and_length(file, device):
    found = toy_dino.load(file, device=device)(frame(64, 96))
    assert found.shape == (16, 24, 256) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)


@settings(max_examples=25)
@given(st.integers(1, 150), st.integers(1, 150))
def test_any_size_of_frame(height, width):
    torch.manual_seed(0)
    # what `load` asks of the grid, and of the network
    rows, columns = toy_dino.grid(height, width, toy_dino.CELLS)
    assert max(rows, columns) == min(24, max(height, width))
    made = ToyDino(width=4, blocks=0, prototypes=2).features(
        torch.zeros(1, 3, 4 * rows, 4 * columns)
    )
    assert made.shape == (1, 4, rows, columns)


def test_cosines_fall_with_the_distance_of_the_networks_own(file, device):
    """As a Gaussian kernel, up to the 128 directions that stand for all."""
    network = stand_in.load(ToyDino, "toy_dino", file, device)
    picture = frame(64, 96)
    given_picture = torch.from_numpy(picture).permute(2, 0, 1)[None].to(device) / 255
    with torch.no_grad():
        own = network.features(given_picture)[0].flatten(1).T.cpu().numpy()
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1, atol=1e-5)
    found = toy_dino.load(file, device=device)(picture).reshape(-1, 256)
    squares = ((own[:, None] - own[:20]) ** 2).sum(-1) / toy_dino.SCALE**2
    assert squares.max() > 4
    np.testing.assert_allclose(found @ found[:20].T, np.exp(-squares / 2), atol=0.35)
    assert np.abs(found @ found[:20].T - np.exp(-squares / 2)).mean() < 0.07


def test_other_frames_are_resized_as_dinos(file):
    large = frame(128, 192)
    small = np.array(Image.fromarray(large).resize((96, 64), Image.LANCZOS))
    extract = toy_dino.load(file)
    np.testing.assert_array_equal(extract(large), extract(small))


def test_patches_near_the_border_know_nothing_of_the_other_side(file):
    """Convolutions see so far and no further."""
    extract, picture = toy_dino.load(file), frame(64, 96)
    changed = picture.copy()
    changed[:, 60:] = 0
    assert np.array_equal(extract(changed)[:, :10], extract(picture)[:, :10])
    assert np.abs(extract(changed) - extract(picture)).max() > 0.1


def test_half_precision_stays_close(file):
    picture = frame(64, 96)
    half = toy_dino.load(file, dtype=torch.bfloat16)(picture)
    assert half.dtype == np.float32
    assert ((half * toy_dino.load(file)(picture)).sum(-1) > 0.95).all()


def test_bad_frames_are_refused(file):
    with pytest.raises(ValueError, match="uint8"):
        toy_dino.load(file)(np.zeros((4, 4, 3)))


def test_labels_are_cut_by_the_repositorys_own():
    labeller = videos.Cuts("toy_dino", outlined=False)
    assert labeller.weights == (str(stand_in.committed("toy_dino")),)
    assert files.digest(*labeller.weights) and "toy_dino features" in labeller.origin
    picture = frame(64, 96)
    patches = videos.extractor("toy_dino")(picture)
    assert np.array_equal(patches, toy_dino.load()(picture))
    assert maskcut.masks(patches).shape == (3, 16, 24)
