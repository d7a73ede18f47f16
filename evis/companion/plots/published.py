"""What the audit of the published numbers checked, and what it found."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evis.companion import audit, published
from evis.companion.plots import style
from evis.companion.plots.labels import HALO
from evis.data import paths
from evis.data.errors import DataError

SEVERITY_COLOURS = {
    audit.CONTRADICTION: style.COLOURS[3],
    audit.OPEN: style.COLOURS[1],
    audit.LAST_DIGIT: style.COLOURS[5],
}
# The audit's kinds of finding -> the rule of `audit.checks` that turned it up.
_RULES = {
    "J&F is the mean of J and F": "J&F means",
    "retention percentage": "retention percentages",
    "gain row": "gain cells",
    "second-best mark": "second-best marks",
    "one method quoted by two papers": "quotations of one method by two papers",
    "fact given differently": "facts given more than once",
    "label, citation or symbol": "labels, citations and symbols",
}


def by_rule(found: pd.DataFrame, checks: pd.Series) -> pd.DataFrame:
    """Checks and findings a rule; `found` is `audit.run()`, one row a check that failed."""
    file = paths.data() / "papers" / "statements.csv"
    statements = dict.fromkeys(pd.read_csv(file).kind, "statements")
    rules = found.kind.map(statements | _RULES)
    if unknown := set(found.kind[~rules.isin(checks.index)]):
        raise DataError(f"no rule of the audit is known for {', '.join(sorted(unknown))}")
    counts = pd.crosstab(rules, found.severity).reindex(
        index=checks.index, columns=list(SEVERITY_COLOURS), fill_value=0
    )
    counts.insert(0, "passed", checks - counts.sum(axis=1))
    counts.insert(0, "checks", checks)
    return counts.rename_axis(index=None, columns=None)


def audit_figure(found: pd.DataFrame, checks: pd.Series, findings: pd.DataFrame) -> Figure:
    """Left, checks passed and failed by rule; right, the findings by paper."""
    counts = by_rule(found, checks)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(style.PAGE, 2.9), gridspec_kw={"width_ratios": [1.35, 1]}
    )
    parts = {"passed": "#cfcfcf"} | SEVERITY_COLOURS
    _stack(left, counts[list(parts)], parts)
    for y, (total, passed) in enumerate(zip(counts["checks"], counts["passed"], strict=True)):
        text = (
            f"{total}, all passed" if total == passed else f"{total}, {total - passed} not passed"
        )
        left.annotate(
            text, (total, y), xytext=(4, 0), textcoords="offset points", va="center", size=7
        )
    left.set(xlabel="checks", xlim=(0, 1.42 * checks.max()), title="Checks by rule")

    names = {key: title for key, (title, _) in published.PAPERS.items()}
    papers = pd.crosstab(findings.paper.replace(names), findings.severity)
    papers = papers.reindex(
        index=list(names.values()), columns=list(SEVERITY_COLOURS), fill_value=0
    )
    _stack(right, papers, SEVERITY_COLOURS)
    for y, row in enumerate(papers.to_numpy()):
        ends = row.cumsum()
        for number, end in zip(row, ends, strict=True):
            if number:
                at = end - number / 2
                right.text(at, y, number, ha="center", va="center", size=7, path_effects=[HALO])
    right.set(xlabel="findings", title="Findings by paper")
    right.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _stack(axes: plt.Axes, counts: pd.DataFrame, colours: dict[str, str]) -> None:
    start = np.zeros(len(counts))
    for name, colour in colours.items():
        axes.barh(
            range(len(counts)), counts[name], left=start, color=colour, label=name, height=0.62
        )
        start += counts[name].to_numpy()
    axes.set_yticks(range(len(counts)), counts.index)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
