"""Mask2Former for video instance segmentation: frames in, for every query a class and a mask."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from evis.data.clip_prediction import ClipPrediction
from evis.models import backbones
from evis.models.config import ModelConfig, Tiny
from evis.models.pixel_decoder import Decoded, PixelDecoder
from evis.models.video_decoder import VideoDecoder

MEAN = (123.675, 116.28, 103.53)  # of ImageNet, RGB
DEVIATION = (58.395, 57.12, 57.375)
SEEN_AT_ONCE = 2**20  # pixels, where no gradient asks for all of them together


class VideoMask2Former(nn.Module):
    """Backbone and pixel decoder see each frame alone; the video decoder sees all of them.

    shorter_side: of the frames that it was trained on. `evis.models.load` reads it off the recipe
        in a file; without one it is what reference checkpoints, or the toy sizes, are trained on.
    clip_length: frames of the longest clip that it was trained on, read off the recipe too; 1 of a
        model for pictures, None where nothing tells.
    classes: their names in order, as `evis.models.load` reads them; None where a file has none.
    recompute_activations: in the backward pass of training: less memory, more time.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.shorter_side = 64 if isinstance(config.backbone, Tiny) else 360
        self.clip_length: int | None = None
        self.classes: list[str] | None = None
        self.recompute_activations = False
        self.backbone = backbones.build(config.backbone)
        self.pixel_decoder = PixelDecoder(config)
        self.decoder = VideoDecoder(config)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, frames: Tensor, every_layer: bool = True) -> ClipPrediction:
        """frames: (B, T, 3, h, w) RGB, 0..255 -> masks at 1/stride of that size, rounded up.

        Pictures whose sides the coarsest stride doesn't divide are padded with the mean colour, of
        which no mask is made. every_layer=False spares the earlier layers' masks: `layers` is empty
        then.
        """
        if frames.ndim != 5 or frames.shape[2] != 3 or 0 in frames.shape:
            shape = tuple(frames.shape)
            raise ValueError(f"frames should be (clips, frames, 3, height, width), are {shape}")
        clips, length, _, height, width = frames.shape
        features, pixels = self.see(frames.flatten(0, 1))
        finest = self.config.backbone.strides[0]
        return self.decoder(
            [f.unflatten(0, (clips, length)) for f in features],
            pixels.unflatten(0, (clips, length)),
            (math.ceil(height / finest), math.ceil(width / finest)),
            every_layer,
            self.recompute_activations,
        )

    def see(self, pictures: Tensor) -> Decoded:
        """(N, 3, h, w) RGB, 0..255 -> features, coarse to fine, and pixel embeddings."""
        if torch.is_grad_enabled():
            return self._see(pictures)
        number = max(1, SEEN_AT_ONCE // pictures[0, 0].numel())
        parts = [self._see(some) for some in pictures.split(number)]
        features = zip(*(part.multi_scale_features for part in parts), strict=True)
        return Decoded(
            [torch.cat(of_level) for of_level in features],
            torch.cat([part.mask_features for part in parts]),
        )

    def _see(self, pictures: Tensor) -> Decoded:
        height, width = pictures.shape[-2:]
        coarsest = self.config.backbone.strides[-1]
        pictures = (pictures - self.mean) / self.deviation
        pictures = F.pad(pictures, (0, -width % coarsest, 0, -height % coarsest))
        if self.recompute_activations and torch.is_grad_enabled():
            maps = checkpoint(self._features, pictures, use_reentrant=False)
            return checkpoint(self.pixel_decoder, maps, use_reentrant=False)
        return self.pixel_decoder(self._features(pictures))

    def _features(self, pictures: Tensor) -> tuple[Tensor, ...]:
        return self.backbone(pictures).feature_maps
