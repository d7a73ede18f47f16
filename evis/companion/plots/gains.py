"""What each paper says its parts bring, and how much its settings matter."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from evis.companion import formulas, published
from evis.companion.plots import style

# Panel title -> (supervision, [(what is added, paper/table/row)]), each row built on the last.
_LADDERS = {
    "Eigen-Cluster VIS, boxes (Tables II, III)": (
        "boxes",
        [
            ("BoxInst losses", "eigen-cluster-vis/2/1"),
            ("+ TK-loss", "eigen-cluster-vis/2/7"),
            ("+ TEL", "eigen-cluster-vis/3/2"),
            ("+ QCC", "eigen-cluster-vis/3/3"),
        ],
    ),
    "PM-VIS, boxes (Tables VIII, V)": (
        "boxes",
        [
            ("IDOL-BoxInst, no pseudo masks", "pm-vis/8/1"),
            ("HQ-SAM masks", "pm-vis/5/1"),
            ("IDOL-BoxInst masks, filtered", "pm-vis/5/4"),
            ("tracked masks", "pm-vis/5/5"),
            ("+ several key frames, filter", "pm-vis/5/7"),
        ],
    ),
    "PointVIS, one point (Table 2, val-dev)": (
        "points",
        [
            ("loss at the points only", "pointvis/2/2"),
            ("+ negatives of other objects", "pointvis/2/3"),
            ("proposals matched to points", "pointvis/2/4"),
            ("+ negatives of other objects", "pointvis/2/5"),
            ("+ maskness", "pointvis/2/6"),
            ("+ self-training", "pointvis/2/7"),
        ],
    ),
    "PM-VIS, masks (Table VIII)": (
        "masks",
        [
            ("all labels", "pm-vis/8/3"),
            ("+ Missing-Data", "pm-vis/8/4"),
            ("+ RIA", "pm-vis/8/5"),
        ],
    ),
    "UVIS, no labels (Table 2)": (
        "none",
        [
            ("CLIP labels, DeepSORT", "uvis/2/2"),
            ("+ training on video", "uvis/2/3"),
            ("+ mask score", "uvis/2/4"),
            ("+ CLIP score", "uvis/2/5"),
            ("+ prototype memory filter", "uvis/2/6"),
            ("+ tracking memory", "uvis/2/7"),
        ],
    ),
}
# FlowCut's pairs without and with flow: (trained on, tested on, table, first row of the pair).
_FLOW = ((2019, 2019, 4, 1), (2021, 2019, 4, 4), (2019, 2021, 5, 1), (2021, 2021, 5, 4))


def ladder(title: str) -> pd.DataFrame:
    """One row a rung: what is added, where it is printed, its AP, the gain over the rung above."""
    _, rungs = _LADDERS[title]
    cells = published.tables()
    aps = [float(formulas.lookup(cells, f"{place}/AP").value) for _, place in rungs]
    table = pd.DataFrame(rungs, columns=["added", "place"]).assign(AP=aps)
    return table.assign(gain=table.AP.diff().round(1))


def gains_figure() -> Figure:
    """A ladder of AP a paper, each rung with what it adds; FlowCut's pairs in the last panel."""
    figure, panels = plt.subplots(3, 2, figsize=(style.PAGE, 6.6))
    for axes, (title, (level, _)) in zip(panels.flat, _LADDERS.items(), strict=False):
        rungs = ladder(title)
        _rungs(axes, rungs, style.SUPERVISION_COLOURS[level])
        axes.set_title(title, loc="left")
    _flow_pairs(panels.flat[-1])
    for axes in panels[-1]:
        axes.set_xlabel("published AP")
    return figure


