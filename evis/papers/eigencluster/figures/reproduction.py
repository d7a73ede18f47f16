"""Measured rows beside published ones: every seed a dot, means with 95% intervals, differences."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evis.companion import paired
from evis.companion import published as published_tables
from evis.companion.paired import Difference
from evis.companion.plots import intervals, style
from evis.companion.plots.intervals import MEASURED, PUBLISHED

METHODS = {  # of Table I: published method -> measured row
    "Mask2Former": "masks",
    "Mask2Former + BoxInst": "boxes",
    "Mask2Former + Mask-free VIS": "TK",
    "Mask2Former + Eigen-Cluster VIS": "TEL + QCC",
}
_METHOD_COLOURS = dict(zip(METHODS, (style.COLOURS[i] for i in (7, 5, 1, 3)), strict=True))
_METHOD_MARKERS = dict(zip(METHODS, "os^D", strict=True))


def published_values(table: int, metric: str = "AP", backbone: str | None = None) -> dict:
    """Label without its reference -> value, of a table of the lead paper."""
    cells = published_tables.tables("eigen-cluster-vis", table)
    cells = cells[cells.metric == metric]
    if backbone is not None:
        cells = cells[cells.backbone == backbone]
    labels = cells.row_label.str.replace(r" \[\d+\]", "", regex=True)
    return dict(zip(labels, cells.value, strict=True))


def table_one(tables: Mapping[str, pd.DataFrame], metrics: Sequence[str]) -> pd.DataFrame:
    """Table I: every published row and, of the four methods that evis trains, what is measured.

    tables: backbone -> rows of the size that stands for it. "Mask ann.", as printed: masks of
    images (I), of videos (V).
    """
    wide = published_tables.wide("eigen-cluster-vis", 1)
    cells = published_tables.tables("eigen-cluster-vis", 1).query("metric == 'Mask ann.'")
    lines = []
    for (label, line), cell in zip(wide.iterrows(), cells.itertuples(), strict=True):
        row = METHODS.get(label.split(" [")[0])
        own = tables[cell.backbone]
        own = own[own["row"] == row]
        entry = {"backbone": cell.backbone, "method": label, "Mask ann.": cell.as_printed}
        entry |= {f"{metric}, published": line[metric] for metric in metrics}
        for metric in metrics:
            shown = "published only" if row is None else "not measured"
            entry[f"{metric}, measured"] = _mean(own[metric]) if len(own) else shown
        lines.append(entry | {"seeds": len(own) or ""})
    return pd.DataFrame(lines).set_index(["backbone", "method"])


def _mean(values: pd.Series) -> str:
    few = len(values) < paired.LEAST_SEEDS
    return f"{values.mean():.1f}" + ("" if few else f" ± {paired.half_width(values):.1f}")


def beside(
    published: Mapping[str, float],
    rows: Mapping[str, str],
    table: pd.DataFrame,
    metric: str = "AP",
    baseline: str | None = None,
) -> pd.DataFrame:
    """A line a label: what is published and, of the row that stands for it, what is measured.

    rows: label -> row of `table`. baseline: a label; differences to it are paired by seed, "low" to
    "high" being their 95% interval.
    """
    lines = {}
    for label in dict.fromkeys((*published, *rows)):
        row, line = rows.get(label), {"published": published.get(label, np.nan)}
        own = table[table["row"] == row]
        line |= {"measured": own[metric].mean(), "±": paired.half_width(own[metric])}
        line["seeds"] = len(own)
        if baseline is not None and label != baseline:
            line["published difference"] = line["published"] - published.get(baseline, np.nan)
            if len(own) and (table["row"] == rows[baseline]).any():
                found = paired.difference(table, row, rows[baseline], metric)
                low, high = found.bootstrap()
                line |= {"measured difference": found.mean, "low": low, "high": high}
                line["resolvable"] = found.smallest
        lines[label] = line
    found = pd.DataFrame(lines).T
    return found.astype({"seeds": int}) if len(found) else found


def contrasts(
    table: pd.DataFrame, pairs: Sequence[tuple[str, str]], metric: str = "AP", digits: int = 2
) -> pd.DataFrame:
    """A line a pair of rows that were measured: the first minus the second, paired by seed."""
    lines, there = {}, set(table["row"])
    for row, against in pairs:
        if {row, against} <= there:
            found = paired.difference(table, row, against, metric)
            lines[f"{row} - {against}"] = {
                "seeds": found.seeds,
                metric: round(found.mean, digits),
                "95% interval": found.range(digits),
                "resolvable": round(found.smallest, digits),
                "outcome": paired.outcome(found),
            }
    return pd.DataFrame(lines).T


def panels(
    published: Mapping[str, float],
    rows: Mapping[str, str],
    table: pd.DataFrame,
    baseline: str,
    metric: str = "AP",
) -> Figure:
    """Published values, every measured seed as a dot, and differences to `baseline`, a label."""
    labels = list(dict.fromkeys((*published, *rows)))
    size = style.PAGE, 1.15 + 0.27 * len(labels)
    widths = [1, 1.3, 1.3] if published else [1, 1]
    grid = {"width_ratios": widths}
    figure, axes = plt.subplots(1, len(widths), figsize=size, sharey=True, gridspec_kw=grid)
    heights = {label: len(labels) - 1 - n for n, label in enumerate(labels)}
    if published:
        _published(axes[0], published, heights, metric)
    _seeds(axes[-2], rows, table, heights, metric)
    _differences(axes[-1], published, rows, table, heights, baseline, metric)
    axes[0].set_yticks(list(heights.values()), list(heights))
    axes[0].set_ylim(-0.7, len(labels) - 0.3)
    for axis in axes:
        axis.grid(axis="y", visible=False)
        axis.locator_params(axis="x", nbins=5)
    marks = intervals.legend(bool(published))
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return figure


def _published(axis: Axes, published, heights, metric) -> None:
    for label, value in published.items():
        axis.plot(value, heights[label], "D", color=PUBLISHED, markersize=4.5)
        note = {"xytext": (5, 0), "textcoords": "offset points", "va": "center", "fontsize": 7}
        axis.annotate(f"{value:.1f}", (value, heights[label]), **note)
    axis.margins(x=0.35)
    axis.set(title="published", xlabel=f"{metric}, YouTube-VIS 2019")


def _seeds(axis: Axes, rows, table, heights, metric) -> None:
    for label, row in rows.items():
        values = table[metric][table["row"] == row].to_numpy()
        if len(values):
            intervals.seeds(axis, values, heights[label], MEASURED)
        else:
            intervals.absent(axis, heights[label])
    axis.set(title="measured at toy scale", xlabel=f"{metric}, toy-ytvis19")


def _differences(axis: Axes, published, rows, table, heights, baseline, metric) -> None:
    axis.axvline(0, color="#999999", linewidth=0.8)
    for label, row in rows.items():
        height = heights[label]
        if label == baseline:
            note = {"ha": "center", "va": "center", "fontsize": 7, "backgroundcolor": "white"}
            axis.annotate("baseline", (0, height), **note)
            continue
        if label in published and baseline in published:
            gain = published[label] - published[baseline]
            axis.plot(gain, height + 0.2, "D", color=PUBLISHED, markersize=4)
        found = paired.difference_so_far(table, row, rows[baseline], metric)
        if found.seeds > 1:
            intervals.difference(axis, found, height - 0.1)
    axis.margins(x=0.15)
    if not any(np.isfinite(edge) and edge for edge in axis.dataLim.intervalx):
        axis.set_xlim(-1, 1)
    low, high = axis.get_xlim()
    room = 0.2 * (high - low)  # for "baseline"
    axis.set_xlim(min(low, -room), max(high, room))
    axis.set(title="difference to the baseline", xlabel=f"{metric}, paired by seed")


def by_size(
    published: pd.DataFrame, tables: Mapping[str, pd.DataFrame], metric: str = "AP"
) -> Figure:
    """Table I's four methods over backbones, published and measured.

    published: index backbone, a column a method. tables: size of the model -> `series.table`, of
    which the seeds count that all measured methods have.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 2.9))
    own = {size: paired.shared(table, METHODS.values()) for size, table in tables.items()}
    for number, (method, row) in enumerate(METHODS.items()):
        look = {
            "color": _METHOD_COLOURS[method],
            "marker": _METHOD_MARKERS[method],
            "markersize": 5,
        }
        left.plot(published.index, published[method], label=method, **look)
        of_sizes = [table[metric][table["row"] == row] for table in own.values()]
        there = [place for place, values in enumerate(of_sizes) if len(values)]
        means = [of_sizes[place].mean() for place in there]
        halves = [intervals.half(of_sizes[place]) for place in there]
        places = [place + 0.06 * (number - 1.5) for place in there]
        right.errorbar(places, means, yerr=halves, capsize=3, label=row, **look)
    right.set_xticks(range(len(own)), [f"{size}\n{_seeds_of(own[size])}" for size in own])
    left.set(title="published, YouTube-VIS 2019", ylabel=metric, xlabel="backbone")
    right.set(title="measured, toy-ytvis19", ylabel=metric, xlabel="size of the toy model")
    left.margins(x=0.12)
    right.set_xlim(-0.3, len(own) - 0.7)
    names = [f"{method.removeprefix('Mask2Former ')} ({row})" for method, row in METHODS.items()]
    figure.legend(left.get_lines(), names, loc="outside lower center", ncols=len(names))
    return figure


