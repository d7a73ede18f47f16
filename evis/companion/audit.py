"""The published numbers held against each other: arithmetic, text against tables, cross-citations.

What the texts say lies beside the tables as data: `statements.csv` (a sentence or cell, and the
formula over printed cells that should give it), `facts.csv` (a quantity as several papers give it)
and `names.csv` (labels and citation numbers). What the tables say of themselves (means of J and F,
retention percentages, gain rows, second-best marks, one method quoted by several papers) is found
in them. Whether numbers fit is computed. Written by hand are the notes, what a label, citation or
symbol should be, and which findings another reading would explain (`reading`).
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from evis.companion import formulas, published
from evis.data import paths

CONTRADICTION = "contradiction"  # no rounding of the operands explains it
OPEN = "open"  # the numbers differ, but under one reading of the text they need not agree
LAST_DIGIT = "last digit"  # wrong as printed; unrounded operands could explain it
SEVERITIES = (CONTRADICTION, OPEN, LAST_DIGIT)
COLUMNS = ("kind", "paper", "place", "says", "printed", "expected", "severity", "note")
_SLACK = 1e-9


@dataclass(frozen=True)
class Check:
    """One thing that was held against another; a finding where it has a severity."""

    kind: str
    paper: str
    place: str
    says: str
    printed: str
    expected: str
    severity: str | None  # None: it fits
    note: str = ""


def run() -> pd.DataFrame:
    """Every discrepancy, one row each: contradictions, then open ones, then last digits."""
    checks = itertools.chain.from_iterable(_by_rule(published.tables()).values())
    table = pd.DataFrame([vars(check) for check in checks if check.severity], columns=COLUMNS)
    return table.sort_values(
        ["severity", "paper", "kind"],
        key=lambda column: column.map(SEVERITIES.index) if column.name == "severity" else column,
        kind="stable",
        ignore_index=True,
    )


def findings() -> pd.DataFrame:
    """`run` for reading: cells and sentences that make one finding stand in one row."""
    together = ["severity", "kind", "paper", "says", "note"]
    columns = {name: "; ".join for name in ("place", "printed", "expected")}
    return run().groupby(together, sort=False, as_index=False).agg(columns)[list(COLUMNS)]


def checks() -> pd.DataFrame:
    """How many checks each rule of `run` makes, how many pass, and the others by severity."""
    made = _by_rule(published.tables())
    verdicts = {rule: [check.severity or "passed" for check in own] for rule, own in made.items()}
    counts = {rule: pd.Series(own).value_counts() for rule, own in verdicts.items()}
    table = pd.DataFrame(counts).T.reindex(list(made), columns=["passed", *SEVERITIES])
    return table.fillna(0).astype(int).assign(checks=lambda counted: counted.sum(axis=1))


def _by_rule(cells: pd.DataFrame) -> dict[str, list[Check]]:
    return {
        "statements": list(statements(cells, _read("statements"))),
        "J&F means": list(means_of_j_and_f(cells)),
        "retention percentages": list(retention(cells)),
        "gain cells": list(gain_rows(cells)),
        "second-best marks": list(second_best_marks(cells)),
        "quotations of one method by two papers": list(quotations(cells)),
        "facts given more than once": list(facts(_read("facts"))),
        "labels, citations and symbols": list(names(_read("names"))),
    }


def _read(name: str) -> pd.DataFrame:
    file = paths.data() / "papers" / f"{name}.csv"
    return pd.read_csv(file, dtype=str, keep_default_na=False)


# A printed number and the formula that should give it ---------------------------------------------


def judge(printed: str, outcome: formulas.Evaluated) -> str | None:
    """None if the printed number is the formula's value at its own precision."""
    number = float(re.search(r"-?\d+(\.\d+)?", printed).group().replace("+", ""))
    half = 0.5 * 10.0 ** -formulas.decimals(printed)
    if abs(number - outcome.value) <= half + _SLACK:
        return None
    reachable = outcome.lowest - half - _SLACK <= number <= outcome.highest + half + _SLACK
    return LAST_DIGIT if reachable else CONTRADICTION


def _worked(outcome: formulas.Evaluated, printed: str, formula: str) -> str:
    """The value, and how it comes about where printed cells are part of it."""
    digits = formulas.decimals(printed)
    shown = f"{outcome.value:.{digits + 2}f}".rstrip("0").rstrip(".")
    if "." not in shown and digits:
        shown = f"{outcome.value:.{digits}f}"
    return f"{shown} = {formula}" if formulas.references(formula) else shown