def _rungs(axes: plt.Axes, rungs: pd.DataFrame, colour: str) -> None:
    y = np.arange(len(rungs))
    axes.plot(rungs.AP, y, color=colour, lw=0.8, ls=":", zorder=2)
    before = rungs.AP.shift()
    for at, (ap, last, gain) in enumerate(zip(rungs.AP, before, rungs.gain, strict=True)):
        if at:
            axes.plot([last, ap], [at, at], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
        text = f"{ap:.1f}" if at == 0 else f"{ap:.1f}  ({gain:+.1f})"
        axes.annotate(
            text, (ap, at), xytext=(6, 0), textcoords="offset points", va="center", size=7
        )
    axes.plot(rungs.AP, y, "o", color=colour, ms=5, zorder=3)
    span = np.ptp(rungs.AP)
    axes.set(yticks=y, ylim=(len(y) - 0.4, -0.6))
    axes.set_yticklabels(rungs.added)
    axes.set_xlim(rungs.AP.min() - 0.08 * span, rungs.AP.max() + 0.45 * span)
    axes.grid(axis="y", visible=False)


def _flow_pairs(axes: plt.Axes) -> None:
    cells, colour = published.tables("flowcut"), style.SUPERVISION_COLOURS["none"]
    names = []
    for y, (trained, tested, table, row) in enumerate(_FLOW):
        aps = [formulas.lookup(cells, f"flowcut/{table}/{row + i}/AP").value for i in (0, 1)]
        axes.plot(aps, [y, y], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
        axes.plot(aps[0], y, "o", color=colour, mfc="white", ms=5)
        axes.plot(aps[1], y, "o", color=colour, ms=5)
        axes.annotate(
            f"{aps[1]:.1f}  ({aps[1] - aps[0]:+.1f})",
            (aps[1], y),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=7,
        )
        names.append(f"trained on {trained}, tested on {tested}")
    axes.set(yticks=range(4), ylim=(3.6, -0.6), xlim=(15, 28))
    axes.set_yticklabels(names)
    axes.set_title("FlowCut, with flow (Tables 4, 5)", loc="left")
    axes.grid(axis="y", visible=False)


_SWEEPS = (  # title, paper, table, label of the x axis
    ("Eigen-Cluster VIS, Table IV", "eigen-cluster-vis", 4, "Y"),
    ("UVIS, Table 3", "uvis", 3, "threshold of the filter"),
    ("PM-VIS (boxes), Table III", "pm-vis", 3, "weight W1 (BoxInst)"),
    ("PM-VIS (boxes), Table IV", "pm-vis", 4, "weight W2 (masks)"),
    ("PM-VIS (masks), Table IX", "pm-vis", 9, "threshold of RIA"),
)


def sweeps_figure() -> Figure:
    """How much the AP moves with each number a reader would have to choose."""
    figure, panels = plt.subplots(2, 4, figsize=(style.PAGE, 3.9))
    for axes, (title, paper, table, label) in zip(panels.flat, _SWEEPS, strict=False):
        cells = published.tables(paper, table)
        ap = cells[cells.metric == "AP"]
        colour = style.SUPERVISION_COLOURS[ap.supervision.iloc[0]]
        x = ap.row_label.str.extract(r"= ([\d.]+)")[0].astype(float)
        axes.plot(x, ap.value, "o-", color=colour, ms=4)
        best = ap.value.idxmax()
        axes.plot(x[best], ap.value[best], "o", ms=9, mfc="none", mec="#222222")
        axes.set(title=title, xlabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        _name_best(axes, x[best], ap.value[best])
    _frames(panels.flat[5])
    _kinds_of_points(panels.flat[6])
    style.bare(panels.flat[7])
    handles = [*panels.flat[5].lines, *panels.flat[6].lines]
    panels.flat[7].legend(handles=handles, loc="center", title="the two panels to the left")
    for axes in panels[:, 0]:
        axes.set_ylabel("published AP")
    for axes in panels.flat[:7]:
        axes.title.set_fontsize(7.5)
        axes.tick_params(labelsize=6.5)
    return figure


def _name_best(axes: plt.Axes, x: float, y: float) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.2 * (high - low))
    axes.annotate(
        f"{y:.1f}", (x, y), xytext=(0, 7), textcoords="offset points", ha="center", size=7
    )


def _frames(axes: plt.Axes) -> None:
    cells = published.tables("pointvis", 6)
    cells = cells[(cells.kind == "result") & cells.value.notna()]
    styles = {"MinVIS": "o-", "PointVIS (PF)": "^--", "PointVIS": "^-"}
    for method, line in cells.groupby("method", sort=False):
        share = line.metric.str.extract(r"\((\d+)%")[0].astype(int)
        colour = style.SUPERVISION_COLOURS["masks" if method == "MinVIS" else "points"]
        axes.plot(share, line.value, styles[method], color=colour, ms=4, label=f"Table 6: {method}")
    axes.set_xscale("log")
    axes.set_xticks([1, 5, 10, 100], ["1", "5", "10", "100"])
    axes.minorticks_off()
    axes.set(title="PointVIS, Table 6", xlabel="frames labelled, %")


def _kinds_of_points(axes: plt.Axes) -> None:
    cells = published.tables("pointvis", 4)
    cells = cells[cells.kind == "result"]
    for i, (method, line) in enumerate(cells.groupby("method", sort=False)):
        kinds = line.supervision.str.removeprefix("points ")
        axes.plot(
            kinds,
            line.value,
            "s-",
            color=style.COLOURS[(4, 7, 2)[i]],
            ms=4,
            label=f"Table 4: {method}",
        )
    axes.set(title="PointVIS, Table 4", xlabel="points on each object")
