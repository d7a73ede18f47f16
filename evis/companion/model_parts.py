"""What the parts of a video Mask2Former make of a clip, read off without a change to the model."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evis.models import VideoMask2Former
from evis.models.video_decoder import LEVELS, VideoDecoder


@dataclass(frozen=True)
class Seen:
    """What the parts that see each frame alone make of a clip; all (1, T, channels, h, w)."""

    maps: list[Tensor]  # of the backbone, fine to coarse
    features: list[Tensor]  # of the pixel decoder, coarse to fine
    pixels: Tensor  # of the pixel decoder, the embeddings that masks are made with

    def first(self, count: int) -> "Seen":
        """The same of the clip's first frames; no frame depends on the others."""
        return self._each(lambda tensor: tensor[:, :count])

    def each_frame(self) -> "Seen":
        """The same as T clips of one frame."""
        return self._each(lambda tensor: tensor.transpose(0, 1))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Seen":
        return Seen([*map(change, self.maps)], [*map(change, self.features)], change(self.pixels))


@torch.no_grad()
def see(model: VideoMask2Former, frames: Tensor) -> Seen:
    """frames (1, T, 3, h, w), with sides that the coarsest stride divides."""
    pictures = (frames[0] - model.mean) / model.deviation
    maps = model.backbone(pictures).feature_maps
    decoded = model.pixel_decoder(list(maps))
    features = [f[None] for f in decoded.multi_scale_features]
    return Seen([m[None] for m in maps], features, decoded.mask_features[None])


@contextmanager
def attention(decoder: VideoDecoder, **arguments: Any) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Inside, masked attention is called with these arguments in place of its own.

    The list gets, for each run of a layer, the pixels (B, Q, L) that are closed to a query,
    and the weights that all others are read with, if these are asked for. L: of all frames.
    """
    runs: list[tuple[Tensor, Tensor]] = []
    with ExitStack() as hooks:
        for layer in decoder.layers:
            before = layer.cross_attention.register_forward_pre_hook(
                lambda _, args, own: (args, own | arguments), with_kwargs=True
            )
            after = layer.cross_attention.register_forward_hook(
                lambda _, args, own, given: runs.append((own["attn_mask"], given[1])),
                with_kwargs=True,
            )
            for hook in (before, after):
                hooks.callback(hook.remove)
        yield runs


@dataclass(frozen=True)
class Look:
    """One query in one layer of the decoder. (T, h, w) each, the first two at the level's size."""

    open: Tensor  # bool: the pixels it may read
    weights: Tensor  # how much it reads from each, mean over the heads; the sum is 1
    mask: Tensor  # logits: the mask it gives after the layer


@torch.no_grad()
def follow(decoder: VideoDecoder, seen: Seen, query: int) -> list[Look]:
    """One query through the layers."""
    with attention(decoder, need_weights=True, average_attn_weights=False) as runs:
        prediction = decoder(seen.features, seen.pixels)
    looks = []
    after = (*prediction.layers[1:], prediction)
    for number, ((closed, weights), layer) in enumerate(zip(runs, after, strict=True)):
        _, frames, _, *side = seen.features[number % LEVELS].shape
        read = weights[0, :, query].mean(0).view(frames, *side)  # the mean over heads
        looks.append(Look(~closed[0, query].view(frames, *side), read, layer.mask_logits[0, query]))
    return looks


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
