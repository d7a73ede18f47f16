"""The sizes of a model, read off the shapes of a reference checkpoint's tensors."""

import math
import re
from collections.abc import Mapping

from torch import Tensor

from evis.data.errors import DataError
from evis.models.config import Backbone, ModelConfig, ResNet, Swin
from evis.models.pixel_decoder import LEVELS, POINTS

_DECODER = "sem_seg_head.predictor"
_ENCODER = "sem_seg_head.pixel_decoder.transformer.encoder"


def config_of(tensors: Mapping[str, Tensor], file: object = None) -> ModelConfig:
    """The config of Mask2Former-VIS with these tensors, under the reference's names.

    Attention's number of heads leaves no trace in the video decoder; it is the pixel decoder's, as
    in every released model.
    """
    shapes = _Shapes(tensors, file)
    queries = shapes[f"{_DECODER}.query_feat.weight"]
    return ModelConfig(
        classes=shapes[f"{_DECODER}.class_embed.weight"][0] - 1,
        backbone=_swin(shapes) if "backbone.patch_embed.proj.weight" in shapes else _resnet(shapes),
        queries=queries[0],
        hidden=queries[-1],
        mask_channels=shapes[f"{_DECODER}.mask_embed.layers.2.weight"][0],
        heads=shapes[f"{_ENCODER}.layers.0.self_attn.attention_weights.weight"][0]
        // (LEVELS * POINTS),
        encoder_layers=shapes.count(f"{_ENCODER}.layers"),
        encoder_feed_forward=shapes[f"{_ENCODER}.layers.0.linear1.weight"][0],
        decoder_layers=shapes.count(f"{_DECODER}.transformer_ffn_layers"),
        decoder_feed_forward=shapes[f"{_DECODER}.transformer_ffn_layers.0.linear1.weight"][0],
    )


class _Shapes:
    def __init__(self, tensors: Mapping[str, Tensor], file: object):
        self._shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        self._file = file

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def __getitem__(self, name: str) -> tuple[int, ...]:
        if name not in self._shapes:
            raise DataError(
                f"the tensor {name} is missing, without which the model's sizes are unknown",
                file=self._file,
                remedy="Is it a whole checkpoint of Mask2Former-VIS?",
            )
        return self._shapes[name]

    def count(self, listed: str) -> int:
        """How many things are numbered behind this name."""
        found = (re.match(re.escape(listed) + r"\.(\d+)\.", name) for name in self._shapes)
        return 1 + max((int(match[1]) for match in found if match), default=-1)


def _resnet(shapes: _Shapes) -> Backbone:
    stages = [f"backbone.res{number}" for number in (2, 3, 4, 5)]
    widths = tuple(shapes[f"{stage}.0.shortcut.weight"][0] for stage in stages)
    return ResNet(
        depths=tuple(shapes.count(stage) for stage in stages),
        stem=shapes["backbone.stem.conv1.weight"][0],
        widths=widths,
        reduction=widths[0] // shapes["backbone.res2.0.conv1.weight"][0],
    )


def _swin(shapes: _Shapes) -> Backbone:
    stages = [f"backbone.layers.{number}.blocks" for number in range(4)]
    channels = shapes["backbone.patch_embed.proj.weight"][0]
    tables = [shapes[f"{stage}.0.attn.relative_position_bias_table"] for stage in stages]
    offsets = math.isqrt(tables[0][0])  # from -(window - 1) to window - 1
    return Swin(
        channels=channels,
        depths=tuple(shapes.count(stage) for stage in stages),
        heads=tuple(table[-1] for table in tables),
        window=(offsets + 1) // 2,
        mlp_ratio=shapes["backbone.layers.0.blocks.0.mlp.fc1.weight"][0] / channels,
    )
