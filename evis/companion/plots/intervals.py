"""Means and paired differences as points with 95% intervals, and what is not measured as such."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from evis.companion import paired
from evis.companion.paired import Difference
from evis.companion.plots import style

PUBLISHED, MEASURED, PAIRED = style.COLOURS[7], style.COLOURS[0], style.COLOURS[3]
_BAR = {"fmt": "o", "markersize": 4, "capsize": 2.5, "elinewidth": 1.6, "zorder": 3}
_FAINT = {"color": "#888888", "fontsize": 7, "va": "center"}


def seeds(axis: Axes, values: ArrayLike, place: float, colour: str, vertical=False) -> None:
    """Every seed a dot; their mean, with Student's interval unless they are few; their number."""
    mean, at = sum(values) / len(values), [place] * len(values)
    if vertical:
        axis.scatter(at, values, s=9, color=colour, alpha=0.35)
        axis.errorbar(place, mean, yerr=half(values), color=colour, **_BAR)
        return
    axis.scatter(values, at, s=9, color=colour, alpha=0.35)
    axis.errorbar(mean, place, xerr=half(values), color=colour, **_BAR)
    beyond = {"xycoords": ("axes fraction", "data"), "ha": "left"}
    axis.annotate(f"n={len(values)}", (1.01, place), **beyond, **_FAINT)


def half(values: ArrayLike) -> float:
    """Half of Student's interval; 0, no bar, where seeds are few."""
    return paired.half_width(values) if len(values) >= paired.LEAST_SEEDS else 0.0


def difference(axis: Axes, found: Difference, place: float, colour: str = PAIRED) -> None:
    """A paired difference with the interval that its outcome goes by; too few seeds have none."""
    bar = [[length] for length in found.bar]
    axis.errorbar(found.mean, place, xerr=bar, color=colour, **_BAR)


def absent(axis: Axes, place: float, vertical=False) -> None:
    """Says so at the place of a row or difference: a line of the panel or, vertical, a column."""
    where, units = (0.5, place), ("axes fraction", "data")
    if vertical:
        where, units = where[::-1], units[::-1]
    axis.annotate("not measured", where, xycoords=units, ha="center", **_FAINT)


def absent_rows(axis: Axes, labels: Sequence[str]) -> None:
    """Says so beneath a panel whose rows have no lines or columns of their own."""
    lines = [f"{label}: not measured" for label in labels]
    axis.set_xlabel("\n".join(lines), **_FAINT | {"va": "top"})


def legend(published: bool) -> list[Line2D]:
    """What the marks mean."""
    diamond = Line2D([], [], color=PUBLISHED, marker="D", markersize=4, lw=0, label="published")
    dot = Line2D([], [], color=MEASURED, marker="o", markersize=3, alpha=0.35, lw=0)
    dot.set_label("measured, a seed")
    look = {"marker": "o", "markersize": 4, "lw": 1.6}
    mean = Line2D([], [], color=MEASURED, label="mean and 95% interval", **look)
    gain = Line2D([], [], color=PAIRED, label="mean difference and 95% interval", **look)
    return [diamond] * published + [dot, mean, gain]
