"""The lead paper's Fig. 2, its pipeline, drawn from what one clip really becomes."""

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle, ConnectionPatch

from evis.companion.model_parts import as_colours
from evis.companion.plots import style
from evis.losses import tk
from evis.losses.neighbours import WINDOW
from evis.papers.eigencluster.figures import colours
from evis.papers.eigencluster.figures.page import LINE, NORMAL, Page, boxes, by
from evis.papers.eigencluster.one_clip import OneClip


def figure_two(one: OneClip) -> Figure:
    """The pipeline: from a clip to the loss."""
    page = Page(4.5)
    for t, axes in enumerate(page.stack(one.frames, 0.05, 1.65, 0.78, 0.11)):
        boxes(axes, one, t)
    page.words(0.55, 1.48, "clip $X$ with boxes", NORMAL)
    page.words(0.55, 1.23, f"B × T × 3 × H × W\n{by((1, *one.clip.frames.shape))}")
    page.arrow((1.08, 1.98), (1.3, 1.98))
    page.arrow((0.55, 2.42), (0.55, 3.85), (1.3, 3.85))
    _patches(page, one)
    _network(page, one)
    _outputs(page, one)
    _losses(page, one)
    return page.figure


def _patches(page: Page, one: OneClip) -> None:
    """Frames b and a of the first pair; lines from some pixels of b to their matches in a."""
    page.box(1.3, 3.2, 2.62, 1.25, colours.IN_TIME)
    page.words(2.61, 4.34, "temporal patch matching", NORMAL)
    (a, b), kept, stride = one.pairs[0], one.matches[0], one.prediction.stride
    here, there = (page.picture(one.frames[t], x, 3.56, 1.02) for t, x in ((b, 1.4), (a, 2.8)))
    rows = torch.arange(4, kept.shape[1], 6)
    columns = torch.arange(4, kept.shape[2], 5)
    for k, i, j in torch.nonzero(kept[:, rows][:, :, columns]).tolist():
        y, x = int(rows[i]), int(columns[j])
        to = stride * (x + tk.DILATION * WINDOW[k][1]), stride * (y + tk.DILATION * WINDOW[k][0])
        look = {"coordsA": "data", "coordsB": "data", "lw": 0.6}
        look["color"] = colours.MATCHES[(i + j) % len(colours.MATCHES)]
        line = ConnectionPatch((stride * x, stride * y), to, axesA=here, axesB=there, **look)
        page.figure.add_artist(line)
    share = float(one.matches.float().sum(1).mean())
    words = f"$\\mathcal{{S}}$: {by(one.matches.shape)}, {share:.1f} matches a pixel"
    page.words(2.61, 3.38, f"{words}\npairs × candidates × H' × W'")


def _network(page: Page, one: OneClip) -> None:
    """Feature maps of the first frame in principal colours, fine to coarse, and the queries."""
    page.box(1.3, 0.75, 2.62, 2.29)
    page.words(2.61, 2.93, "Mask2Former", NORMAL)
    decoded = [one.seen.pixels, *one.seen.features[::-1]]
    for x, title, maps in ((1.77, "backbone", one.seen.maps), (2.66, "pixel decoder", decoded)):
        page.words(x, 2.73, title)
        top = 2.63
        for values, width in zip(maps, (0.58, 0.42, 0.3, 0.22), strict=True):
            height = width * values.shape[-2] / values.shape[-1]
            page.picture(as_colours(values[0])[0], x - width / 2, top - height, width)
            page.words(x, top - height - 0.08, by(values.shape[1:]))
            top -= height + 0.2
    page.arrow((2.09, 1.9), (2.33, 1.9))
    page.arrow((2.97, 1.9), (3.2, 1.9))
    queries = one.prediction.embeddings[0]
    layers = f"{len(one.prediction.layers)} layers, all\nframes at once"
    page.words(3.55, 2.58, f"video decoder\n{layers}")
    page.picture(queries, 3.23, 1.8, 0.64, **style.signed(queries, 0.98))
    page.words(3.55, 1.65, f"queries\n{by(queries.shape)}")


