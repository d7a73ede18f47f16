"""Pictures of where paper and released code part: overview, spectra, what TEL sees, training."""

import html
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from evis.companion import paired
from evis.companion.plots import intervals, style
from evis.losses import boxinst, tel
from evis.papers.eigencluster.both_ways import spectrum
from evis.papers.eigencluster.differences import KINDS, TOPICS
from evis.papers.eigencluster.figures.spectral import disc
from evis.papers.eigencluster.same_input import PARTS
from evis.papers.eigencluster.settings import Settings
from evis.training.optimiser import learning_rate
from evis.training.recipe import Recipe

PAPER, CODE = style.COLOURS[0], style.COLOURS[3]
_LOOKS = tuple((mark, style.COLOURS[i]) for mark, i in (("o", 3), ("^", 0), ("s", 2), ("D", 7)))
_KIND_LOOKS = dict(zip(KINDS, _LOOKS, strict=True))
_WIDEST = 3e4  # ratios beyond stand at the edge
_ARROW = "\N{RIGHTWARDS ARROW}"

# Overview -----------------------------------------------------------------------------------------


def overview(table: pd.DataFrame) -> Figure:
    """`differences.table()` as a strip: on the same input, the code's number over the paper's."""
    lines = len(table) + 1.2 * table["topic"].nunique()
    figure, axis = plt.subplots(figsize=(style.PAGE, 0.6 + 0.172 * lines), layout="none")
    figure.subplots_adjust(left=0.29, right=0.57, top=0.955, bottom=0.05)
    beside = {"transform": axis.get_yaxis_transform(), "va": "center"}
    place, ticks = 0.0, {}
    for topic in TOPICS:
        axis.text(-1.02, place, topic, size=7.5, weight="bold", **beside)
        for _, row in table[table["topic"] == topic].iterrows():
            place += 1
            ticks[place] = row["title"]
            _ratio(axis, place, row)
            said = f"{row['quantity']}: {row['by the paper']} {_ARROW} {row['by the code']}"
            axis.text(1.03, place, said, size=6, **beside)
        place += 1.2
    axis.axvline(1, color="black", linewidth=0.8, zorder=1)
    axis.set(xscale="log", xlim=(0.3 / _WIDEST, 3 * _WIDEST), ylim=(place - 0.5, -1))
    axis.set_xticks([1e-4, 1e-2, 1, 1e2, 1e4])
    axis.set_yticks(list(ticks), list(ticks.values()), fontsize=6.5)
    axis.tick_params(axis="y", length=0)
    label = (
        f"by the code / by the paper (computed;\narrows: 0, or beyond {_WIDEST:,.0f};\n"
        "grey: open in the text, its plainest reading;\nno mark: not even that)"
    )
    axis.set_xlabel(label, fontsize=7)
    axis.spines["left"].set_visible(False)
    axis.text(1.03, -1, f"quantity: by the paper {_ARROW} by the code", size=7, **beside)
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=colour, label=kind)
        for kind, (marker, colour) in _KIND_LOOKS.items()
    ]
    where = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2}
    axis.legend(handles=handles, ncols=4, columnspacing=0.8, handletextpad=0.1, **where)
    return figure


def _ratio(axis: Axes, place: float, row: pd.Series) -> None:
    marker, colour = _KIND_LOOKS[row["kind"]]
    ratio = row["ratio"]
    if np.isnan(ratio):
        return
    at = float(np.clip(ratio, 1 / _WIDEST, _WIDEST))
    marker = "<" if ratio < at else ">" if ratio > at else marker
    axis.plot([1, at], [place, place], color=colour, linewidth=1.2, alpha=0.5)
    axis.plot(at, place, marker=marker, color=colour, markersize=4.2)


def details(table: pd.DataFrame) -> str:
    """All that is known of each difference, as html: folded, a topic at a time."""
    head = "what|in the paper|the paper says|the code does|on the same input|kind|in training"
    heads = "".join(f"<th>{name}</th>" for name in head.split("|"))
    parts = []
    for topic in TOPICS:
        own = table[table["topic"] == topic]
        body = "".join(_line(row) for _, row in own.iterrows())
        rows = f"<table><tr>{heads}</tr>{body}</table>"
        parts.append(f"<details><summary>{topic}: {len(own)}</summary>{rows}</details>")
    return "".join(parts)


