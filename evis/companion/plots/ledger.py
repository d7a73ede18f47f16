"""A claim ledger as pictures, with intervals and all verdicts at a glance, and as a table."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from evis.companion import claims as ledgers
from evis.companion import folded
from evis.companion.plots import forest as forests
from evis.companion.plots import style

COLOURS = {
    ledgers.HOLDS: style.COLOURS[0],
    ledgers.NO_EFFECT: style.COLOURS[1],
    ledgers.CONTRADICTED: style.COLOURS[3],
    ledgers.CANNOT_TELL: "#a0a0a0",
    ledgers.UNMEASURED: "#d9d9d9",
    ledgers.UNTESTABLE: "#f4f4f4",
}
SHORT = {ledgers.NO_EFFECT: "below the published size"}  # in place of a verdict
ANSWERS = {  # to a question
    ledgers.HOLDS: "yes",
    ledgers.NO_EFFECT: "not as much as published",
    ledgers.CONTRADICTED: "no, it harms",
}
_SIGNS = dict(zip(COLOURS, "✓○✗?…–", strict=True))
_WIDE, _HIGH = 14, 0.21  # tiles a line; inches of one
_EDGES = {ledgers.HEADLINE: ("black", 1.4), ledgers.OTHER: ("white", 1.0)}


def forest(ledger: pd.DataFrame, by: str = "metric", words: Mapping[str, str] = SHORT) -> Figure:
    """A line a claim: measured, published, and the verdict in words; a panel a metric or group.

    To the right of 0 is what is claimed, whatever its sign. A triangle: against the control.
    "falls": by Holm's correction. words: verdict -> what stands in its place.
    """
    data = intervals(ledger, words).sort_values(by, kind="stable")
    figure = forests.facets(data, by, line_height=0.42)
    for axes in figure.axes:
        axes.tick_params(axis="y", labelsize=7, length=0)
    label = "points of the metric, to the right as claimed"
    if any(", falls" in text for text in data["text"]):
        label += "; falls: by Holm's correction"
    figure.supxlabel(label, fontsize=8)
    marks = [Line2D([], [], color="black", marker="o", label="measured, 95% interval")]
    if (data["marker"] == "v").any():
        marks += [Line2D([], [], color="black", marker="v", label="against the control")]
    marks += forests.legend("published")
    figure.legend(handles=marks, loc="outside upper center", ncols=len(marks))
    return figure


def intervals(ledger: pd.DataFrame, words: Mapping[str, str]) -> pd.DataFrame:
    """What `forest` draws of the claims that rows decide, as `plots.forest` takes it."""
    shown = ledger[ledger["tests"].map(bool) & (ledger["verdict"] != ledgers.UNTESTABLE)].copy()
    shown["metric"] = [tests[0].left.metric.partition(",")[0] for tests in shown["tests"]]
    rows = [f"\n{tests[0].left.row} − {tests[0].right.row}" for tests in shown["tests"]]
    units = shown["seeds"].map(lambda n: f": {n} unit{'s' * (n != 1)}" if n else "")
    shown["label"] = shown["says"] + rows + units
    sign = np.array([1 if tests[0].direction == "higher" else -1 for tests in shown["tests"]])
    shown["colour"], shown["text colour"] = shown["verdict"].map(COLOURS), "#222222"
    shown["text"] = [_words(line, words) for line in shown.to_dict("records")]
    tests = _oriented(shown, sign, ("measured", "low", "high"))
    tests["published"] = sign * shown["published"]
    against = _oriented(shown, sign, ("against control", "control low", "control high"))
    look = {"marker": "v", "colour": "#555555", "text": ""}
    return pd.concat((tests, against.dropna(subset="mean").assign(**look)), ignore_index=True)


def _words(line: Mapping, words: Mapping[str, str]) -> str:
    found = {False: line["verdict"], True: line["control"]}  # is it the control's?
    told = [
        words.get(verdict, verdict) + ", falls" * (ledgers.stands(line, control) is False)
        for control, verdict in found.items()
        if verdict
    ]
    return "\ncontrol: ".join(told)


def _oriented(shown: pd.DataFrame, sign: np.ndarray, columns: tuple[str, ...]) -> pd.DataFrame:
    """As `plots.forest` takes it; where less is claimed, the interval is turned around."""
    mean, *ends = (sign * shown[name] for name in columns)
    names = ["metric", "group", "label", "colour", "text", "text colour"]
    return shown[names].assign(mean=mean, low=np.fmin(*ends), high=np.fmax(*ends), marker="o")


def tiles(ledger: pd.DataFrame) -> Figure:
    """Every claim a tile in its verdict's colour, where it stands in the text, by verdict.

    A black frame: a headline claim. Italic: computed. A star: it stands Holm's correction.
    """
    order = {verdict: place for place, verdict in enumerate(COLOURS)}
    groups = [
        of.sort_values("verdict", key=lambda v: v.map(order), kind="stable")
        for _, of in ledger.groupby("group", sort=False)
    ]
    lines = [-(-len(of) // _WIDE) for of in groups]
    height = _HIGH * (sum(lines) + 0.35 * len(lines)) + 0.6
    figure, axes = plt.subplots(figsize=(style.PAGE, height))
    top, places = 0.0, []
    for of, n in zip(groups, lines, strict=True):
        places.append(top + n / 2)
        for number, line in enumerate(of.to_dict("records")):
            _tile(axes, number % _WIDE, top + number // _WIDE, line)
        top += n + 0.35
    style.bare(axes).set(xlim=(0, _WIDE), ylim=(top, -0.1))
    axes.set_yticks(places, [of["group"].iloc[0] for of in groups])
    axes.tick_params(length=0)
    counts = ledger["verdict"].value_counts()
    marks = [
        Rectangle((0, 0), 1, 1, color=COLOURS[verdict], label=f"{verdict}: {counts[verdict]}")
        for verdict in COLOURS
        if verdict in counts
    ]
    look = {"facecolor": "white", "edgecolor": "black", "linewidth": _EDGES[ledgers.HEADLINE][1]}
    marks.append(Rectangle((0, 0), 1, 1, **look, label="headline"))
    for sign, meaning in (("$\\mathit{A1}$", "computed"), ("*", "stands Holm's correction")):
        marks.append(Line2D([], [], lw=0, marker=sign, color="black", ms=8, mew=0.3, label=meaning))
    figure.legend(handles=marks, loc="outside upper center", ncols=4)
    return figure


def _tile(axes: plt.Axes, x: float, y: float, line: Mapping) -> None:
    edge, width = _EDGES.get(line["kind"], _EDGES[ledgers.OTHER])
    corner = x + 0.04, y + 0.06
    look = {"facecolor": COLOURS[line["verdict"]], "edgecolor": edge, "linewidth": width}
    axes.add_patch(Rectangle(corner, 0.92, 0.88, **look))
    dark = line["verdict"] in (ledgers.HOLDS, ledgers.CONTRADICTED)
    text = {"ha": "center", "va": "center", "fontsize": 6.5, "color": "white" if dark else "black"}
    text["style"] = "italic" if line["kind"] == ledgers.COMPUTED else "normal"
    stands = "$^{*}$" if ledgers.stands(line) else ""
    axes.text(x + 0.5, y + 0.5, line["id"] + stands, **text)


def table(ledger: pd.DataFrame) -> str:
    """The whole ledger as html, folded by where the claims stand."""
    lines = [_texts(line) for line in ledger.to_dict("records")]
    coloured = list(COLOURS)[:4]
    colours = {f"{_SIGNS[verdict]} {verdict}": COLOURS[verdict] for verdict in coloured}
    return folded.table(pd.DataFrame(lines), "group", colours)


def papers(counts: pd.DataFrame) -> Figure:
    """A bar a paper, parted by verdicts: counts, a line a paper and a column a verdict."""
    figure, axes = plt.subplots(figsize=(style.PAGE, 0.9 + 0.32 * len(counts)))
    start = np.zeros(len(counts))
    for verdict in COLOURS:
        own = counts[verdict].to_numpy()
        look = {"color": COLOURS[verdict], "edgecolor": "white", "linewidth": 0.8}
        axes.barh(counts.index, own, left=start, label=verdict, height=0.75, **look)
        dark = verdict in (ledgers.HOLDS, ledgers.CONTRADICTED)
        for place, number in enumerate(own):
            if number:
                at, colour = (start[place] + number / 2, place), "white" if dark else "black"
                axes.annotate(number, at, ha="center", va="center", fontsize=7, color=colour)
        start = start + own
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="claims", xlim=(0, start.max() * 1.01))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _texts(line: dict) -> dict[str, str]:
    digits, verdict = line["digits"], line["verdict"]
    columns = ("against control", "control low", "control high")
    against = _interval(*(line[name] for name in columns), digits)
    after_holm = {True: "stands", False: "falls", None: ""}
    of_control = ", ".join(filter(None, (line["control"], after_holm[ledgers.stands(line, True)])))
    return {
        "group": line["group"],
        "": line["id"],
        "place": line["place"],
        "the paper says": f"“{line['quote']}”" if line["quote"] else "",
        "that is": line["says"],
        "verdict": f"{_SIGNS[verdict]} {verdict}",
        "published": _number(line["published"], "+.2f"),
        "measured": _interval(line["measured"], line["low"], line["high"], digits),
        "units": str(line["seeds"] or ""),
        "resolvable": _number(line["resolvable"], f".{digits}f"),
        "against the control": ": ".join(filter(None, (against, of_control))),
        "after Holm": after_holm[ledgers.stands(line)],
        "what is compared; note": "; ".join(filter(None, (line["compared"], line["note"]))),
        "written": line["written"],
    }


def _number(value: float, pattern: str) -> str:
    return "" if np.isnan(value) else format(value, pattern)


def _interval(mean: float, low: float, high: float, digits: int) -> str:
    mean, low, high = (_number(value, f"+.{digits}f") for value in (mean, low, high))
    return f"{mean} [{low}, {high}]" if low else ""
