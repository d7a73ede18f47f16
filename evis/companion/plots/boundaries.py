"""Pictures of DAVIS's two measures: J, the region, and F, the boundary."""

from collections.abc import Mapping

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from evis.companion.plots import style
from evis.data import masks
from evis.data.types import Track
from evis.metrics import davis

MATCHED, ASTRAY = style.COLOURS[2], style.COLOURS[3]


def matches(track: Track, frame: int, found: Mapping[str, np.ndarray]) -> Figure:
    """DAVIS's view of one mask under several predictions (h, w): boundary pixels that match or not.

    The grey band is what lies within the tolerance of the object's boundary.
    """
    truth, (x, y, width, height) = track.mask(frame), masks.tight_box(track.masks[frame])
    edge = davis.boundary(truth)
    reach = int(np.ceil(davis.TOLERANCE * np.hypot(*truth.shape)))
    away = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    figure, axes = plt.subplots(1, len(found), figsize=(style.PAGE, 2.3))
    for axis, (name, mask) in zip(axes, found.items(), strict=True):
        own = davis.boundary(mask)
        picture = np.ones((*truth.shape, 3))
        picture[truth] = 0.93
        picture[away <= reach] = 0.78
        for pixels, rgb in ((own & (away <= reach), MATCHED), (own & (away > reach), ASTRAY)):
            picture[pixels] = to_rgb(rgb)
        style.bare(axis).imshow(picture)
        axis.set(xlim=(x - 5, x + width + 5), ylim=(y + height + 5, y - 5))
        j, f = davis.j_measure(truth, mask), davis.f_measure(truth, mask)
        axis.set_title(f"{name}\nJ {100 * j:.0f}, F {100 * f:.0f}")
    return figure


def region_and_boundary(table: pd.DataFrame) -> Figure:
    """A row a case: J and F in percent, joined by a line."""
    figure, axis = plt.subplots(figsize=(style.PAGE, 0.24 * len(table) + 0.8))
    places = np.arange(len(table))
    axis.hlines(places, table["J"], table["F"], color="#bbbbbb", linewidth=2, zorder=1)
    for name, marker, rgb in (("J", "s", style.COLOURS[0]), ("F", "o", style.COLOURS[1])):
        label = f"{name}, {'region' if name == 'J' else 'boundary'}"
        axis.scatter(table[name], places, marker=marker, s=34, color=rgb, label=label, zorder=2)
    axis.set(yticks=places, yticklabels=table.index, xlim=(-2, 104), xlabel="percent, measured")
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)
    axis.legend(loc="upper left")
    return figure
