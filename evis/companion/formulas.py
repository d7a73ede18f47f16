"""Small arithmetic over printed cells: `[uvis/4/1/AP] - [uvis/2/6/AP]`, with rounding in mind.

A cell is named paper/table/row/metric, with `@data set` behind it where a row covers several.
"""

import ast
import itertools
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from evis.data.errors import DataError

_REFERENCE = re.compile(r"\[([^\]]+)\]")
_OPERATIONS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True)
class Evaluated:
    """What a formula gives on the printed operands, and what it could give on unrounded ones."""

    value: float
    lowest: float
    highest: float


def decimals(printed: str) -> int:
    """Digits after the point of the first number in a printed cell."""
    number = re.search(r"\d+(?:\.(\d+))?", printed)
    return len(number.group(1) or "") if number else 0


def lookup(cells: pd.DataFrame, reference: str) -> pd.Series:
    """The one cell that a reference names."""
    parts = re.fullmatch(r"([^/]+)/(\d+)/(\d+)/([^@]+)(?:@(.+))?", reference)
    if parts is None:
        remedy = "Write paper/table/row/metric@dataset"
        raise DataError(f"{reference!r} names no cell", remedy=remedy)
    paper, table, row, metric, dataset = parts.groups()
    found = cells[(cells.paper == paper) & (cells.table == int(table)) & (cells.row == int(row))]
    found = found[(found.metric == metric) & (found.dataset == dataset if dataset else True)]
    if len(found) != 1:
        raise DataError(f"{reference!r} names {len(found)} printed cells instead of one")
    return found.iloc[0]


def references(formula: str) -> list[str]:
    return _REFERENCE.findall(formula)


def evaluate(formula: str, cells: pd.DataFrame) -> Evaluated:
    """Evaluate on the operands as printed, and over all they could have been before rounding.

    Each operation is monotone in each (positive) operand, so the extremes lie at the corners.
    """
    names = list(dict.fromkeys(references(formula)))
    printed = [lookup(cells, name) for name in names]
    centre = [float(cell.value) for cell in printed]
    for name, value in zip(names, centre, strict=True):
        if math.isnan(value):
            raise DataError(f"the cell {name!r} holds no number")
    half = [0.5 * 10.0 ** -decimals(cell.as_printed) for cell in printed]
    corners = [
        _compute(formula, names, [c + s * h for c, s, h in zip(centre, sides, half, strict=True)])
        for sides in itertools.product((-1, 1), repeat=len(names))
    ]
    return Evaluated(_compute(formula, names, centre), min(corners), max(corners))


def _compute(formula: str, names: list[str], values: list[float]) -> float:
    operands = dict(zip(names, values, strict=True))
    text = _REFERENCE.sub(lambda found: f"({operands[found.group(1)]!r})", formula)
    try:
        return _walk(ast.parse(text, mode="eval").body)
    except (SyntaxError, ZeroDivisionError) as error:
        raise DataError(f"the formula {formula!r} can't be computed: {error}") from None


def _walk(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATIONS:
            return _OPERATIONS[type(operation)](_walk(left), _walk(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_walk(operand)
    raise DataError(f"only + - * / are understood in formulas, not {ast.unparse(node)!r}")
