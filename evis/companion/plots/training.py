"""Pictures of training: what it will cost, how it went, and what it reached."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evis.companion.plots import style
from evis.training.batches import Batches
from evis.training.budget import Size, Step
from evis.training.optimiser import learning_rate
from evis.training.recipe import Recipe

NOT_MEASURED = "not measured here"
_TERMS = ("bce", "dice", "projection", "pairwise", "tk", "tel", "class")
_TERM_COLOURS = dict(zip(_TERMS, (*style.COLOURS[:6], style.COLOURS[7]), strict=True))


def schedules(recipes: Mapping[str, Recipe]) -> Figure:
    """The learning rate over a run, a line a recipe."""
    figure, axis = plt.subplots(figsize=(style.PAGE * 0.75, 2.4))
    for name, recipe in recipes.items():
        rates = [learning_rate(recipe, step) for step in range(recipe.steps)]
        axis.plot(np.linspace(0, 100, recipe.steps), rates, label=name)
    axis.set(yscale="log", xlabel="percent of the steps", ylabel="learning rate")
    axis.set_ylim(bottom=1e-6)
    axis.legend(loc="lower left", ncols=2)
    return figure


def shares_of_work(batches: Batches, recipe: Recipe, processes: Sequence[int]) -> Figure:
    """Which process takes which micro-batch of each step; in a square, its clips' videos."""
    figure, axes = plt.subplots(
        1, len(processes), figsize=(style.PAGE, 0.5 + 0.42 * recipe.micro_batches), squeeze=False
    )
    per_step = recipe.micro_batches
    videos = [", ".join(str(clip.video_id) for clip in batch.clips) for batch in _all(batches)]
    for axis, count in zip(axes[0], processes, strict=True):
        owner = np.arange(len(videos)).reshape(-1, per_step).T % count  # (micro-batch, step)
        axis.pcolormesh(
            np.take(_pale(count), owner, axis=0), edgecolors="white", linewidth=2, rasterized=False
        )
        for number, text in enumerate(videos):
            step, turn = divmod(number, per_step)
            axis.text(step + 0.5, turn + 0.5, text, ha="center", va="center", fontsize=8)
        axis.set(
            xticks=np.arange(recipe.steps) + 0.5,
            xticklabels=range(recipe.steps),
            yticks=np.arange(per_step) + 0.5,
            yticklabels=range(per_step),
            xlabel="step",
            ylabel="micro-batch",
            title="one process" if count == 1 else f"{count} processes, a colour each",
        )
        axis.invert_yaxis()
        axis.grid(False)
        axis.tick_params(length=0)
    return figure


def _all(batches: Batches):
    return (batches[number] for number in range(len(batches)))


def _pale(count: int) -> np.ndarray:
    colours = [plt.matplotlib.colors.to_rgb(colour) for colour in style.COLOURS[:count]]
    return 0.6 + 0.4 * np.array(colours)


def same_curve(logs: Mapping[str, pd.DataFrame], cut: float | None = None) -> Figure:
    """The total loss of runs that should agree: the first as a line, the others as marks on it."""
    figure, axis = plt.subplots(figsize=(style.PAGE * 0.75, 2.5))
    for place, (name, log) in enumerate(logs.items()):
        look = {"linewidth": 3, "color": "#c8c8c8"} if place == 0 else {"linestyle": "none"}
        marks = {} if place == 0 else {"marker": "o+x"[place - 1], "markersize": 11 - 2 * place}
        hollow = {} if place == 0 else {"markerfacecolor": "none", "color": style.COLOURS[place]}
        axis.plot(log["step"], log["total"], label=name, **look, **marks, **hollow)
    if cut is not None:
        axis.axvline(cut, color="black", linewidth=0.8, linestyle=":")
        axis.annotate(
            "cut off",
            (cut, 1),
            (4, -9),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=8,
        )
    axis.set(xlabel="step", ylabel="total loss", xticks=log["step"])
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def curves(logs: Mapping[str, pd.DataFrame], smooth: int = 1) -> Figure:
    """A panel a stage: each term of the loss, before its weight, as a mean over `smooth` steps."""
    figure, axes = plt.subplots(1, len(logs), figsize=(style.PAGE, 2.6), sharey=True, squeeze=False)
    drawn = {}
    for axis, (name, log) in zip(axes[0], logs.items(), strict=True):
        for term in _TERMS:
            if term in log and (log[term].dropna() > 0).any():
                line = log[term].rolling(smooth, min_periods=1).mean()
                drawn[term] = axis.plot(log["step"], line, color=_TERM_COLOURS[term])[0]
        axis.set(title=name, xlabel="step", yscale="log")
    axes[0, 0].set_ylabel("term of the loss")
    figure.legend(drawn.values(), drawn.keys(), loc="outside lower center", ncols=len(drawn))
    return figure


