"""The video decoder of Mask2Former: queries that look at the pixels of all frames at once.

A query is a vector that comes to stand for one object, or for none. Each layer lets it gather what
it needs, in three steps:

    masked attention   the query reads the pixels, but only those that its own mask, as predicted by
                       the layer before, claims for it, in every frame of the clip
    self-attention     the queries settle among themselves who takes which object
    feed forward       each query digests what it read

and after each layer two small heads say what the queries mean by now: a class, and a mask, which is
the query's inner product with every pixel's embedding. One query has one mask embedding for all
frames, so an object keeps its identity without any tracker. T = 1 gives the model for pictures.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from evis.data.clip_prediction import ClipPrediction
from evis.models import positions
from evis.models.config import ModelConfig
from evis.models.dynamic_masks import perceptron
from evis.models.pixel_decoder import LEVELS


class VideoDecoder(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        width = config.hidden
        self.query_content = nn.Parameter(torch.randn(config.queries, width))
        self.query_position = nn.Parameter(torch.randn(config.queries, width))
        self.level_embedding = nn.Parameter(torch.randn(LEVELS, width))
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(width)
        self.classify = nn.Linear(width, config.classes + 1)
        self.embed_mask = perceptron(width, config.mask_channels)
        self.stride = config.backbone.strides[0]

    def forward(
        self,
        features: list[Tensor],
        pixels: Tensor,
        size: tuple[int, int] | None = None,
        every_layer: bool = True,
        recompute: bool = False,
    ) -> ClipPrediction:
        """features: LEVELS of (B, T, C, h_l, w_l), coarse to fine; pixels: (B, T, D, h, w).

        size: of the masks, if not of the pixels, whose upper left part they are.
        """
        batch = len(pixels)
        values = [
            (f.permute(0, 1, 3, 4, 2).flatten(1, 3) + level).flatten(0, 1)  # (B*T*h*w, C)
            for f, level in zip(features, self.level_embedding, strict=True)
        ]
        keys = [
            (v.unflatten(0, (batch, -1)) + sine_positions(f).flatten(0, 2)).flatten(0, 1)
            for v, f in zip(values, features, strict=True)
        ]
        small = [smaller(pixels, f.shape[-2:]) for f in features]
        height, width = size or pixels.shape[-2:]
        pixels = pixels[..., :height, :width].transpose(1, 2).contiguous()  # (B, D, T, h, w)
        states = [self.query_content.repeat(batch, 1)]  # (B * Q, C)
        position = self.query_position.repeat(batch, 1)
        for number, layer in enumerate(self.layers):
            level, queries = number % LEVELS, states[-1]
            with torch.no_grad():
                closed = elsewhere(self.masks(self.norm(queries), small[level]))
            inputs = queries, position, keys[level], values[level], closed
            if recompute and torch.is_grad_enabled():
                states.append(checkpoint(layer, *inputs, use_reentrant=False))
            else:
                states.append(layer(*inputs))
        states = states if every_layer else states[-1:]
        layers = torch.stack([state.unflatten(0, (batch, -1)) for state in states], 1)
        return self.predict(layers, pixels)

    def predict(self, queries: Tensor, pixels: Tensor) -> ClipPrediction:
        """What queries (B, L, Q, C) mean after each of L layers; pixels: (B, D, T, h, w)."""
        queries = self.norm(queries)
        masks = self.masks(queries.flatten(0, 2), pixels.flatten(2))
        masks = masks.view(*queries.shape[:3], *pixels.shape[2:])
        parts = self.classify(queries), masks, queries
        *earlier, last = (
            ClipPrediction(*of_layer[:2], embeddings=of_layer[2], stride=self.stride)
            for of_layer in zip(*(part.unbind(1) for part in parts), strict=True)
        )
        return replace(last, layers=tuple(earlier))

    def masks(self, queries: Tensor, pixels: Tensor) -> Tensor:
        """Logits (B, Q, P) of normalised queries (B * Q, C) on P pixels (B, D, P)."""
        return torch.bmm(self.embed_mask(queries).unflatten(0, (len(pixels), -1)), pixels)


class DecoderLayer(nn.Module):
    """Masked attention, self-attention, feed forward; each adds to its input and normalises."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        width, heads = config.hidden, config.heads
        self.cross_attention = Attention(width, heads, config.dropout)
        self.cross_norm = nn.LayerNorm(width)
        self.self_attention = Attention(width, heads, config.dropout)
        self.self_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.decoder_feed_forward),
            nn.ReLU(),
            nn.Linear(config.decoder_feed_forward, width),
        )
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self, queries: Tensor, position: Tensor, keys: Tensor, values: Tensor, closed: Tensor
    ) -> Tensor:
        """queries and their position (B * Q, C); keys, values (B * L, C); closed (B, Q, L).

        Positions tell where to look and are added to what is compared, not to what is read: keys
        are values with their places.
        """
        batch = len(closed)
        read, _ = self.cross_attention(queries + position, keys, values, batch, attn_mask=closed)
        queries = self.cross_norm(queries + self.dropout(read))
        placed = queries + position
        read, _ = self.self_attention(placed, placed, queries, batch)
        queries = self.self_norm(queries + self.dropout(read))
        grow, cut_off, shrink = self.feed_forward
        grown = self.dropout(cut_off(grow(queries)))
        return self.feed_forward_norm(queries + self.dropout(shrink(grown)))


