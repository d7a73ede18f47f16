"""Mask2Former for video instance segmentation: frames in, for every query a class and a mask."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import Mask2FormerConfig
from transformers.models.mask2former.modeling_mask2former import Mask2FormerPixelDecoder

from evis.data.clip_prediction import ClipPrediction
from evis.models import backbones
from evis.models.config import ModelConfig
from evis.models.video_decoder import VideoDecoder

MEAN = (123.675, 116.28, 103.53)  # of ImageNet, RGB
DEVIATION = (58.395, 57.12, 57.375)


class VideoMask2Former(nn.Module):
    """Backbone and pixel decoder see each frame alone; the video decoder sees all of them."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.backbone = backbones.build(config.backbone)
        self.pixel_decoder = _pixel_decoder(config)
        self.decoder = VideoDecoder(config)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, frames: Tensor) -> ClipPrediction:
        """frames: (B, T, 3, h, w) RGB, 0..255 -> masks at 1/stride of that size, rounded up.

        Pictures whose sides the coarsest stride doesn't divide are padded with the mean colour, and
        the padding is cut off the masks again.
        """
        _check(frames)
        height, width = frames.shape[-2:]
        coarsest, finest = self.config.backbone.strides[-1], self.config.backbone.strides[0]
        pictures = (frames.flatten(0, 1) - self.mean) / self.deviation
        pictures = F.pad(pictures, (0, -width % coarsest, 0, -height % coarsest))
        features, pixels = self.see(pictures)
        prediction = self.decoder(
            [f.unflatten(0, frames.shape[:2]) for f in features],
            pixels.unflatten(0, frames.shape[:2]),
        )
        return _crop(prediction, math.ceil(height / finest), math.ceil(width / finest))

    def see(self, pictures: Tensor) -> tuple[list[Tensor], Tensor]:
        """(N, 3, h, w), normalised -> features, coarse to fine, and pixel embeddings."""
        if self.recompute_activations and torch.is_grad_enabled():
            maps = checkpoint(self._features, pictures, use_reentrant=False)
            return checkpoint(self._decode_pixels, maps, use_reentrant=False)
        return self._decode_pixels(self._features(pictures))

    def _features(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return self.backbone(pictures).feature_maps

    def _decode_pixels(self, maps: tuple[Tensor, ...]) -> tuple[list[Tensor], Tensor]:
        with torch.autocast(
            maps[0].device.type, enabled=False
        ):  # as the reference: offsets need it
            decoded = self.pixel_decoder([f.float() for f in maps])
        return list(decoded.multi_scale_features), decoded.mask_features

    @property
    def recompute_activations(self) -> bool:
        """Whether training recomputes activations in the backward pass: less memory, more time."""
        return self.decoder.recompute

    @recompute_activations.setter
    def recompute_activations(self, wanted: bool) -> None:
        self.decoder.recompute = wanted


def _pixel_decoder(config: ModelConfig) -> Mask2FormerPixelDecoder:
    strides = config.backbone.strides
    decoder = Mask2FormerPixelDecoder(
        Mask2FormerConfig(
            feature_size=config.hidden,
            mask_feature_size=config.mask_channels,
            num_attention_heads=config.heads,
            encoder_layers=config.encoder_layers,
            encoder_feedforward_dim=config.encoder_feed_forward,
            feature_strides=list(strides),
            common_stride=strides[0],
            dropout=0.0,
        ),
        feature_channels=list(config.backbone.widths),
    )
    nn.init.normal_(decoder.level_embed)
    for layer in decoder.encoder.layers:
        _start_deformable(layer.self_attn, config.heads)
    return decoder


def _start_deformable(attention: nn.Module, heads: int) -> None:
    """As Deformable DETR starts: a direction a head, its points 1, 2, ... pixels away."""
    nn.init.zeros_(attention.sampling_offsets.weight)
    nn.init.zeros_(attention.attention_weights.weight)
    nn.init.zeros_(attention.attention_weights.bias)
    for projection in (attention.value_proj, attention.output_proj):
        nn.init.xavier_uniform_(projection.weight)
        nn.init.zeros_(projection.bias)
    angle = torch.arange(heads) * (2 * math.pi / heads)
    direction = torch.stack([angle.cos(), angle.sin()], -1)
    direction = direction / direction.abs().amax(-1, keepdim=True)  # (heads, 2), on a square
    steps = torch.arange(1, attention.n_points + 1).view(1, 1, -1, 1)
    offsets = direction[:, None, None] * steps.expand(1, attention.n_levels, -1, 1)
    with torch.no_grad():
        attention.sampling_offsets.bias.copy_(offsets.flatten())


def _crop(prediction: ClipPrediction, height: int, width: int) -> ClipPrediction:
    return ClipPrediction(
        prediction.class_logits,
        prediction.mask_logits[..., :height, :width],
        tuple(_crop(layer, height, width) for layer in prediction.layers),
        prediction.embeddings,
        prediction.stride,
    )


def _check(frames: Tensor) -> None:
    if frames.ndim != 5 or frames.shape[2] != 3 or 0 in frames.shape:
        raise ValueError(
            f"frames should be (clips, frames, 3, height, width), RGB, got {tuple(frames.shape)}"
        )
