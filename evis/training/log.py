"""A run's log: one json object a line, each step at most once, also after a crash."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evis.data import files
from evis.data.errors import DataError

NAME = "log.jsonl"


class Log:
    """Appends to `folder`/log.jsonl. Lines from step `start` on, of a run that was cut off, go."""

    def __init__(self, folder: Path, start: int, tensorboard: bool = False):
        self.path = folder / NAME
        kept = [line for line in _lines(self.path) if line["step"] < start]
        files.write_text(self.path, "".join(files.to_json(line) for line in kept))
        self._stream = self.path.open("a", encoding="utf-8")
        self._board = None
        if tensorboard:
            self._board = _summary_writer()(str(folder / "tensorboard"), purge_step=start)

    def write(self, values: Mapping[str, Any]) -> None:
        """One step's numbers, `step` among them, before a later step's."""
        self._stream.write(files.to_json(dict(values)))
        self._stream.flush()
        if self._board:
            for name, value in values.items():
                if value is not None:
                    self._board.add_scalar(name, value, values["step"])

    def to_disk(self) -> None:
        """Before a checkpoint, so that what it follows on from is there after any crash."""
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        self._stream.close()
        if self._board:
            self._board.close()


def _summary_writer() -> type:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise DataError(
            "TensorBoard is not installed",
            remedy=f"pip install tensorboard, or do without: {NAME} holds the same numbers",
        ) from None
    return SummaryWriter


def read(folder: str | Path) -> pd.DataFrame:
    """A run's log, one row a logged step; a column is empty where a step had no such term."""
    return pd.DataFrame(_lines(Path(folder) / NAME))


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines; a crash may have cut off the last one."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
