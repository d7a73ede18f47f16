"""The sizes of a model, read off the shapes of its tensors (under our names)."""

import math
import re
from collections.abc import Mapping

from torch import Tensor

from evis.data.errors import DataError
from evis.models import key_map
from evis.models.config import Backbone, ModelConfig, ResNet, Swin

_POINTS = 4 * 3  # a head of deformable attention looks at four points on three levels


def config_of(tensors: Mapping[str, Tensor], file: object = None) -> ModelConfig:
    """The config of Mask2Former-VIS with these tensors.

    Attention's number of heads leaves no trace in the video decoder; it is the pixel decoder's, as
    in every released model.
    """
    shapes = _Shapes(tensors, file)
    queries = shapes["decoder.query_content"]
    return ModelConfig(
        classes=shapes["decoder.classify.weight"][0] - 1,
        backbone=_backbone(shapes),
        queries=queries[0],
        hidden=queries[-1],
        mask_channels=shapes["decoder.embed_mask.4.weight"][0],
        heads=shapes["pixel_decoder.encoder.layers.0.self_attn.attention_weights.weight"][0]
        // _POINTS,
        encoder_layers=shapes.count(r"pixel_decoder\.encoder\.layers\.(\d+)\."),
        encoder_feed_forward=shapes["pixel_decoder.encoder.layers.0.fc1.weight"][0],
        decoder_layers=shapes.count(r"decoder\.layers\.(\d+)\."),
        decoder_feed_forward=shapes["decoder.layers.0.feed_forward.0.weight"][0],
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
                f"the tensor {key_map.theirs(name)} is missing, without which the model's sizes "
                "are unknown",
                file=self._file,
                remedy="Is it a whole checkpoint of Mask2Former-VIS?",
            )
        return self._shapes[name]

    def count(self, numbered: str) -> int:
        """How many things are numbered by the group of a pattern that begins some names."""
        found = (re.match(numbered, name) for name in self._shapes)
        return 1 + max((int(match[1]) for match in found if match), default=-1)


def _backbone(shapes: _Shapes) -> Backbone:
    if "backbone.swin.embeddings.patch_embeddings.projection.weight" in shapes:
        return _swin(shapes)
    return _resnet(shapes)


def _resnet(shapes: _Shapes) -> ResNet:
    stages = [f"backbone.encoder.stages.{stage}.layers" for stage in range(4)]
    widths = tuple(shapes[f"{stage}.0.shortcut.convolution.weight"][0] for stage in stages)
    return ResNet(
        depths=tuple(shapes.count(re.escape(stage) + r"\.(\d+)\.") for stage in stages),
        stem=shapes["backbone.embedder.embedder.convolution.weight"][0],
        widths=widths,
        reduction=widths[0] // shapes[f"{stages[0]}.0.layer.0.convolution.weight"][0],
    )


def _swin(shapes: _Shapes) -> Swin:
    stages = [f"backbone.swin.encoder.layers.{stage}.blocks" for stage in range(4)]
    channels = shapes["backbone.swin.embeddings.patch_embeddings.projection.weight"][0]
    tables = [
        shapes[f"{stage}.0.attention.relative_position_bias.relative_position_bias_table"]
        for stage in stages
    ]
    offsets = math.isqrt(tables[0][0])  # from -(window - 1) to window - 1
    return Swin(
        channels=channels,
        depths=tuple(shapes.count(re.escape(stage) + r"\.(\d+)\.") for stage in stages),
        heads=tuple(table[-1] for table in tables),
        window=(offsets + 1) // 2,
        mlp_ratio=shapes[f"{stages[0]}.0.mlp.fc1.weight"][0] / channels,
    )
