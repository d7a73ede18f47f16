"""Table V and Fig. 6: data sets never trained on, and what makes their videos hard."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evis.companion import paired
from evis.companion import published as published_tables
from evis.companion.plots import intervals, style
from evis.companion.plots.intervals import MEASURED, PUBLISHED


def attribute_spread(
    of_videos: Mapping[str, pd.DataFrame], attributes: Mapping[str, str]
) -> Figure:
    """How attributes of videos are spread, and their medians; a row of panels a data set."""
    shape = len(of_videos), len(attributes)
    figure, axes = plt.subplots(*shape, figsize=(style.PAGE, 1.6 * len(of_videos)), squeeze=False)
    for line, (name, own) in zip(axes, of_videos.items(), strict=True):
        for axis, (column, title) in zip(line, attributes.items(), strict=True):
            whole = (own[column] % 1 == 0).all()
            bins = np.arange(0.5, own[column].max() + 1) if whole else 20
            axis.hist(own[column], bins=bins, color=style.COLOURS[5])
            axis.axvline(own[column].median(), color=style.COLOURS[3])
            axis.set(title=f"{name}: {title}")
        line[0].set_ylabel("videos")
    return figure


def on_other_sets(
    tables: Mapping[str, pd.DataFrame],
    rows: Mapping[str, str],
    pairs: Sequence[tuple[str, str]],
    published: Mapping[str, float],
    metric: str = "mIoU",
) -> Figure:
    """Table V. Above, a data set a panel, every seed a dot; below, differences paired by seed.

    published: data set -> the printed difference, a diamond on the first pair's line.
    """
    size = style.PAGE, 3.8
    figure, axes = plt.subplots(2, len(tables), figsize=size, height_ratios=(1.6, 1), squeeze=False)
    labels = [label.replace(" (", "\n(") for label in rows]
    for (upper, lower), (name, table) in zip(axes.T, tables.items(), strict=True):
        for number, row in enumerate(rows.values()):
            own = table[metric][table["row"] == row]
            if len(own):
                intervals.seeds(upper, own.to_numpy(), number, MEASURED, vertical=True)
            else:
                intervals.absent(upper, number, vertical=True)
        upper.set_xticks(range(len(rows)), labels)
        upper.set(title=f"{name}, measured", xlim=(-0.5, len(rows) - 0.5))
        lower.axvline(0, color="#999999", linewidth=0.8)
        lower.plot(published[name], len(pairs) - 0.8, "D", color=PUBLISHED, markersize=4)
        for number, pair in enumerate(reversed(pairs)):
            _difference(lower, table, pair, metric, number)
        names = [f"{row} - {against}" for row, against in reversed(pairs)]
        lower.set_yticks(range(len(pairs)), names)
        lower.set(xlabel=f"{metric}, paired by seed", ylim=(-0.6, len(pairs) - 0.4))
        lower.grid(axis="y", visible=False)
    axes[0, 0].set_ylabel(f"{metric}, percent")
    for axis in axes[1, 1:]:
        axis.set_yticklabels([])
    marks = intervals.legend(published=True)
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return figure


def _difference(
    axis: Axes, table: pd.DataFrame, pair: tuple[str, str], metric: str, place: float
) -> None:
    """The first row minus the second; "not measured" where they share no seed."""
    found = paired.difference_so_far(table, *pair, metric)
    if found.seeds:
        intervals.difference(axis, found, place)
    else:
        intervals.absent(axis, place)


def splits(
    tables: Mapping[str, pd.DataFrame], rows: Mapping[str, str], attributes: Mapping[str, str]
) -> Figure:
    """Fig. 6: mIoU on either side of the median of each attribute; a row of panels a data set.

    tables: data set -> `series.table`. rows: label -> row. attributes: name in metrics -> title.
    """
    shape = len(tables), len(attributes)
    size = style.PAGE, 0.6 + 1.9 * len(tables)
    figure, axes = plt.subplots(*shape, figsize=size, sharey="row", squeeze=False)
    colours = [style.COLOURS[i] for i in (1, 3, 7)]
    marks = {}
    for line, (name, table) in zip(axes, tables.items(), strict=True):
        absent = [label for label, row in rows.items() if row not in set(table["row"])]
        for axis, (attribute, title) in zip(line, attributes.items(), strict=True):
            for number, (label, row) in enumerate(rows.items()):
                if label in absent:
                    continue
                own = table[table["row"] == row]
                metrics = [f"mIoU, {half} {attribute}" for half in ("low", "high")]
                means = [own[metric].mean() for metric in metrics]
                halves = [intervals.half(own[metric]) for metric in metrics]
                places = np.arange(2) + (number - (len(rows) - 1) / 2) * 0.16
                look = {"color": colours[number], "capsize": 3, "marker": "osD"[number]}
                marks[label] = axis.errorbar(places, means, yerr=halves, linewidth=1, **look)
            intervals.absent_rows(axis, absent)
            axis.set_xticks((0, 1), ("low", "high"))
            axis.set(xlim=(-0.4, 1.4), title=f"{name}: {title}")
        line[0].set_ylabel("measured mIoU, percent")
    shown = [label for label in rows if label in marks]
    handles = [marks[label] for label in shown]
    figure.legend(handles, shown, loc="outside lower center", ncols=len(shown))
    return figure


def side_gains(
    tables: Mapping[str, pd.DataFrame],
    stands_for: Mapping[str, str],
    attributes: Mapping[str, str],
    pairs: Sequence[tuple[str, str]],
) -> Figure:
    """Fig. 6's gains on the side that the text names: paired differences, a panel a data set.

    pairs: rows; the printed gains stand on the lines of the first.
    """
    said = published_tables.figure_six()
    figure, axes = plt.subplots(
        1, len(stands_for), figsize=(style.PAGE, 2.9), sharex=True, sharey=True, squeeze=False
    )
    for axis, (dataset, name) in zip(axes[0], stands_for.items(), strict=True):
        axis.axvline(0, color="#999999", linewidth=0.8)
        names = []
        for line in said[said.dataset == dataset].itertuples():
            metric, title = f"mIoU, {line.side} {line.attribute}", attributes[line.attribute]
            for number, (row, against) in enumerate(pairs):
                place = len(names)
                names.append(f"{line.side} side, {title}\n{row} - {against}")
                if number == 0:
                    axis.plot(line.gain, place - 0.22, "D", color=PUBLISHED, markersize=4)
                _difference(axis, tables[name], (row, against), metric, place)
        axis.set_yticks(range(len(names)), names, fontsize=6.5)
        axis.set(title=f"{name}, measured", xlabel="mIoU, paired by seed")
        axis.set_ylim(len(names) - 0.5, -0.6)
        axis.grid(axis="y", visible=False)
    marks = [mark for mark in intervals.legend(published=True) if mark.get_color() != MEASURED]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return figure


def split_gains(
    tables: Mapping[str, pd.DataFrame], stands_for: Mapping[str, str], row: str, against: str
) -> pd.DataFrame:
    """Fig. 6 in numbers: `row` minus `against` on each side that the paper's text names.

    stands_for: published data set -> one of `tables`. "low - high": how much harder that side is
    for `row`.
    """
    lines = {}
    for said in published_tables.figure_six().itertuples():
        name = stands_for[said.dataset]
        table, metric = tables[name], f"mIoU, {said.side} {said.attribute}"
        line = {"published": said.gain}
        if {row, against} <= set(table["row"]):
            found = paired.difference(table, row, against, metric)
            own = table[table["row"] == row]
            line |= {
                "measured": round(found.mean, 2),
                "95% interval": found.range(),
                "outcome": paired.outcome(found),
                "low - high": round((own[f"mIoU, low {said.attribute}"] - own[metric]).mean(), 1),
            }
        lines[name, f"{said.side} {said.attribute}"] = line
    return pd.DataFrame(lines).T
