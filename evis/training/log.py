"""A run's log: one json object a line, each step at most once, also after a crash."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evis.data import files, jsonfile

NAME = "log.jsonl"


def read(folder: str | Path) -> pd.DataFrame:
    """A run's log, one row a logged step; a column is empty where a step had no such term."""
    return pd.DataFrame(_lines(Path(folder) / NAME))


def begin(folder: Path, step: int) -> None:
    """Go on at this step: lines from there on, of a run that was cut off, are dropped."""
    kept = [line for line in _lines(folder / NAME) if line["step"] < step]
    files.write_text(folder / NAME, "".join(files.to_json(line) for line in kept))


def append(folder: Path, values: Mapping[str, Any]) -> None:
    """One step's numbers, `step` among them, before a later step's."""
    with (folder / NAME).open("a", encoding="utf-8") as stream:
        stream.write(files.to_json(dict(values)))


def to_disk(folder: Path) -> None:
    """Before a checkpoint, so that what it follows on from is there after any crash."""
    with (folder / NAME).open("a") as stream:
        os.fsync(stream.fileno())


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines; a crash may have cut off the last one."""
    if not path.exists():
        return []
    *whole, _ = files.regular(path).read_bytes().split(b"\n")
    return [_checked(line, path, number) for number, line in enumerate(whole, start=1)]


def _checked(line: bytes, path: Path, number: int) -> dict[str, Any]:
    record = jsonfile.Record(jsonfile.parse(line, path), file=path, path=f"line {number}")
    record.integer("step")
    try:
        files.to_json(record.value)
    except (ValueError, RecursionError) as error:  # 1e999 is read, and is infinite
        problem = f"can't be written again as json ({error})"
        raise record.error(problem, remedy="Delete the line") from None
    return record.value
