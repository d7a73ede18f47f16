"""IDOL: Deformable DETR for each frame alone, with a mask and an embedding for every query.

The pixels of four feature maps read each other (the encoder). Queries, each with a place where it
looks, read the pixels and settle among themselves who takes which object (the decoder). After each
of its layers a query tells a class, a mask and a better box, which is where the next layer looks.
After the last it tells an embedding too, by which other frames know the same object again.

Encoder and decoder are transformers' (their class with a detector's heads would freeze or rebuild
our backbones). Numbers are those of the released code (VNext).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from evis.data.frame_prediction import FramePrediction
from evis.models import backbones
from evis.models.config import SIZES as MASK2FORMERS
from evis.models.config import ModelConfig, Swin, Tiny
from evis.models.dynamic_masks import MAPS, DynamicMasks, perceptron
from evis.models.pixel_decoder import POINTS, GroupNorm
from evis.models.video_mask2former import DEVIATION, MEAN, SEEN_AT_ONCE

LEVELS = MAPS + 1  # the backbone's coarser maps, and one made of the coarsest
DROPOUT = 0.1  # in training
PRIOR = 0.01  # the score that every class starts with, as its focal loss asks for

_FULL = ModelConfig(
    classes=1, queries=300, mask_channels=8, decoder_layers=6, decoder_feed_forward=1024
)
_TOY = replace(
    _FULL,
    backbone=MASK2FORMERS["tiny"].backbone,
    queries=20,
    hidden=64,
    heads=4,
    encoder_layers=1,
    encoder_feed_forward=128,
    decoder_layers=3,
    decoder_feed_forward=128,
)
SIZES: dict[str, ModelConfig] = {
    "r50": _FULL,
    "swin_l": replace(_FULL, backbone=MASK2FORMERS["swin_l"].backbone),
    "tiny": _TOY,
    "tiny_l": replace(_TOY, backbone=MASK2FORMERS["tiny_l"].backbone, hidden=96, heads=6),
}


def named(size: str, classes: int, **changes) -> ModelConfig:
    """The config of a size by name, for so many classes; `changes` replace other fields."""
    if size not in SIZES:
        raise ValueError(f"no size of IDOL is called {size!r}; there are {', '.join(SIZES)}")
    return replace(SIZES[size], classes=classes, **changes)


class Seen(NamedTuple):
    """N pictures of one size, as S tokens: the pixels of LEVELS maps, fine to coarse."""

    tokens: Tensor  # (N, S, C)
    valid: Tensor  # (1, S) bool: not padding
    sizes: list[tuple[int, int]]  # height and width of each map
    ratios: Tensor  # (1, LEVELS, 2): how much of each map's width and height isn't padding

    def where(self) -> dict:
        """How transformers' encoder and decoder are told which token lies where."""
        return {
            "spatial_shapes": torch.tensor(self.sizes, device=self.tokens.device),
            "spatial_shapes_list": self.sizes,
            "valid_ratios": self.ratios,
        }

    def maps(self) -> list[Tensor]:
        """(N, C, h_l, w_l), fine to coarse."""
        parts = self.tokens.mT.split([height * width for height, width in self.sizes], 2)
        return [part.unflatten(2, size) for part, size in zip(parts, self.sizes, strict=True)]


class Found(NamedTuple):
    """Q queries after a decoder layer."""

    queries: Tensor  # (N, Q, C)
    boxes: Tensor  # (N, Q, 4) cx, cy, w, h in 0..1
    centres: Tensor  # (N, Q, 2): where the layer started from, x and y in 0..1


