"""A page in inches on which diagrams are laid out: pictures, matrices, boxes, arrows and words."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.text import Text

from evis.companion.plots import style

SMALL, NORMAL = 6.5, 7.5  # points; nothing on a page is smaller
INK, LINE = "#222222", "#555555"

Place = tuple[float, float]


def tint(colour: str, strength: float = 0.16) -> tuple[float, ...]:
    """The colour on white paper, thinned: text in black stays readable on it."""
    return tuple(1 - strength * (1 - channel) for channel in to_rgb(colour))


class Board:
    """One figure, one pair of axes; x to the right, y upwards, both in inches."""

    def __init__(self, height: float, width: float = style.PAGE):
        self.figure = plt.figure(figsize=(width, height), layout="none")
        self.axes = style.bare(self.figure.add_axes((0, 0, 1, 1)))
        self.axes.set(xlim=(0, width), ylim=(0, height))

    def words(self, x: float, y: float, text: str, size: float = SMALL, **how) -> Text:
        settings = {"ha": "center", "va": "center", "color": INK, "linespacing": 1.2} | how
        return self.axes.text(x, y, text, fontsize=size, **settings)

    def picture(
        self,
        image: np.ndarray,
        x: float,
        y: float,
        width: float,
        height: float | None = None,
        edge: str | None = LINE,
        **how,
    ) -> None:
        """Lower left corner at (x, y); pixels are square unless a height is given."""
        height = height or width * image.shape[0] / image.shape[1]
        extent = (x, x + width, y, y + height)
        # Above all but words, in the order in which pictures come.
        order = 2 + len(self.axes.images) / 1000
        self.axes.imshow(image, extent=extent, aspect="auto", zorder=order, **how)
        if edge:
            frame = Rectangle((x, y), width, height, fill=False, ec=edge, lw=0.6, zorder=order)
            self.axes.add_patch(frame)
        self.axes.set(xlim=(0, self.figure.get_figwidth()), ylim=(0, self.figure.get_figheight()))

    def stack(
        self,
        images: Sequence[np.ndarray],
        x: float,
        y: float,
        width: float,
        step: float,
        edge: str = LINE,
        **how,
    ) -> None:
        """Pictures behind one another, the first in front at the lower left."""
        for place, image in reversed(list(enumerate(images))):
            self.picture(image, x + place * step, y + place * step, width, edge=edge, **how)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        text: str = "",
        colour: str = LINE,
        **how,
    ) -> None:
        """A rounded box in a colour's tint, its words in the middle."""
        shape = FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            fc=tint(colour),
            ec=colour,
            lw=0.9,
            zorder=1,
        )
        self.axes.add_patch(shape)
        if text:
            self.words(x + width / 2, y + height / 2, text, **how)

    def arrow(self, start: Place, end: Place, bend: float = 0.0, colour: str = LINE) -> None:
        shape = FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=7,
            lw=0.9,
            color=colour,
            shrinkA=0,
            shrinkB=0,
            connectionstyle=f"arc3,rad={bend}",
            zorder=4,
        )
        self.axes.add_patch(shape)

    def corner_arrow(self, *places: Place, colour: str = LINE) -> None:
        """An arrow along straight lines through all places."""
        for start, end in zip(places[:-2], places[1:-1], strict=True):
            self.axes.plot(*zip(start, end, strict=True), color=colour, lw=0.9, zorder=4)
        self.arrow(places[-2], places[-1], colour=colour)

    def inset(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes for a chart."""
        axes = self.axes.inset_axes((x, y, width, height), transform=self.axes.transData)
        axes.tick_params(labelsize=SMALL, length=2, pad=1.5)
        return axes


def by(sizes: Sequence[int]) -> str:
    """A shape as it is read aloud: 3 × 32 × 48."""
    return " × ".join(map(str, sizes))
