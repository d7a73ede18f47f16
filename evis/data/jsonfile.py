"""Json from outside: parsed strictly, then taken apart by getters whose errors say where.

Of a key that stands twice in an object, the last one counts, as in most programs.
"""

import json
import math
import re
import reprlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from evis.data import files
from evis.data.errors import DataError

_LARGEST = 2**53  # beyond it, other json readers lose digits
_UNUSABLE = re.compile("[\0\ud800-\udfff]")
_SHORT = reprlib.Repr()
_SHORT.maxlevel = 1  # lists and objects within a value are not spelled out


def load(path: str | Path) -> Any:
    """Parse a json file; anything wrong with it is one `DataError` naming it."""
    return parse(_content(path), path)


def _content(path: str | Path) -> bytes:
    try:
        return files.regular(path).read_bytes()
    except OSError as error:
        remedy = "Give the path of a json file"
        raise DataError(f"can't be read: {error.strerror}", file=path, remedy=remedy) from None


def parse(content: bytes, file: object) -> Any:
    """Parse the json text that was read from `file`; a byte-order mark before it is no error."""
    try:
        # Decoded under the same name, so that the bytes are let go before the values are made.
        content = content.decode(json.detect_encoding(content), "surrogatepass")
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

    def checked(self, key: str, is_right: Callable[[Any], bool], wanted: str) -> Any:
        """What the key holds, which should be what is wanted."""
        if key not in self.value:
            raise self.error("is missing", key)
        value = self.value[key]
        if not is_right(value):
            raise self.error(f"should be {wanted}, is {brief(value)}", key)
        return value

    def integer(self, key: str, least: int = -_LARGEST, most: int = _LARGEST) -> int:
        value = int(self.checked(key, _is_whole, "a whole number"))
        if not least <= value <= most:
            raise self.error(f"should be between {least} and {most}, is {brief(value)}", key)
        return value

    def one_of(self, key: str, known: Collection[int]) -> int:
        """One of the known ids."""
        value = self.integer(key)
        if value not in known:
            some = ", ".join(map(str, sorted(known)[:8])) + (", ..." if len(known) > 8 else "")
            raise self.error(f"should be one of {some or 'none'}, is {value}", key)
        return value

    def number(self, key: str) -> float:
        return float(self.checked(key, is_number, "a number"))

    def flag(self, key: str) -> bool:
        """0, 1, true or false; absent means false."""
        return key in self.value and bool(self.checked(key, lambda flag: flag in (0, 1), "0 or 1"))

    def text(self, key: str) -> str:
        return self.checked(key, is_text, "a text")

    def list(self, key: str, length: int | None = None) -> list:
        value = self.checked(key, lambda value: isinstance(value, list), "a list")
        if length is not None and len(value) != length:
            problem = f"has {len(value)} entries, the video has {length} frames"
            remedy = "Every frame needs an entry; write null where the object is not visible"
            raise self.error(problem, key, remedy=remedy)
        return value


def _is_whole(value: Any) -> bool:
    """3 or 3.0; booleans are not numbers."""
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """A finite json number that other readers take, too."""
    if isinstance(value, float):
        return math.isfinite(value)
    return _is_whole(value) and abs(value) <= _LARGEST


def is_text(value: Any) -> bool:
    """A text that can be printed and name a file: not empty, no NUL, no lone surrogate."""
    return isinstance(value, str) and value != "" and not _UNUSABLE.search(value)


def brief(value: Any) -> str:
    """The value as an error message shows it."""
    return "null" if value is None else _SHORT.repr(value)
