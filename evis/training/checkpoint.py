"""Training checkpoints: one safetensors file each, there whole or not at all.

A file is written under a temporary name, flushed to the disk and then renamed, and the one before
it stays, so that a crash at any moment, even while writing, leaves a good checkpoint behind.
"""

import json
import os
import re
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from evis.data.errors import DataError

KEPT = 2
_NAME = re.compile(r"step-(\d{8})\.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` steps."""

    step: int
    tensors: dict[str, Tensor]
    about: dict[str, Any]  # plain json

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors called name/..., without that prefix."""
        start = f"{name}/"
        return {k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)}


def save(folder: Path, step: int, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> Path:
    """Write the state after `step` steps, and drop all but the newest two."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.safetensors"
    temporary = folder / f".{path.name}.tmp"  # a crash's leftover is written over
    apart = {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }
    save_file(apart, temporary, metadata={"about": json.dumps(dict(about), allow_nan=False)})
    _to_disk(temporary)
    os.replace(temporary, path)
    _to_disk(folder)
    for old in _all(folder)[KEPT:]:
        old.unlink()
    return path


def latest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that can be read; None where there is none at all."""
    paths = _all(folder)
    for path in paths:
        try:
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                about = json.loads(file.metadata()["about"])
            return Checkpoint(_step(path), tensors, about)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            warnings.warn(
                f"{path} is damaged ({error}); the checkpoint before it is used", stacklevel=2
            )
    if paths:
        raise DataError(
            "all checkpoints are damaged", file=folder, remedy="Delete the folder to start again"
        )
    return None


def remove(folder: Path) -> None:
    """The run's checkpoints, and whatever a killed writer left beside them."""
    if folder.is_dir():
        shutil.rmtree(folder)


def _all(folder: Path) -> list[Path]:
    """Newest first."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((path for path in found if _NAME.fullmatch(path.name)), key=_step, reverse=True)


def _step(path: Path) -> int:
    return int(_NAME.fullmatch(path.name)[1])


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
