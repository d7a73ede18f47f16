"""Training checkpoints: one file each, there whole or not at all.

A file is written under a temporary name, flushed to the disk and then renamed, and the one before
it stays, so that a crash at any moment, even while writing, leaves a good checkpoint behind.
"""

import io
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from evis.data import files, torch_files
from evis.data.errors import DataError

KEPT = 2


def save(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Write the state after `step` steps, and drop all but the newest two."""
    content = io.BytesIO()
    torch.save(state, content)
    files.write_bytes(folder / f"step-{step:08d}.pt", content.getbuffer())
    for old in _newest_first(folder)[KEPT:]:
        old.unlink()


def restore(folder: Path, parts: Mapping[str, Any]) -> int:
    """Fill the parts, by name, from the newest checkpoint. -> its step, 0 where there is none."""
    saved = latest(folder)
    if saved is None:
        return 0
    step, state = saved
    try:
        for name, part in parts.items():
            part.load_state_dict(state[name])
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        problem = f"the checkpoint of step {step} is of something else ({error!r})"
        remedy = "Delete the folder to start again"
        raise DataError(problem, file=folder, remedy=remedy) from error
    return step


def latest(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """The newest checkpoint that can be read, on the CPU: steps and state. None: there is none."""
    paths = _newest_first(folder)
    for path in paths:
        try:
            with zipfile.ZipFile(files.regular(path)) as archive:  # torch looks at no checksum
                if damaged := archive.testzip():
                    raise ValueError(f"the checksum of {damaged} is wrong")
            state = torch_files.load(path)
            return int(path.stem.removeprefix("step-")), state
        except Exception as error:  # a damaged file can fail anywhere
            warnings.warn(
                f"{path} is damaged ({error}); the checkpoint before it is used", stacklevel=2
            )
    if paths:
        raise DataError(
            "all checkpoints are damaged", file=folder, remedy="Delete the folder to start again"
        )
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.pt"), reverse=True)
