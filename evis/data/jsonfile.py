"""Json from outside: parsed strictly, then taken apart by getters whose errors say where."""

import json
import math
import re
import reprlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from evis.data.errors import DataError

_LARGEST = 2**53  # beyond it, other json readers lose digits
_UNUSABLE = re.compile("[\0\ud800-\udfff]")
_SHORT = reprlib.Repr()
_SHORT.maxlevel = 1  # lists and objects within a value are not spelled out


def load(path: str | Path) -> Any:
    """Parse a json file; anything wrong with it is one `DataError` naming it."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        remedy = "Give the path of a json file"
        raise DataError(f"can't be read: {error.strerror}", file=path, remedy=remedy) from None
    return parse(content, path)


def parse(content: bytes, file: object) -> Any:
    """Parse the json text that was read from `file`; a byte-order mark before it is no error."""
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # an error of decoding is a ValueError, too
        remedy = "It may be cut off or no json file; fetch or write it again"
        raise DataError(f"broken json: {error}", file=file, remedy=remedy) from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a json number")


class Record:
    """One json object under inspection; each getter returns a checked value or raises `DataError`.

    `path` is where the object stands in the file (`annotations[3]`), `video` whose it is.
    """

    def __init__(self, value: Any, *, file: object, path: str, video: object = None):
        self.file, self.path, self.video = file, path, video
        if not isinstance(value, dict):
            raise self.error(f"should be an object, is {brief(value)}")
        self.value = value

    def error(
        self, problem: str, key: str | None = None, frame: int | None = None, remedy: str = ""
    ) -> DataError:
        place = ".".join(name for name in (self.path, key) if name) or None
        where = {"file": self.file, "video": self.video, "frame": frame, "field": place}
        return DataError(problem, **where, remedy=remedy)

    def has(self, key: str) -> bool:
        """Whether the key is there with a value other than null."""
        return self.value.get(key) is not None

    def _get(self, key: str) -> Any:
        if key not in self.value:
            raise self.error("is missing", key)
        return self.value[key]

    def integer(self, key: str, *, minimum: int = -_LARGEST, maximum: int = _LARGEST) -> int:
        value = self._get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(f"should be a whole number, is {brief(value)}", key)
        if not minimum <= value <= maximum:
            raise self.error(f"should be between {minimum} and {maximum}, is {brief(value)}", key)
        return value

    def one_of(self, key: str, known: Collection[int]) -> int:
        """One of the known ids."""
        value = self.integer(key)
        if value not in known:
            some = ", ".join(map(str, sorted(known)[:8])) + (", ..." if len(known) > 8 else "")
            raise self.error(f"should be one of {some or 'none'}, is {value}", key)
        return value

    def number(self, key: str) -> float:
        value = self._get(key)
        if not is_number(value):
            raise self.error(f"should be a number, is {brief(value)}", key)
        return float(value)

    def flag(self, key: str) -> bool:
        """0, 1, true or false; absent means false."""
        value = self.value.get(key, 0)
        if value not in (0, 1):  # True and False are 1 and 0
            raise self.error(f"should be 0 or 1, is {brief(value)}", key)
        return bool(value)

    def text(self, key: str) -> str:
        value = self._get(key)
        if not is_text(value):
            raise self.error(f"should be a text, is {brief(value)}", key)
        return value

    def list(self, key: str, length: int | None = None) -> list:
        value = self._get(key)
        if not isinstance(value, list):
            raise self.error(f"should be a list, is {brief(value)}", key)
        if length is not None and len(value) != length:
            raise self.error(
                f"has {len(value)} entries, the video has {length} frames",
                key,
                remedy="Every frame needs an entry; write null where the object is not visible",
            )
        return value


def is_number(value: Any) -> bool:
    """A finite json number; booleans are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _LARGEST if isinstance(value, int) else math.isfinite(value)


def is_text(value: Any) -> bool:
    """A text that can be printed and name a file: not empty, no NUL, no lone surrogate."""
    return isinstance(value, str) and value != "" and not _UNUSABLE.search(value)


def brief(value: Any) -> str:
    """The value as an error message shows it."""
    return "null" if value is None else _SHORT.repr(value)
