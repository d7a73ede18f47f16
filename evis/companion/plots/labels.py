"""Names beside points, put where they cover neither a point nor another name."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

_ANGLES = (0, 180, 35, -35, 145, -145, 90, -90, 60, -60, 120, -120)  # degrees, best first
_DISTANCES = (5, 9, 14, 20, 27)  # points from the middle of a marker
HALO = withStroke(linewidth=2, foreground="white")  # keeps a name readable on top of a line
_LEADER = 9  # names further away than this are tied to their point by a line


def name_points(
    axes: plt.Axes, x: Sequence[float], y: Sequence[float], names: Sequence[str], size: float = 6.5
) -> list[plt.Annotation]:
    """Annotate every point; call it last, when the limits and the layout are settled."""
    axes.figure.draw_without_rendering()
    pixel = axes.figure.dpi / 72
    middles = axes.transData.transform(np.column_stack([x, y]))  # (points, 2)
    taken = [_box(middle, 3.5 * pixel, 3.5 * pixel) for middle in middles]
    written = []
    for middle, name in zip(middles, names, strict=True):
        width, height = _extent(axes, name, size)
        places = [
            (angle, distance, _label_box(middle, angle, distance * pixel, width, height))
            for distance in _DISTANCES
            for angle in _ANGLES
        ]
        costs = [
            _overlap(box, taken) + 3 * _outside(box, axes.bbox) + 2 * rank
            for rank, (_, _, box) in enumerate(places)
        ]
        angle, distance, box = places[int(np.argmin(costs))]
        taken.append(box)
        centre = (box.min + box.max) / 2
        written.append(
            axes.annotate(
                name,
                xy=axes.transData.inverted().transform(middle),
                xytext=(centre - middle) / pixel,
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=size,
                color="#222222",
                path_effects=[HALO],
                arrowprops={"arrowstyle": "-", "lw": 0.5, "color": "#999999", "shrinkB": 3}
                if distance > _LEADER
                else None,
            )
        )
    return written


def _extent(axes: plt.Axes, name: str, size: float) -> tuple[float, float]:
    """Width and height of a text in pixels."""
    probe = axes.text(0, 0, name, fontsize=size)
    box = probe.get_window_extent()
    probe.remove()
    return box.width, box.height


def _box(middle: np.ndarray, half_width: float, half_height: float) -> Bbox:
    half = np.array([half_width, half_height])
    return Bbox([middle - half, middle + half])


def _label_box(middle, angle: float, distance: float, width: float, height: float) -> Bbox:
    """The label touches a circle around its point, whatever its own size."""
    direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    reach = direction * (distance + np.array([width / 2, height / 2]))
    return _box(middle + reach, width / 2, height / 2)


def _overlap(box: Bbox, taken: list[Bbox]) -> float:
    """Pixels of the box that are taken already."""
    common = [Bbox.intersection(box, other) for other in taken]
    return sum(shared.width * shared.height for shared in common if shared is not None)


def _outside(box: Bbox, frame: Bbox) -> float:
    inside = Bbox.intersection(box, frame)
    return box.width * box.height - (inside.width * inside.height if inside else 0)