def _outputs(page: Page, one: OneClip) -> None:
    page.words(4.55, 3.02, "$O$, mask logits", NORMAL)
    for y, logits, colour in zip((2.3, 1.58), one.instances, colours.OBJECTS, strict=True):
        page.stack(logits, 4.15, y, 0.62, 0.07, edge=colour, **style.signed(one.logits, 0.98))
    page.words(4.55, 1.37, f"B × C × T × H' × W'\n{by((1, *one.logits.shape))}")
    classes = one.prediction.class_logits[0].softmax(-1)
    page.picture(classes, 4.3, 0.62, 0.5, vmin=0, vmax=1)
    page.words(4.55, 0.5, f"$U$, classes: {by((1, *classes.shape))}")
    page.arrow((3.92, 2.2), (4.12, 2.2))
    page.arrow((3.92, 0.9), (4.27, 0.9))


def _losses(page: Page, one: OneClip) -> None:
    terms, in_time = one.terms, colours.IN_TIME
    in_space = f"projection + pairwise\n{terms['projection']:.3f} + {terms['pairwise']:.3f}"
    parts = {  # name: height, what it is, colour
        "TK": (4.02, f"Eqs. 11-12, over matches\n$\\Sigma L_{{tk}}$ = {terms['tk']:.5f}", in_time),
        "TEL": (3.24, f"Eqs. 4-10, a mean\n$\\Sigma L_{{eig}}$ = {terms['tel']:.1f}", in_time),
        "$L_{spatial}$": (2.46, in_space, colours.IN_SPACE),
        "QCC": (1.68, f"Eqs. 1-3\n$Q$ = {terms['qcc']:.2f}", colours.ALL_LOSSES),
        "$L_{class}$": (0.9, f"cross-entropy\n{terms['class']:.3f}", colours.CLASSES),
    }
    for name, (y, what, colour) in parts.items():
        page.box(5.18, y - 0.27, 1.1, 0.54, colour)
        page.words(5.73, y + 0.16, name, NORMAL, weight="bold")
        page.words(5.73, y - 0.08, what)
        start = (4.85, 0.9) if name == "$L_{class}$" else (4.94, 2.2)
        page.arrow(start, (5.18, y - 0.1 if name == "TK" else y))
    page.arrow((3.92, 4.12), (5.18, 4.12))
    page.box(6.42, 3.28, 0.76, 0.7, in_time)
    page.words(6.8, 3.84, "$L_{temporal}$", NORMAL)
    beta = f"$\\beta$ = {one.settings.beta}"
    page.words(6.8, 3.55, f"Eqs. 13-14\n$\\Sigma \\psi$ = {one.psi:.5f}\n{beta}")
    page.arrow((6.28, 4.02), (6.42, 3.84))
    page.arrow((6.28, 3.24), (6.42, 3.42))
    for y, sign in ((2.46, "+"), (1.68, "×"), (0.9, "+")):
        page.axes.add_patch(Circle((6.8, y), 0.12, fc="white", ec=LINE, lw=0.9, zorder=2))
        page.words(6.8, y, sign, 9)
        page.arrow((6.28, y), (6.68, y))
    for start, end in ((3.28, 2.58), (2.34, 1.8), (1.56, 1.02), (0.78, 0.33)):
        page.arrow((6.8, start), (6.8, end))
    page.words(6.53, 1.78, "$Q^\\alpha$")
    page.box(1.3, 0.02, 5.88, 0.31)
    page.words(4.24, 0.175, _total(one), 7)


def _total(one: OneClip) -> str:
    """The equation after Eq. 14, in our flavour's weights, first with names, then with numbers."""
    weights, terms = one.settings.weights, one.terms
    classes, projection, pairwise = (weights[n] for n in ("class", "projection", "pairwise"))
    time = weights["temporal"] * one.settings.temporal_factor
    names = (
        f"{classes:g} $L_{{class}}$ + $Q^\\alpha$ ({projection:g} $L_{{proj}}$ + "
        f"{pairwise:g} $L_{{pair}}$ + {time:g} $\\Sigma \\psi$)"
    )
    numbers = (
        f"{classes:g} · {terms['class']:.3f} + {terms['qcc']:.2f} ({projection:g} · "
        f"{terms['projection']:.3f} + {pairwise:g} · {terms['pairwise']:.3f} + "
        f"{time:g} · {one.psi:.5f})"
    )
    return f"$L$ = {names} = {numbers} = {terms['total']:.2f}"
