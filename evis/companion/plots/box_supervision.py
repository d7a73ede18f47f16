"""What the losses of a box see of a picture, and the masks that they lead to (notebook 04)."""

from collections.abc import Mapping

import cv2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from evis.companion.plots import pictures, style
from evis.inference import drawing
from evis.losses import tk
from evis.losses.neighbours import WINDOW

OBJECTS = ((230, 159, 0), (0, 158, 115), (204, 121, 167))  # orange, green, pink, as in notebook 06
MARKS = ("#ff3b30", "#ffd60a", "#32d1ff", "#5ef08a", "#ff7af5")  # bright: drawn on photographs

Window = tuple[slice, slice]  # rows and columns
EVERYWHERE = (slice(None), slice(None))


def around(box: Tensor, margin: int = 10) -> Window:
    """The rows and columns of a filled box (h, w), and `margin` pixels more on each side."""
    x, y, width, height = cv2.boundingRect(np.uint8(box))
    rows = slice(max(0, y - margin), y + height + margin)
    return rows, slice(max(0, x - margin), x + width + margin)


def judged(
    picture: np.ndarray,
    found: Tensor,
    truth: Tensor | None = None,
    box: Tensor | None = None,
    window: Window = EVERYWHERE,
    scale: int = 3,
) -> np.ndarray:
    """A part of a picture as a mask (h, w) leaves it, and the sides of a filled box."""
    inside = None if truth is None else truth[window]
    drawn = pictures.judged(picture[window], found[window], inside, scale)
    return drawn if box is None else _boxed(drawn, box[window], scale)


def objects(
    picture: np.ndarray,
    found: Tensor,
    boxes: Tensor | None = None,
    window: Window = EVERYWHERE,
    scale: int = 3,
) -> np.ndarray:
    """A part of a picture under the masks (N, h, w) of several objects; dim if there are any."""
    shown = picture[window] // 2 if len(found) else picture[window]
    drawn = drawing.enlarge(shown, scale)
    for mask, rgb in zip(found, OBJECTS, strict=False):
        large = drawing.enlarge(np.asarray(mask[window]), scale)
        drawn = drawing.draw_mask(drawn, large, rgb, 0.7)
    for box in () if boxes is None else boxes:
        drawn = _boxed(drawn, box[window], scale)
    return drawn


def _boxed(drawn: np.ndarray, box: Tensor, scale: int) -> np.ndarray:
    sides = cv2.boundingRect(drawing.enlarge(np.uint8(box), scale))
    return drawing.draw_box(drawn, sides, pictures.WHITE, 2)


def shadows(picture: np.ndarray, logits: Tensor, box: Tensor, slope: Tensor) -> Figure:
    """A mask's maxima over columns and rows against its box's; the pixels the projection moves.

    logits, box, slope: (h, w), the last one minus the term's gradient.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 3.1), width_ratios=(1.3, 1))
    style.bare(left).imshow(judged(picture, logits > 0, None, box, scale=3))
    top, side = left.inset_axes((0, 1.04, 1, 0.25)), left.inset_axes((1.03, 0, 0.2, 1))
    columns, rows = np.arange(box.shape[1]), np.arange(len(box))
    for values, name, colour, width in (
        (box, "of the box", "black", 2.5),
        (logits.sigmoid(), "of the mask", style.COLOURS[3], 1.4),
    ):
        top.plot(columns, values.amax(0), color=colour, linewidth=width, label=name)
        side.plot(values.amax(1), rows, color=colour, linewidth=width)
    title = "shadows (PM-VIS, Eqs. 1-2): largest of each column"
    top.set(title=title, xticks=[], yticks=(0, 1), xlim=(0, columns[-1]))
    side.set(yticks=[], xticks=(0, 1), ylim=(rows[-1], 0), xlabel="of each row")
    top.legend(loc="center left", bbox_to_anchor=(1.0, 0.6))
    style.bare(right).imshow(picture // 3 + 170)
    for sign, name, colour in ((1, "pushed up", "#b2182b"), (-1, "pushed down", "#2166ac")):
        y, x = (sign * slope > 0).nonzero(as_tuple=True)
        right.scatter(x, y, s=5, color=colour, linewidths=0, label=f"{name}: {len(x)} pixels")
    right.set_title(f"a gradient for {int((slope != 0).sum())} of {box.numel()} pixels")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, markerscale=2)
    return figure


def matches(
    frames: Mapping[str, np.ndarray], matched: Tensor, window: Window, apart: int = 8
) -> Figure:
    """Every few pixels of the first frame, and where TK finds them in the second.

    matched: (9, h, w) bool, the candidates that match. A pixel without any is a grey dot. At the
    right, how many matches every pixel has.
    """
    down, across = window
    figure, axes = plt.subplots(1, 3, figsize=(style.PAGE, 2.6), width_ratios=(1, 1, 1.12))
    for axis, (title, frame) in zip(axes, frames.items(), strict=False):
        style.bare(axis).imshow(frame)
        axis.set_title(title)
    for number, y in enumerate(range(down.start + 3, down.stop, apart)):
        for x in range(across.start + 3, across.stop, apart):
            candidates = matched[:, y, x].nonzero().flatten().tolist()
            colour = MARKS[(number + x // apart) % len(MARKS)] if candidates else "#888888"
            size = 4 if candidates else 2
            axes[0].plot(x, y, "o", color=colour, markersize=size, markeredgewidth=0)
            for k in candidates:
                there = x + tk.DILATION * WINDOW[k][1], y + tk.DILATION * WINDOW[k][0]
                axes[1].plot(*zip((x, y), there, strict=True), color=colour, linewidth=1)
                axes[1].plot(*there, "o", color=colour, markersize=2.5, markeredgewidth=0)
    image = style.bare(axes[2]).imshow(matched.sum(0), vmin=0, vmax=5)
    axes[2].set_title("matches of each pixel")
    for axis in axes:
        axis.set(xlim=(across.start - 0.5, across.stop - 0.5))
        axis.set(ylim=(down.stop - 0.5, down.start - 0.5))
    figure.colorbar(image, ax=axes[2], shrink=0.8)
    return figure