class Attention(nn.MultiheadAttention):
    """torch's own, in fewer operations where nobody asks for the weights that it reads with."""

    def forward(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        batch: int,
        attn_mask: Tensor | None = None,
        need_weights: bool = False,
        **how: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """queries (B * Q, C); keys, values (B * L, C); attn_mask (B, Q, L), what is closed.

        -> (B * Q, C) and, if asked for, the weights.
        """
        if need_weights:
            apart = [x.unflatten(0, (batch, -1)).transpose(0, 1) for x in (queries, keys, values)]
            closed = attn_mask.repeat_interleave(self.num_heads, 0)  # (B * heads, Q, L)
            read, weights = super().forward(*apart, attn_mask=closed, **how)
            return read.transpose(0, 1).flatten(0, 1), weights
        # Where queries and keys are made of the same, one product makes both.
        inputs = (queries, values) if keys is queries else (queries, keys, values)
        sizes = [(4 - len(inputs)) * self.embed_dim, *[self.embed_dim] * (len(inputs) - 1)]
        weights, biases = self.in_proj_weight.split(sizes), self.in_proj_bias.split(sizes)
        heads = [
            F.linear(x, weight, bias).view(batch, -1, len(bias) // self.head_dim, self.head_dim)
            for x, weight, bias in zip(inputs, weights, biases, strict=True)
        ]
        heads = [x.transpose(1, 2) for x in heads]  # (B, heads, Q or L, C / heads)
        first = heads[0].chunk(2, 1) if keys is queries else heads[:1]
        is_open = None if attn_mask is None else ~attn_mask.unsqueeze(1)
        dropout = self.dropout if self.training else 0.0
        read = F.scaled_dot_product_attention(*first, *heads[1:], is_open, dropout)
        return self.out_proj(read.transpose(1, 2).reshape(len(queries), -1)), None


@torch.no_grad()
def smaller(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, T, D, h, w) -> (B, D, T * h' * w') of this size, bilinear.

    A mask is linear in the pixels, so that what it is at this size needs no mask at full size.
    """
    small = F.interpolate(pixels.flatten(0, 1), size, mode="bilinear", align_corners=False)
    return small.unflatten(0, pixels.shape[:2]).transpose(1, 2).flatten(2)


def elsewhere(mask_logits: Tensor) -> Tensor:
    """(B, Q, P) -> (B, Q, P) bool: the pixels outside a query's mask, closed to it.

    A query with an empty mask may look everywhere: it has yet to find its object.
    """
    closed = mask_logits < 0
    return closed & ~closed.all(-1, keepdim=True)


def sine_positions(features: Tensor) -> Tensor:
    """Where each pixel of (B, T, C, h, w) lies in time and space: (T, h, w, C).

    The code of t, as wide as those of y and x together, is added to them.
    """
    _, frames, channels, height, width = features.shape
    time = positions.sines(frames, channels, features.device)[:, None, None]
    return positions.plane(height, width, channels, features.device) + time
