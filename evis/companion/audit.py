"""The published numbers held against each other: arithmetic, text against tables, cross-citations.

What the texts say lies beside the tables as data: `statements.csv` (a sentence or cell, and the
formula over printed cells that should give it), `facts.csv` (a quantity as several papers give it)
and `names.csv` (labels and citation numbers). What the tables say of themselves (means of J and F,
retention percentages, gain rows, second-best marks, AP50 beside AP, one method quoted by several
papers) is found in them. Whether numbers fit is computed. Written by hand are the notes, what a
label, citation or symbol should be, and which findings another reading would explain (`reading`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pandas as pd

from evis.companion import formulas, published
from evis.data import paths

CONTRADICTION = "contradiction"  # no rounding of the operands explains it
OPEN = "open"  # the numbers differ, but under one reading of the text they need not agree
LAST_DIGIT = "last digit"  # wrong as printed; unrounded operands could explain it
SEVERITIES = (CONTRADICTION, OPEN, LAST_DIGIT)
_SLACK = 1e-9
NEAR, LEAST_ROWS, OFF = 5, 5, 1.05  # of `proportions`: points of AP; rows; times the extremes


class Check(NamedTuple):
    """One thing that was held against another; a finding where it has a severity."""

    kind: str
    paper: str
    place: str
    says: str
    printed: str
    expected: str
    severity: str | None  # None: it fits
    note: str = ""


COLUMNS = Check._fields


class Statement(NamedTuple):
    """A printed number and the formula that should give it; a line of statements.csv is one too.

    `relation`: the printed number "=" the formula's value, or is "<=" it; or the formula's value is
    ">" or ">=" the number that the sentence names.
    """

    kind: str
    paper: str
    place: str
    says: str
    number: str
    formula: str
    relation: str = "="
    reading: str = ""
    note: str = ""


def run() -> pd.DataFrame:
    """Every discrepancy, one row each: contradictions, then open ones, then last digits."""
    found = [check for checks in _by_rule().values() for check in checks if check.severity]
    found.sort(key=lambda check: (SEVERITIES.index(check.severity), check.paper, check.kind))
    return pd.DataFrame(found, columns=COLUMNS)


def findings() -> pd.DataFrame:
    """`run` for reading: cells and sentences that make one finding stand in one row."""
    together = ["severity", "kind", "paper", "says", "note"]
    columns = {name: "; ".join for name in ("place", "printed", "expected")}
    return run().groupby(together, sort=False, as_index=False).agg(columns)[list(COLUMNS)]


def checks() -> pd.DataFrame:
    """How many checks each rule of `run` makes, how many pass, and the others by severity."""
    made = _by_rule().items()
    counts = {rule: Counter(check.severity or "passed" for check in own) for rule, own in made}
    table = pd.DataFrame(counts, index=["passed", *SEVERITIES]).T.fillna(0).astype(int)
    return table.assign(checks=table.sum(axis=1))


def _by_rule() -> dict[str, list[Check]]:
    cells = published.tables()
    return {
        "statements": judged(cells, _read("statements").itertuples()),
        "J&F means": judged(cells, means_of_j_and_f(cells)),
        "retention percentages": judged(cells, retention(cells)),
        "gain cells": judged(cells, gain_rows(cells)),
        "second-best marks": list(second_best_marks(cells)),
        "AP50 beside AP": list(proportions(cells)),
        "quotations of one method by two papers": list(quotations(cells)),
        "facts given more than once": list(facts(_read("facts"))),
        "labels, citations and symbols": list(names(_read("names"))),
    }


def _read(name: str) -> pd.DataFrame:
    file = paths.data() / "papers" / f"{name}.csv"
    return pd.read_csv(file, dtype=str, keep_default_na=False)


# A printed number and the formula that should give it ---------------------------------------------


def judged(cells: pd.DataFrame, statements: Iterable[Statement]) -> list[Check]:
    checks = []
    for said in statements:
        outcome, number = formulas.evaluate(said.formula, cells), _number(said.number)
        severity = {
            "=": judge(said.number, outcome),
            "<=": None if number <= outcome.value + _SLACK else CONTRADICTION,
            ">": None if outcome.value > number + _SLACK else CONTRADICTION,
            ">=": None if outcome.value >= number - _SLACK else CONTRADICTION,
        }[said.relation]
        printed = f"more than {number:g}" if said.relation == ">" else said.number
        expected = _worked(outcome, said.number, said.formula)
        expected = f"at most {expected}" if said.relation == "<=" else expected
        told = said.kind, said.paper, said.place, said.says
        checks.append(
            Check(*told, printed, expected, severity and (said.reading or severity), said.note)
        )
    return checks


def judge(printed: str, outcome: formulas.Evaluated) -> str | None:
    """None if the printed number is the formula's value at its own precision."""
    number, half = _number(printed), 0.5 * 10.0 ** -formulas.decimals(printed)
    if abs(number - outcome.value) <= half + _SLACK:
        return None
    reachable = outcome.lowest - half - _SLACK <= number <= outcome.highest + half + _SLACK
    return LAST_DIGIT if reachable else CONTRADICTION


