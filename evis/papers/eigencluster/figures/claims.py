"""The claim ledger as a forest plot and as html, and what TEL and QCC do to a training step."""

import html
from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evis.companion import claims
from evis.companion.plots import style
from evis.losses.tk import THRESHOLD
from evis.papers.eigencluster.claims_list import Comparison
from evis.papers.eigencluster.experiments import SEEDS

_COLOURS = {
    claims.HOLDS: style.COLOURS[0],
    claims.CANNOT_TELL: style.COLOURS[7],
    claims.CONTRADICTED: style.COLOURS[3],
}
_MARKERS = {claims.HOLDS: "o", claims.CANNOT_TELL: "s", claims.CONTRADICTED: "X"}
_SIGNS = {
    claims.HOLDS: "✓",
    claims.CONTRADICTED: "✗",
    claims.CANNOT_TELL: "?",
    claims.UNMEASURED: "…",
    claims.UNTESTABLE: "–",
}
# Twenty times the differences between methods, so in a panel of their own.
_HARDER = ("S1", *(f"G6{part}-{number}" for part in "abc" for number in (1, 2)))
GROUPS = {  # where the claims stand: how their ids begin; the longest that fits counts
    "In words": ("A", "I", "R", "B", "C", "D", "E", "S"),
    "In words: unsteadiness": ("A4",),
    "Table I": ("T1-",),
    "Table II": ("T2-",),
    "Tables III and IV, Fig. 5": ("T3-", "T4-", "G1"),
    "Table V, Fig. 6 and conclusion": ("T5-", "G6", "V"),
    "Section IV-A and Fig. 6: what is harder": _HARDER,
}
_GROUP_OF = {start: title for title, starts in GROUPS.items() for start in starts}


def group_of(name: str) -> str:
    return _GROUP_OF[max(filter(name.startswith, _GROUP_OF), key=len)]