def ladder(table: pd.DataFrame, order: Sequence[str], metrics: Sequence[str]) -> Figure:
    """A panel a metric. Every seed a dot; a row's mean as an upright bar with its number.

    table: as `series.table` gives it. Rows that `order` does not name come last.
    """
    table = table.reindex(columns=["row", "seed", *metrics])  # without rows it has no metrics
    names = [*order, *sorted(set(table["row"]) - set(order))]
    names = [name for name in names if name in set(table["row"])]
    # The same width in every panel, so that a gap looks as large in one as in another.
    span = max(5.0, *(table[metric].max() - table[metric].min() for metric in metrics))
    size = style.PAGE, 0.9 + 0.42 * len(names)
    figure, axes = plt.subplots(1, len(metrics), figsize=size, sharey=True, squeeze=False)
    for axis, metric in zip(axes[0], metrics, strict=True):
        for height, name in enumerate(names):
            found, colour = table[metric][table["row"] == name], _colour(name)
            axis.hlines(height, found.min(), found.max(), color=colour, linewidth=5, alpha=0.25)
            axis.vlines(found.mean(), height - 0.25, height + 0.25, color=colour, linewidth=2)
            axis.scatter(found, [height] * len(found), s=16, color=colour, zorder=3)
            axis.annotate(
                f"{found.mean():.1f}",
                (found.mean(), height - 0.25),
                (0, 1),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )
        axis.set(title=f"{metric} (measured)", xlabel="percent")
        middle = (table[metric].min() + table[metric].max()) / 2
        if len(table):
            axis.set_xlim(middle - 0.6 * span, middle + 0.6 * span)
        axis.grid(axis="y", visible=False)
    axes[0, 0].set(
        yticks=range(len(names)), yticklabels=names, ylim=(max(len(names), 1) - 0.4, -0.7)
    )
    return figure


def _colour(row: str) -> str:
    if row == "stage one only":
        return style.COLOURS[7]
    return style.SUPERVISION_COLOURS["masks" if row.startswith("masks") else "boxes"]


def work(sizes: Mapping[str, Mapping[str, Size]]) -> Figure:
    """Stage -> backbone -> size: the frames that go through the network, and what of it moves."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 2.5))
    first = next(iter(next(iter(sizes.values()))))
    frames = {stage: each[first].frames / 1e3 for stage, each in sizes.items()}
    bars = left.bar(frames.keys(), frames.values(), color=style.COLOURS[0], width=0.6)
    left.bar_label(bars, fmt="%.0f", fontsize=7.5)
    left.set(ylabel="thousand frames", title="frames over the whole run")
    width = 0.8 / len(sizes)
    for place, (stage, each) in enumerate(sizes.items()):
        lefts = np.arange(len(each)) - 0.4 + width * (place + 0.5)
        trained = [size.trained / 1e6 for size in each.values()]
        bars = right.bar(lefts, trained, 0.9 * width, color=style.COLOURS[place], label=stage)
        right.bar_label(bars, fmt="%.0f", fontsize=7.5)
    right.set(
        xticks=range(len(each)), xticklabels=each, ylabel="million", title="parameters trained"
    )
    right.legend()
    for axis in (left, right):
        axis.grid(axis="x", visible=False)
    return figure


def budget(
    recipes: Mapping[tuple[str, str], Recipe],
    sizes: Mapping[tuple[str, str], Size],
    steps: Mapping[tuple[str, str], Step],
    gpus: int,
) -> pd.DataFrame:
    """A line a (stage, backbone). Times and memory only where a step was measured on a GPU."""
    lines = []
    for key, recipe in recipes.items():
        size, step = sizes[key], steps.get(key)
        line = {
            "stage": key[0],
            "backbone": key[1],
            "parameters": f"{size.parameters / 1e6:.1f} M",
            "steps": f"{size.steps:,}",
            "clips": f"{size.clips:,}",
        }
        costs = dict.fromkeys(("seconds a step", "memory", "GPU-hours"), NOT_MEASURED)
        if step is not None:
            costs = {
                "seconds a step": f"{step.seconds:.2f}",
                "memory": f"{step.memory_gib:.1f} GiB",
                "GPU-hours": f"{step.hours(recipe):.1f}",
            }
            if gpus > 1:
                costs[f"hours on {gpus} GPUs"] = f"{step.hours(recipe, gpus):.1f}"
        lines.append(line | costs)
    return pd.DataFrame(lines).set_index(["stage", "backbone"]).fillna(NOT_MEASURED)
