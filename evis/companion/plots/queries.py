"""Notebook 05: queries that become instances, and other ways to run the same decoder."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from evis.companion.plots import attention, strips, style
from evis.companion.plots.network import Clip, Seen, see
from evis.data.clip_prediction import ClipPrediction
from evis.inference import drawing
from evis.models import VideoMask2Former
from evis.trackers import minvis

WAYS = ("whole clip", "all pixels open", "each frame, linked", "each frame, unlinked")


def track_ious(mask_logits: Tensor, truth: Tensor) -> Tensor:
    """(Q, T, h', w') logits against (N, T, h, w) true masks, over all frames at once: (N, Q)."""
    found = F.interpolate(mask_logits, truth.shape[-2:], mode="bilinear", align_corners=False) > 0
    found, truth = found.flatten(1).double(), truth.flatten(1).double()
    shared = truth @ found.T
    return shared / (truth.sum(1, keepdim=True) + found.sum(1) - shared).clamp_min(1)


def best(prediction: ClipPrediction, truth: Tensor) -> tuple[Tensor, Tensor]:
    """For each true object the query that stands for it, by IoU times the probability that the
    query is any object: (N,) those products and (N,) the queries."""
    is_object = 1 - prediction.class_logits[0].softmax(-1)[:, -1]
    return (track_ious(prediction.mask_logits[0], truth) * is_object).max(1)


def grid(logits: Tensor, titles: Sequence[str], marked: int) -> Figure:
    """The mask logits (Q, h, w) of all queries in one frame, red above 0, blue below."""
    columns = 5
    rows = -(-len(logits) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(style.PAGE, 1.1 * rows), squeeze=False)
    limit = float(logits.abs().quantile(0.98))
    for axis in axes.flat:
        style.bare(axis)
    for number, (axis, title) in enumerate(zip(axes.flat, titles, strict=False)):
        axis.imshow(logits[number], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axis.set_title(title, fontsize=7.5, weight="bold" if number == marked else "normal")
    return figure


def likeliest(class_logits: Tensor, names: Sequence[str]) -> list[str]:
    """(Q, C+1) -> for each query its number, its likeliest class, and how likely that is."""
    chances, labels = class_logits.softmax(-1).max(-1)
    kinds = [*names, "no object"]
    return [
        f"{query}: {kinds[label]} {chance:.2f}"
        for query, (label, chance) in enumerate(zip(labels.tolist(), chances.tolist(), strict=True))
    ]


def class_maps(prediction: ClipPrediction, names: Sequence[str]) -> Figure:
    """Class probabilities of all queries: a panel a layer, a row a query."""
    layers = [*prediction.layers, prediction]
    figure, axes = plt.subplots(1, len(layers), figsize=(style.PAGE, 2.75), sharey=True)
    for number, (axis, layer) in enumerate(zip(axes, layers, strict=True)):
        chances = layer.class_logits[0].softmax(-1)
        drawn = axis.imshow(chances, vmin=0, vmax=1)
        axis.set_title("learned queries" if number == 0 else f"after layer {number}")
        axis.set(xticks=range(len(names) + 1), yticks=range(len(chances)))
        axis.set_xticklabels([*names, "no object"], rotation=90)
        axis.grid(False)
    axes[0].set_ylabel("query")
    figure.colorbar(drawn, ax=axes, pad=0.01, aspect=20, shrink=0.7, label="probability")
    return figure


@torch.no_grad()
def masks_of(model: VideoMask2Former, embedding: Tensor, pixels: Tensor) -> Tensor:
    """Where one query's embedding (C,) finds its object: logits (T, h, w), in any frames."""
    return torch.einsum("d,tdhw->thw", model.decoder.embed_mask(embedding), pixels[0])


@torch.no_grad()
def longer_and_longer(
    model: VideoMask2Former, seen: Seen, truth: Tensor, lengths: Sequence[int]
) -> dict[int, tuple[int, Tensor]]:
    """For the clip of the first T frames: the query that fits one object (T, h, w) best in these,
    and its masks in all frames, also in those that it never saw."""
    found = {}
    for length in lengths:
        features = [f[:, :length] for f in seen.features]
        prediction = model.decoder(features, seen.pixels[:, :length])
        query = int(track_ious(prediction.mask_logits[0], truth[None, :length]).argmax())
        found[length] = query, masks_of(model, prediction.embeddings[0, query], seen.pixels)
    return found


