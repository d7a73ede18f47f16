"""Pictures of data sets: films, where points fall, statistics beside published ones, clips."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from evis.companion.plots import style
from evis.data import masks
from evis.data.clips import Clip
from evis.data.supervision import PointScheme, sample_points
from evis.data.types import VISDataset
from evis.inference import drawing

POSITIVE, NEGATIVE = style.COLOURS[5], style.COLOURS[3]


def spread(length: int, count: int) -> list[int]:
    """`count` frame numbers from the first to the last of `length`, evenly apart."""
    return np.linspace(0, length - 1, count).round().astype(int).tolist()


def film(
    dataset: VISDataset, video_id: int, count: int = 6, scale: int = 3, annotated: bool = True
) -> list[np.ndarray]:
    """Frames of a video at even distances, under what the data set holds of them."""
    frames = spread(dataset.video(video_id).length, count)
    if annotated:
        return [drawing.draw_annotations(dataset, video_id, t, scale) for t in frames]
    return [drawing.enlarge(dataset.frame(video_id, t), scale) for t in frames]


def point_clouds(
    dataset: VISDataset,
    track_id: int,
    frame: int,
    schemes: Mapping[str, PointScheme],
    draws: int = 300,
    seed: int = 0,
) -> Figure:
    """Where each scheme's points fall on one object, over many draws: one panel a scheme.

    The solid line is the object's box, the dashed one the box of 200%.
    """
    track = next(track for track in dataset.tracks if track.id == track_id)
    mask, (x, y, width, height) = track.mask(frame), masks.tight_box(track.masks[frame])
    grey = dataset.frame(track.video_id, frame).mean(axis=-1) / 255
    figure, axes = plt.subplots(
        1, len(schemes), figsize=(style.PAGE, style.PAGE / len(schemes) * 0.95), squeeze=False
    )
    for axis, (name, scheme) in zip(axes[0], schemes.items(), strict=True):
        generator = np.random.default_rng(seed)
        points = [p for _ in range(draws) for p in sample_points(mask, scheme, generator)]
        style.bare(axis).imshow(0.55 + 0.45 * grey, cmap="gray", vmin=0, vmax=1)
        axis.contour(mask, [0.5], colors="black", linewidths=1)
        for kind, rgb, marker in ((True, POSITIVE, "o"), (False, NEGATIVE, "x")):
            xy = [(p.x, p.y) for p in points if p.positive is kind]
            if xy:
                jitter = generator.uniform(-0.4, 0.4, (len(xy), 2))
                axis.scatter(*(xy + jitter).T, s=5, color=rgb, marker=marker, lw=0.6, alpha=0.6)
        for factor, line in ((1, "-"), (2, "--")):
            corner = x - (factor - 1) * width / 2 - 0.5, y - (factor - 1) * height / 2 - 0.5
            size = factor * width, factor * height
            axis.add_patch(Rectangle(corner, *size, fill=False, ls=line, lw=1, ec="#444444"))
        axis.set(
            xlim=(x - 0.55 * width, x + 1.55 * width), ylim=(y + 1.55 * height, y - 0.55 * height)
        )
        axis.set_title(name)
    return figure


def distributions(
    sets: Mapping[str, pd.DataFrame], columns: Mapping[str, str], published: pd.DataFrame
) -> Figure:
    """Histograms over videos, a row a column of the tables, with measured and published means.

    `sets` has one row a video for each set; `columns` names the axis of each column; `published`
    is indexed by the same sets and columns, NaN where a paper gives nothing.
    """
    figure, axes = plt.subplots(
        len(columns),
        len(sets),
        figsize=(style.PAGE, 1.75 * len(columns)),
        sharex="row",
        squeeze=False,
    )
    for row, (column, label) in zip(axes, columns.items(), strict=True):
        values = pd.concat([table[column] for table in sets.values()])
        if pd.api.types.is_integer_dtype(values):
            edges = np.arange(0.5, values.max() + 1)
        else:
            edges = np.linspace(0, values.max(), 13)
        for axis, (name, table) in zip(row, sets.items(), strict=True):
            axis.hist(table[column], bins=edges, color="#c9d6df", edgecolor="white")
            mean, paper = table[column].mean(), published[column].get(name, np.nan)
            axis.axvline(
                mean, ymax=0.68, color=style.COLOURS[0], label=f"measured, mean {mean:.2f}"
            )
            if not np.isnan(paper):
                line = {"color": style.COLOURS[3], "ls": (0, (3, 2)), "lw": 2.2, "ymax": 0.68}
                axis.axvline(paper, **line, label=f"published, mean {paper:.2f}")
            axis.legend(loc="upper right", handlelength=1.6)
            axis.set(xlabel=label, ylim=(0, 1.45 * axis.get_ylim()[1]))
            if pd.api.types.is_integer_dtype(values):
                axis.set(xticks=range(1, values.max() + 1, 2))
            axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            axis.grid(axis="x", visible=False)
        row[0].set_ylabel("videos")
    for axis, name in zip(axes[0], sets, strict=True):
        axis.set_title(name)
    return figure


def extremes(dataset: VISDataset, attributes: pd.DataFrame, columns: Mapping[str, str]) -> Figure:
    """The video with the lowest and the one with the highest value of each attribute.

    `columns` says how a value is written: {"mbor": "MBOR {:.2f}"}.
    """
    figure, axes = plt.subplots(2, len(columns), figsize=(style.PAGE, 3.5))
    table = attributes.set_index("video")
    for column, (name, text) in enumerate(columns.items()):
        for row, video_id in enumerate((table[name].idxmin(), table[name].idxmax())):
            middle = dataset.video(video_id).length // 2
            picture = drawing.draw_annotations(dataset, video_id, middle, scale=4)
            axis = style.bare(axes[row, column])
            axis.imshow(picture, interpolation="auto")
            axis.set_title(text.format(table[name][video_id]))
    for axis, label in zip(axes[:, 0], ("lowest", "highest"), strict=True):
        axis.set_ylabel(label)
    return figure


def timelines(choices: Mapping[str, Sequence[Sequence[int]]], length: int) -> Figure:
    """Which frames of a video several clips take: a panel a name, a line a clip."""
    figure, axes = plt.subplots(1, len(choices), figsize=(style.PAGE, 1.9), sharey=True)
    for axis, (name, clips) in zip(axes, choices.items(), strict=True):
        for row, frames in enumerate(clips):
            axis.plot([0, length - 1], [row, row], color="#dddddd", lw=1, zorder=1)
            axis.plot([min(frames), max(frames)], [row, row], color=style.COLOURS[5], zorder=2)
            axis.scatter(frames, [row] * len(frames), s=16, color=style.COLOURS[0], zorder=3)
        axis.set(xlabel="frame of the video", title=name, yticks=[], ylim=(len(clips) - 0.3, -0.7))
        axis.grid(visible=False)
        axis.spines["left"].set_visible(False)
    axes[0].set_ylabel("one clip a line")
    return figure


def clip_films(clips: Sequence[Clip], columns: int = 2) -> Figure:
    """Clips as a model gets them, at their true relative sizes, with their masks' outlines."""
    rows = -(-len(clips) // columns)
    gap, widest = 4, max(clip.frames.shape[-1] for clip in clips)
    tallest = max(clip.frames.shape[-2] for clip in clips)
    across = len(clips[0].frames) * (widest + gap)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(style.PAGE, rows * (style.PAGE / columns * tallest / across + 0.25)),
        squeeze=False,
    )
    for axis, clip in zip(axes.flat, clips, strict=False):
        sheet = np.full((tallest, across, 3), 255, np.uint8)
        for t, frame in enumerate(clip.frames.permute(0, 2, 3, 1).numpy()):
            picture = np.ascontiguousarray(frame)
            for n, mask in enumerate(clip.masks[:, t].numpy()):
                picture = drawing.draw_mask(picture, mask, drawing.colour(n), opacity=0.35)
            left = t * (widest + gap)
            sheet[: picture.shape[0], left : left + picture.shape[1]] = picture
        style.bare(axis).imshow(sheet, interpolation="auto")
        height, width = clip.frames.shape[-2:]
        numbers = ", ".join(str(t) for t in clip.frame_indices)
        axis.set_title(f"frames {numbers} at {height} x {width}", loc="left")
    for axis in axes.flat[len(clips) :]:
        axis.set_visible(False)
    return figure