def _line(row: pd.Series) -> str:
    numbers = f"{row['quantity']}: {row['by the paper']} {_ARROW} {row['by the code']}"
    columns = ("title", "place", "paper", "code"), ("kind", "changes")
    cells = [*(row[c] for c in columns[0]), numbers, *(row[c] for c in columns[1])]
    texts = (f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in cells)
    return f"<tr>{''.join(texts)}</tr>"


# Spectra ------------------------------------------------------------------------------------------


def three_masks() -> dict[str, Tensor]:
    """(h, w) logits that no one would mix up."""
    ring = torch.minimum(disc(radius=0.38), -disc(radius=0.2))
    return {"small disc": disc(radius=0.16), "large disc": disc(radius=0.36), "ring": ring}


def features_and_problems(masks: Mapping[str, Tensor]) -> Figure:
    """The spectra of three masks for each feature (rows) and eigenproblem (columns)."""
    figure = plt.figure(figsize=(style.PAGE, 4.0))
    grid = figure.add_gridspec(6, 3, width_ratios=(0.5, 1, 1))
    axes = [[figure.add_subplot(grid[3 * r : 3 * r + 3, c]) for c in (1, 2)] for r in (0, 1)]
    looks = zip(style.COLOURS[:3], ("-", "--", ":"), strict=True)
    for number, ((name, mask), (colour, line)) in enumerate(zip(masks.items(), looks, strict=True)):
        picture = style.bare(figure.add_subplot(grid[2 * number : 2 * number + 2, 0]))
        picture.imshow(mask, cmap="RdBu", vmin=-10, vmax=10)
        picture.set_title(name, color=colour, weight="bold")
        pixels = tel.features(mask[None, None])[0, 0]
        for row, features in zip(axes, (pixels, pixels.sign()), strict=True):
            for axis, generalised in zip(row, (False, True), strict=True):
                values = spectrum(features, generalised)
                look = {"color": colour, "linestyle": line, "linewidth": 2, "label": name}
                axis.plot(range(1, len(values) + 1), values, **look)
    titles = "logits, D - A: the paper", "logits, generalised"
    titles = *titles, "signs, D - A", "signs, generalised: the released code"
    for axis, title in zip((*axes[0], *axes[1]), titles, strict=True):
        axis.set_title(title)
    for row in axes:
        row[0].set_ylabel("eigenvalue")
        row[1].set_ylim(-0.1, 1.6)
    for axis in axes[1]:
        axis.set_xlabel("number of the eigenvalue")
    axes[0][0].legend()
    return figure


def two_frames(seed: int = 0) -> dict[str, Tensor]:
    """(2, h, w) logits: a mask that hardly moves, one that jumps, one that is gone."""
    noise = torch.randn(40, 56, generator=torch.Generator().manual_seed(seed))
    smooth, jumps = _smooth_and_jumping((0.35, 0.5), (0.81, 0.28))
    empty = torch.stack((smooth[0], -8 + 0.2 * noise))
    return {"smooth": smooth, "jumps": jumps, "empty": empty}


def _smooth_and_jumping(here: Sequence[float], there: Sequence[float]) -> tuple[Tensor, Tensor]:
    """(2, h, w) each: a disc that hardly moves, and one that jumps and shrinks."""
    frame, moved = disc((here[0], here[1])), disc((here[0] + 0.02, here[1]))
    smaller = disc((there[0], there[1]), radius=0.18)
    return torch.stack((frame, moved)), torch.stack((frame, smaller))


def random_places(count: int, seed: int = 0) -> pd.DataFrame:
    """The paper's L_eig of `two_frames`' smooth and jumping disc, wherever the disc is."""
    random = np.random.default_rng(seed)
    lines = []
    for here, there in random.uniform(0.25, 0.75, (count, 2, 2)):
        values = tel.eigenvalues(torch.stack(_smooth_and_jumping(here, there)))
        lines.append([float(tel.eigenvalue_loss(of[None], [(0, 1)])) for of in values])
    return pd.DataFrame(lines, columns=["smooth", "jumps"])


