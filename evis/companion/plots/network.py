"""Notebook 05: what a clip becomes on its way through Mask2Former, and what each part costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from evis.companion.plots import style
from evis.data.types import VISDataset
from evis.models import ModelConfig, VideoMask2Former
from evis.models.video_decoder import LEVELS

PARTS = {"backbone": 0, "pixel decoder": 1, "video decoder": 2}  # and their colours


@dataclass(frozen=True)
class Clip:
    """Frames (1, T, 3, h, w) uint8 RGB as the model takes them, true masks (N, T, h, w) bool."""

    frames: Tensor
    truth: Tensor

    def picture(self, t: int) -> np.ndarray:
        return self.frames[0, t].permute(1, 2, 0).numpy()


def cut(dataset: VISDataset, video_id: int, count: int | None = None) -> Clip:
    """A video's first `count` frames, all if None."""
    times = range(dataset.video(video_id).length)[:count]
    frames = np.stack([dataset.frame(video_id, t) for t in times])
    truth = dataset.mask_stack(video_id)[:, : len(times)]
    return Clip(torch.from_numpy(frames).permute(0, 3, 1, 2)[None], torch.from_numpy(truth))


@dataclass(frozen=True)
class Seen:
    """What the parts that see each frame alone make of a clip; all (1, T, channels, h, w)."""

    maps: list[Tensor]  # of the backbone, fine to coarse
    features: list[Tensor]  # of the pixel decoder, coarse to fine
    pixels: Tensor  # of the pixel decoder, the embeddings that masks are made with

    def each_frame(self) -> "Seen":
        """The same as T clips of one frame."""
        return Seen(
            [m.transpose(0, 1) for m in self.maps],
            [f.transpose(0, 1) for f in self.features],
            self.pixels.transpose(0, 1),
        )


@torch.no_grad()
def see(model: VideoMask2Former, frames: Tensor) -> Seen:
    """frames (1, T, 3, h, w), with sides that the coarsest stride divides."""
    pictures = (frames[0] - model.mean) / model.deviation
    maps = model.backbone(pictures).feature_maps
    decoded = model.pixel_decoder(list(maps))
    return Seen(
        [m[None] for m in maps],
        [f[None] for f in decoded.multi_scale_features],
        decoded.mask_features[None],
    )


def pipeline(clip: Clip, model: VideoMask2Former) -> Figure:
    """The parts as boxes, and between them what they hand on, with its real shape."""
    seen = see(model, clip.frames)
    with torch.no_grad():
        found = model.decoder(seen.features, seen.pixels)
    handed = {  # where it is written, left to right, and in which rows
        0.0: [("frames\nT, 3, h, w", clip.frames)],
        0.3: [(f"1/{s}", m) for s, m in zip(model.config.backbone.strides, seen.maps, strict=True)],
        0.6: [
            ("pixel embeddings", seen.pixels),
            *[
                (f"1/{s}", f)
                for s, f in zip(model.config.backbone.strides[1:], seen.features[::-1], strict=True)
            ],
        ],
        0.9: [
            ("masks\nQ, T, h/2, w/2", found.mask_logits),
            ("classes\nQ, classes + 1", found.class_logits),
            ("embeddings\nQ, C", found.embeddings),
        ],
    }
    figure, axis = plt.subplots(figsize=(style.PAGE, 2.6))
    style.bare(axis).set(xlim=(-0.07, 0.99), ylim=(-0.12, 1.04))
    for x, items in handed.items():
        for row, (name, tensor) in enumerate(items):
            y = 0.5 if len(items) == 1 else 0.88 - row * 0.76 / (len(items) - 1)
            size = " x ".join(map(str, tensor.shape[1:]))
            axis.text(x, y, f"{name}\n", ha="center", va="center", fontsize=7, color="#555555")
            axis.text(x, y - 0.05, size, ha="center", va="center", fontsize=7.5, weight="bold")
    for (name, colour), x in zip(PARTS.items(), (0.15, 0.45, 0.76), strict=True):
        box = FancyBboxPatch(
            (x - 0.052, 0.1), 0.104, 0.8, boxstyle="round,pad=0,rounding_size=0.02", lw=0
        )
        box.set(facecolor=style.COLOURS[colour], alpha=0.9)
        axis.add_patch(box)
        sees = "sees all\nframes\nat once" if name == "video decoder" else "sees each\nframe alone"
        text = name.replace(" ", "\n") + "\n\n" + sees
        axis.text(x, 0.5, text, ha="center", va="center", color="white", fontsize=8)
    axis.annotate(
        f"{len(model.decoder.query_content)} learned queries",
        (0.76, 0.1),
        (0.76, -0.08),
        ha="center",
        fontsize=7.5,
        arrowprops={"arrowstyle": "->", "color": "#555555"},
    )
    return figure