def longer_clips(
    clip: Clip, found: Mapping[int, tuple[int, Tensor]], times: Sequence[int]
) -> Figure:
    """A row a clip length: one query's masks, in another colour where it never saw the frame."""
    figure, axes = plt.subplots(
        len(found),
        len(times),
        figsize=(style.PAGE, 1.0 * len(found) + 0.35),
        gridspec_kw={"wspace": 0.02, "hspace": 0.02},
    )
    for row, (length, (query, masks)) in enumerate(found.items()):
        for column, t in enumerate(times):
            rgb = drawing.colour(0 if t < length else 1)
            style.bare(axes[row, column]).imshow(attention.draw(clip.picture(t), masks[t], rgb))
            if row == 0:
                axes[row, column].set_title(f"t = {t}")
        axes[row, 0].set_ylabel(f"T = {length}\nquery {query}")
    for index, name in enumerate(("frames of the clip", "frames that the query never saw")):
        axes[0, 0].scatter([], [], s=18, marker="s", color=style.COLOURS[index], label=name)
    figure.legend(loc="outside lower center", ncols=2, handletextpad=0.1)
    return figure


@torch.no_grad()
def in_every_way(model: VideoMask2Former, seen: Seen) -> dict[str, Tensor]:
    """The mask logits (Q, T, h, w) of the tracks that the decoder gives in each of `WAYS`."""
    whole = model.decoder(seen.features, seen.pixels)
    with attention.opened(model.decoder):
        everywhere = model.decoder(seen.features, seen.pixels)
    frames = seen.each_frame()
    alone = model.decoder(frames.features, frames.pixels)
    masks = alone.mask_logits[:, :, 0]  # (T, Q, h, w)
    links = minvis.link(alone.embeddings)
    tracks = (
        whole.mask_logits[0],
        everywhere.mask_logits[0],
        minvis.follow(links, masks).transpose(0, 1),
        masks.transpose(0, 1),
    )
    return dict(zip(WAYS, tracks, strict=True))


def compare(model: VideoMask2Former, clips: Mapping[int, Clip]) -> pd.DataFrame:
    """For each object of each video, the IoU of the track that fits it best, in each of `WAYS`."""
    rows = []
    for video, clip in clips.items():
        for way, masks in in_every_way(model, see(model, clip.frames)).items():
            ious = track_ious(masks, clip.truth).amax(1)
            rows += [(video, n, way, float(iou)) for n, iou in enumerate(ious)]
    return pd.DataFrame(rows, columns=["video", "object", "way", "IoU"])


def ways_film(clip: Clip, tracks: Mapping[str, Tensor], times: Sequence[int]) -> Figure:
    """A row a way: for each true object, in its colour, the track that fits it best."""
    pictures = []
    for masks in tracks.values():
        queries = track_ious(masks, clip.truth).argmax(1)
        row = []
        for t in times:
            picture = clip.picture(t)
            for n, query in enumerate(queries):
                picture = attention.draw(picture, masks[query, t], drawing.colour(n), fade=n == 0)
            row.append(picture)
        pictures.append(row)
    labels = ["\n".join(way.rsplit(" ", 1)) for way in tracks]
    return strips.strip(pictures, labels, [f"t = {t}" for t in times])


def ways_chart(measured: pd.DataFrame) -> Figure:
    """A dot an object, and the mean, for each way; lines join one object's dots."""
    table = measured.pivot(index=["video", "object"], columns="way", values="IoU")[list(WAYS)]
    figure, axis = plt.subplots(figsize=(style.PAGE * 0.8, 2.8))
    axis.plot(range(len(WAYS)), table.T, color="#cccccc", linewidth=0.7, marker="o", markersize=2.5)
    mean = table.mean()
    axis.plot(range(len(WAYS)), mean, "D", color=style.COLOURS[0], label="mean of the objects")
    for place, value in enumerate(mean):
        axis.annotate(f"{value:.2f}", (place, value), (7, -3), textcoords="offset points")
    axis.set(xticks=range(len(WAYS)), ylim=(0, 1), ylabel="IoU of the best track (measured)")
    axis.set_xticklabels(["\n".join(way.rsplit(" ", 1)) for way in WAYS])
    axis.legend(loc="lower left")
    return figure