def _number(printed: str) -> float:
    return float(re.search(r"-?\d+(\.\d+)?", printed).group())


def _worked(outcome: formulas.Evaluated, printed: str, formula: str) -> str:
    """The value, and how it comes about where printed cells are part of it."""
    digits = formulas.decimals(printed)
    shown = f"{outcome.value:.{digits + 2}f}".rstrip("0").rstrip(".")
    if "." not in shown and digits:
        shown = f"{outcome.value:.{digits}f}"
    return f"{shown} = {formula}" if formulas.references(formula) else shown


def _place(cell, which: str) -> str:
    return f"{published.title(cell.paper, cell.table)}, {which}"


def means_of_j_and_f(cells: pd.DataFrame) -> Iterator[Statement]:
    for cell in cells[(cells.metric == "J&F") & cells.value.notna()].itertuples():
        table = f"{cell.paper}/{cell.table}/{cell.row}"
        formula = f"([{table}/J@{cell.dataset}] + [{table}/F@{cell.dataset}]) / 2"
        place = _place(cell, f"{cell.row_label}, {cell.dataset}")
        told = "J&F is the mean of J and F", cell.paper, place, "J&F beside its J and F"
        yield Statement(*told, cell.as_printed, formula)


def retention(cells: pd.DataFrame) -> Iterator[Statement]:
    """Percentages behind PointVIS's numbers: its number over MinVIS's in the same column."""
    kept = cells[cells.metric.str.contains("retention") & cells.value.notna()]
    for cell in kept.itertuples():
        metric = cell.metric.replace(" retention %", "")
        column = "paper == @cell.paper and table == @cell.table and dataset == @cell.dataset"
        full = cells.query(f"{column} and method == 'MinVIS' and metric == @metric").iloc[0]
        table, end = f"{cell.paper}/{cell.table}", f"{metric}@{cell.dataset}"
        formula = f"100 * [{table}/{cell.row}/{end}] / [{table}/{full.row}/{end}]"
        printed = re.search(r"\(([\d.]+%)\)", cell.as_printed).group(1)
        place = _place(cell, f"{cell.row_label}, {metric}, {cell.dataset}")
        told = "retention percentage", cell.paper, place, "share of the fully supervised number"
        yield Statement(*told, printed, formula)


def gain_rows(cells: pd.DataFrame) -> Iterator[Statement]:
    """Rows of gains: the row above, minus the best row before it in that block."""
    labels = cells.row_label.str.contains("vs. prev. SOTA|Improvement", regex=True)
    for cell in cells[labels & (cells.kind == "derived")].itertuples():
        metric = cell.metric.replace(" gain", "")
        first = cell.row - 2 if "Improvement" in cell.row_label else 1
        block = cells.query("paper == @cell.paper and table == @cell.table and metric == @metric")
        before = block[(block.row >= first) & (block.row < cell.row - 1)]
        best = before.loc[before.value.idxmax()]
        table = f"{cell.paper}/{cell.table}"
        formula = f"[{table}/{cell.row - 1}/{metric}] - [{table}/{best.row}/{metric}]"
        place = _place(cell, f"{cell.row_label}, {metric}")
        told = "gain row", cell.paper, place, "gain over the row it is compared with"
        yield Statement(*told, cell.as_printed, formula)


# Marks, quotations, facts and names ---------------------------------------------------------------


def second_best_marks(cells: pd.DataFrame) -> Iterator[Check]:
    """PM-VIS underlines the second best of each column, one supervision at a time: does it?"""
    marked = cells[(cells.paper == "pm-vis") & cells.table.isin([10, 11]) & cells.value.notna()]
    marked = marked[marked.kind == "result"]
    keys = ["table", "supervision", "dataset", "metric"]
    for (table, supervision, dataset, metric), column in marked.groupby(keys, sort=False):
        underlined = column[column.as_printed.str.contains("<u>")]
        second = column[column.value.rank(method="dense", ascending=False) == 2]
        fits = second.empty or set(underlined.index) == set(second.index)
        place = f"{published.title('pm-vis', table)}, {dataset}, {metric}, {supervision}"
        says = "the underlined number is the second best of its column"
        told = "second-best mark", "pm-vis", place, says, _list(underlined), _list(second)
        yield Check(*told, None if fits else CONTRADICTION)


