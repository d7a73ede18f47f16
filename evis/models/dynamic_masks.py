"""Masks by networks that queries write (CondInst's dynamic mask head, as IDOL has it).

A query has no mask of its own to give. It writes the numbers of a network of three layers instead,
and that network, applied to every pixel, says whether the pixel is the query's. A pixel is told by
a few channels of what it is like, the same for all queries, and by its place relative to the
query's centre.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.models.config import ModelConfig

MAPS = 3  # feature maps that tell what a pixel is like
HIDDEN = 8  # channels between the three layers


class DynamicMasks(nn.Module):
    """stride: of the finest map."""

    def __init__(self, config: ModelConfig, stride: int):
        super().__init__()
        self.stride = stride
        width, channels = config.hidden, config.mask_channels
        self.branch = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1)
            for before, after in pairwise([*[width] * (MAPS + 1), width // 4, channels])
        )
        widths = [2 + channels, HIDDEN, HIDDEN, 1]
        self.shapes = [(after, before) for before, after in pairwise(widths)]  # of weights
        self.shapes += [(after, 1) for after in widths[1:]]  # of biases
        numbers = sum(math.prod(shape) for shape in self.shapes)  # 169 with 8 channels
        self.controller = perceptron(width, numbers)
        for layer in self.branch:
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)
        for layer in self.controller[::2]:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def describe(self, maps: Sequence[Tensor]) -> Tensor:
        """MAPS of (N, C, h_l, w_l), fine to coarse -> what pixels are like, (N, channels, h, w)."""
        coarsest, *finer = reversed(maps)
        pixels = F.relu(self.branch[0](coarsest))
        for features, layer in zip(finer, self.branch[1:MAPS], strict=True):
            pixels = F.interpolate(pixels, features.shape[-2:]) + features
            pixels = F.relu(layer(pixels))
        for layer in self.branch[MAPS:]:
            pixels = F.relu(layer(pixels))
        return pixels

    def forward(self, queries: Tensor, centres: Tensor, pixels: Tensor) -> Tensor:
        """Logits (N, Q, 2 h, 2 w) of queries (N, Q, C) on pixels (N, channels, h, w).

        centres: (N, Q, 2), x and y in pixels of the picture. A place relative to a centre is taken
        apart, into the centre, which goes to the bias, and the place, which all queries share.
        """
        queries = self.controller(queries).split([math.prod(shape) for shape in self.shapes], -1)
        numbers = [q.unflatten(-1, shape) for q, shape in zip(queries, self.shapes, strict=True)]
        weights, biases = numbers[:3], numbers[3:]  # (N, Q, after, before), (N, Q, after, 1)
        biases[0] = biases[0] + weights[0][..., :2] @ centres.unsqueeze(-1)
        y, x = (
            self.stride * (torch.arange(n, device=pixels.device) + 0.5) for n in pixels.shape[2:]
        )
        places = torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x))]).to(pixels)
        inputs = torch.cat([-places.expand(len(pixels), -1, -1, -1), pixels], 1).flatten(2)
        hidden = weights[0].flatten(1, 2) @ inputs  # (N, Q * HIDDEN, h * w), once for all queries
        hidden = hidden.unflatten(1, weights[0].shape[1:3]) + biases[0]
        for weight, bias in zip(weights[1:], biases[1:], strict=True):
            hidden = weight @ F.relu(hidden) + bias
        return doubled(hidden.squeeze(2).unflatten(2, pixels.shape[2:]))


def doubled(maps: Tensor) -> Tensor:
    """(N, Q, h, w) -> (N, Q, 2 h, 2 w): value j goes to 2 j + 1, the mean of two between them."""
    height, width = maps.shape[-2:]
    maps = F.pad(maps, (1, 0, 1, 0), mode="replicate")
    size = 2 * height + 1, 2 * width + 1
    return F.interpolate(maps, size, mode="bilinear", align_corners=True)[..., 1:, 1:]


def perceptron(width: int, outputs: int) -> nn.Sequential:
    """Three layers, as all heads on queries have."""
    return nn.Sequential(
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, outputs),
    )
