"""Notebook 13: the lead paper's pipeline (Fig. 2), drawn from what one clip really becomes."""

import numpy as np
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from evis.companion.plots import style
from evis.companion.plots.network import as_colours
from evis.inference import drawing
from evis.losses import tel, tk
from evis.losses.neighbours import WINDOW
from evis.papers.eigencluster.figures.board import LINE, NORMAL, Board, by
from evis.papers.eigencluster.figures.trace import Trace

INSTANCES = style.COLOURS[0], style.COLOURS[2]
SPACE, TIME, BOTH, CLASSES = style.COLOURS[5], style.COLOURS[1], style.COLOURS[4], style.COLOURS[7]
MATCHES = style.COLOURS[0], style.COLOURS[3], style.COLOURS[2]


def signed(values: torch.Tensor) -> dict:
    """How to colour these in `imshow`: red above 0, blue below."""
    limit = float(values.abs().quantile(0.98))
    return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}


def pipeline(found: Trace) -> Figure:
    """Fig. 2: from a clip to the loss."""
    board = Board(4.5)
    board.stack(boxed(found), 0.05, 1.65, 0.78, 0.11)
    board.words(0.55, 1.48, "clip $X$ with boxes", NORMAL)
    board.words(0.55, 1.23, f"B × T × 3 × H × W\n{by((1, *found.clip.frames.shape))}")
    board.arrow((1.08, 1.98), (1.3, 1.98))
    board.corner_arrow((0.55, 2.42), (0.55, 3.85), (1.3, 3.85))
    _patches(board, found)
    _network(board, found)
    _outputs(board, found)
    _losses(board, found)
    return board.figure


def boxed(found: Trace, scale: int = 4) -> list[np.ndarray]:
    """The frames, enlarged, with the boxes that are all the supervision there is."""
    pictures = []
    for t, frame in enumerate(found.frames):
        picture = drawing.enlarge(frame, scale)
        for n, box in enumerate(found.clip.boxes[:, t]):
            x0, y0, x1, y1 = (scale * float(side) for side in box)
            rgb = tuple(round(255 * channel) for channel in to_rgb(INSTANCES[n]))
            picture = drawing.draw_box(picture, (x0, y0, x1 - x0, y1 - y0), rgb, scale)
        pictures.append(picture)
    return pictures


def _patches(board: Board, found: Trace) -> None:
    """Frames b and a of the first pair; lines from some pixels of b to their matches in a."""
    board.box(1.3, 3.2, 2.62, 1.25, colour=TIME)
    board.words(2.61, 4.34, "temporal patch matching", NORMAL)
    (a, b), kept = found.pairs[0], found.matches[0]
    rows, columns = kept.shape[1:]
    width, low, lefts = 1.02, 3.56, (1.4, 2.8)
    height = width * rows / columns
    board.picture(found.frames[b], lefts[0], low, width)
    board.picture(found.frames[a], lefts[1], low, width)
    picked = [
        (y, x) for y in range(4, rows, 6) for x in range(4, columns, 5) if kept[:, y, x].any()
    ]
    for number, (y, x) in enumerate(picked):
        for k in torch.nonzero(kept[:, y, x]).flatten().tolist():
            to = y + tk.DILATION * WINDOW[k][0], x + tk.DILATION * WINDOW[k][1]
            ends = zip(lefts, ((y, x), to), strict=True)
            line = [
                (left + (j + 0.5) / columns * width, low + (1 - (i + 0.5) / rows) * height)
                for left, (i, j) in ends
            ]
            colour = MATCHES[number % len(MATCHES)]
            board.axes.plot(
                *zip(*line, strict=True), "-o", color=colour, lw=0.6, ms=1.8, mew=0, zorder=3
            )
    share = float(found.matches.float().sum(1).mean())
    text = f"$\\mathcal{{S}}$: {by(found.matches.shape)}, {share:.1f} matches a pixel"
    board.words(2.61, 3.38, f"{text}\npairs × candidates × H' × W'", va="center")