def as_colours(features: Tensor) -> np.ndarray:
    """(T, C, h, w) -> (T, h, w, 3): the three principal components of all pixels as RGB, 0..1."""
    frames, _, height, width = features.shape
    points = features.permute(0, 2, 3, 1).flatten(0, 2).double()
    points = points - points.mean(0)
    _, _, directions = torch.linalg.svd(points, full_matrices=False)
    directions = directions[:3] * directions[:3].sum(1).sign()[:, None]  # SVD leaves the sign open
    parts = points @ directions.T
    low, high = parts.quantile(0.02, dim=0), parts.quantile(0.98, dim=0)
    colours = ((parts - low) / (high - low)).clamp(0, 1)
    return colours.unflatten(0, (frames, height, width)).numpy()


def feature_maps(
    clip: Clip, maps: Mapping[str, Tensor], times: Sequence[int], title: str
) -> Figure:
    """A row a frame: the frame itself, then each (T, C, h, w) by its name, in PCA colours."""
    figure, axes = plt.subplots(
        len(times), 1 + len(maps), figsize=(style.PAGE, 1.03 * len(times) + 0.35), squeeze=False
    )
    for row, t in enumerate(times):
        style.bare(axes[row, 0]).imshow(clip.picture(t))
        axes[row, 0].set_ylabel(f"t = {t}")
    axes[0, 0].set_title("frame")
    for column, (name, features) in enumerate(maps.items(), start=1):
        colours = as_colours(features)
        for row, t in enumerate(times):
            style.bare(axes[row, column]).imshow(colours[t])
        channels, height, width = features.shape[1:]
        axes[0, column].set_title(f"{name}\n{channels} channels, {height} x {width}", fontsize=8)
    figure.supxlabel(title, fontsize=8)
    return figure


def costs(config: ModelConfig, frames: int, size: tuple[int, int]) -> pd.DataFrame:
    """Parameters and multiply-adds of each part, for one clip; no number is really computed.

    Convolutions and matrix products are counted, attention's among them; not what is done pixel by
    pixel, such as norms and the sampling of deformable attention.
    """
    counted = {}
    with FakeTensorMode(), sdpa_kernel(SDPBackend.MATH):  # tensors that have shapes only
        model = VideoMask2Former(config).eval().requires_grad_(False)
        with FlopCounterMode(display=False) as counted["backbone"]:
            maps = model.backbone(torch.zeros(frames, 3, *size)).feature_maps
        with FlopCounterMode(display=False) as counted["pixel decoder"]:
            decoded = model.pixel_decoder(list(maps))
        features = [f[None] for f in decoded.multi_scale_features]
        with FlopCounterMode(display=False) as counted["video decoder"]:
            model.decoder(features, decoded.mask_features[None])
    modules = model.backbone, model.pixel_decoder, model.decoder
    parameters = {
        part: sum(parameter.numel() for parameter in module.parameters())
        for part, module in zip(PARTS, modules, strict=True)
    }
    multiply_adds = {part: counter.get_total_flops() // 2 for part, counter in counted.items()}
    return pd.DataFrame({"parameters": parameters, "multiply-adds": multiply_adds})


def attention_bytes(config: ModelConfig, frames: int, size: tuple[int, int]) -> tuple[int, int]:
    """Of one layer on the finest level: the weights of masked attention, queries by pixels; and
    what pixels by pixels would take. float32."""
    stride = config.backbone.strides[-LEVELS]
    pixels = frames * (size[0] // stride) * (size[1] // stride)
    return 4 * config.heads * config.queries * pixels, 4 * config.heads * pixels**2


def costs_chart(
    tables: Mapping[str, pd.DataFrame], config: ModelConfig, size: tuple[int, int]
) -> Figure:
    """Which part holds and does how much; the memory of attention over the length of a clip."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 2.5), width_ratios=(1.25, 1))
    bars = {f"{name},\n{what}": table[what] for name, table in tables.items() for what in table}
    shares = pd.DataFrame({name: values / values.sum() for name, values in bars.items()})
    start = np.zeros(shares.shape[1])
    for part, colour in PARTS.items():
        drawn = left.barh(
            shares.columns, shares.loc[part], left=start, color=style.COLOURS[colour], label=part
        )
        texts = [f"{share:.0%}" if share > 0.06 else "" for share in shares.loc[part]]
        left.bar_label(drawn, texts, label_type="center", color="white", fontsize=7)
        start += shares.loc[part].to_numpy()
    left.invert_yaxis()
    left.set(xlim=(0, 1), xticks=[])
    left.grid(False)
    left.legend(loc="upper center", bbox_to_anchor=(0.4, 0.0), ncols=3, columnspacing=1)
    lengths = [1, 2, 4, 8, 16, 32]
    memory = np.array([attention_bytes(config, frames, size) for frames in lengths]) / 2**20
    right.loglog(lengths, memory[:, 1], "s-", color=style.COLOURS[3], label="pixels by pixels")
    right.loglog(lengths, memory[:, 0], "o-", color=style.COLOURS[2], label="queries by pixels")
    right.set(xticks=lengths, xticklabels=lengths, xlabel="frames of a clip", ylabel="MiB a layer")
    right.minorticks_off()
    right.legend()
    return figure
