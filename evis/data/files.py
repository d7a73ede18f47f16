"""Whole-or-nothing file writing: a temporary name in the same folder, then one rename."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_bytes(path: str | Path, content: bytes, durable: bool = True) -> Path:
    """Write `content` so that a reader sees the old file or the new one, never a part.

    `durable` waits until the disk has it, so that this also holds through a loss of power. Files
    that come by the thousand, and can be made again, need not wait.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"
    )
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def write_text(path: str | Path, text: str) -> Path:
    return write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any, indent: int | None = None) -> Path:
    return write_text(path, to_json(value, indent))


def to_json(value: Any, indent: int | None = None) -> str:
    """Strict json: NaN and infinity are refused, since other readers reject them."""
    separators = None if indent else (",", ":")
    return json.dumps(value, indent=indent, separators=separators, allow_nan=False) + "\n"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
