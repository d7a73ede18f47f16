"""The pixel decoder of Mask2Former: a picture's features, told of each other across its scales.

Every pixel of the three coarser feature maps is a token. Each encoder layer lets every token look
at a few points around its own place, on all three maps; where these points lie and how much each of
them counts is read off the token itself (deformable attention). The finest map then gets what the
coarser ones learned, enlarged and added, and becomes the pixels' embeddings, which queries are
multiplied with.

Its tensors are called as in transformers' Mask2Former.
"""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.models import positions
from evis.models.config import ModelConfig

LEVELS = 3  # feature maps whose pixels are tokens
POINTS = 4  # that a head looks at on each of them

Size = tuple[int, int]  # height, width


class Decoded(NamedTuple):
    multi_scale_features: list[Tensor]  # LEVELS of (N, C, h_l, w_l), coarse to fine
    mask_features: Tensor  # (N, D, h, w): each pixel's embedding, at the finest stride


class PixelDecoder(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        finest, *others = config.backbone.widths
        width = config.hidden
        self.level_embed = nn.Parameter(torch.empty(LEVELS, width))
        self.input_projections = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, width, 1), GroupNorm(32, width))
            for channels in reversed(others)
        )
        layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.encoder = nn.ModuleDict({"layers": layers})
        self.mask_projection = nn.Conv2d(width, config.mask_channels, 1)
        self.adapter_1 = nn.Sequential(
            nn.Conv2d(finest, width, 1, bias=False), GroupNorm(32, width)
        )
        self.layer_1 = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), GroupNorm(32, width), nn.ReLU()
        )
        nn.init.normal_(self.level_embed)
        for layer in layers:
            layer.self_attn.start()

    def forward(self, maps: Sequence[Tensor]) -> Decoded:
        """maps: the backbone's four (N, C_l, h_l, w_l), fine to coarse."""
        finest, *others = maps
        projected = [
            project(features)
            for project, features in zip(self.input_projections, reversed(others), strict=True)
        ]
        sizes = [tuple(features.shape[-2:]) for features in projected]
        grid = Grid.of(sizes, self.level_embed.dtype, finest.device)
        position = torch.cat(
            [
                positions.plane(*size, len(level), finest.device).flatten(0, 1) + level
                for size, level in zip(grid.sizes, self.level_embed, strict=True)
            ]
        )  # (S, C)
        tokens = torch.cat([features.flatten(2) for features in projected], 2).mT  # (N, S, C)
        tokens = tokens.flatten(0, 1)
        for layer in self.encoder["layers"]:
            tokens = layer(tokens, position, grid)
        tokens = tokens.unflatten(0, (len(finest), -1))
        features = [part.mT.unflatten(2, size) for part, size in grid.split(tokens, 1)]
        enlarged = F.interpolate(features[-1], finest.shape[-2:], mode="bilinear")
        fine = self.layer_1(self.adapter_1(finest) + enlarged)
        pixels = _over_channels(self.mask_projection, fine.flatten(2))
        return Decoded(features, pixels.unflatten(2, fine.shape[-2:]))


class GroupNorm(nn.GroupNorm):
    """Norms single values too, to the bias; torch's refuses them, and frames of few pixels are."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.group_norm(inputs, self.num_groups, self.weight, self.bias, self.eps)


@dataclass(frozen=True)
class Grid:
    """The tokens' places, level after level, where a picture reaches from -1 to 1 either way."""

    sizes: Sequence[Size]  # of LEVELS, coarse to fine
    centres: Tensor  # (2, S): x and y of each token
    pixel: Tensor  # (LEVELS, 2): how wide and how high a pixel is

    @classmethod
    def of(cls, sizes: Sequence[Size], dtype: torch.dtype, device: torch.device) -> "Grid":
        kind, centres = {"dtype": dtype, "device": device}, []
        for height, width in sizes:
            x = (2 * torch.arange(width, **kind) + 1) / width - 1
            y = (2 * torch.arange(height, **kind) + 1) / height - 1
            centres.append(torch.stack([x.repeat(height), y.repeat_interleave(width)]))
        # Not made of a list, which a GPU would be waited for to get.
        sides = [torch.full((), 2 / side, **kind) for size in sizes for side in reversed(size)]
        return cls(sizes, torch.cat(centres, 1), torch.stack(sides).view(-1, 2))

    def split(self, tokens: Tensor, dim: int) -> list[tuple[Tensor, Size]]:
        """What belongs to each level, and the level's size."""
        parts = tokens.split([height * width for height, width in self.sizes], dim)
        return list(zip(parts, self.sizes, strict=True))


