"""Pictures side by side."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from evis.companion.plots import style


def strip(
    rows: Sequence[Sequence[np.ndarray]],
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    width: float = style.PAGE,
) -> Figure:
    """A grid of pictures, one list a row, with labels at the left and on top."""
    columns = max(len(row) for row in rows)
    height, picture_width = rows[0][0].shape[:2]
    figure, axes = plt.subplots(
        len(rows),
        columns,
        figsize=(width, width / columns * height / picture_width * len(rows) + 0.25),
        squeeze=False,
        gridspec_kw={"wspace": 0.02, "hspace": 0.02},
    )
    for axis in axes.flat:
        style.bare(axis)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            axes[row, column].imshow(picture, interpolation="auto")  # smooth when made smaller
    for axis, label in zip(axes[:, 0], row_labels, strict=False):
        axis.set_ylabel(label)
    for axis, label in zip(axes[0], column_labels, strict=False):
        axis.set_title(label)
    return figure