class IDOL(nn.Module):
    """shorter_side: of the frames that it was trained on, or that the released code tests on.
    classes: their names in order, as `evis.models.load` reads them; None where a file has none.
    recompute_activations: in the backward pass of training: less memory, more time.
    """

    def __init__(self, config: ModelConfig):
        from transformers import DeformableDetrConfig, ResNetConfig
        from transformers.models.deformable_detr import modeling_deformable_detr as detr

        super().__init__()
        self.config = config
        self.shorter_side = 64 if isinstance(config.backbone, Tiny) else 480
        self.classes: list[str] | None = None
        self.recompute_activations = False
        width, layers = config.hidden, range(config.decoder_layers)
        settings = DeformableDetrConfig(
            use_timm_backbone=False,
            backbone_config=ResNetConfig(),  # never built; without one some versions ask a hub
            d_model=width,
            encoder_layers=config.encoder_layers,
            encoder_ffn_dim=config.encoder_feed_forward,
            encoder_attention_heads=config.heads,
            encoder_n_points=POINTS,
            decoder_layers=config.decoder_layers,
            decoder_ffn_dim=config.decoder_feed_forward,
            decoder_attention_heads=config.heads,
            decoder_n_points=POINTS,
            num_feature_levels=LEVELS,
            dropout=DROPOUT,
            attention_dropout=DROPOUT,
            activation_dropout=DROPOUT,
        )
        self.backbone = backbones.build(config.backbone)
        if isinstance(config.backbone, Swin):  # of the finest map, which nothing reads
            self.backbone.hidden_states_norms["stage1"] = nn.Identity()
        widths = config.backbone.widths[-MAPS:]
        convolutions = [nn.Conv2d(before, width, 1) for before in widths]
        convolutions.append(nn.Conv2d(widths[-1], width, 3, stride=2, padding=1))
        self.projections = nn.ModuleList(
            nn.Sequential(c, GroupNorm(32, width)) for c in convolutions
        )
        self.position = detr.DeformableDetrSinePositionEmbedding(width // 2, normalize=True)
        self.level_embedding = nn.Parameter(torch.randn(LEVELS, width))
        self.encoder = detr.DeformableDetrEncoder(settings)
        self.queries = nn.Parameter(torch.randn(config.queries, 2 * width))  # position, content
        self.first_centre = nn.Linear(width, 2)
        self.decoder = detr.DeformableDetrDecoder(settings)
        self.decoder.bbox_embed = nn.ModuleList(perceptron(width, 4) for _ in layers)
        self.classify = nn.ModuleList(Classifier(width, config.classes) for _ in layers)
        self.masks = DynamicMasks(config, config.backbone.strides[-MAPS])
        self.embed = perceptron(width, width)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """As Deformable DETR starts: each layer leaves boxes as they are, the first makes them."""
        by_transformers = "sampling_offsets", "attention_weights"
        for name, parameter in (*self.encoder.named_parameters(), *self.decoder.named_parameters()):
            if parameter.ndim > 1 and not any(part in name for part in by_transformers):
                nn.init.xavier_uniform_(parameter)
        for layer in (self.first_centre, *(convolution for convolution, _ in self.projections)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        for refine in self.decoder.bbox_embed:
            nn.init.zeros_(refine[-1].weight)
            nn.init.zeros_(refine[-1].bias)
        self.decoder.bbox_embed[0][-1].bias[2:] = -2  # boxes of 0.12 of the picture's sides

    def forward(self, frames: Tensor, every_layer: bool = True) -> FramePrediction:
        """frames: (B, T, 3, h, w) RGB, 0..255 -> masks at 1/stride of that size, rounded up.

        Pictures whose sides the coarsest stride doesn't divide are padded with the mean colour, and
        the padding is cut off the masks again. every_layer=False spares the earlier layers' masks:
        `layers` is empty then.
        """
        if frames.ndim != 5 or frames.shape[2] != 3 or 0 in frames.shape:
            shape = tuple(frames.shape)
            raise ValueError(f"frames should be (clips, frames, 3, height, width), are {shape}")
        pictures = frames.flatten(0, 1)
        at_once = len(pictures)
        if not torch.is_grad_enabled():
            at_once = max(1, SEEN_AT_ONCE // pictures[0, 0].numel())
        parts = [self._predict(some, every_layer) for some in pictures.split(at_once)]
        *earlier, last = (_joined(layer, frames.shape[:2]) for layer in zip(*parts, strict=True))
        return replace(last, layers=tuple(earlier))

    def _predict(self, pictures: Tensor, every_layer: bool) -> list[FramePrediction]:
        """What each decoder layer, or the last one alone, says of pictures (N, 3, h, w)."""
        height, width = pictures.shape[-2:]
        coarsest = self.config.backbone.strides[-1]
        padding = 0, -width % coarsest, 0, -height % coarsest
        valid = F.pad(torch.ones_like(self.mean[None, :1]).expand(-1, -1, height, width), padding)
        pictures = F.pad((pictures - self.mean) / self.deviation, padding)
        maps = self._run(lambda pictures: self.backbone(pictures).feature_maps[-MAPS:], pictures)
        precise = self.level_embedding.dtype
        with torch.autocast(maps[0].device.type, enabled=False):  # places need it
            seen = self._run(self.see, [features.to(precise) for features in maps], valid)
            found = self._run(self.find, seen)
            pixels = self.masks.describe(seen.maps()[:MAPS])
            size = torch.tensor([width, height], device=pixels.device)
            layers, first = [], 0 if every_layer else len(found) - 1
            for classify, layer in zip(self.classify[first:], found[first:], strict=True):
                masks = self._run(self.masks, layer.queries, layer.centres * size, pixels)
                stride = self.masks.stride // 2
                masks = masks[..., : math.ceil(height / stride), : math.ceil(width / stride)]
                layers.append(
                    FramePrediction(classify(layer.queries), layer.boxes, masks, stride=stride)
                )
            layers[-1] = replace(layers[-1], embeddings=self.embed(found[-1].queries))
        return layers

    def _run(self, part: Callable, *inputs):
        if self.recompute_activations and torch.is_grad_enabled():
            return checkpoint(part, *inputs, use_reentrant=False)
        return part(*inputs)

    def see(self, maps: Sequence[Tensor], valid: Tensor) -> Seen:
        """maps: MAPS of (N, C_l, h_l, w_l), fine to coarse; valid: (1, 1, h, w), 0 in the padding.

        No token reads the padding. It stays, as the mask branch sees it beside the picture's edge.
        """
        maps = [project(m) for project, m in zip(self.projections, [*maps, maps[-1]], strict=True)]
        valid = [F.interpolate(valid, m.shape[-2:])[:, 0] for m in maps]  # (1, h_l, w_l)
        ratios = [torch.stack([v[:, 0].mean(1), v[:, :, 0].mean(1)], 1) for v in valid]
        places = [
            self.position(m.shape, m.device, m.dtype, v).flatten(2).mT + level
            for m, v, level in zip(maps, valid, self.level_embedding, strict=True)
        ]
        seen = Seen(
            torch.cat([m.flatten(2).mT for m in maps], 1),
            torch.cat([v.flatten(1) for v in valid], 1).bool(),
            [tuple(m.shape[-2:]) for m in maps],
            torch.stack(ratios, 1).to(maps[0].dtype),
        )
        encoded = self.encoder(
            inputs_embeds=seen.tokens,
            attention_mask=seen.valid,
            spatial_position_embeddings=torch.cat(places, 1),  # (1, S, C)
            **seen.where(),
        )
        return seen._replace(tokens=encoded.last_hidden_state)

    def find(self, seen: Seen) -> list[Found]:
        """What the queries are after each decoder layer.

        A layer's boxes teach that layer alone: the decoder detaches what the next starts from.
        """
        position, content = self.queries.expand(len(seen.tokens), -1, -1).chunk(2, -1)
        centres = self.first_centre(position).sigmoid()
        decoded = self.decoder(
            inputs_embeds=content,
            object_queries_position_embeddings=position,
            encoder_hidden_states=seen.tokens,
            encoder_attention_mask=seen.valid,
            reference_points=centres,
            **seen.where(),
        )
        found, start = [], F.pad(centres.logit(1e-5), (0, 2))
        for queries, refine, boxes in zip(
            decoded.intermediate_hidden_states.unbind(1),
            self.decoder.bbox_embed,
            decoded.intermediate_reference_points.unbind(1),
            strict=True,
        ):
            found.append(Found(queries, (start + refine(queries)).sigmoid(), centres))
            start, centres = boxes.logit(1e-5), boxes[..., :2]
        return found


class Classifier(nn.Linear):
    """Of queries, a logit a class, all of them low at first."""

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.constant_(self.bias, math.log(PRIOR / (1 - PRIOR)))


def _joined(parts: Sequence[FramePrediction], shape: tuple[int, int]) -> FramePrediction:
    """What was said of some pictures each, (N, ...), as of clips and their frames, (B, T, ...)."""

    def join(name: str) -> Tensor | None:
        tensors = [getattr(part, name) for part in parts]
        return None if tensors[0] is None else torch.cat(tensors).unflatten(0, shape)

    fields = ("class_logits", "boxes", "mask_logits", "embeddings")
    return replace(parts[0], **{name: join(name) for name in fields})
