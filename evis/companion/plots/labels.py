"""Names beside points, put where they cover neither a point nor another name."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

HALO = withStroke(linewidth=2, foreground="white")  # keeps a name readable on top of a line
_ANGLES = (0, 180, 35, -35, 145, -145, 90, -90, 60, -60, 120, -120)  # degrees, best first
_DISTANCES = (5, 9, 14, 20, 27)  # points from the middle of a marker to the name's box
_PLACES = np.array(list(itertools.product(_DISTANCES, np.radians(_ANGLES))))  # best first
_LEADER = {"arrowstyle": "-", "lw": 0.5, "color": "#999999", "shrinkA": 0, "shrinkB": 4}


def name_points(
    axes: Axes, x: Sequence[float], y: Sequence[float], names: Sequence[str], size: float = 6.5
) -> None:
    """Annotate every point; call it last, when the limits and the layout are settled."""
    axes.figure.draw_without_rendering()
    pixel = axes.figure.dpi / 72
    distances, angles = _PLACES[:, :1], _PLACES[:, 1:]
    directions = np.hstack([np.cos(angles), np.sin(angles)])  # (places, 2)
    middles = axes.transData.transform(np.column_stack([x, y]))  # (points, 2) in pixels
    taken, frame = _boxes(middles, 7 * pixel), axes.bbox.extents[None]
    look = {"ha": "center", "va": "center", "fontsize": size, "path_effects": [HALO]}
    for point, middle, name in zip(zip(x, y, strict=True), middles, names, strict=True):
        text = axes.annotate(
            name, point, (0, 0), textcoords="offset points", arrowprops=_LEADER, **look
        )
        extent = Text.get_window_extent(text).size
        # A name touches a circle around its point, whatever the name's size.
        offsets = directions * (distances * pixel + extent / 2)
        boxes = _boxes(middle + offsets, extent)
        outside = extent.prod() - _shared(boxes, frame)
        costs = _shared(boxes, taken) + 3 * outside + 2 * np.arange(len(boxes))
        best = int(np.argmin(costs))
        taken = np.vstack([taken, boxes[best]])
        text.xyann = offsets[best] / pixel


def _boxes(middles: np.ndarray, extent: np.ndarray | float) -> np.ndarray:
    """(n, 2) -> (n, 4): x0, y0, x1, y1."""
    return np.hstack([middles - extent / 2, middles + extent / 2])


def _shared(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n, 4) and (m, 4) -> (n,): the area that each box shares with the others, summed."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return (high - low).clip(min=0).prod(-1).sum(-1)
