"""All differences between paper and released code in one picture."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evis.companion.plots import forest as forests
from evis.companion.plots import style

_FARTHEST = 4.5  # powers of ten; what lies beyond, as a 0 does, stands there as an arrow
_LOOKS = (("o", style.COLOURS[3]), ("^", style.COLOURS[0]), ("s", style.COLOURS[2]))


def overview(table: pd.DataFrame) -> Figure:
    """Of `differences.table()`, the code's number over the paper's, on a scale of powers of ten.

    A panel a topic, in two columns, each put where there is more room; largest differences on top.
    """
    kinds = dict(zip(table["kind"].unique(), (*_LOOKS, ("D", style.COLOURS[7])), strict=True))
    with np.errstate(divide="ignore"):
        powers = np.log10(table["ratio"])
    marks = table["kind"].map(lambda kind: kinds[kind][0])
    marks = marks.where(powers > -_FARTHEST, "<").where(powers < _FARTHEST, ">")
    said = table["by the paper"] + " → " + table["by the code"]
    data = pd.DataFrame({"topic": table["topic"], "label": table["title"], "text": said})
    data = data.assign(mean=powers.clip(-_FARTHEST, _FARTHEST), marker=marks, size=powers.abs())
    data["colour"] = table["kind"].map(lambda kind: kinds[kind][1])
    columns = _in_two_columns(data["topic"])
    lines = [sum(data["topic"].isin(topics)) + 2 * len(topics) for topics in columns]
    figure = plt.figure(figsize=(style.PAGE, 0.6 + 0.145 * max(lines)))
    for part, topics in zip(figure.subfigures(1, 2), columns, strict=True):
        parts = [data[data["topic"] == topic] for topic in topics]
        heights = {"height_ratios": [len(own) + 1 for own in parts], "sharex": True}
        panels = part.subplots(len(parts), squeeze=False, **heights)[:, 0]
        for topic, own, axes in zip(topics, parts, panels, strict=True):
            forests.forest(own.sort_values("size", ascending=False, kind="stable"), axes)
            axes.set_title(topic, loc="left", fontsize=8, weight="bold")
            axes.tick_params(axis="y", labelsize=6.5, length=0)
            axes.set_xlim(-_FARTHEST - 0.5, _FARTHEST + 0.5)
        ticks = {-3: "1/1,000", 0: "1", 3: "1,000"}
        panels[-1].set_xticks(list(ticks), list(ticks.values()))
    figure.supxlabel("by the code / by the paper (computed)", fontsize=8)
    shown = [Line2D([], [], lw=0, marker=m, color=c, label=kind) for kind, (m, c) in kinds.items()]
    figure.legend(handles=shown, loc="outside upper center", ncols=len(shown))
    return figure


def _in_two_columns(topics: pd.Series) -> tuple[list[str], list[str]]:
    columns: tuple[list[str], list[str]] = [], []
    for topic in topics.unique():
        min(columns, key=lambda column: sum(topics.isin(column))).append(topic)
    return columns