def smooth_or_jumping(places: pd.DataFrame) -> Figure:
    """What `random_places` found: a dot a place; above the line, smooth pays more."""
    figure, axis = plt.subplots(figsize=(style.COLUMN * 1.2, style.COLUMN))
    axis.loglog(places["jumps"], places["smooth"], "o", ms=3, alpha=0.5, color=PAPER)
    edges = places.to_numpy()[places.to_numpy() > 0]
    both = [edges.min(), edges.max()]
    axis.plot(both, both, color="black", linewidth=0.8)
    axis.set(xlabel="$L_{eig}$ of the jumping disc", ylabel="$L_{eig}$ of the smooth one")
    axis.set_title("paper's TEL (computed)")
    return figure


def spectra(cases: Mapping[str, Tensor], count: int = 3, shown: int = 8) -> Figure:
    """A column a case: both frames, and their first eigenvalues by paper and by code."""
    figure = plt.figure(figsize=(style.PAGE, 4.4))
    grid = figure.add_gridspec(3, 2 * len(cases), height_ratios=(1, 1.5, 1.5))
    for number, (name, logits) in enumerate(cases.items()):
        for frame in (0, 1):
            axis = style.bare(figure.add_subplot(grid[0, 2 * number + frame]))
            axis.imshow(logits[frame], cmap="RdBu", vmin=-10, vmax=10)
            axis.set_title(f"frame {frame + 1}" if frame else f"{name}: frame 1", size=8)
        for row, flavour in enumerate(("paper", "released"), 1):
            axis = figure.add_subplot(grid[row, 2 * number : 2 * number + 2])
            _first_eigenvalues(axis, logits, flavour, count, shown)
            if number == 0:
                axis.set_ylabel(f"eigenvalues,\n{flavour}")
            if row == 2:
                axis.set(xlabel="number", ylim=(-0.15, 1.45))
            if number == 0 and row == 1:
                axis.legend(loc="upper left")
    return figure


def _first_eigenvalues(axis: Axes, logits: Tensor, flavour: str, count: int, shown: int) -> None:
    pixels = tel.features(logits[None])[0]
    pixels = pixels.sign() if flavour == "released" else pixels
    for frame, (marker, colour) in enumerate((("o", PAPER), ("x", CODE))):
        values = spectrum(pixels[frame], generalised=flavour == "released")[:shown]
        look = {"color": colour, "markersize": 7 - 2 * frame, "label": f"frame {frame + 1}"}
        axis.plot(range(1, shown + 1), values, marker, mfc="none", **look)
    axis.axvspan(0.5, count + 0.5, color="#f0f0f0", zorder=0)
    axis.set_xticks(range(1, shown + 1))
    axis.margins(y=0.1)
    solver = "secular" if flavour == "paper" else "released"
    values = tel.eigenvalues(logits[None], count, solver=solver)
    found = float(tel.eigenvalue_loss(values, [(0, 1)], flavour))
    text = f"= {found:,.0f}" if flavour == "paper" else "= 1/3" if found > 0.3 else "< 0.01"
    axis.set_title(f"$L_{{eig}}$ {text}", size=8)


# What TEL sees ------------------------------------------------------------------------------------

UNSTEADY = {  # what happens from one frame to the next -> what its amount is
    "jumps": "to the side, pixels",
    "grows": "radius, pixels",
    "flickers": "noise on the logits, size",
    "fades": "taken off every logit",
}


_AMOUNTS = {
    "jumps": (*range(17),),
    "grows": (0, 0.5, 1, 2, 3, 4, 6),
    "flickers": (0, 0.25, 0.5, 1, 2, 4, 8),
    "fades": (0, 1, 2, 4, 6, 7, 8, 9, 10),
}


def unsteadiness(draws: int = 4, seed: int = 0) -> pd.DataFrame:
    """L_eig by both flavours, and 1 - IoU, from a disc to the same disc, unsteady by an amount.

    Each draw has its own place, and a texture that stays; flicker comes on top.
    """
    lines, clips = [], []
    for draw in range(draws):
        random = torch.Generator().manual_seed(seed + draw)
        x, y = (torch.tensor([0.3, 0.45]) + 0.1 * torch.rand(2, generator=random)).tolist()
        texture, flicker = torch.randn(2, 40, 56, generator=random)
        before = disc((x, y)) + 0.3 * texture
        for happens, amounts in _AMOUNTS.items():
            for amount in amounts:
                after = _after(happens, amount, (x, y), 0.3 * texture, flicker)
                clips.append(torch.stack((before, after)))
                lines.append({"happens": happens, "amount": amount, "draw": draw})
    return pd.concat((pd.DataFrame(lines), _seen(torch.stack(clips))), axis=1)