def proportions(cells: pd.DataFrame) -> Iterator[Check]:
    """AP50 over AP, against the rows of all papers on that set whose AP is at most `NEAR` away."""
    of_two = cells[(cells.kind == "result") & cells.metric.isin(["AP", "AP50"])]
    place = ["paper", "table", "row", "row_label", "backbone", "dataset"]
    rows = of_two.pivot_table("value", place, "metric").dropna().reset_index()
    rows["ratio"] = rows.AP50 / rows.AP
    for row in rows.itertuples():
        near = rows[(rows.dataset == row.dataset) & ((rows.AP - row.AP).abs() <= NEAR)]
        low, high = (near.ratio.drop(row.Index).agg(end) for end in ("min", "max"))
        if len(near) <= LEAST_ROWS:
            continue
        fits = low / OFF <= row.ratio <= high * OFF
        turned = f"{row.AP50:.1f}"[1::-1] + f"{row.AP50:.1f}"[2:]
        note = f"{row.ratio:.2f} times; {turned}, digits exchanged, {float(turned) / row.AP:.2f}"
        expected = f"{low:.2f} to {high:.2f} times {row.AP:.1f}, as {len(near) - 1} rows of like AP"
        told = "AP50 over AP", row.paper, _place(row, f"{row.row_label}, {row.backbone}, AP50")
        says, printed = "AP50 fits its AP", f"{row.AP50:.1f}"
        yield Check(*told, says, printed, expected, None if fits else OPEN, note)


def _list(column: pd.DataFrame) -> str:
    return ", ".join(f"{cell.value:g} ({cell.method})" for cell in column.itertuples()) or "none"


def quotations(cells: pd.DataFrame) -> Iterator[Check]:
    """Pairs of cells in two papers: one method, backbone, data set and metric, one supervision."""
    quoted = cells[(cells.kind == "result") & cells.value.notna()]
    quoted = _supervision_meant(quoted[(quoted.method != "") & (quoted.backbone != "")])
    same = ["method", "backbone", "dataset", "metric", "videos"]
    pairs = quoted.reset_index().merge(quoted.reset_index(), on=same, suffixes=("", "_other"))
    pairs = pairs[(pairs["index"] < pairs.index_other) & (pairs.paper != pairs.paper_other)]
    told = (pairs.images == "") | (pairs.images_other == "")
    for pair in pairs[told | (pairs.images == pairs.images_other)].itertuples():
        yield Check(
            "one method quoted by two papers",
            f"{pair.paper}, {pair.paper_other}",
            f"{pair.paper} {_place(pair, pair.row_label)}; {pair.paper_other} "
            f"{published.title(pair.paper_other, pair.table_other)}, {pair.row_label_other}",
            f"{pair.method}, {pair.backbone}, {pair.dataset}, {pair.metric}",
            pair.as_printed,
            pair.as_printed_other,
            None if pair.value == pair.value_other else CONTRADICTION,
        )


def _supervision_meant(quoted: pd.DataFrame) -> pd.DataFrame:
    """With columns "images" (empty where nothing tells) and "videos": what either learned from.

    Where a table does not say which images its methods saw, the pre-training is meant whose AP it
    repeats on some set. MaskFreeVIS, for one, was published with COCO masks and with COCO boxes.
    """
    told = quoted.supervision.str.extract(r"images: (?P<images>.+); videos: (?P<videos>.+)")
    quoted = quoted.assign(images=told.images.fillna(""), videos=told.videos)
    quoted["videos"] = quoted.videos.fillna(quoted.supervision)
    averages, number = quoted[quoted.metric == "AP"], ["method", "backbone", "dataset", "value"]
    variants = averages[averages.images != ""].drop_duplicates([*number, "images", "videos"])
    variants = variants.drop_duplicates(number, keep=False)[[*number, "images", "videos"]]
    source = ["paper", "table", "method", "backbone", "supervision"]
    silent = averages[averages.images == ""].drop(columns=["images", "videos"])
    meant = silent.merge(variants, on=number).drop_duplicates(source).set_index(source)
    for column in ("images", "videos"):
        found = quoted.join(meant[column].rename("meant"), on=source)["meant"]
        quoted[column] = found.fillna(quoted[column])
    return quoted


def facts(table: pd.DataFrame) -> Iterator[Check]:
    """One quantity, several numbers: the odd ones out; without a majority, those with a note."""
    for subject, group in table.groupby("subject", sort=False):
        values = group.value.astype(float)
        common, noted = values.mode(), group.note != ""
        odd = values != common[0] if len(common) == 1 else noted | ~noted.any()
        agree = values.nunique() == 1
        shown = group[:1] if agree else group[odd]
        for fact in shown.itertuples() if len(group) > 1 else ():
            others = group[values != float(fact.value)].itertuples()
            expected = "; ".join(f"{o.value} ({o.paper}, {o.place})" for o in others)
            told = "fact given differently", fact.paper, fact.place, subject, fact.value, expected
            yield Check(*told, None if agree else CONTRADICTION, fact.note)


def names(table: pd.DataFrame) -> Iterator[Check]:
    """Labels, citation numbers and symbols that don't fit the rest of their own paper."""
    for name in table.itertuples():
        severity = None if name.printed == name.expected else name.reading or CONTRADICTION
        told = "label, citation or symbol", name.paper, name.place, name.says
        yield Check(*told, name.printed, name.expected, severity, name.note)
