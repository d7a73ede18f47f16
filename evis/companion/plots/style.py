"""One look for every figure: sizes a paper prints, colours that colour-blind readers tell apart."""

from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from evis.companion import scales
from evis.companion.plots import compression
from evis.data import files

# Okabe and Ito's palette, in an order that keeps neighbours distinct.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#666666")

SUPERVISION_COLOURS = {
    "masks": COLOURS[0],
    "boxes": COLOURS[1],
    "scribbles": COLOURS[5],
    "points": COLOURS[2],
    "categories": COLOURS[4],
    "none": COLOURS[3],
}
SUPERVISION_MARKERS = dict(zip(SUPERVISION_COLOURS, "osP^DX", strict=True))

# Of pixels that a mask wrongly takes and wrongly leaves, RGB: light enough for any photograph.
TOO_MUCH, MISSED = (230, 120, 190), (240, 228, 66)

COLUMN = 3.5  # inches: the width of one column of a two-column paper
PAGE = 7.2


def use() -> None:
    """Set matplotlib's defaults for this process; every notebook calls it once, at its start."""
    scales.check_notebook()
    mpl.rcParams.update(
        {
            "figure.figsize": (PAGE, 3.0),
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "savefig.dpi": 200,
            "font.size": 8.5,
            "axes.titlesize": 9,
            "axes.labelsize": 8.5,
            "legend.fontsize": 7.5,
            "xtick.labelsize": 7.5,
            "ytick.labelsize": 7.5,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": mpl.cycler(color=COLOURS),
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e4e4e4",
            "grid.linewidth": 0.6,
            "lines.linewidth": 1.4,
            "legend.frameon": False,
            "image.interpolation": "nearest",
            "image.cmap": "cividis",
            "pdf.fonttype": 42,  # text stays text
            "svg.hashsalt": "evis",
        }
    )


def save(figure: Figure, name: str) -> None:
    """Write figures/<name>.pdf and .png; the same figure gives the same bytes on any day.

    Files that look like this figure already are left as they are, and most of the work is saved.
    """
    pdf, png = (scales.figures() / f"{name}.{suffix}" for suffix in ("pdf", "png"))
    if pdf.exists() and png.exists() and compression.looks_like(figure, png.read_bytes()):
        for path in (pdf, png):
            path.touch()  # it was drawn: whoever lists what a notebook drew goes by the time
    else:
        for suffix, content in compression.rendered(figure).items():
            files.write_bytes(scales.figures() / f"{name}.{suffix}", content)


def save_animation(frames: Sequence[np.ndarray], name: str, seconds: float = 0.12) -> bytes:
    """Write figures/<name>.gif, unless it looks like that already; what the file holds then."""
    path, written = scales.figures() / f"{name}.gif", compression.gif(frames, seconds)
    if path.exists() and compression.look_alike(path.read_bytes(), written):
        path.touch()
    else:
        files.write_bytes(path, written)
    return path.read_bytes()


def pixels(figure: Figure) -> np.ndarray:
    """(h, w, 3) uint8: the figure as it is now, one frame of an animation."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def bare(axes: plt.Axes) -> plt.Axes:
    """Strip an axes down to its picture."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def signed(values: ArrayLike, share: float = 1.0) -> dict:
    """How `imshow` paints numbers around 0 in every figure: red above, blue below, white 0.

    share: the part of the values that is kept from being cut off at the ends of the scale.
    """
    limit = float(np.quantile(np.abs(np.asarray(values)), share))
    return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
