"""What GPUs make of evis: the rows that `make gpu-check` stores, beside what is wanted of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from evis.companion import store

NAME = "benchmark gpu"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Wanted:
    """A limit of a metric, or of its ratio to another."""

    metric: str
    limit: float
    per: str | None = None
    at_least: bool = False
    is_must: bool = False  # without it `make gpu-check` fails; others are what to aim at

    def judge(self, metrics: Mapping[str, float]) -> str:
        names = [name for name in (self.metric, self.per) if name]
        if any(name not in metrics for name in names):
            return NOT_MEASURED
        value = metrics[self.metric] / (metrics[self.per] if self.per else 1)
        is_reached = value >= self.limit if self.at_least else value <= self.limit
        return f"{value:,.4g}, {'reached' if is_reached else 'missed'}"

    def __str__(self) -> str:
        return f"at {'least' if self.at_least else 'most'} {self.limit:,g}"


_FLOAT32, _BF16, _720P = "step, float32: whole", "step, bf16: whole", "video, r50: 720p, whole"
WANTED = {
    "a step's terms, float32: relative difference from the CPU's": Wanted(
        "parity with the CPU: a step's terms", 1e-3, is_must=True
    ),
    "masks of a prediction, float32: the same": Wanted(
        "parity with the CPU: a prediction's logits", 1e-3, is_must=True
    ),
    "step in float32: times its kernels": Wanted(_FLOAT32, 1.2, "step, float32: kernels"),
    "step in float32: times transformers, no backward": Wanted(
        _FLOAT32, 0.6, "step, float32: transformers, forward and loss"
    ),
    "step in bf16: seconds": Wanted(_BF16, 0.16),
    "step in float32: times that in bf16": Wanted(_FLOAT32, 1.6, _BF16, at_least=True),
    "step in float32: launches": Wanted("step, float32: launches", 5_000),
    "step in float32: waits": Wanted("step, float32: waits", 20),
    "step in float32: what TEL and QCC add": Wanted("step, float32: share of TEL and QCC", 0.03),
    "step in bf16: what TEL and QCC add": Wanted("step, bf16: share of TEL and QCC", 0.03),
    "predict, R50: frames a second": Wanted("video, r50: frames a second", 220, at_least=True),
    "predict, R50: times its forward pass": Wanted(
        "video, r50: predict", 1.1, "video, r50: forward, bf16"
    ),
    "predict, Swin-L: frames a second": Wanted(
        "video, swin_l: frames a second", 110, at_least=True
    ),
    "720p in windows of 8: times the whole": Wanted("video, r50: 720p, windows of 8", 1.3, _720P),
    "720p frame by frame: times the whole": Wanted("video, r50: 720p, frames", 1.3, _720P),
    "toy step of stage one: seconds": Wanted("toy stage one: step", 0.04),
    "two toy runs in a fixed order: weights apart": Wanted(
        "toy stage one: runs apart, in a fixed order", 0
    ),
    "all of `make gpu-check`: seconds": Wanted("all of it: seconds", 480, is_must=True),
}


def judged(metrics: Mapping[str, float]) -> pd.Series:
    """Each wanted number as text: what it is and whether the limit is kept, or "not measured"."""
    return pd.Series({what: wanted.judge(metrics) for what, wanted in WANTED.items()})


def failed(metrics: Mapping[str, float]) -> list[str]:
    """What must be reached and is missed."""
    verdicts = judged(metrics)
    return [what for what in WANTED if WANTED[what].is_must and verdicts[what].endswith("missed")]


def table(folder: Path | None = None) -> pd.DataFrame:
    """What is wanted, and a column for each card of a stored row: "not measured" without one."""
    rows = [row for row in store.rows(folder) if row.recipe["name"] == NAME]
    columns = {
        f"{row.recipe['card']}, torch {row.versions['torch']}": judged(row.metrics) for row in rows
    }
    wanted = pd.Series({what: str(wanted) for what, wanted in WANTED.items()})
    return pd.DataFrame({"wanted": wanted, **(columns or {"any GPU": judged({})})})
