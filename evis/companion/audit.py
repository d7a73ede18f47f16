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

import pandas as pd

from evis.companion import formulas, published
from evis.data import paths

COLUMNS = ("kind", "paper", "place", "says", "printed", "expected", "severity", "note")
CONTRADICTION = "contradiction"  # no rounding of the operands explains it
OPEN = "open"  # the numbers differ, but under one reading of the text they need not agree
LAST_DIGIT = "last digit"  # wrong as printed; unrounded operands could explain it
_SLACK = 1e-9


def run() -> pd.DataFrame:
    """Every discrepancy, one row each: contradictions, then open ones, then last digits."""
    cells = published.tables()
    rows = [
        *_statements(cells),
        *_means_of_j_and_f(cells),
        *_retention(cells),
        *_gain_rows(cells),
        *_second_best_marks(cells),
        *_quoted_methods(cells),
        *_facts(),
        *_names(),
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = {CONTRADICTION: 0, OPEN: 1, LAST_DIGIT: 2}
    return table.sort_values(
        ["severity", "paper", "kind"],
        key=lambda column: column.map(order) if column.name == "severity" else column,
        kind="stable",
        ignore_index=True,
    )


def findings() -> pd.DataFrame:
    """`run` for reading: cells and sentences that make one finding stand in one row."""
    together = ["severity", "kind", "paper", "says", "note"]
    columns = {name: "; ".join for name in ("place", "printed", "expected")}
    return run().groupby(together, sort=False, as_index=False).agg(columns)[list(COLUMNS)]


def checks() -> pd.Series:
    """How many checks of each kind `run` makes, so that a short list can be read for what it is."""
    cells = published.tables()
    return pd.Series(
        {
            "statements": len(_read("statements")),
            "J&F means": int(((cells.metric == "J&F") & cells.value.notna()).sum()),
            "retention percentages": int(cells.metric.str.contains("retention").sum()),
            "gain cells": int(_is_gain_row(cells).sum()),
            "second-best marks": sum(1 for _ in _ranked_columns(cells)),
            "quotations of one method by two papers": sum(1 for _ in _quotations(cells)),
            "facts given more than once": int((_read("facts").groupby("subject").size() > 1).sum()),
            "labels, citations and symbols": len(_read("names")),
        },
        name="checks",
    )


def _read(name: str) -> pd.DataFrame:
    file = paths.data() / "papers" / f"{name}.csv"
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def _row(kind, paper, place, says, printed, expected, severity, note="") -> tuple:
    return kind, paper, place, says, str(printed), str(expected), severity, note


def _judge(printed: str, outcome: formulas.Outcome) -> str | None:
    """None if the printed number is the formula's value at its own precision."""
    number = float(re.search(r"-?\d+(\.\d+)?", printed).group().replace("+", ""))
    half = 0.5 * 10.0 ** -formulas.decimals(printed)
    if abs(number - outcome.value) <= half + _SLACK:
        return None
    reachable = outcome.lowest - half - _SLACK <= number <= outcome.highest + half + _SLACK
    return LAST_DIGIT if reachable else CONTRADICTION


def _shown(outcome: formulas.Outcome, printed: str) -> str:
    digits = formulas.decimals(printed)
    exact = f"{outcome.value:.{digits + 2}f}".rstrip("0").rstrip(".")
    return exact if "." in exact or digits == 0 else f"{outcome.value:.{digits}f}"


def _worked(outcome: formulas.Outcome, printed: str, formula: str) -> str:
    """The value, and how it comes about where printed cells are part of it."""
    value = _shown(outcome, printed)
    return f"{value} = {formula}" if formulas.references(formula) else value


def _statements(cells: pd.DataFrame) -> list[tuple]:
    """Sentences, captions and single cells, each with the formula that should bear it out.

    `relation` is read as: the printed number "=" the formula's value, or is "<=" it; or the
    formula's value is ">" or ">=" the number that the sentence names.
    """
    rows = []
    for statement in _read("statements").itertuples():
        outcome = formulas.evaluate(statement.formula, cells)
        number = float(statement.number)
        holds = {
            "=": _judge(statement.number, outcome) is None,
            "<=": number <= outcome.value + _SLACK,
            ">": outcome.value > number + _SLACK,
            ">=": outcome.value >= number - _SLACK,
        }[statement.relation]
        if holds:
            continue
        exact = statement.relation == "="
        by_rounding = _judge(statement.number, outcome) if exact else CONTRADICTION
        rows.append(
            _row(
                statement.kind,
                statement.paper,
                statement.place,
                statement.says,
                f"more than {number:g}" if statement.relation == ">" else statement.number,
                f"{'at most ' if statement.relation == '<=' else ''}"
                f"{_worked(outcome, statement.number, statement.formula)}",
                statement.reading or by_rounding,
                statement.note,
            )
        )
    return rows


def _against(
    formula: str,
    cells: pd.DataFrame,
    number: str,
    kind: str,
    paper: str,
    place: str,
    says: str,
    printed: str,
) -> list[tuple]:
    """One row if `number` is not what the formula gives, else none."""
    outcome = formulas.evaluate(formula, cells)
    severity = _judge(number, outcome)
    if severity is None:
        return []
    return [_row(kind, paper, place, says, printed, _worked(outcome, number, formula), severity)]


def _means_of_j_and_f(cells: pd.DataFrame) -> list[tuple]:
    rows = []
    for cell in cells[(cells.metric == "J&F") & cells.value.notna()].itertuples():
        place = f"{cell.paper}/{cell.table}/{cell.row}"
        formula = f"([{place}/J@{cell.dataset}] + [{place}/F@{cell.dataset}]) / 2"
        rows += _against(
            formula,
            cells,
            cell.as_printed,
            "J&F is the mean of J and F",
            cell.paper,
            f"{_title(cell)}, {cell.row_label}, {cell.dataset}",
            "J&F beside its J and F",
            cell.as_printed,
        )
    return rows


def _retention(cells: pd.DataFrame) -> list[tuple]:
    """Percentages behind PointVIS's numbers: its number over MinVIS's in the same column."""
    rows = []
    kept = cells[cells.metric.str.contains("retention") & cells.value.notna()]
    for cell in kept.itertuples():
        metric = cell.metric.replace(" retention %", "")
        full = cells[
            (cells.paper == cell.paper)
            & (cells.table == cell.table)
            & (cells.dataset == cell.dataset)
            & (cells.method == "MinVIS")
            & (cells.metric == metric)
        ].iloc[0]
        place = f"{cell.paper}/{cell.table}"
        formula = (
            f"100 * [{place}/{cell.row}/{metric}@{cell.dataset}] "
            f"/ [{place}/{full.row}/{metric}@{cell.dataset}]"
        )
        percentage = re.search(r"\(([\d.]+)%\)", cell.as_printed).group(1)
        rows += _against(
            formula,
            cells,
            percentage,
            "retention percentage",
            cell.paper,
            f"{_title(cell)}, {cell.row_label}, {metric}, {cell.dataset}",
            "share of the fully supervised number",
            f"{percentage}%",
        )
    return rows


def _is_gain_row(cells: pd.DataFrame) -> pd.Series:
    labels = cells.row_label.str.contains("vs. prev. SOTA|Improvement", regex=True)
    return labels & (cells.kind == "derived")


def _gain_rows(cells: pd.DataFrame) -> list[tuple]:
    """Rows of gains: the row above, minus the best row before it in that block."""
    rows = []
    for cell in cells[_is_gain_row(cells)].itertuples():
        metric = cell.metric.replace(" gain", "")
        block = cells[
            (cells.paper == cell.paper) & (cells.table == cell.table) & (cells.metric == metric)
        ]
        first = cell.row - 2 if "Improvement" in cell.row_label else 1
        before = block[(block.row >= first) & (block.row < cell.row - 1)]
        best = before.loc[before.value.idxmax()]
        place = f"{cell.paper}/{cell.table}"
        formula = f"[{place}/{cell.row - 1}/{metric}] - [{place}/{best.row}/{metric}]"
        rows += _against(
            formula,
            cells,
            cell.as_printed,
            "gain row",
            cell.paper,
            f"{_title(cell)}, {cell.row_label}, {metric}",
            "gain over the row it is compared with",
            cell.as_printed,
        )
    return rows


def _ranked_columns(cells: pd.DataFrame):
    """Columns of the tables that underline the second best, one supervision at a time."""
    marked = cells[(cells.paper == "pm-vis") & cells.table.isin([10, 11]) & cells.value.notna()]
    marked = marked[marked.kind == "result"]
    yield from marked.groupby(["table", "supervision", "dataset", "metric"], sort=False)


def _second_best_marks(cells: pd.DataFrame) -> list[tuple]:
    """The caption says that the second best is underlined: hold every underline against that."""
    rows = []
    for (table, supervision, dataset, metric), column in _ranked_columns(cells):
        ranks = sorted(column.value.unique(), reverse=True)
        if len(ranks) < 2:
            continue
        underlined = column[column.as_printed.str.contains("<u>")]
        second = column[column.value == ranks[1]]
        if set(underlined.index) != set(second.index):
            rows.append(
                _row(
                    "second-best mark",
                    "pm-vis",
                    f"{published.title('pm-vis', table)}, {dataset}, {metric}, {supervision}",
                    "the underlined number is the second best of its column",
                    _list(underlined),
                    _list(second),
                    CONTRADICTION,
                )
            )
    return rows


def _list(column: pd.DataFrame) -> str:
    return ", ".join(f"{cell.value:g} ({cell.method})" for cell in column.itertuples()) or "none"


def _quotations(cells: pd.DataFrame) -> Iterator[tuple[pd.Series, pd.Series]]:
    """Pairs of cells in two papers: one method, backbone, data set and metric, one supervision."""
    quoted = cells[(cells.kind == "result") & cells.value.notna()]
    quoted = quoted[(quoted.method != "") & (quoted.backbone != "")]
    variants = _variants(quoted)
    for _, group in quoted.groupby(["method", "backbone", "dataset", "metric"], sort=False):
        for (_, one), (_, other) in itertools.combinations(group.iterrows(), 2):
            (image, video), (other_image, other_video) = (
                variants.get(_source(cell), _setting(cell.supervision)) for cell in (one, other)
            )
            unsaid = not image or not other_image
            same = video == other_video and (unsaid or image == other_image)
            if one.paper != other.paper and same:
                yield one, other


def _setting(supervision: str) -> tuple[str, str]:
    """(image supervision, or empty where the table leaves it open; video supervision)."""
    told = re.fullmatch(r"images: (.+); videos: (.+)", supervision)
    return told.groups() if told else ("", supervision)


def _source(cell: pd.Series) -> tuple:
    return cell.paper, cell.table, cell.method, cell.backbone, cell.supervision


def _variants(quoted: pd.DataFrame) -> dict[tuple, tuple[str, str]]:
    """Which pre-training a table means that does not say: the one whose AP it repeats elsewhere.

    MaskFreeVIS, for one, was published with COCO masks and with COCO boxes. A table that quotes it
    as "boxes" quotes the variant whose AP it prints, on all its data sets.
    """
    found = {}
    average = quoted[quoted.metric == "AP"]
    for _, group in average.groupby(["method", "backbone", "dataset", "value"], sort=False):
        told = {_setting(s) for s in group.supervision if _setting(s)[0]}
        if len(told) == 1:
            for _, cell in group.iterrows():
                if not _setting(cell.supervision)[0]:
                    found.setdefault(_source(cell), told.copy().pop())
    return found


def _quoted_methods(cells: pd.DataFrame) -> list[tuple]:
    return [
        _row(
            "one method quoted by two papers",
            f"{one.paper}, {other.paper}",
            f"{_place(one)}; {_place(other)}",
            f"{one.method}, {one.backbone}, {one.dataset}, {one.metric}",
            one.as_printed,
            other.as_printed,
            CONTRADICTION,
        )
        for one, other in _quotations(cells)
        if one.value != other.value
    ]


def _title(cell) -> str:
    return published.title(cell.paper, cell.table)


def _place(cell: pd.Series) -> str:
    return f"{cell.paper} {_title(cell)}, {cell.row_label}"


def _facts() -> list[tuple]:
    """One quantity, several numbers: the odd ones out; without a majority, those with a note."""
    rows = []
    for subject, group in _read("facts").groupby("subject", sort=False):
        if group.value.astype(float).nunique() == 1:
            continue
        values = group.value.astype(float)
        common = values.mode()
        noted = group.note != ""
        doubtful = group[values != common[0]] if len(common) == 1 else group[noted | ~noted.any()]
        for fact in doubtful.itertuples():
            others = group[values != float(fact.value)]
            expected = "; ".join(
                f"{other.value} ({other.paper}, {other.place})" for other in others.itertuples()
            )
            rows.append(
                _row(
                    "fact given differently",
                    fact.paper,
                    fact.place,
                    subject,
                    fact.value,
                    expected,
                    CONTRADICTION,
                    fact.note,
                )
            )
    return rows


def _names() -> list[tuple]:
    """Labels, citation numbers and symbols that don't fit the rest of their own paper."""
    return [
        _row(
            "label, citation or symbol",
            name.paper,
            name.place,
            name.says,
            name.printed,
            name.expected,
            name.reading or CONTRADICTION,
            name.note,
        )
        for name in _read("names").itertuples()
        if name.printed != name.expected
    ]
