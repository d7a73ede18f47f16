"""DINO's patch features: by hand from DINO's own tensors, from every format, for any frame."""

import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import ViTConfig, ViTModel

from evis.data import DataError
from evis.foundation import dino

PATCH, HIDDEN, HEADS, LAYERS, NATIVE = 4, 12, 3, 2, 16


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def theirs():
    """Tensors as DINO's own files name them."""
    rng = torch.Generator().manual_seed(0)
    shapes = {
        "cls_token": (1, 1, HIDDEN),
        "pos_embed": (1, 1 + (NATIVE // PATCH) ** 2, HIDDEN),
        "patch_embed.proj.weight": (HIDDEN, 3, PATCH, PATCH),
        "patch_embed.proj.bias": (HIDDEN,),
        "norm.weight": (HIDDEN,),
        "norm.bias": (HIDDEN,),
    }
    for i in range(LAYERS):
        layers = {"norm1": (HIDDEN,), "attn.qkv": (3 * HIDDEN, HIDDEN), "norm2": (HIDDEN,)}
        layers |= {"attn.proj": (HIDDEN, HIDDEN), "mlp.fc1": (20, HIDDEN), "mlp.fc2": (HIDDEN, 20)}
        for name, shape in layers.items():
            shapes[f"blocks.{i}.{name}.weight"] = shape
            shapes[f"blocks.{i}.{name}.bias"] = shape[:1]
    return {name: torch.randn(shape, generator=rng) * 0.3 for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def sources(theirs, tmp_path_factory):
    """The same network in DINO's own file and in Hugging Face's folders, old names and new."""
    root = tmp_path_factory.mktemp("dino")
    torch.save(theirs, root / "own.pth")
    config = ViTConfig(
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=20,
        image_size=NATIVE,
        patch_size=PATCH,
        layer_norm_eps=1e-6,
    )
    model = ViTModel(config, add_pooling_layer=False)
    ours = {
        "embeddings.cls_token": theirs["cls_token"],
        "embeddings.position_embeddings": theirs["pos_embed"],
    }
    for kind in ("weight", "bias"):
        ours[f"embeddings.patch_embeddings.projection.{kind}"] = theirs[f"patch_embed.proj.{kind}"]
        ours[f"layernorm.{kind}"] = theirs[f"norm.{kind}"]
        for i in range(LAYERS):
            block = f"blocks.{i}."
            q, k, v = theirs[f"{block}attn.qkv.{kind}"].split(HIDDEN)
            named = {"attention.q_proj": q, "attention.k_proj": k, "attention.v_proj": v}
            pairs = [("attention.o_proj", "attn.proj"), ("mlp.fc1", "mlp.fc1")]
            pairs += [("mlp.fc2", "mlp.fc2"), ("layernorm_before", "norm1")]
            for new, old in [*pairs, ("layernorm_after", "norm2")]:
                named[new] = theirs[f"{block}{old}.{kind}"]
            ours |= {f"layers.{i}.{name}.{kind}": tensor for name, tensor in named.items()}
    model.load_state_dict(ours)
    model.save_pretrained(root / "folder")
    model.save_pretrained(root / "new")
    new = {name: tensor.clone() for name, tensor in ours.items()}
    safetensors.torch.save_file(new, root / "new" / "model.safetensors", {"format": "pt"})
    return root


def by_hand(theirs, frame):
    """Keys of the last block at the network's native size, as DINO's own code has them."""
    values = torch.from_numpy(frame / 255).float()
    values = (values - torch.tensor(dino.MEAN)) / torch.tensor(dino.DEVIATION)
    patches = F.conv2d(
        values.permute(2, 0, 1)[None],
        theirs["patch_embed.proj.weight"],
        theirs["patch_embed.proj.bias"],
        stride=PATCH,
    )
    x = torch.cat([theirs["cls_token"][0], patches[0].flatten(1).T]) + theirs["pos_embed"][0]

    def layer(name, given):
        return given @ theirs[f"{name}.weight"].T + theirs[f"{name}.bias"]

    def norm(name, given):
        weight, bias = theirs[f"{name}.weight"], theirs[f"{name}.bias"]
        return F.layer_norm(given, (HIDDEN,), weight, bias, 1e-6)

    for i in range(LAYERS):
        block = f"blocks.{i}."
        q, k, v = layer(f"{block}attn.qkv", norm(f"{block}norm1", x)).split(HIDDEN, dim=1)
        heads = []
        for h in range(HEADS):
            part = slice(h * HIDDEN // HEADS, (h + 1) * HIDDEN // HEADS)
            scores = q[:, part] @ k[:, part].T / math.sqrt(HIDDEN // HEADS)
            heads.append(scores.softmax(-1) @ v[:, part])
        x = x + layer(f"{block}attn.proj", torch.cat(heads, 1))
        hidden = F.gelu(layer(f"{block}mlp.fc1", norm(f"{block}norm2", x)))
        x = x + layer(f"{block}mlp.fc2", hidden)
    grid = NATIVE // PATCH
    return F.normalize(k[1:], dim=1).reshape(grid, grid, HIDDEN).numpy()


@pytest.mark.parametrize("name", ["own.pth", "folder", "new"])
def test_features_are_dinos_own(theirs, sources, name, device):
    extract = dino.load(sources / name, heads=HEADS, device=device)
    frame = picture(NATIVE, NATIVE)
    found = extract(frame)
    assert found.shape == (4, 4, HIDDEN) and found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(theirs, frame), atol=1e-5)


@pytest.mark.parametrize("shape", [(64, 96), (23, 18), (1, 3), (5, 90)])
def test_any_frame_has_whole_patches(sources, shape, device):
    frame = picture(*shape)
    found = [
        dino.load(sources / name, heads=HEADS, device=device)(frame)
        for name in ("own.pth", "folder", "new")
    ]
    rows, columns = (max(1, side // PATCH) for side in shape)
    assert found[0].shape == (rows, columns, HIDDEN)
    np.testing.assert_allclose(np.linalg.norm(found[0], axis=-1), 1, atol=1e-5)
    for other in found[1:]:
        np.testing.assert_allclose(found[0], other, atol=1e-5)


def test_a_size_is_that_of_a_resized_frame(sources):
    frame = picture(50, 70)
    resized = np.array(Image.fromarray(frame).resize((32, 20), Image.LANCZOS))
    found = dino.load(sources / "folder", size=(23, 32))(frame)
    assert found.shape == (5, 8, HIDDEN)
    assert np.array_equal(found, dino.load(sources / "folder")(resized))


def test_a_longer_side_keeps_a_frames_shape(sources):
    frame = picture(50, 70)
    for shape, wanted in (((50, 70), (5, 8)), ((70, 50), (8, 5)), ((32, 32), (8, 8))):
        assert dino.load(sources / "folder", size=32)(picture(*shape)).shape[:2] == wanted
    by_hand_ = dino.load(sources / "folder", size=(23, 32))(frame)  # 50 * 32 / 70 is 22.9
    assert np.array_equal(dino.load(sources / "folder", size=32)(frame), by_hand_)
    assert dino.load(sources / "folder", size=3)(frame).shape[:2] == (1, 1)


def test_a_frame_of_too_many_patches_says_how_to_resize_it(sources, monkeypatch):
    monkeypatch.setattr(dino, "MOST", 20)
    extract = dino.load(sources / "folder")
    assert extract(picture(16, 20)).shape[:2] == (4, 5)
    said = r"a frame of 16 x 24 \(height x width\) is 24 patches of 4 pixels a side, more than 20"
    with pytest.raises(DataError, match=f"{said}. Have it resized: --size PIXELS"):
        extract(picture(16, 24))
    for size in ((16, 24), 24):  # who gives a size has chosen it
        assert dino.load(sources / "folder", size)(picture(16, 24)).shape[:2] == (4, 6)


def test_half_precision_and_autocast_stay_close(sources):
    frame = picture(32, 32)
    extract = dino.load(sources / "folder")
    precise = extract(frame)
    with torch.autocast("cpu", torch.bfloat16):
        cast = extract(frame)
    for found in (cast, dino.load(sources / "folder", dtype=torch.bfloat16)(frame)):
        assert found.dtype == np.float32 and not np.array_equal(found, precise)
        assert (found * precise).sum(-1).min() > 0.99


def test_other_files_and_frames_are_refused(theirs, sources, tmp_path):
    torch.save({"other": torch.zeros(2)}, tmp_path / "other.pth")
    torch.save(theirs | {"blocks.0.ls1.gamma": torch.ones(HIDDEN)}, tmp_path / "dinov2.pth")
    (tmp_path / "text.pth").write_text("not weights")
    for name in ("other.pth", "dinov2.pth", "text.pth"):
        with pytest.raises(DataError, match="no weights of a ViT under DINO's names"):
            dino.load(tmp_path / name)
    extract = dino.load(sources / "folder")
    for bad in (picture(8, 8)[..., 0], picture(8, 8) / 255, picture(0, 8)):
        with pytest.raises(ValueError, match="uint8"):
            extract(bad)


def test_a_pickle_runs_nothing(tmp_path):
    torch.save({"cls_token": Hostile(tmp_path / "sign")}, tmp_path / "dino.pth")
    with pytest.raises(DataError, match="dino.pth: these are no weights of a ViT"):
        dino.load(tmp_path / "dino.pth")
    assert not (tmp_path / "sign").exists()


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_threads_share_one_network(sources):
    """As those of a Dask worker do."""
    extract = dino.load(sources / "folder")
    frames = [picture(64, 96, seed) for seed in range(4)]
    wanted = [extract(frame) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(extract, 30 * frames))
    assert all(np.array_equal(a, b) for a, b in zip(found, 30 * wanted, strict=True))
