"""All differences between paper and released code in one picture."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evis.companion.plots import forest as forests
from evis.companion.plots import style

_FARTHEST = 4.5  # powers of ten; what lies beyond, as a 0 does, stands there as an arrow
_LOOKS = (("o", style.COLOURS[3]), ("^", style.COLOURS[0]), ("s", style.COLOURS[2]))


def overview(table: pd.DataFrame) -> Figure:
    """Of `differences.table()`, the code's number over the paper's, on a scale of powers of ten."""
    kinds = dict(zip(table["kind"].unique(), (*_LOOKS, ("D", style.COLOURS[7])), strict=True))
    with np.errstate(divide="ignore"):
        powers = np.log10(table["ratio"])
    marks = table["kind"].map(lambda kind: kinds[kind][0])
    marks = marks.where(powers > -_FARTHEST, "<").where(powers < _FARTHEST, ">")
    said = table["quantity"] + ": " + table["by the paper"] + " → " + table["by the code"]
    data = pd.DataFrame({"topic": table["topic"], "label": table["title"], "text": said})
    data = data.assign(mean=powers.clip(-_FARTHEST, _FARTHEST), marker=marks)
    data["colour"] = table["kind"].map(lambda kind: kinds[kind][1])
    figure = forests.facets(data, "topic")
    for axes in figure.axes:
        axes.tick_params(axis="y", labelsize=6.5, length=0)
        ticks = {-4: "1/10,000", -2: "1/100", 0: "1", 2: "100", 4: "10,000"}
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set_xlim(-_FARTHEST - 0.5, _FARTHEST + 0.5)
    figure.supxlabel("by the code / by the paper (computed)", fontsize=8)
    shown = [Line2D([], [], lw=0, marker=m, color=c, label=kind) for kind, (m, c) in kinds.items()]
    figure.legend(handles=shown, loc="outside upper center", ncols=len(shown))
    return figure
