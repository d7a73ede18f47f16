"""What diagrams are made of: a page in inches, and pictures, boxes, arrows and words."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import ConnectionPatch, FancyBboxPatch, Rectangle
from torch import Tensor

from evis.companion.plots import style
from evis.papers.eigencluster.figures.colours import OBJECTS
from evis.papers.eigencluster.one_clip import OneClip

SMALL, NORMAL = 6.5, 7.5  # points; nothing in a diagram is smaller
INK, LINE = "#222222", "#555555"
ARROW = {"arrowstyle": "-|>", "mutation_scale": 7, "color": LINE, "lw": 0.9, "shrinkA": 0}
WORDS = {"ha": "center", "va": "center", "color": INK, "linespacing": 1.2}


class Page:
    """One figure; x to the right, y upwards, both in inches."""

    def __init__(self, height: float, width: float = style.PAGE):
        self.figure = plt.figure(figsize=(width, height), layout="none")
        self.axes = style.bare(self.figure.add_axes((0, 0, 1, 1)))
        self.axes.set(xlim=(0, width), ylim=(0, height))

    def words(self, x: float, y: float, text: str, size: float = SMALL, **how) -> None:
        self.axes.text(x, y, text, fontsize=size, **WORDS | how)

    def picture(self, image, x: float, y: float, width: float, edge: str = LINE, **how) -> Axes:
        """Its lower left corner at (x, y), its pixels square; the axes count in its pixels."""
        height = width * image.shape[0] / image.shape[1]
        axes = self.axes.inset_axes((x, y, width, height), transform=self.axes.transData)
        return show(axes, image, edge, **how)

    def stack(
        self, images: Sequence, x: float, y: float, width: float, step: float, **how
    ) -> list[Axes]:
        """Pictures behind one another, the first in front at the lower left."""
        places = list(enumerate(images))[::-1]
        return [self.picture(i, x + n * step, y + n * step, width, **how) for n, i in places][::-1]

    def box(self, x: float, y: float, width: float, height: float, colour: str = LINE) -> None:
        """A rounded box, tinted so thinly that black text stays readable on it."""
        tint = [1 - 0.16 * (1 - channel) for channel in to_rgb(colour)]
        corners = "round,pad=0,rounding_size=0.06"
        look = {"boxstyle": corners, "fc": tint, "ec": colour, "lw": 0.9, "zorder": 1}
        self.axes.add_patch(FancyBboxPatch((x, y), width, height, **look))

    def arrow(self, *places: tuple[float, float]) -> None:
        """Along straight lines through all places."""
        self.axes.plot(*zip(*places[:-1], strict=True), color=LINE, lw=0.9)
        self.axes.annotate("", places[-1], places[-2], arrowprops=ARROW | {"shrinkB": 0})


def show(axes: Axes, image: np.ndarray | Tensor, edge: str = LINE, **how) -> Axes:
    """A picture in axes of its own, framed."""
    axes.imshow(image, **{"aspect": "auto"} | how)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=edge, linewidth=0.6)
    return axes


def outline(axes: Axes, box: Sequence[float], colour: str) -> None:
    """A box x0, y0, x1, y1, in a picture's pixels."""
    x0, y0, x1, y1 = box
    for edge, width in (("white", 1.6), (colour, 0.8)):
        corner = x0 - 0.5, y0 - 0.5
        axes.add_patch(Rectangle(corner, x1 - x0, y1 - y0, fill=False, ec=edge, lw=width))


def boxes(axes: Axes, one: OneClip, t: int, scale: float = 1, corner=(0, 0)) -> None:
    """The boxes of a frame, all the supervision there is; scale, corner: of the frame's picture."""
    for box, colour in zip(one.clip.boxes[:, t].tolist(), OBJECTS, strict=True):
        outline(axes, (scale * np.reshape(box, (2, 2)) + corner).flatten(), colour)


def join(row: Sequence[Axes]) -> None:
    """Arrows from each axes of a row to the next, or to the numbers at its left."""
    for left, right in zip(row[:-1], row[1:], strict=True):
        ends = {"axesA": left, "axesB": right, "coordsA": "axes fraction", "shrinkA": 4}
        ends |= {"coordsB": "axes fraction", "shrinkB": 24 if len(right.get_yticks()) else 4}
        arrow = ConnectionPatch((1, 0.5), (0, 0.5), **ARROW | ends)
        left.figure.add_artist(arrow)


def by(sizes: Sequence[int]) -> str:
    """A shape as it is read aloud: 3 × 32 × 48."""
    return " × ".join(map(str, sizes))