class EncoderLayer(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        width = config.hidden
        self.self_attn = DeformableAttention(width, config.heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, config.encoder_feed_forward)
        self.fc2 = nn.Linear(config.encoder_feed_forward, width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor, position: Tensor, grid: Grid) -> Tensor:
        """tokens (N * S, C), position (S, C) -> (N * S, C)"""
        read = self.self_attn(tokens, position, grid)
        tokens = self.self_attn_layer_norm(tokens + self.dropout(read))
        grown = self.dropout(F.relu(self.fc1(tokens)))
        return self.final_layer_norm(tokens + self.dropout(self.fc2(grown)))


class DeformableAttention(nn.Module):
    """A token reads LEVELS x POINTS points a head, between pixels too, and weighs them.

    Under autocast the points' places are in full precision all the same. All that has an entry a
    token keeps the tokens as its last axis: it is the longest.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.sampling_offsets = nn.Linear(width, heads * LEVELS * POINTS * 2)
        self.attention_weights = nn.Linear(width, heads * LEVELS * POINTS)
        self.value_proj = nn.Linear(width, width)
        self.output_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, position: Tensor, grid: Grid) -> Tensor:
        """tokens (N * S, C), position (S, C) -> (N * S, C)"""
        tokens = tokens.unflatten(0, (-1, len(position))).mT
        placed = tokens + position.mT
        heads = len(tokens) * self.heads
        values = _over_channels(self.value_proj, tokens).view(heads, -1, tokens.shape[2])
        weights = _over_channels(self.attention_weights, placed).view(heads, LEVELS * POINTS, -1)
        weights = weights.softmax(1).unsqueeze(1).split(POINTS, 2)  # (heads, 1, POINTS, S) each
        device = tokens.device.type
        has_autocast = torch.amp.is_autocast_available(device)
        with torch.autocast(device, enabled=False) if has_autocast else nullcontext():
            offsets = _over_channels(self.sampling_offsets, placed.to(grid.centres.dtype))
        offsets = offsets.view(heads, LEVELS, POINTS, 2, -1)
        places = torch.addcmul(grid.centres, offsets, grid.pixel[:, None, :, None]).mT.unbind(1)
        first, second, third = (
            (F.grid_sample(of_level.unflatten(2, size), where, align_corners=False) * weight).sum(2)
            for (of_level, size), where, weight in zip(
                grid.split(values, 2), places, weights, strict=True
            )
        )  # from (heads, C / heads, POINTS, S) each
        read = (first + second + third).view_as(tokens).mT
        return self.output_proj(read.flatten(0, 1))

    @torch.no_grad()
    def start(self) -> None:
        """As Deformable DETR starts: a direction a head, its points 1, 2, ... pixels away."""
        nn.init.zeros_(self.sampling_offsets.weight)
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        for projection in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)
        angle = torch.arange(self.heads) * (2 * math.pi / self.heads)
        direction = torch.stack([angle.cos(), angle.sin()], -1)
        direction = direction / direction.abs().amax(-1, keepdim=True)  # (heads, 2), on a square
        steps = torch.arange(1, POINTS + 1)[:, None]
        offsets = direction[:, None, None] * steps.expand(LEVELS, -1, 1)
        self.sampling_offsets.bias.copy_(offsets.flatten())


def _over_channels(layer: nn.Linear | nn.Conv2d, inputs: Tensor) -> Tensor:
    """A linear layer, or a convolution of one pixel, on (N, C, S) -> (N, C', S).

    As one batched product: that costs a CPU less than convolutions and transposed copies do.
    """
    weight = layer.weight.flatten(1).expand(len(inputs), -1, -1)
    return torch.baddbmm(layer.bias[:, None], weight, inputs)