def _seeds_of(table: pd.DataFrame) -> str:
    count = table["seed"].nunique()
    return f"{count} seeds" if count else "not measured"


def share_kept(table: pd.DataFrame, metric: str = "AP") -> dict[str, Difference]:
    """What each method keeps of the masks' row, in percent, seed by seed; {} if one is missing.

    A `Difference` holds the shares, one a seed that all four methods have.
    """
    own = paired.shared(table, METHODS.values())
    wide = own.pivot(index="seed", columns="row", values=metric)
    if not set(METHODS.values()) <= set(wide):
        return {}
    full = wide[METHODS["Mask2Former"]]
    methods = list(METHODS.items())[1:]
    return {method: Difference(tuple(100 * wide[row] / full)) for method, row in methods}


_TOP = 118  # percent; an interval of few seeds may end beyond


def kept(shares: Mapping[str, Mapping[str, Difference]]) -> Figure:
    """How much of full supervision each method keeps: a group a backbone or size, in percent."""
    figure, axis = plt.subplots(figsize=(style.PAGE, 2.6))
    names = list(next(iter(shares.values())))
    axis.axhline(100, color=_METHOD_COLOURS["Mask2Former"], linewidth=1, zorder=0)
    for number, name in enumerate(names):
        for group, of_group in enumerate(shares.values()):
            place, found = group + (number - (len(names) - 1) / 2) * 0.27, of_group[name]
            first = group == 0
            colour = _METHOD_COLOURS[name]
            axis.bar(place, found.mean, 0.25, color=colour, label=name if first else None)
            below, above = found.bar
            if above:
                bar = [[below], [above]]
                axis.errorbar(place, found.mean, yerr=bar, color="#222222", capsize=2, lw=1)
            axis.annotate(
                f"{found.mean:.1f}",
                (place, min(found.mean + above, _TOP - 8)),
                (0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )
    axis.set_xticks(range(len(shares)), list(shares))
    axis.set(ylabel="percent of Mask2Former's AP", ylim=(0, _TOP))
    axis.grid(axis="x", visible=False)
    figure.legend(loc="outside lower center", ncols=len(names))
    return figure


def measured_seeds(table: pd.DataFrame, rows: Sequence[str]) -> str:
    """How many seeds the rows have, in words: "8", or "4 to 8"."""
    counts = [int((table["row"] == row).sum()) for row in rows]
    low, high = min(counts, default=0), max(counts, default=0)
    return str(low) if low == high else f"{low} to {high}"
