"""Where the released Eigen-Cluster VIS code and the paper's text part, from differences.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evis.data.errors import DataError
from evis.papers.eigencluster import one_batch, paper_vs_code

FILE = Path(__file__).with_name("differences.toml")


@dataclass(frozen=True)
class Difference:
    id: str
    topic: str
    title: str
    place: str  # in the paper
    paper: str  # what it says
    code: str  # what the released code does
    kind: str  # of `KINDS`
    changes: str  # in training
    quantity: str
    compute: str = ""  # the function of `paper_vs_code` that gives it, on the same input
    by_paper: Mapping[str, Any] = field(default_factory=dict)  # what that is called with
    by_code: Mapping[str, Any] = field(default_factory=dict)
    numbers: tuple[float, ...] = ()  # or the quantity itself, by both; NaN: the text has none
    rows: tuple[str, ...] = ()  # measured: as the code has it, as the paper has it

    def __post_init__(self):
        if self.kind not in KINDS:
            raise DataError(f"difference {self.id}: no kind is called {self.kind!r}", file=FILE)
        if bool(self.compute) == bool(self.numbers):
            raise DataError(f"difference {self.id}: give numbers or what computes them", file=FILE)
        if self.compute and not hasattr(paper_vs_code, self.compute):
            raise DataError(f"difference {self.id}: nothing is called {self.compute!r}", file=FILE)

    @property
    def both(self) -> tuple[float, ...]:
        """The quantity as the paper has it and as the code has it."""
        if self.numbers:
            return self.numbers
        quantity, batch = getattr(paper_vs_code, self.compute), one_batch.batch()
        return float(quantity(batch, **self.by_paper)), float(quantity(batch, **self.by_code))


_CONTENT = tomllib.loads(FILE.read_text(encoding="utf-8"))
KINDS: dict[str, str] = _CONTENT["kinds"]  # -> what is meant
DIFFERENCES = tuple(
    Difference(**{key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()})
    for entry in _CONTENT["difference"]
)


@cache
def table() -> pd.DataFrame:
    """A line a difference, with what was computed; a few seconds."""
    lines = pd.DataFrame([vars(difference) for difference in DIFFERENCES]).set_index("id")
    paper, code = np.array([difference.both for difference in DIFFERENCES], dtype=float).T
    lines["by the paper"], lines["by the code"] = list(map(shown, paper)), list(map(shown, code))
    with np.errstate(divide="ignore", invalid="ignore"):  # infinite where the paper has 0
        lines["ratio"] = np.where(paper == code, 1.0, code / paper)
    return lines


def shown(value: float) -> str:
    """To two digits, of which no machine's rounding changes any; and whole numbers as they are."""
    if np.isnan(value):
        return "-"
    if abs(value - round(value)) <= 1e-3:
        return f"{value:,.0f}" if round(value) or not value else f"{value:.0e}".replace("e-0", "e-")
    return f"{float(f'{value:.2g}'):,.6g}"


def rows_that_stand_for_them() -> pd.DataFrame:
    """Which two measured rows show what some of the differences change in training."""
    rows = [difference.rows for difference in DIFFERENCES if difference.rows]
    lines = [(*pair, rows.count(pair)) for pair in dict.fromkeys(rows)]
    columns = ["nearer to the code", "nearer to the text", "differences it stands for"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[0])
