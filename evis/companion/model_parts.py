"""What the parts of a video Mask2Former make of a clip, read off without a change to the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from evis.models import ModelConfig, VideoMask2Former
from evis.models.video_decoder import LEVELS, VideoDecoder, elsewhere


@dataclass(frozen=True)
class Seen:
    """What the parts that see each frame alone make of a clip; all (1, T, channels, h, w)."""

    maps: list[Tensor]  # of the backbone, fine to coarse
    features: list[Tensor]  # of the pixel decoder, coarse to fine
    pixels: Tensor  # of the pixel decoder, the embeddings that masks are made with

    def first(self, count: int) -> "Seen":
        """The same of the clip's first frames; no frame depends on the others."""
        maps, features = ([m[:, :count] for m in own] for own in (self.maps, self.features))
        return Seen(maps, features, self.pixels[:, :count])

    def each_frame(self) -> "Seen":
        """The same as T clips of one frame."""
        maps, features = ([m.transpose(0, 1) for m in own] for own in (self.maps, self.features))
        return Seen(maps, features, self.pixels.transpose(0, 1))


@torch.no_grad()
def see(model: VideoMask2Former, frames: Tensor) -> Seen:
    """frames (1, T, 3, h, w), with sides that the coarsest stride divides."""
    pictures = (frames[0] - model.mean) / model.deviation
    maps = model.backbone(pictures).feature_maps
    decoded = model.pixel_decoder(list(maps))
    return Seen(
        [m[None] for m in maps],
        [f[None] for f in decoded.multi_scale_features],
        decoded.mask_features[None],
    )


@contextmanager
def recorded(decoder: VideoDecoder) -> Iterator[list[Tensor]]:
    """Inside, each run of a layer puts its masked attention's weights on the list.

    They are (B, heads, Q, L), with the L pixels of all frames of the layer's level.
    """
    weights: list[Tensor] = []
    with _told(decoder, need_weights=True, average_attn_weights=False):
        hooks = [
            layer.cross_attention.register_forward_hook(lambda _, __, out: weights.append(out[1]))
            for layer in decoder.layers
        ]
        try:
            yield weights
        finally:
            for hook in hooks:
                hook.remove()


@contextmanager
def opened(decoder: VideoDecoder) -> Iterator[None]:
    """Inside, no query is kept from any pixel: cross-attention without masks."""
    with _told(decoder, attn_mask=None):
        yield


@contextmanager
def _told(decoder: VideoDecoder, **arguments: Any) -> Iterator[None]:
    """Inside, cross-attention is called with these arguments instead of its own."""
    hooks = [
        layer.cross_attention.register_forward_pre_hook(
            lambda _, args, kwargs: (args, kwargs | arguments), with_kwargs=True
        )
        for layer in decoder.layers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True)
class Look:
    """One query in one layer of the decoder. (T, h, w) each, the first two at the level's size."""

    open: Tensor  # bool: the pixels it may read
    weights: Tensor  # how much it reads from each, mean over the heads; the sum is 1
    mask: Tensor  # logits: the mask it gives after the layer


@torch.no_grad()
def follow(decoder: VideoDecoder, seen: Seen, query: int) -> list[Look]:
    """One query through the layers."""
    with recorded(decoder) as weights:
        prediction = decoder(seen.features, seen.pixels)
    masks = [*(layer.mask_logits for layer in prediction.layers), prediction.mask_logits]
    looks = []
    for number, read in enumerate(weights):
        _, frames, _, height, width = seen.features[number % LEVELS].shape
        size = frames, height, width
        closed = elsewhere(masks[number], (height, width))[0, query]
        mean = read[0, :, query].mean(0)
        looks.append(Look(~closed.view(size), mean.view(size), masks[number + 1][0, query]))
    return looks


def track_ious(mask_logits: Tensor, truth: Tensor) -> Tensor:
    """(Q, T, h', w') logits against (N, T, h, w) true masks, over all frames at once: (N, Q)."""
    masks = F.interpolate(mask_logits, truth.shape[-2:], mode="bilinear", align_corners=False) > 0
    masks, truth = masks.flatten(1).double(), truth.flatten(1).double()
    shared = truth @ masks.T
    return shared / (truth.sum(1, keepdim=True) + masks.sum(1) - shared).clamp_min(1)


def as_colours(features: Tensor) -> np.ndarray:
    """(T, C, h, w) -> (T, h, w, 3): the three principal components of all pixels as RGB, 0..1."""
    frames, _, height, width = features.shape
    points = features.permute(0, 2, 3, 1).flatten(0, 2).double()
    points = points - points.mean(0)
    _, _, directions = torch.linalg.svd(points, full_matrices=False)
    directions = directions[:3] * directions[:3].sum(1).sign()[:, None]  # SVD leaves the sign open
    parts = points @ directions.T
    low, high = parts.quantile(0.02, dim=0), parts.quantile(0.98, dim=0)
    colours = ((parts - low) / (high - low)).clamp(0, 1)
    return colours.unflatten(0, (frames, height, width)).numpy()


def costs(config: ModelConfig, frames: int, size: tuple[int, int]) -> pd.DataFrame:
    """Parameters and multiply-adds of each part, for one clip; no number is really computed.

    Convolutions and matrix products are counted, attention's among them; not what is done pixel by
    pixel, such as norms and the sampling of deformable attention.
    """
    counted = {}
    with FakeTensorMode(), sdpa_kernel(SDPBackend.MATH):  # tensors that have shapes only
        model = VideoMask2Former(config).eval().requires_grad_(False)
        with FlopCounterMode(display=False) as counted["backbone"]:
            maps = model.backbone(torch.zeros(frames, 3, *size)).feature_maps
        with FlopCounterMode(display=False) as counted["pixel decoder"]:
            decoded = model.pixel_decoder(list(maps))
        features = [f[None] for f in decoded.multi_scale_features]
        with FlopCounterMode(display=False) as counted["video decoder"]:
            model.decoder(features, decoded.mask_features[None])
    modules = model.backbone, model.pixel_decoder, model.decoder
    parameters = [sum(p.numel() for p in module.parameters()) for module in modules]
    multiply_adds = [counter.get_total_flops() // 2 for counter in counted.values()]
    return pd.DataFrame({"parameters": parameters, "multiply-adds": multiply_adds}, list(counted))