def _arithmetic(kind: str, cell, says: str, printed: str, formula: str, cells) -> Check:
    """Of one cell: whether it is what the formula gives."""
    outcome = formulas.evaluate(formula, cells)
    place = f"{published.title(cell.paper, cell.table)}, {says}"
    expected, severity = _worked(outcome, printed, formula), judge(printed, outcome)
    return Check(kind, cell.paper, place, _SAYS[kind], printed, expected, severity)


_SAYS = {
    "J&F is the mean of J and F": "J&F beside its J and F",
    "retention percentage": "share of the fully supervised number",
    "gain row": "gain over the row it is compared with",
}


def statements(cells: pd.DataFrame, table: pd.DataFrame) -> Iterator[Check]:
    """Sentences, captions and single cells, each with the formula that should bear it out.

    `relation` is read as: the printed number "=" the formula's value, or is "<=" it; or the
    formula's value is ">" or ">=" the number that the sentence names.
    """
    for line in table.itertuples():
        outcome, number = formulas.evaluate(line.formula, cells), float(line.number)
        severity = {
            "=": judge(line.number, outcome),
            "<=": None if number <= outcome.value + _SLACK else CONTRADICTION,
            ">": None if outcome.value > number + _SLACK else CONTRADICTION,
            ">=": None if outcome.value >= number - _SLACK else CONTRADICTION,
        }[line.relation]
        printed = f"more than {number:g}" if line.relation == ">" else line.number
        expected = _worked(outcome, line.number, line.formula)
        expected = f"at most {expected}" if line.relation == "<=" else expected
        severity = severity and (line.reading or severity)
        told = line.kind, line.paper, line.place, line.says
        yield Check(*told, printed, expected, severity, line.note)


def means_of_j_and_f(cells: pd.DataFrame) -> Iterator[Check]:
    for cell in cells[(cells.metric == "J&F") & cells.value.notna()].itertuples():
        place = f"{cell.paper}/{cell.table}/{cell.row}"
        formula = f"([{place}/J@{cell.dataset}] + [{place}/F@{cell.dataset}]) / 2"
        which = f"{cell.row_label}, {cell.dataset}"
        yield _arithmetic(
            "J&F is the mean of J and F", cell, which, cell.as_printed, formula, cells
        )


def retention(cells: pd.DataFrame) -> Iterator[Check]:
    """Percentages behind PointVIS's numbers: its number over MinVIS's in the same column."""
    kept = cells[cells.metric.str.contains("retention") & cells.value.notna()]
    for cell in kept.itertuples():
        metric = cell.metric.replace(" retention %", "")
        column = _alike(cells, paper=cell.paper, table=cell.table, dataset=cell.dataset)
        full = _alike(column, method="MinVIS", metric=metric).iloc[0]
        place, end = f"{cell.paper}/{cell.table}", f"{metric}@{cell.dataset}"
        formula = f"100 * [{place}/{cell.row}/{end}] / [{place}/{full.row}/{end}]"
        printed = re.search(r"\(([\d.]+%)\)", cell.as_printed).group(1)
        which = f"{cell.row_label}, {metric}, {cell.dataset}"
        yield _arithmetic("retention percentage", cell, which, printed, formula, cells)


def gain_rows(cells: pd.DataFrame) -> Iterator[Check]:
    """Rows of gains: the row above, minus the best row before it in that block."""
    labels = cells.row_label.str.contains("vs. prev. SOTA|Improvement", regex=True)
    for cell in cells[labels & (cells.kind == "derived")].itertuples():
        metric = cell.metric.replace(" gain", "")
        block = _alike(cells, paper=cell.paper, table=cell.table, metric=metric)
        first = cell.row - 2 if "Improvement" in cell.row_label else 1
        before = block[(block.row >= first) & (block.row < cell.row - 1)]
        best = before.loc[before.value.idxmax()]
        place = f"{cell.paper}/{cell.table}"
        formula = f"[{place}/{cell.row - 1}/{metric}] - [{place}/{best.row}/{metric}]"
        which = f"{cell.row_label}, {metric}"
        yield _arithmetic("gain row", cell, which, cell.as_printed, formula, cells)


def _alike(cells: pd.DataFrame, **values) -> pd.DataFrame:
    """The cells that have these values in these columns."""
    return cells[(cells[list(values)] == pd.Series(values)).all(axis=1)]


# Marks, quotations, facts and names ---------------------------------------------------------------


