"""Names beside points, put where they cover neither a point nor another name."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.transforms import Bbox

HALO = withStroke(linewidth=2, foreground="white")  # keeps a name readable on top of a line
_ANGLES = (0, 180, 35, -35, 145, -145, 90, -90, 60, -60, 120, -120)  # degrees, best first
_DISTANCES = (5, 9, 14, 20, 27)  # points from the middle of a marker to the name's box
_LEADER = {"arrowstyle": "-", "lw": 0.5, "color": "#999999", "shrinkA": 0, "shrinkB": 4}


def name_points(
    axes: Axes, x: Sequence[float], y: Sequence[float], names: Sequence[str], size: float = 6.5
) -> None:
    """Annotate every point; call it last, when the limits and the layout are settled."""
    axes.figure.draw_without_rendering()
    pixel = axes.figure.dpi / 72
    middles = axes.transData.transform(np.column_stack([x, y]))  # (points, 2) in pixels
    taken = [_box(middle, np.full(2, 7 * pixel)) for middle in middles]
    look = {"ha": "center", "va": "center", "fontsize": size, "path_effects": [HALO]}
    for point, middle, name in zip(zip(x, y, strict=True), middles, names, strict=True):
        text = axes.annotate(
            name, point, (0, 0), textcoords="offset points", arrowprops=_LEADER, **look
        )
        extent = Text.get_window_extent(text).size
        boxes = [
            _box(middle + _offset(angle, distance * pixel, extent), extent)
            for distance in _DISTANCES
            for angle in _ANGLES
        ]
        costs = [2 * rank + _cost(box, taken, axes.bbox) for rank, box in enumerate(boxes)]
        best = boxes[int(np.argmin(costs))]
        taken.append(best)
        text.xyann = ((best.min + best.max) / 2 - middle) / pixel


def _offset(angle: float, distance: float, extent: np.ndarray) -> np.ndarray:
    """To the middle of a name that touches a circle around its point, whatever the name's size."""
    direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    return direction * (distance + extent / 2)


def _box(middle: np.ndarray, extent: np.ndarray) -> Bbox:
    return Bbox([middle - extent / 2, middle + extent / 2])


def _cost(box: Bbox, taken: list[Bbox], frame: Bbox) -> float:
    """Pixels of the box that are taken already, and three times those outside of the frame."""
    outside = box.width * box.height - _shared(box, frame)
    return sum(_shared(box, other) for other in taken) + 3 * outside


def _shared(one: Bbox, other: Bbox) -> float:
    common = Bbox.intersection(one, other)
    return common.width * common.height if common else 0.0
