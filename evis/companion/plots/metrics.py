"""What two measures of masks look at: IoU over a video, J and F of a frame."""

from collections.abc import Mapping

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from evis.companion.plots import pictures, style
from evis.inference import drawing
from evis.metrics import davis

SHARED, MISSED, EXTRA = style.COLOURS[2], style.COLOURS[0], style.COLOURS[3]


def overlap(frames: np.ndarray, truth: np.ndarray, found: np.ndarray, count: int = 7) -> Figure:
    """An object and a prediction, (T, h, w) bool each: pixels shared, missed and too many.

    frames: (T, h, w, 3) uint8. Some of them stand above the bars of all.
    """
    parts = {
        "shared": (SHARED, truth & found),
        "only in the object": (MISSED, truth & ~found),
        "only in the prediction": (EXTRA, found & ~truth),
    }
    areas = pd.DataFrame({name: part.sum((1, 2)) for name, (_, part) in parts.items()})
    figure = plt.figure(figsize=(style.PAGE, 3.3))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 2.6])
    shown = pictures.spread(len(frames), count)
    for t, axis in zip(shown, top.subplots(1, count), strict=True):
        picture = drawing.enlarge((0.5 * frames[t] + 100).astype(np.uint8), 4)
        for colour, part in parts.values():
            rgb = tuple(round(255 * channel) for channel in to_rgb(colour))
            picture = drawing.draw_mask(picture, drawing.enlarge(part[t], 4), rgb, opacity=0.75)
        style.bare(axis).imshow(picture, interpolation="auto")
        axis.set_title(f"t = {t}")
    each, total = bottom.subplots(1, 2, width_ratios=[3.2, 1])
    colours = [colour for colour, _ in parts.values()]
    look = {"stacked": True, "color": colours, "rot": 0, "legend": False}
    areas.plot.bar(ax=each, width=0.8, **look)
    areas.sum().to_frame("all frames").T.plot.bar(ax=total, width=0.5, **look)
    for axis, table in ((each, areas), (total, areas.sum().to_frame().T)):
        ious = table["shared"] / table.sum(axis=1)
        axis.bar_label(axis.containers[-1], [f"{iou:.2f}" for iou in ious], padding=2, fontsize=7)
        axis.grid(axis="x", visible=False)
        axis.margins(y=0.12)
    each.set(xlabel="frame (number on top: IoU)", ylabel="pixels")
    bottom.legend(*each.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def boundaries(truth: np.ndarray, found: Mapping[str, np.ndarray]) -> Figure:
    """DAVIS's view of a mask (h, w) under several predictions: boundary pixels that match or not.

    The grey band is what lies within the tolerance of the object's boundary.
    """
    rows, columns = (np.flatnonzero(truth.any(axis))[[0, -1]] for axis in (1, 0))
    reach = int(np.ceil(davis.TOLERANCE * np.hypot(*truth.shape)))
    outside = (~davis.boundary(truth)).astype(np.uint8)
    near = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= reach
    figure, axes = plt.subplots(1, len(found), figsize=(style.PAGE, 2.3))
    for axis, (name, mask) in zip(axes, found.items(), strict=True):
        edge = davis.boundary(mask)
        picture = np.ones((*truth.shape, 3))
        picture[truth], picture[near] = 0.93, 0.78
        picture[edge & near], picture[edge & ~near] = to_rgb(SHARED), to_rgb(EXTRA)
        style.bare(axis).imshow(picture)
        axis.set(xlim=columns + (-5, 5), ylim=(rows + (-5, 5))[::-1])
        j, f = davis.j_measure(truth, mask), davis.f_measure(truth, mask)
        axis.set_title(f"{name}\nJ {100 * j:.0f}, F {100 * f:.0f}")
    return figure