def _after(
    happens: str, amount: float, centre: tuple[float, float], texture: Tensor, flicker: Tensor
) -> Tensor:
    """(h, w); lengths are in pixels of 40 to a frame's height."""
    match happens:
        case "jumps":
            return disc((centre[0] + amount / 40, centre[1])) + texture.roll(int(amount), 1)
        case "grows":
            return disc(centre, radius=0.25 + amount / 40) + texture
        case "flickers":
            return disc(centre) + texture + amount * flicker
        case "fades":
            return disc(centre) + texture - amount
    raise ValueError(f"nothing is called {happens!r}")


def _seen(clips: Tensor) -> pd.DataFrame:
    """(N, 2, h, w) logits -> a line a clip."""
    found = {}
    for flavour, solver in (("paper", "secular"), ("released", "released")):
        values = tel.eigenvalues(clips, solver=solver)
        losses = [tel.eigenvalue_loss(of_clip[None], [(0, 1)], flavour) for of_clip in values]
        found[flavour] = torch.cat(losses)
    before, after = (clips > 0).unbind(1)
    shared, either = (before & after).sum((1, 2)), (before | after).sum((1, 2))
    return pd.DataFrame(found | {"change": 1 - shared / either})


def what_tel_sees(found: pd.DataFrame) -> Figure:
    """Of `unsteadiness`: how much the mask changed, and both L_eig, against each amount."""
    shape = {"figsize": (style.PAGE, 4.3), "sharey": "row", "sharex": "col"}
    figure, axes = plt.subplots(3, len(UNSTEADY), **shape)
    rows = ("change", "1 - IoU of the masks"), ("paper", "$L_{eig}$, paper")
    rows = *rows, ("released", "$L_{eig}$, released")
    colours = style.COLOURS[7], PAPER, CODE
    for column, (happens, what) in enumerate(UNSTEADY.items()):
        own = found[found["happens"] == happens].groupby("amount")
        for axis, (name, label), colour in zip(axes[:, column], rows, colours, strict=True):
            low, middle, high = (own[name].quantile(q) for q in (0, 0.5, 1))
            axis.fill_between(middle.index, low, high, color=colour, alpha=0.2, linewidth=0)
            axis.plot(middle.index, middle, "o-", color=colour, markersize=2.5)
            if column == 0:
                axis.set_ylabel(label)
        axes[0, column].set(title=happens, ylim=(-0.05, 1.05))
        axes[1, column].set_yscale("symlog", linthresh=1)
        axes[2, column].set(xlabel=what, ylim=(-0.02, 0.4), yticks=(0, 1 / 3))
    axes[2, 0].set_yticklabels(("0", "1/3"))
    figure.align_ylabels(axes[:, 0])
    return figure


def factors(found: Mapping[str, np.ndarray]) -> Figure:
    """`both_ways.factors`: what L_tk is multiplied with, a dot a clip and pair of frames."""
    figure, axis = plt.subplots(figsize=(style.PAGE, 1.5))
    for place, (flavour, colour) in enumerate((("released", CODE), ("paper", PAPER))):
        values = np.sort(found[flavour])
        lift = 0.28 * np.linspace(-1, 1, len(values))[np.arange(len(values)) * 7 % len(values)]
        axis.plot(values, place + lift, "o", color=colour, alpha=0.5, markersize=3.5)
    axis.axvline(1, color="black", linewidth=0.8)
    axis.set(xscale="log", xlabel=r"$1 + \beta\, L_{eig}$, $\beta = 0.16$ (computed)")
    axis.set_yticks((0, 1), ("released", "paper"))
    ticks = (1, 2, 5, 10, 20)
    axis.set_xticks(ticks, map(str, ticks))
    axis.minorticks_off()
    axis.set_ylim(-0.5, 1.5)
    return figure


# The step and the training ------------------------------------------------------------------------


