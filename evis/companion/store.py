"""Measured results, one small json file each, found again by what determines them.

A row's file is named by a hash of its recipe, data set and seed, and of nothing else: the same
measurement on another day or machine is the same row. Files are replaced whole, so where two
writers save the same row, the one that finishes last wins and a reader never sees a mixture.
"""

import hashlib
import json
import math
import numbers
import operator
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evis.data import files, paths, provenance
from evis.data.errors import DataError

SCHEMA = 1


@dataclass(frozen=True)
class ResultRow:
    recipe: dict[str, Any]  # "name" and the parameters, plain json
    dataset: str
    seed: int
    metrics: dict[str, float]  # NaN where undefined, e.g. AP without ground truth; null in the file
    commit: str | None  # None outside a git checkout
    dirty: bool | None
    versions: dict[str, str]
    machine: dict[str, Any]
    seconds: float
    date: str  # UTC, ISO 8601
    # Of every test video, where a row has them: to three digits; None where it has no object.
    per_video: list[float | None] = field(default_factory=list)

    def __post_init__(self):
        """Normalise, so that a row equals what its file is read back as."""
        object.__setattr__(self, "recipe", _plain_recipe(self.recipe))
        object.__setattr__(self, "seed", operator.index(self.seed))
        object.__setattr__(self, "metrics", _plain_metrics(self.metrics))

    @property
    def key(self) -> str:
        return key(self.recipe, self.dataset, self.seed)


def key(recipe: Mapping[str, Any], dataset: str, seed: int) -> str:
    """The hash that a row is found by. Key order does not matter, nor does 1 against 1.0."""
    determined_by = {
        "recipe": _unify_numbers(_plain_recipe(recipe)),
        "dataset": dataset,
        "seed": operator.index(seed),
    }
    canonical = json.dumps(determined_by, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def find(
    recipe: Mapping[str, Any], dataset: str, seed: int, folder: Path | None = None
) -> ResultRow | None:
    """The stored row of this recipe, data set and seed, if there is one."""
    path = _path(recipe, dataset, seed, folder)
    return _read(path) if path.exists() else None


def save(row: ResultRow, folder: Path | None = None) -> Path:
    """Write the row, in place of an earlier one of the same recipe, data set and seed."""
    path = _path(row.recipe, row.dataset, row.seed, folder)
    text = files.to_json({"schema": SCHEMA, **to_json(row)}, indent=1)
    return files.write_text(path, re.sub(r'(?<="per_video": \[)[^]]*', _on_one_line, text))


def _on_one_line(numbers: re.Match) -> str:
    return " ".join(numbers[0].split())


def to_json(row: ResultRow) -> dict[str, Any]:
    """The row as strict json, which knows no NaN; without `per_video` where it has none."""
    metrics = {name: None if math.isnan(value) else value for name, value in row.metrics.items()}
    content = asdict(row) | {"metrics": metrics}
    return content if row.per_video else {k: v for k, v in content.items() if k != "per_video"}


def rows(folder: Path | None = None) -> list[ResultRow]:
    """Every stored row, by file name."""
    return [_read(path) for path in sorted((folder or paths.results()).glob("[!.]*.json"))]


def measure(
    recipe: Mapping[str, Any],
    dataset: str,
    seed: int,
    function: Callable[[], Mapping[str, Any]],
    recompute: bool = False,
    folder: Path | None = None,
    machine: Callable[[], Mapping[str, Any]] = dict,
) -> ResultRow:
    """The stored row, or else `function()`'s metrics, stored with where they come from.

    What the function names "per_video" is a list, a score a video, and no metric.
    machine: what else is to be known of it, or said otherwise than by `provenance.machine`.
    """
    if not recompute and (stored := find(recipe, dataset, seed, folder)):
        return stored
    commit, dirty = provenance.commit_at_start(paths.repository())
    start = time.perf_counter()
    metrics = dict(function())
    per_video = metrics.pop("per_video", [])
    row = ResultRow(
        recipe=dict(recipe),
        dataset=dataset,
        seed=seed,
        metrics=metrics,
        commit=commit,
        dirty=dirty,
        versions=provenance.versions(),
        seconds=round(time.perf_counter() - start, 3),
        machine=provenance.machine() | dict(machine()),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        per_video=per_video,
    )
    save(row, folder)
    return row


def _path(recipe: Mapping[str, Any], dataset: str, seed: int, folder: Path | None) -> Path:
    """Names for people, then the hash that tells rows apart."""
    own = key(recipe, dataset, seed)
    name = f"{_slug(recipe['name'])}_{_slug(dataset)}_seed{seed}_{own}.json"
    return (folder or paths.results()) / name


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40]


def _read(path: Path) -> ResultRow:
    remedy = "Restore it from git, or delete it and measure again"
    files.regular(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
            raise ValueError(f"it does not say schema {SCHEMA}")
        content["metrics"] = {
            name: math.nan if value is None else value for name, value in content["metrics"].items()
        }
        row = ResultRow(**content)
        device = (row.machine.get(name, "") for name in ("cpu", "device"))
        if not all(isinstance(text, str) for text in (row.date, row.commit or "", *device)):
            raise TypeError("its date, commit, cpu and device should be texts")
        named = _path(row.recipe, row.dataset, row.seed, path.parent).name
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as e:
        raise DataError(f"not a result row ({e})", file=path, remedy=remedy) from e
    if path.name != named:
        problem = f"the row it holds belongs in {named}: it was renamed or edited"
        raise DataError(problem, file=path, remedy=remedy)
    return row


def _plain_recipe(recipe: Mapping[str, Any]) -> dict[str, Any]:
    name = recipe.get("name")
    if not isinstance(name, str) or not _slug(name):
        raise ValueError(f'a recipe needs a "name" with letters or digits, not {name!r}')
    try:
        return json.loads(json.dumps(dict(recipe), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"recipe {name!r} is not plain json: {error}") from error


def _plain_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isinf(value):
            raise ValueError(f"metric {name!r} must be a finite number or NaN, not {value!r}")
    return {str(name): float(value) for name, value in metrics.items()}


def _unify_numbers(value: Any) -> Any:
    """Whole floats become integers: json writes 1 and 1.0 apart, python takes them as equal."""
    if isinstance(value, dict):
        return {name: _unify_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_unify_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