def second_best_marks(cells: pd.DataFrame) -> Iterator[Check]:
    """PM-VIS underlines the second best of each column, one supervision at a time: does it?"""
    marked = cells[(cells.paper == "pm-vis") & cells.table.isin([10, 11]) & cells.value.notna()]
    marked = marked[marked.kind == "result"]
    keys = ["table", "supervision", "dataset", "metric"]
    for (table, supervision, dataset, metric), column in marked.groupby(keys, sort=False):
        underlined = column[column.as_printed.str.contains("<u>")]
        rank = column.value.rank(method="dense", ascending=False)
        second = column[rank == 2]
        fits = second.empty or set(underlined.index) == set(second.index)
        yield Check(
            "second-best mark",
            "pm-vis",
            f"{published.title('pm-vis', table)}, {dataset}, {metric}, {supervision}",
            "the underlined number is the second best of its column",
            _list(underlined),
            _list(second),
            None if fits else CONTRADICTION,
        )


def _list(column: pd.DataFrame) -> str:
    return ", ".join(f"{cell.value:g} ({cell.method})" for cell in column.itertuples()) or "none"


def quotations(cells: pd.DataFrame) -> Iterator[Check]:
    """Pairs of cells in two papers: one method, backbone, data set and metric, one supervision."""
    quoted = cells[(cells.kind == "result") & cells.value.notna()]
    quoted = quoted[(quoted.method != "") & (quoted.backbone != "")]
    meant = _supervision_meant(quoted)
    for _, group in quoted.groupby(["method", "backbone", "dataset", "metric"], sort=False):
        for (_, one), (_, other) in itertools.combinations(group.iterrows(), 2):
            (images, videos), (other_images, other_videos) = meant[one.name], meant[other.name]
            same_images = not images or not other_images or images == other_images
            if one.paper == other.paper or videos != other_videos or not same_images:
                continue
            yield Check(
                "one method quoted by two papers",
                f"{one.paper}, {other.paper}",
                f"{_place(one)}; {_place(other)}",
                f"{one.method}, {one.backbone}, {one.dataset}, {one.metric}",
                one.as_printed,
                other.as_printed,
                None if one.value == other.value else CONTRADICTION,
            )


def _place(cell: pd.Series) -> str:
    return f"{cell.paper} {published.title(cell.paper, cell.table)}, {cell.row_label}"


def _supervision_meant(quoted: pd.DataFrame) -> dict[int, tuple[str, str]]:
    """Of images (empty where nothing tells) and of videos, for the cell of each index.

    Where a table does not say which images its methods saw, the pre-training is meant whose AP it
    repeats on some set. MaskFreeVIS, for one, was published with COCO masks and with COCO boxes.
    """
    told = quoted.supervision.str.extract(r"images: (?P<images>.+); videos: (?P<videos>.+)")
    quoted = quoted.assign(images=told.images.fillna(""), videos=told.videos)
    quoted["videos"] = quoted.videos.fillna(quoted.supervision)
    source = ["paper", "table", "method", "backbone", "supervision"]
    found = {}
    averages = quoted[quoted.metric == "AP"]
    for _, same in averages.groupby(["method", "backbone", "dataset", "value"], sort=False):
        variants = set(same.loc[same.images != "", ["images", "videos"]].itertuples(index=False))
        if len(variants) == 1:
            for cell in same[same.images == ""][source].itertuples(index=False):
                found.setdefault(tuple(cell), tuple(*variants))
    return {
        cell.Index: found.get(
            tuple(getattr(cell, name) for name in source), (cell.images, cell.videos)
        )
        for cell in quoted.itertuples()
    }


def facts(table: pd.DataFrame) -> Iterator[Check]:
    """One quantity, several numbers: the odd ones out; without a majority, those with a note."""
    for subject, group in table.groupby("subject", sort=False):
        values = group.value.astype(float)
        common, noted = values.mode(), group.note != ""
        odd = values != common[0] if len(common) == 1 else noted | ~noted.any()
        agree = values.nunique() == 1
        shown = group[:1] if agree else group[odd]
        if len(group) < 2:
            continue
        for fact in shown.itertuples():
            others = group[values != float(fact.value)].itertuples()
            expected = "; ".join(f"{o.value} ({o.paper}, {o.place})" for o in others)
            told = "fact given differently", fact.paper, fact.place, subject
            severity = None if agree else CONTRADICTION
            yield Check(*told, fact.value, expected, severity, fact.note)


def names(table: pd.DataFrame) -> Iterator[Check]:
    """Labels, citation numbers and symbols that don't fit the rest of their own paper."""
    for name in table.itertuples():
        severity = None if name.printed == name.expected else name.reading or CONTRADICTION
        told = "label, citation or symbol", name.paper, name.place, name.says
        yield Check(*told, name.printed, name.expected, severity, name.note)