def parts(found: pd.DataFrame) -> Figure:
    """One part of the loss exchanged at a time: the loss, and where its gradient points.

    found: index a part, columns (start, "loss" or "cosine"), start "paper" or "released": the
    flavour that all the other parts have; the cosine is with the gradient of that start.
    """
    figure, axes = plt.subplots(1, 2, figsize=(style.PAGE, 2.7), sharey=True)
    names = list(found.index)[::-1]
    for number, (start, colour, marker) in enumerate(
        (("paper", PAPER, "o"), ("released", CODE, "s"))
    ):
        lift = 0.14 - 0.28 * number
        label = f"all else as {'the paper' if start == 'paper' else 'released'}"
        for axis, what in zip(axes, ("loss", "cosine"), strict=True):
            look = {"color": colour, "markersize": 5, "label": label}
            values = found[start, what][names]
            axis.plot(values, np.arange(len(names)) + lift, marker, **look)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set(xlabel="loss (computed)", title="value")
    axes[1].set(xlabel="cosine with the gradient before the exchange", title="direction of a step")
    axes[1].set_xlim(min(0.0, axes[1].get_xlim()[0]), 1.05)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def exchanged(compute, names: Sequence[str] = tuple(PARTS)) -> pd.DataFrame:
    """What `parts` draws. compute: names of the released parts -> (loss, gradient)."""
    lines = {}
    starts = {"paper": (), "released": tuple(names)}
    before = {start: compute(of)[1].flatten() for start, of in starts.items()}
    for name in names:
        line = {}
        for start, of in starts.items():
            value, slope = compute(tuple(set(of) ^ {name}))
            cosine = torch.cosine_similarity(slope.flatten(), before[start], dim=0)
            line |= {(start, "loss"): value, (start, "cosine"): float(cosine)}
        lines[name] = line
    return pd.DataFrame(lines).T


def stage_three(recipes: Mapping[str, Recipe]) -> Figure:
    """Learning rate and the temporal term's factor, step by step. recipes: "paper", "released".

    Broken: the released factor, if its counter began with the stage.
    """
    figure, (rate, factor) = plt.subplots(1, 2, figsize=(style.PAGE, 2.2))
    for (flavour, recipe), colour in zip(recipes.items(), (PAPER, CODE), strict=True):
        steps = np.arange(recipe.steps)
        rates = [learning_rate(recipe, step) for step in steps]
        full = recipe.settings.temporal_factor if flavour == "released" else 1.0
        for axis, values in ((rate, rates), (factor, np.full(len(steps), full))):
            axis.plot(steps, values, color=colour, label=flavour)
            axis.plot(steps[-1], values[-1], "|", color=colour, markersize=9)
        if flavour == "released":
            raised = [full * boxinst.warm_up(step, Settings.warm_up_steps) for step in steps]
            factor.plot(steps, raised, "--", color=colour, linewidth=1)
    rate.set(yscale="log", ylim=(3e-6, 3e-4), title="learning rate", xlabel="step of stage three")
    title = "factor of $L_{temporal}$, before its weight"
    factor.set(ylim=(-0.05, 1.1), title=title, xlabel="step of stage three")
    rate.legend(loc="lower right")
    return figure


def training(
    rows: pd.DataFrame, comparisons: Sequence[tuple[str, str]], metric: str = "AP"
) -> Figure:
    """Measured rows, every seed a dot, and differences of two rows, paired by seed."""
    names = list(dict.fromkeys(name for pair in comparisons for name in pair[::-1]))
    size = style.PAGE, 0.9 + 0.24 * max(len(names), len(comparisons))
    figure, (left, right) = plt.subplots(1, 2, figsize=size)
    for place, name in enumerate(names):
        own = rows[metric][rows["row"] == name] if len(rows) else pd.Series(dtype=float)
        if own.empty:
            intervals.absent(left, place)
            continue
        intervals.seeds(left, own.to_numpy(), place, PAPER)
    for place, pair in enumerate(comparisons):
        found = paired.difference_so_far(rows, *pair, metric)
        if not found.seeds:
            intervals.absent(right, place)
            continue
        right.scatter(found.values, [place] * found.seeds, s=10, color=CODE, alpha=0.4)
        intervals.difference(right, found, place, CODE)
    right.axvline(0, color="black", linewidth=0.8)
    left.set_yticks(range(len(names)), names)
    right.set_yticks(range(len(comparisons)), [f"{a} - {b}" for a, b in comparisons])
    left.set(title="measured rows", xlabel=f"{metric}, toy-ytvis19", ylim=(len(names) - 0.4, -0.6))
    right.set(title="differences", xlabel=f"{metric}, paired by seed")
    right.set_ylim(len(comparisons) - 0.4, -0.6)
    return figure