def _network(board: Board, found: Trace) -> None:
    board.box(1.3, 0.75, 2.62, 2.29, colour=LINE)
    board.words(2.61, 2.93, "Mask2Former", NORMAL)
    seen = found.seen
    strides = [found.clip.frames.shape[-1] // maps.shape[-1] for maps in seen.maps]
    columns = {
        1.77: ("backbone", seen.maps),
        2.66: ("pixel decoder", [seen.pixels, *seen.features[::-1]]),
    }
    for x, (title, maps) in columns.items():
        board.words(x, 2.71, title, va="baseline")
        top = 2.63
        for stride, values in zip(strides, maps, strict=True):
            width = {0: 0.58, 1: 0.42, 2: 0.3, 3: 0.22}[strides.index(stride)]
            height = width * values.shape[-2] / values.shape[-1]
            board.picture(as_colours(values[0])[0], x - width / 2, top - height, width)
            board.words(x, top - height - 0.08, f"{by(values.shape[1:])}")
            top -= height + 0.2
    board.arrow((2.09, 1.9), (2.33, 1.9))
    board.arrow((2.97, 1.9), (3.2, 1.9))
    queries = found.prediction.embeddings[0]
    board.words(3.55, 2.71, "video decoder", va="baseline")
    board.words(3.55, 2.52, f"{len(found.prediction.layers)} layers, all\nframes at once")
    board.picture(queries, 3.23, 1.72, 0.64, 0.52, **signed(queries))
    board.words(3.55, 1.58, f"queries\n{by(queries.shape)}", va="top")


def _outputs(board: Board, found: Trace) -> None:
    colours = signed(found.logits)
    board.words(4.55, 3.02, "$O$, mask logits", NORMAL)
    for n, logits in enumerate(found.instances):
        board.stack(logits, 4.15, 2.3 - 0.72 * n, 0.62, 0.07, INSTANCES[n], **colours)
    board.words(4.55, 1.37, f"B × C × T × H' × W'\n{by((1, *found.logits.shape))}")
    chances = found.prediction.class_logits[0].softmax(-1)
    board.picture(chances, 4.25, 0.62, 0.6, 0.5, vmin=0, vmax=1)
    board.words(4.55, 0.52, f"$U$, classes: {by((1, *chances.shape))}")
    board.arrow((3.92, 2.2), (4.12, 2.2))
    board.arrow((3.92, 0.9), (4.22, 0.9))


def _losses(board: Board, found: Trace) -> None:
    terms, settings = found.terms, found.settings
    spatial = f"{terms['projection']:.3f} + {terms['pairwise']:.3f}"
    rows = {  # height of the middle: what it is, its equations, its value, its colour
        4.02: ("TK", "Eqs. 11-12", f"$\\Sigma L_{{tk}}$ = {terms['tk']:.5f}", TIME),
        3.24: ("TEL", "Eqs. 4-10", f"$\\Sigma L_{{eig}}$ = {terms['tel']:.1f}", TIME),
        2.46: ("$L_{spatial}$", "projection + pairwise", spatial, SPACE),
        1.68: ("QCC", "Eqs. 1-3", f"$Q$ = {terms['qcc']:.2f}", BOTH),
        0.9: ("$L_{class}$", "cross-entropy", f"{terms['class']:.3f}", CLASSES),
    }
    for y, (name, how, value, colour) in rows.items():
        board.box(5.18, y - 0.27, 1.1, 0.54, colour=colour)
        board.words(5.73, y + 0.16, name, NORMAL, weight="bold")
        board.words(5.73, y - 0.08, f"{how}\n{value}")
        start = (4.9, 0.9) if name == "$L_{class}$" else (4.94, 2.2)
        board.arrow(start, (5.2, y - 0.1 if name == "TK" else y))
    board.arrow((3.92, 4.12), (5.2, 4.12))
    board.box(6.42, 3.28, 0.76, 0.7, colour=TIME)
    board.words(6.8, 3.84, "$L_{temporal}$", NORMAL)
    board.words(
        6.8, 3.55, f"Eqs. 13-14\n$\\Sigma \\psi$ = {_psi(found):.5f}\n$\\beta$ = {settings.beta}"
    )
    board.arrow((6.26, 4.02), (6.42, 3.84))
    board.arrow((6.26, 3.24), (6.42, 3.42))
    for y, sign in ((2.46, "+"), (1.68, "×"), (0.9, "+")):
        board.axes.add_patch(Circle((6.8, y), 0.12, fc="white", ec=LINE, lw=0.9, zorder=2))
        board.words(6.8, y, sign, 9)
        board.arrow((6.26, y), (6.68, y))
    for start, end in ((3.28, 2.58), (2.34, 1.8), (1.56, 1.02), (0.78, 0.33)):
        board.arrow((6.8, start), (6.8, end))
    board.words(6.53, 1.78, "$Q^\\alpha$")
    board.box(1.3, 0.02, 5.88, 0.31, _total(found), size=7)


def _psi(found: Trace) -> float:
    return float(tel.temporal_loss(found.tk, found.tel, found.settings.beta))


def _total(found: Trace) -> str:
    """The equation after Eq. 14, in our flavour's weights, first with names, then with numbers."""
    settings, terms = found.settings, found.terms
    of = settings.weights
    time = of["temporal"] * settings.temporal_factor
    names = (
        f"$L$ = {of['class']:g} $L_{{class}}$ + $Q^\\alpha$ ({of['projection']:g} $L_{{proj}}$ + "
        f"{of['pairwise']:g} $L_{{pair}}$ + {time:g} $\\Sigma \\psi$)"
    )
    numbers = (
        f"{of['class']:g} · {terms['class']:.3f} + {terms['qcc']:.2f} "
        f"({of['projection']:g} · {terms['projection']:.3f} + "
        f"{of['pairwise']:g} · {terms['pairwise']:.3f} + {time:g} · {_psi(found):.5f})"
    )
    return f"{names} = {numbers} = {terms['total']:.2f}"
