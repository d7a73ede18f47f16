"""What two measures of masks look at: IoU over a video, J and F of a frame."""

from collections.abc import Mapping

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evis.companion.plots import pictures, style
from evis.metrics import davis

SHARED, MISSED, EXTRA = (np.array(c) / 255 for c in ((150,) * 3, style.MISSED, style.TOO_MUCH))


def overlap(frames: np.ndarray, truth: np.ndarray, found: np.ndarray, count: int = 3) -> Figure:
    """An object and a prediction, (T, h, w) bool each: pixels shared, missed and too many.

    frames: (T, h, w, 3) uint8. Some of them stand, judged, above the bars of all.
    """
    parts = {
        "shared": truth & found,
        "only in the object": truth & ~found,
        "only in the prediction": found & ~truth,
    }
    areas = pd.DataFrame({name: part.sum((1, 2)) for name, part in parts.items()})
    figure = plt.figure(figsize=(style.PAGE, 4.2))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.3])
    shown = pictures.spread(len(frames), count)
    for t, axis in zip(shown, top.subplots(1, count), strict=True):
        style.bare(axis).imshow(pictures.judged(frames[t], found[t], truth[t]))
        axis.set_title(f"frame {t}")
    each, total = bottom.subplots(1, 2, width_ratios=[3.2, 1])
    look = {"stacked": True, "color": [SHARED, MISSED, EXTRA], "rot": 0, "legend": False}
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


def boundaries(truth: np.ndarray, found: Mapping[str, np.ndarray], columns: int = 3) -> Figure:
    """DAVIS's view of a mask (h, w) under several predictions: boundary pixels that match or not.

    The grey band is what lies within the tolerance of the object's boundary. Predicted boundary
    pixels are black in it and pink outside; the object's own without a partner are yellow.
    """
    below, across = (np.flatnonzero(truth.any(axis))[[0, -1]] for axis in (1, 0))
    edge = davis.boundary(truth)
    lines = -(-len(found) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(style.PAGE, 2.0 * lines), squeeze=False)
    for axis in axes.flat:
        style.bare(axis)
    for axis, (name, mask) in zip(axes.flat, found.items(), strict=False):
        own = davis.boundary(mask)
        picture = np.ones((*truth.shape, 3))
        picture[truth], picture[_near(edge)] = 0.93, 0.78
        picture[own & _near(edge)], picture[own & ~_near(edge)] = 0.1, EXTRA
        picture[edge & ~_near(own)] = MISSED
        axis.imshow(picture)
        axis.set(xlim=across + (-5, 5), ylim=(below + (-5, 5))[::-1])
        j, f = davis.j_measure(truth, mask), davis.f_measure(truth, mask)
        axis.set_title(f"{name}\nJ {100 * j:.0f}, F {100 * f:.0f}")
    return figure


def _near(edge: np.ndarray) -> np.ndarray:
    """(h, w) bool: the pixels within DAVIS's tolerance of a boundary."""
    away = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return away <= davis.tolerance(edge)
