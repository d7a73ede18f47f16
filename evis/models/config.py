"""The sizes of a model, as plain data: what a checkpoint must agree on to be loaded."""

from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Any

from evis.data.jsonfile import brief, is_number

Stages = tuple[int, int, int, int]  # a number for each of a backbone's four stages


_MOST_LAYERS = 100
_COUNTED = ("depths", "blocks", "encoder_layers", "decoder_layers")  # a module each
_RATES = ("drop_path", "dropout")
_LARGEST = 2**20


class _Checked:
    """Sizes that no model has are refused before anything of them is built."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            most = _MOST_LAYERS if field.name in _COUNTED else _LARGEST
            most = 1 if field.name in _RATES else most
            if not _is_like(value, field.default, most):
                raise ValueError(f"no model has {field.name} = {brief(value)}")
            if isinstance(value, Integral):  # numpy's are no json
                object.__setattr__(self, field.name, int(value))


def _is_like(value: Any, sample: Any, most: int) -> bool:
    """Of the sample's kind, a whole number without one, and no larger than `most`."""
    if isinstance(sample, tuple):
        fits = isinstance(value, tuple) and len(value) == len(sample)
        return fits and all(_is_like(one, 1, most) for one in value)
    if isinstance(sample, _Checked):
        return isinstance(value, _Checked)
    if isinstance(sample, float):
        return is_number(value) and 0 <= value <= most
    return isinstance(value, Integral) and not isinstance(value, bool) and 1 <= value <= most


@dataclass(frozen=True)
class ResNet(_Checked):
    """Bottleneck blocks with frozen batch norms; features at strides 4, 8, 16, 32."""

    depths: Stages = (3, 4, 6, 3)
    stem: int = 64
    widths: Stages = (256, 512, 1024, 2048)
    reduction: int = 4  # a block's width over that of its middle

    strides = (4, 8, 16, 32)


@dataclass(frozen=True)
class Swin(_Checked):
    """Shifted-window transformer; features at strides 4, 8, 16, 32."""

    channels: int = 96
    depths: Stages = (2, 2, 6, 2)
    heads: Stages = (3, 6, 12, 24)
    window: int = 7
    mlp_ratio: float = 4.0
    drop_path: float = 0.3

    strides = (4, 8, 16, 32)

    @property
    def widths(self) -> Stages:
        return tuple(self.channels * 2**stage for stage in range(4))


@dataclass(frozen=True)
class Tiny(_Checked):
    """A few residual blocks with group norms, for toy frames; features at strides 2, 4, 8, 16."""

    widths: Stages = (24, 48, 96, 128)
    blocks: int = 1  # a stage

    strides = (2, 4, 8, 16)


Backbone = ResNet | Swin | Tiny


@dataclass(frozen=True)
class ModelConfig(_Checked):
    """Defaults: Mask2Former-VIS with R50."""

    classes: int
    backbone: Backbone = ResNet()
    queries: int = 100
    hidden: int = 256
    mask_channels: int = 256
    heads: int = 8
    encoder_layers: int = 6
    encoder_feed_forward: int = 1024
    decoder_layers: int = 9
    decoder_feed_forward: int = 2048
    dropout: float = 0.0  # in training, in the layers of both decoders


_FULL = ModelConfig(classes=1)
_TOY = ModelConfig(
    classes=1,
    backbone=Tiny(),
    queries=10,
    hidden=64,
    mask_channels=64,
    heads=4,
    encoder_layers=1,
    encoder_feed_forward=128,
    decoder_layers=3,
    decoder_feed_forward=256,
)
_SWIN_B = Swin(128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32), window=12)
_SWIN_L = Swin(192, depths=(2, 2, 18, 2), heads=(6, 12, 24, 48), window=12)

SIZES: dict[str, ModelConfig] = {
    "r50": _FULL,
    "r101": replace(_FULL, backbone=ResNet(depths=(3, 4, 23, 3))),
    "swin_t": replace(_FULL, backbone=Swin()),
    "swin_s": replace(_FULL, backbone=Swin(depths=(2, 2, 18, 2))),
    "swin_b": replace(_FULL, backbone=_SWIN_B),
    "swin_l": replace(_FULL, backbone=_SWIN_L, queries=200),
    "tiny_s": replace(_TOY, backbone=Tiny(widths=(16, 32, 48, 64)), hidden=32, mask_channels=32),
    "tiny": _TOY,
    "tiny_l": replace(_TOY, backbone=Tiny(widths=(32, 64, 128, 192), blocks=2), hidden=96, heads=6),
}


def named(size: str, classes: int, **changes) -> ModelConfig:
    """The config of a size by name, for so many classes; `changes` replace other fields."""
    if size not in SIZES:
        raise ValueError(f"no model size is called {size!r}; there are {', '.join(SIZES)}")
    return replace(SIZES[size], classes=classes, **changes)
