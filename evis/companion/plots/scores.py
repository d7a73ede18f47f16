"""Scores side by side."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from evis.companion.plots import style
from evis.metrics.ytvis import Evaluation


def bars(
    evaluations: Mapping[str, Evaluation],
    metrics: Sequence[str] = ("AP", "AP50", "AP75"),
    title: str = "measured",
) -> Figure:
    """One group of bars a metric, one bar an evaluation, its value in percent on top."""
    figure, axis = plt.subplots(figsize=(style.PAGE * 0.75, 2.6))
    width = 0.8 / len(evaluations)
    for place, (name, evaluation) in enumerate(evaluations.items()):
        heights = [100 * evaluation.stats[metric] for metric in metrics]
        lefts = [group - 0.4 + width * (place + 0.5) for group in range(len(metrics))]
        drawn = axis.bar(lefts, heights, 0.92 * width, color=style.COLOURS[place], label=name)
        axis.bar_label(drawn, fmt="%.1f", fontsize=7.5, padding=1)
    axis.set(xticks=range(len(metrics)), xticklabels=metrics, ylim=(0, 100), ylabel="percent")
    axis.set_title(title)
    axis.grid(axis="x", visible=False)
    axis.legend(loc="upper right", ncols=len(evaluations))
    return figure


def versus(table: pd.DataFrame, x: str, y: str, unit: str, highlight=None) -> Figure:
    """A dot a row of `table`, one column against another; above the diagonal, `y` is better."""
    figure, axis = plt.subplots(figsize=(style.COLUMN, style.COLUMN))
    better = table[y] > table[x]
    for rows, rgb, name in (
        (better, style.COLOURS[2], f"{y} better"),
        (~better, style.COLOURS[1], f"{x} better"),
    ):
        label = f"{name} ({rows.sum()})"
        axis.scatter(table[x][rows], table[y][rows], s=16, color=rgb, alpha=0.8, label=label)
    axis.plot([0, 1], [0, 1], color="#999999", linewidth=1, zorder=0)
    if highlight is not None:
        point = table.loc[highlight, x], table.loc[highlight, y]
        axis.scatter(*point, s=70, facecolor="none", edgecolor="black", linewidth=1.2)
        axis.annotate(
            f"{table.index.name} {highlight}",
            point,
            (-6, 6),
            textcoords="offset points",
            ha="right",
        )
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.set(xlabel=f"mean IoU of {unit}, {x}", ylabel=f"mean IoU of {unit}, {y}")
    axis.legend(loc="lower left")
    return figure
