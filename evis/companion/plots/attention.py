"""Notebook 05: what a query looks at, layer by layer, recorded without a change to the model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from evis.companion.plots import style
from evis.companion.plots.network import Clip, Seen
from evis.inference import drawing
from evis.models.video_decoder import LEVELS, VideoDecoder, elsewhere, sine_positions


@contextmanager
def recorded(decoder: VideoDecoder) -> Iterator[list[Tensor]]:
    """Inside, each run of a layer puts its masked attention's weights on the list.

    They are (B, heads, Q, L), with the L pixels of all frames of the layer's level.
    """
    weights: list[Tensor] = []
    with _told(decoder, need_weights=True, average_attn_weights=False):
        hooks = [
            layer.cross_attention.register_forward_hook(lambda _, __, out: weights.append(out[1]))
            for layer in decoder.layers
        ]
        try:
            yield weights
        finally:
            for hook in hooks:
                hook.remove()


@contextmanager
def opened(decoder: VideoDecoder) -> Iterator[None]:
    """Inside, no query is kept from any pixel: cross-attention without masks."""
    with _told(decoder, attn_mask=None):
        yield


@contextmanager
def _told(decoder: VideoDecoder, **arguments: Any) -> Iterator[None]:
    """Inside, cross-attention is called with these arguments instead of its own."""
    hooks = [
        layer.cross_attention.register_forward_pre_hook(
            lambda _, args, kwargs: (args, kwargs | arguments), with_kwargs=True
        )
        for layer in decoder.layers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True)
class Look:
    """One query in one layer of the decoder. (T, h, w) each, the first two at the level's size."""

    open: Tensor  # bool: the pixels it may read
    weights: Tensor  # how much it reads from each, mean over the heads; the sum is 1
    mask: Tensor  # logits: the mask it gives after the layer


@torch.no_grad()
def follow(decoder: VideoDecoder, seen: Seen, query: int) -> list[Look]:
    with recorded(decoder) as weights:
        found = decoder(seen.features, seen.pixels)
    masks = [*(layer.mask_logits for layer in found.layers), found.mask_logits]
    looks = []
    for number, read in enumerate(weights):
        _, frames, _, height, width = seen.features[number % LEVELS].shape
        closed = elsewhere(masks[number], (height, width))[0, query]
        looks.append(
            Look(
                ~closed.view(frames, height, width),
                read[0, :, query].mean(0).view(frames, height, width),
                masks[number + 1][0, query],
            )
        )
    return looks


def layer_by_layer(
    clip: Clip, before: Tensor, looks: Sequence[Look], times: Sequence[int], rgb: tuple
) -> Figure:
    """A row a layer: what is open to one query, what it reads, and its mask afterwards.

    before: the logits (T, h, w) of its mask when it has read nothing.
    """
    figure, axes = plt.subplots(
        1 + len(looks),
        3 * len(times),
        figsize=(style.PAGE, 0.83 * (1 + len(looks)) + 0.4),
        gridspec_kw={"wspace": 0.02, "hspace": 0.02},
    )
    blocks = np.split(axes, 3, axis=1)  # (rows, times) axes each
    for axis in axes.flat:
        style.bare(axis)
    for block, title in zip(blocks, ("open", "attention", "mask after"), strict=True):
        for axis, t in zip(block[0 if title == "mask after" else 1], times, strict=True):
            axis.set_title(f"{title}, t = {t}", fontsize=8)
    for axis in axes[0, : 2 * len(times)]:
        axis.set_axis_off()
    note = blocks[1][0, -1].text(1, 0.4, "the learned query,\nwhich has read nothing: ", ha="right")
    note.set_in_layout(False)  # it reaches over axes that are empty
    for number, look in enumerate(looks, start=1):
        axes[number, 0].set_ylabel(f"layer {number}")
        for column, t in enumerate(times):
            blocks[0][number, column].imshow(_veiled(clip.picture(t), look.open[t].numpy()))
            blocks[1][number, column].imshow(
                look.weights[t], cmap="magma", vmin=0, vmax=float(look.weights.max())
            )
    for row, logits in enumerate([before, *(look.mask for look in looks)]):
        for column, t in enumerate(times):
            blocks[2][row, column].imshow(draw(clip.picture(t), logits[t], rgb))
    return figure


def draw(picture: np.ndarray, logits: Tensor, rgb: tuple, fade: bool = True) -> np.ndarray:
    """The mask where logits (h', w'), enlarged, are above 0, on a picture that is faded first."""
    large = torch.nn.functional.interpolate(
        logits[None, None], picture.shape[:2], mode="bilinear", align_corners=False
    )
    if fade:
        picture = (0.55 * picture + 0.45 * 255).astype(np.uint8)
    return drawing.draw_mask(picture, (large[0, 0] > 0).numpy(), rgb)


def _veiled(picture: np.ndarray, open_: np.ndarray) -> np.ndarray:
    """The picture, all but the open pixels (of a coarser grid) under a dark veil."""
    scale = picture.shape[0] // open_.shape[0]
    light = np.where(drawing.enlarge(open_, scale), 1.0, 0.15)
    return (picture * light[..., None]).astype(np.uint8)


def positions(
    frames: int, size: tuple[int, int], channels: int, place: tuple[int, int, int]
) -> Figure:
    """The code of places as pictures: a channel of y, one of x, and likeness to one place."""
    code = sine_positions(torch.zeros(1, frames, channels, *size))  # (T, h, w, C)
    like = torch.nn.functional.cosine_similarity(code, code[place], dim=-1)
    rows = {
        "a channel\nof y": code[..., 2],
        "a channel\nof x": code[..., channels // 2 + 2],
        "likeness to\nthe cross": like,
    }
    figure, axes = plt.subplots(
        3, frames, figsize=(style.PAGE, 2.75), gridspec_kw={"wspace": 0.02, "hspace": 0.02}
    )
    for row, (name, values) in enumerate(rows.items()):
        for t in range(frames):
            axis = style.bare(axes[row, t])
            drawn = axis.imshow(values[t], vmin=float(values.min()), vmax=float(values.max()))
            if row == 0:
                axis.set_title(f"t = {t}")
        axes[row, 0].set_ylabel(name)
        figure.colorbar(drawn, ax=axes[row], pad=0.01, aspect=9)
    axes[2, place[0]].plot(place[2], place[1], "x", color="black", markersize=7, mew=1.5)
    return figure
