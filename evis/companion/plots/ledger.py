"""A claim ledger as a forest plot and as a table, in parts by where the claims stand."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evis.companion import claims as ledgers
from evis.companion import folded
from evis.companion.plots import forest as forests
from evis.companion.plots import style

COLOURS = {
    ledgers.HOLDS: style.COLOURS[0],
    ledgers.CANNOT_TELL: "#a0a0a0",
    ledgers.NO_EFFECT: style.COLOURS[1],
    ledgers.CONTRADICTED: style.COLOURS[3],
}
_SIGNS = dict(zip(ledgers.VERDICTS, "✓?○✗…–", strict=True))


def forest(ledger: pd.DataFrame) -> Figure:
    """A line a claim that scores decide; to the right of 0 is what is claimed, whatever its sign.

    A triangle below it: against the control. Claims about Q and L_eig on clips are not in points of
    a score, and stand in the table alone.
    """
    figure = forests.facets(intervals(ledger), "group")
    for axes in figure.axes:
        axes.tick_params(axis="y", labelsize=6, length=0)
    label = "difference in the direction of the claim: points of AP, mIoU, unsteadiness"
    figure.supxlabel(label, fontsize=8)
    marks = [Line2D([], [], color=c, marker="o", label=v) for v, c in COLOURS.items()]
    marks += [Line2D([], [], color="black", marker="v", label="against the control")]
    marks += forests.legend("published")
    figure.legend(handles=marks, loc="outside upper center", ncols=len(marks))
    return figure


def intervals(ledger: pd.DataFrame) -> pd.DataFrame:
    """What `forest` draws, as `plots.forest` takes it."""
    scored = ledger["tests"].map(lambda tests: all(_in_points(test) for test in tests))
    decided = ledger["tests"].map(bool) & (ledger["verdict"] != ledgers.UNTESTABLE)
    shown = ledger[scored & decided].copy()
    shown["label"] = shown["id"] + "  " + shown["says"].map(_short)
    sign = np.array([1 if tests[0].direction == "higher" else -1 for tests in shown["tests"]])
    tests = _oriented(shown, sign, ("measured", "low", "high"), shown["verdict"])
    tests["published"] = sign * shown["published"]
    columns = ("against control", "control low", "control high")
    against = _oriented(shown, sign, columns, shown["control"]).dropna(subset="mean")
    return pd.concat((tests, against.assign(marker="v")))


def _in_points(test: ledgers.Comparison) -> bool:
    return test.left.held_out.scoring.in_percent


def _short(text: str, most: int = 74) -> str:
    return text if len(text) <= most else text[: most - 1].rsplit(" ", 1)[0] + " …"


def _oriented(shown: pd.DataFrame, sign: np.ndarray, columns, verdict: pd.Series) -> pd.DataFrame:
    """As `plots.forest` takes it; where less is claimed, the interval is turned around."""
    mean, *ends = (sign * shown[name] for name in columns)
    low, high = np.fmin(*ends), np.fmax(*ends)
    found = shown[["group", "label"]].assign(mean=mean, low=low, high=high)
    return found.assign(colour=verdict.map(COLOURS), marker="o")


def table(ledger: pd.DataFrame) -> str:
    """The whole ledger as html, folded by where the claims stand."""
    lines = [_texts(line) for line in ledger.to_dict("records")]
    colours = {f"{_SIGNS[verdict]} {verdict}": colour for verdict, colour in COLOURS.items()}
    return folded.table(pd.DataFrame(lines), "group", colours)


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
        "the paper says": line["says"],
        "verdict": f"{_SIGNS[verdict]} {verdict}",
        "published": _number(line["published"], "+.2f"),
        "measured": _interval(line["measured"], line["low"], line["high"], digits),
        "seeds": str(line["seeds"] or ""),
        "resolvable": _number(line["resolvable"], f".{digits}f"),
        "against the control": ": ".join(filter(None, (against, of_control))),
        "after Holm": after_holm[ledgers.stands(line)],
        "what is compared; note": "; ".join(filter(None, (line["compared"], line["note"]))),
    }


def _number(value: float, pattern: str) -> str:
    return "" if np.isnan(value) else format(value, pattern)


def _interval(mean: float, low: float, high: float, digits: int) -> str:
    mean, low, high = (_number(value, f"+.{digits}f") for value in (mean, low, high))
    return f"{mean} [{low}, {high}]" if low else ""
