"""Features of patches by a DINO ViT: what CutLER, UVIS's masks and FlowCut cut pictures with.

An extractor is a plain function: a frame (h, w, 3) uint8 RGB -> (rows, columns, C) float32, each of
length 1. `load` reads a user's weights; `evis.foundation.colour` runs anywhere.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from evis.data import torch_files
from evis.data.errors import DataError
from evis.foundation import pretrained

Extractor = Callable[[np.ndarray], np.ndarray]

EXAMPLE = "facebook/dino-vits16"  # FlowCut's; CutLER's is facebook/dino-vitb8
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
HEAD = 64  # channels of a head in all of DINO's networks
MOST = 10_000  # patches of a frame that nobody gave a size; what compares all with all needs n^2

# From the names in DINO's own files to transformers' ViTModel's; attn.qkv is three tensors there.
_RULES = [
    (r"^(cls_token)$", r"embeddings.\1"),
    (r"^pos_embed$", "embeddings.position_embeddings"),
    (r"^patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
    (r"^norm\.", "layernorm."),
    (r"^blocks\.(\d+)\.norm1\.", r"layers.\1.layernorm_before."),
    (r"^blocks\.(\d+)\.norm2\.", r"layers.\1.layernorm_after."),
    (r"^blocks\.(\d+)\.attn\.proj\.", r"layers.\1.attention.o_proj."),
    (r"^blocks\.(\d+)\.attn\.qkv\.", r"layers.\1.attention.qkv."),
    (r"^blocks\.(\d+)\.mlp\.", r"layers.\1.mlp."),
]


def load(
    weights: str | Path,
    size: tuple[int, int] | int | None = None,
    heads: int | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Extractor:
    """Keys of the last block, without the class token's, all heads side by side.

    weights: a folder of a ViTModel or its name in the cache; or a .pth file under DINO's own names,
        whose number of `heads`, which no tensor tells, is one for 64 channels unless given.
    size: height and width that frames are resized to first, such as FlowCut's (360, 640) or
        CutLER's (480, 480), or the longer side alone; the frame's own unless given, where that is
        `MOST` patches at most. Sides are cut to whole patches by resizing: 360 pixels are 22 rows
        of 16. Like MaskCut, we resize by Lanczos's filter.
    """
    if Path(weights).is_file():
        network = _of_dino(Path(weights), heads).to(device, dtype).eval()
    else:
        settings = {"add_pooling_layer": False}
        network = pretrained.model("ViTModel", weights, EXAMPLE, device, dtype, **settings)
    patch = network.config.patch_size
    mean, deviation = (torch.tensor(x, device=device).view(3, 1, 1) for x in (MEAN, DEVIATION))

    @torch.no_grad()
    def dino(frame: np.ndarray) -> np.ndarray:
        pretrained.check_picture(frame)
        rows, columns = (max(1, side // patch) for side in sides(*frame.shape[:2], size))
        if size is None and rows * columns > MOST:
            problem = f"a frame of {frame.shape[0]} x {frame.shape[1]} (height x width) is "
            problem += f"{rows * columns:,} patches of {patch} pixels a side, more than {MOST:,}"
            remedy = "Have it resized: --size PIXELS, its longer side, such as 480"
            raise DataError(problem, file=weights, remedy=remedy)
        resized = Image.fromarray(frame).resize((columns * patch, rows * patch), Image.LANCZOS)
        picture = torch.from_numpy(np.array(resized)).to(device).permute(2, 0, 1) / 255
        keys = _last_keys(network, ((picture - mean) / deviation)[None])[0, 1:].float()
        unit = torch.nn.functional.normalize(keys, dim=-1)
        return unit.reshape(rows, columns, -1).cpu().numpy()

    return dino


def sides(height: int, width: int, size: tuple[int, int] | int | None) -> tuple[int, int]:
    """Height and width that a frame is resized to: its own, those given, or in its own shape with
    the longer side given."""
    if isinstance(size, int):
        longer = max(height, width)
        return round(height * size / longer), round(width * size / longer)
    return size or (height, width)


def _last_keys(network: nn.Module, pictures: Tensor) -> Tensor:
    """(B, 3, h, w) -> (B, 1 + patches, C). Of the last block nothing else is computed."""
    dtype = network.embeddings.patch_embeddings.projection.weight.dtype
    seen = network.embeddings(pictures.to(dtype), interpolate_pos_encoding=True)
    for block in network.layers[:-1]:
        seen = block(seen)
    last = network.layers[-1]
    return last.attention.k_proj(last.layernorm_before(seen))


def _of_dino(file: Path, heads: int | None) -> nn.Module:
    """A ViTModel whose sizes are read off the tensors of a file under DINO's own names."""
    transformers = pretrained.library()
    remedy = "Give a *_pretrain.pth of DINO's ViTs, or a folder in Hugging Face's format"
    try:
        theirs = torch_files.weights(file)
        hidden = theirs["cls_token"].shape[-1]
        patch = theirs["patch_embed.proj.weight"].shape[-1]
        side = math.isqrt(theirs["pos_embed"].shape[1] - 1)
        config = transformers.ViTConfig(
            hidden_size=hidden,
            num_hidden_layers=len([name for name in theirs if name.endswith(".attn.qkv.weight")]),
            num_attention_heads=heads or max(1, hidden // HEAD),
            intermediate_size=theirs["blocks.0.mlp.fc1.weight"].shape[0],
            image_size=side * patch,
            patch_size=patch,
            layer_norm_eps=1e-6,
        )
        with torch.device("meta"):  # the sizes that single tensors claim, at no cost
            network = transformers.ViTModel(config, add_pooling_layer=False)
        network.load_state_dict(_renamed(theirs), assign=True)
    except Exception as error:  # a file of something else can fail anywhere
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        problem = f"these are no weights of a ViT under DINO's names ({said})"
        raise DataError(problem, file=file, remedy=remedy) from error
    return network


def _renamed(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    ours: dict[str, Tensor] = {}
    for name, tensor in theirs.items():
        for pattern, replacement in _RULES:
            name = re.sub(pattern, replacement, name)
        if ".qkv." in name:
            for letter, third in zip("qkv", tensor.chunk(3), strict=True):
                ours[name.replace("qkv", f"{letter}_proj")] = third
        else:
            ours[name] = tensor
    return ours
