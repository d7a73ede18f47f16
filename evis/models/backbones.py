"""Backbones: a picture to features at four strides.

ResNet and Swin come from transformers, which takes seconds to import: the toy sizes do without.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.models.config import Backbone, ResNet, Swin, Tiny

_STAGES = ["stage1", "stage2", "stage3", "stage4"]


def build(config: Backbone) -> nn.Module:
    """A module from (N, 3, h, w) to an object whose `feature_maps` are four (N, C, h/s, w/s)."""
    match config:
        case ResNet():
            return _resnet(config)
        case Swin():
            return _swin(config)
        case Tiny():
            return TinyBackbone(config)


def _resnet(config: ResNet) -> nn.Module:
    from transformers import ResNetBackbone, ResNetConfig
    from transformers.models.resnet.modeling_resnet import ResNetBottleNeckLayer

    backbone = ResNetBackbone(
        ResNetConfig(
            embedding_size=config.stem,
            hidden_sizes=list(config.widths),
            depths=list(config.depths),
            layer_type="bottleneck",
            out_features=_STAGES,
        )
    )
    if config.reduction != 4:  # transformers has no setting for it
        for number, stage in enumerate(backbone.encoder.stages):
            before, width = (config.stem, *config.widths)[number : number + 2]
            for block in range(len(stage.layers)):
                stage.layers[block] = ResNetBottleNeckLayer(
                    before if block == 0 else width,
                    width,
                    stride=2 if block == 0 and number > 0 else 1,
                    reduction=config.reduction,
                )
    _freeze_batch_norms(backbone)
    return backbone


def _swin(config: Swin) -> nn.Module:
    from transformers import SwinBackbone, SwinConfig

    backbone = SwinBackbone(
        SwinConfig(
            embed_dim=config.channels,
            depths=list(config.depths),
            num_heads=list(config.heads),
            window_size=config.window,
            mlp_ratio=config.mlp_ratio,
            drop_path_rate=config.drop_path,
            out_features=_STAGES,
        )
    )
    backbone.swin.layernorm = nn.Identity()  # for classification only: it would never see a loss
    return backbone


class FrozenBatchNorm2d(nn.Module):
    """Batch norm with fixed statistics and affine part: clips are too few for their own."""

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def _freeze_batch_norms(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features, child.eps))
        else:
            _freeze_batch_norms(child)


class Features(NamedTuple):
    """What a backbone returns, as transformers' backbones do."""

    feature_maps: tuple[Tensor, ...]  # fine to coarse


class TinyBackbone(nn.Module):
    """Four stages, each halving the size, then residual blocks."""

    def __init__(self, config: Tiny):
        super().__init__()
        self.stages = nn.ModuleList()
        before = 3
        for width in config.widths:
            blocks = [_Residual(width) for _ in range(config.blocks)]
            self.stages.append(nn.Sequential(*_convolution(before, width, 2), nn.ReLU(), *blocks))
            before = width

    def forward(self, pictures: Tensor) -> Features:
        maps = []
        for stage in self.stages:
            pictures = stage(pictures)
            maps.append(pictures)
        return Features(tuple(maps))


class _Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(width, width, 1), nn.ReLU(), *_convolution(width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


def _convolution(before: int, width: int, stride: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(before, width, 3, stride, padding=1, bias=False), nn.GroupNorm(8, width)
