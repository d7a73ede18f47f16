"""Json from outside: parsed strictly, then taken apart by getters whose errors say where."""

import json
import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from evis.data.errors import DataError

_LARGEST = 2**53  # beyond it, other json readers lose digits
_UNUSABLE = re.compile("[\0\ud800-\udfff]")


def load(path: str | Path) -> Any:
    """Parse a json file; anything wrong with it is one `DataError` naming file and line."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError("there is no such file", file=path, remedy="Check the path") from None
    except IsADirectoryError:
        raise DataError("is a folder", file=path, remedy="Give the json file inside it") from None
    except OSError as error:
        raise DataError(f"can't be read: {error.strerror}", file=path) from None
    return parse(content, path)


def parse(content: bytes, file: object) -> Any:
    """Parse the json text that was read from `file`; a byte-order mark before it is no error."""
    remedy = "The file may be cut off; fetch or write it again"
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise DataError("is not UTF-8 text", file=file, remedy="Is it a json file?") from None
    except json.JSONDecodeError as error:
        problem = f"broken json at line {error.lineno}, column {error.colno}: {error.msg}"
        raise DataError(problem, file=file, remedy=remedy) from None
    except RecursionError:
        raise DataError("broken json: nested too deeply", file=file, remedy=remedy) from None
    except ValueError as error:  # NaN, Infinity, integers of thousands of digits
        remedy = "Write a number there, or null for nothing"
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
            raise self.error(f"should be an object, is {kind(value)}")
        self.value = value

    def error(
        self, problem: str, key: str | None = None, frame: int | None = None, remedy: str = ""
    ) -> DataError:
        place = self.path if key is None else f"{self.path}.{key}" if self.path else key
        return DataError(
            problem,
            file=self.file,
            video=self.video,
            frame=frame,
            field=place or None,
            remedy=remedy or None,
        )

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
            raise self.error(f"should be a whole number, is {kind(value)}", key)
        if not minimum <= value <= maximum:
            raise self.error(f"should be between {minimum} and {maximum}, is {kind(value)}", key)
        return value

    def number(self, key: str) -> float:
        value = self._get(key)
        if not is_number(value):
            raise self.error(f"should be a number, is {kind(value)}", key)
        return float(value)

    def category(self, known: Collection[int]) -> int:
        """The record's category id, one of the `known` ones."""
        identifier = self.integer("category_id")
        if identifier not in known:
            first = ", ".join(map(str, sorted(known)[:8])) + (", ..." if len(known) > 8 else "")
            problem = f"unknown category {identifier}"
            raise self.error(problem, "category_id", remedy=f"The known ones are {first}")
        return identifier

    def flag(self, key: str) -> bool:
        """0, 1, true or false; absent means false."""
        value = self.value.get(key, 0)
        if value not in (0, 1):  # True and False are 1 and 0
            raise self.error(f"should be 0 or 1, is {kind(value)}", key)
        return bool(value)

    def text(self, key: str) -> str:
        value = self._get(key)
        if not is_text(value):
            raise self.error(f"should be a text, is {kind(value)}", key)
        return value

    def list(self, key: str, length: int | None = None) -> list:
        value = self._get(key)
        if not isinstance(value, list):
            raise self.error(f"should be a list, is {kind(value)}", key)
        if length is not None and len(value) != length:
            raise self.error(
                f"has {len(value)} entries, the video has {length} frames",
                key,
                remedy="Every frame needs an entry; write null where the object is not visible",
            )
        return value

    def records(self, key: str) -> "list[Record]":
        place = f"{self.path}.{key}" if self.path else key
        return [
            Record(value, file=self.file, path=f"{place}[{index}]", video=self.video)
            for index, value in enumerate(self.list(key))
        ]


def is_number(value: Any) -> bool:
    """A finite json number; booleans are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _LARGEST if isinstance(value, int) else math.isfinite(value)


def is_text(value: Any) -> bool:
    """A text that can be printed and name a file: not empty, no NUL, no lone surrogate."""
    return isinstance(value, str) and value != "" and not _UNUSABLE.search(value)


def kind(value: Any) -> str:
    """What a reader would call the value, short enough for an error message."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value) if not isinstance(value, int) or abs(value) <= _LARGEST else "a huge number"
    return text if len(text) <= 40 else f"{text[:37]}..."
