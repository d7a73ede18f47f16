"""Whole-or-nothing file writing: a temporary name in the same folder, then one rename.

Also bytes put aside while a process runs, a lock for what several must not write at once, and what
is no file to be read.
"""

import fcntl
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from tempfile import SpooledTemporaryFile, gettempdir
from typing import Any

import numpy as np

from evis.data.errors import DataError


def regular(path: str | Path) -> Path:
    """The path, unless it is a pipe's or a device's, which might be read without end."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # whoever opens it says what is wrong
        return Path(path)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        remedy = "Write what it gives to a file, and name that"
        raise DataError("is a pipe or a device, no regular file", file=path, remedy=remedy)
    return Path(path)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to, which becomes `path` if the block succeeds.

    A reader sees the old file or the new one, never a part, and no temporary file is left behind
    but by a process that is killed.
    An error of the system, such as a full disk, names `path`.
    """
    path = regular(path)
    temporary = path.with_name(f".{path.stem}.{token_hex(4)}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_bytes(path: str | Path, content: bytes, durable: bool = True) -> Path:
    """Write `content` whole or not at all."""
    return write_pieces(path, [content], durable)


def write_pieces(path: str | Path, pieces: Iterable[bytes], durable: bool = True) -> Path:
    """Write all pieces as one file, whole or not at all; no more than one is held at a time.

    `durable` waits until the disk has it, so that this also holds through a loss of power. Files
    that come by the thousand, and can be made again, need not wait.
    """
    with replacing(path) as temporary, open(temporary, "xb") as stream:
        stream.writelines(pieces)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())
    return Path(path)


def write_text(path: str | Path, text: str) -> Path:
    return write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any, indent: int | None = None) -> Path:
    return write_text(path, to_json(value, indent))


def to_json(value: Any, indent: int | None = None) -> str:
    """Strict json: NaN and infinity are refused, since other readers reject them."""
    separators = None if indent else (",", ":")
    return json.dumps(value, indent=indent, separators=separators, allow_nan=False) + "\n"


def write_array(path: str | Path, array: np.ndarray) -> Path:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return write_bytes(path, content.getvalue())


def read_array(path: str | Path) -> np.ndarray:
    """What `write_array` wrote."""
    try:
        with open(regular(path), "rb") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"holds no array ({error})", file=path, remedy="Make it again") from None


def digest(path: str | Path) -> str:
    """A hash of a file, or of the files that lie in a folder itself, not those further down."""
    if Path(path).is_dir():
        parts = sorted(file for file in Path(path).iterdir() if file.is_file())
        content = "".join(f"{file.name} {digest(file)} " for file in parts)
        return hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()
    try:
        with open(regular(path), "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise DataError("there is no such file", file=path, remedy="Check the path") from None


class Spill:
    """Bytes put aside, to be read again: in memory while they are few, then in a nameless file."""

    def __init__(self, in_memory: int = 2**22):
        self._file = SpooledTemporaryFile(in_memory)  # noqa: SIM115, it closes with its last reader
        self._end = 0

    def append(self, content: bytes | memoryview) -> int:
        """Where it begins."""
        start, self._end = self._end, self._end + len(content)
        with _room():
            self._file.seek(start)
            self._file.write(content)
        return start

    def read(self, start: int, length: int) -> bytes:
        with _room():  # what was written last may still be on its way
            self._file.seek(start)
            return self._file.read(length)


@contextmanager
def _room() -> Iterator[None]:
    """A full disk, which may be that of /tmp, becomes an error that says which."""
    try:
        yield
    except OSError as error:
        problem = f"can't take what is put aside for a while: {error.strerror}"
        remedy = "Make room there, or set TMPDIR to a folder on another disk"
        raise DataError(problem, file=gettempdir(), remedy=remedy) from None


@contextmanager
def locked(path: str | Path, wait: bool = True) -> Iterator[None]:
    """Hold the file `path`, which is made if need be, as the only process that does.

    While another process holds it, this one waits, or gets a BlockingIOError if it should not.
    A process that ends, or is killed, lets go of it. Where files can't be held, as on some disks of
    clusters, that is an error.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(regular(path), "a") as file:  # where it is a link, what it leads to stays
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError as error:
            problem = f"can't be held as the only process that does: {error.strerror}"
            remedy = "Mount its disk with locks (Lustre: -o flock), or choose a folder elsewhere"
            raise DataError(problem, file=path, remedy=remedy) from None
        yield