def _by_group(ledger: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """In the order of `GROUPS`; groups without a claim are left out."""
    groups = ledger["id"].map(group_of)
    return [(title, ledger[groups == title]) for title in GROUPS if (groups == title).any()]


def forest(ledger: pd.DataFrame) -> Figure:
    """A line a claim that scores decide; to the right of 0 is what is claimed, whatever its sign.

    Claims about Q and L_eig on clips are not in points of a score, and stand in the table alone.
    """
    parts = _by_group(ledger[ledger["tests"].map(_of_scores)])
    heights = [len(of) + 1.2 for _, of in parts]
    figure, panels = plt.subplots(
        len(parts),
        1,
        figsize=(style.PAGE, 0.155 * sum(heights) + 0.9),
        gridspec_kw={"height_ratios": heights},
    )
    for axes, (title, of) in zip(np.atleast_1d(panels), parts, strict=True):
        _panel(axes, title, of)
    figure.supxlabel(
        "difference in the direction of the claim: points of AP, mIoU or unsteadiness", fontsize=8
    )
    figure.legend(handles=_legend(), loc="outside upper center", ncols=5, handletextpad=0.4)
    return figure


def _of_scores(tests: tuple[Comparison, ...]) -> bool:
    return bool(tests) and not any(test.left.held_out.clips for test in tests)


def _sign(tests: tuple[Comparison, ...]) -> int:
    """What turns a difference into the direction of the claim."""
    return 1 if tests[0].direction == "higher" else -1


def _panel(axes: Axes, title: str, of: pd.DataFrame) -> None:
    axes.axvline(0, color="#999999", lw=0.8)
    for y, line in enumerate(of.itertuples()):
        sign = _sign(line.tests)
        axes.plot(sign * line.published, y, "D", ms=4, mfc="white", mec="#222222", zorder=3)
        if line.verdict in _COLOURS:
            _interval(axes, y, sign, line.measured, line.low, line.high, line.verdict)
            if line.control:
                values = of.loc[line.Index, ["against control", "control low", "control high"]]
                _interval(axes, y + 0.32, sign, *values, line.control, small=True)
        else:
            axes.annotate("not measured", (1.01, y), xycoords=("axes fraction", "data"), **_GREY)
    axes.set_yticks(
        range(len(of)), [f"{i}  {_short(s)}" for i, s in zip(of.id, of.says, strict=True)]
    )
    axes.tick_params(axis="y", labelsize=6, length=0)
    axes.tick_params(axis="x", labelsize=6.5)
    axes.set_ylim(len(of) - 0.4, -0.6)
    axes.set_xlim(*_reach(of))
    axes.set_title(title, loc="left", fontsize=8)


def _reach(of: pd.DataFrame) -> tuple[float, float]:
    """Every mean, 0 and whole intervals, but for those of few seeds that would hide all others."""
    signs, many = of["tests"].map(_sign), of["seeds"].to_numpy() >= len(SEEDS)
    signed = of[["published", "measured", "against control"]].mul(signs, axis=0).to_numpy()
    low, high = np.nanmin([*signed.flat, 0.0]), np.nanmax([*signed.flat, 0.0])
    edges = of[["low", "high", "control low", "control high"]].mul(signs, axis=0).to_numpy()
    more = (high - low) / 2
    edges = np.where(many[:, None], edges, np.clip(edges, low - more, high + more))
    low, high = np.nanmin([*edges.flat, low]), np.nanmax([*edges.flat, high])
    room = 0.04 * (high - low) or 0.5
    return low - room, high + room


_GREY = {"va": "center", "size": 5.5, "color": "#888888"}


def _short(text: str, most: int = 74) -> str:
    return text if len(text) <= most else text[: most - 1].rsplit(" ", 1)[0] + " …"


def _interval(axes: Axes, y, sign, mean, low, high, verdict, small=False) -> None:
    colour = _COLOURS.get(verdict, "#888888")
    axes.plot([sign * low, sign * high], [y, y], color=colour, lw=0.7 if small else 1.5, zorder=2)
    face = "white" if small else colour
    marker = _MARKERS.get(verdict, "s")
    axes.plot(
        sign * mean, y, marker, ms=2.6 if small else 4, mfc=face, mec=colour, mew=0.8, zorder=4
    )


def _legend() -> list[Line2D]:
    line = {"lw": 1.5, "ms": 4}
    measured = [
        Line2D([], [], color=_COLOURS[v], marker=_MARKERS[v], label=f"measured: {v}", **line)
        for v in _COLOURS
    ]
    control = Line2D([], [], color="#555555", marker="o", mfc="white", ms=2.6, lw=0.7)
    control.set_label("against the control")
    published = Line2D([], [], color="#222222", marker="D", mfc="white", lw=0, ms=4)
    published.set_label("published")
    return [*measured, control, published]


def table(ledger: pd.DataFrame) -> str:
    """The whole ledger as html, folded by where the claims stand."""
    parts = []
    for title, of in _by_group(ledger):
        counts = of["verdict"].value_counts().reindex(claims.VERDICTS).dropna().astype(int)
        summary = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
        body = "".join(_row(line) for line in of.to_dict("records"))
        head = _cells(_HEADS, "th")
        parts.append(
            f"<details open><summary><b>{title}</b>: {summary}</summary>"
            f"<table>{head}{body}</table></details>"
        )
    return "".join(parts)


_HEADS = (
    "",
    "place",
    "the paper says",
    "verdict",
    "published",
    "measured",
    "seeds",
    "resolvable",
    "against the control",
    "after Holm",
    "what is compared; note",
)


def _row(line: dict) -> str:
    colour = _COLOURS.get(line["verdict"], "#888888")
    verdict = (
        f'<span style="color:{colour}"><b>{_SIGNS[line["verdict"]]} {line["verdict"]}</b></span>'
    )
    digits = line["digits"]
    control = [line[name] for name in ("against control", "control low", "control high")]
    control = ": ".join(filter(None, (_measured(*control, digits), line["control"])))
    texts = [
        line["id"],
        html.escape(line["place"]),
        html.escape(line["says"]),
        verdict,
        _number(line["published"]),
        _measured(line["measured"], line["low"], line["high"], digits),
        str(line["seeds"] or ""),
        _number(line["resolvable"], f"{{:.{digits}f}}"),
        control,
        _holm(line["p, Holm"]) if line["verdict"] in claims.DECIDED else "",
        html.escape("; ".join(filter(None, (line["compared"], line["note"])))),
    ]
    return _cells(texts)


def _cells(texts: Iterable[str], kind: str = "td") -> str:
    cells = "".join(f'<{kind} style="text-align:left">{text}</{kind}>' for text in texts)
    return f"<tr>{cells}</tr>"


def _number(value: float, pattern: str = "{:+.2f}") -> str:
    return "" if np.isnan(value) else pattern.format(value)


def _measured(mean: float, low: float, high: float, digits: int) -> str:
    if np.isnan(low):
        return ""
    mean, low, high = (f"{value:+.{digits}f}" for value in (mean, low, high))
    return f"{mean} [{low}, {high}]"


def _holm(p: float) -> str:
    if np.isnan(p):  # decided without rows
        return ""
    return "stands" if p <= claims.ALPHA else "falls"


def reasons(factors: pd.DataFrame, kept: pd.Series, gradients: pd.DataFrame) -> Figure:
    """TEL's factor on TK, a dot a batch and decoder layer; TK's pairs; how far gradients turn."""
    figure, panels = plt.subplots(1, 3, figsize=(style.PAGE, 2.5))
    _factors(panels[0], factors)
    _kept(panels[1], kept)
    _turns(panels[2], gradients)
    return figure


def _factors(axes: Axes, factors: pd.DataFrame) -> None:
    layers = sorted(factors["layer"].unique(), key=lambda name: (name == "", name))
    for x, layer in enumerate(layers):
        values = factors["factor"][factors["layer"] == layer]
        axes.plot([x] * len(values), values, "o", color=style.COLOURS[0], ms=4, alpha=0.7)
    axes.axhline(1, color="#999999", lw=0.8)
    axes.set_yscale("log")
    axes.set_xticks(range(len(layers)), [str(n) for n in range(1, len(layers) + 1)])
    axes.set(title="1. TEL's factor on TK", xlabel="decoder layer", ylabel="factor")


def _kept(axes: Axes, kept: pd.Series) -> None:
    axes.plot(kept.index, 100 * kept, color=style.COLOURS[2])
    axes.plot(THRESHOLD, 100 * kept[THRESHOLD], "o", color=style.COLOURS[2])
    axes.annotate(
        f"TK's\nthreshold:\n{100 * kept[THRESHOLD]:.1f}%",
        (THRESHOLD, 100 * kept[THRESHOLD]),
        (0, 12),
        textcoords="offset points",
        ha="center",
        size=7,
    )
    axes.set_xscale("log")
    axes.set(title="2. pairs that TK keeps", xlabel="threshold", ylabel="% of pairs")


def _turns(axes: Axes, gradients: pd.DataFrame) -> None:
    means = gradients.groupby("loss", sort=False)["degrees"].mean()
    colours = [
        style.COLOURS[7] if name == "next batch" else style.COLOURS[1] for name in means.index
    ]
    axes.barh(range(len(means)), means, color=colours)
    for y, degrees in enumerate(means):
        axes.annotate(f"{degrees:.0f}°", (degrees, y), (3, 0), textcoords="offset points", **_DARK)
    axes.set_yticks(range(len(means)), list(means.index))
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.grid(axis="y", visible=False)
    axes.set(title="3. turn of the gradient", xlabel="degrees from TK alone")


_DARK = {"va": "center", "size": 7}
