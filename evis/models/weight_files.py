"""Files of weights, read without running anything that is in them.

A pickle is a program. torch's files are read with `weights_only=True`, detectron2's plain pickles
by an unpickler that can make numpy arrays and containers, and nothing else.
"""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from evis.data.errors import DataError

_ZIP = b"PK\x03\x04"  # what torch has written since 1.6
_OLD_TORCH = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)
_PICKLE = b"\x80"
_AGAIN = "Is it the right file, and whole? Download or copy it again"


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str] | None]:
    """The tensors of a .pth, .pkl or .safetensors file, and the metadata of the last kind.

    The first bytes tell what kind of file it is, whatever its name says.
    """
    path = Path(path)
    head = _head(path)
    if head.startswith((_ZIP, _OLD_TORCH)):
        return tensors_of(_torch(path, mmap=head.startswith(_ZIP)), path), None
    if head.startswith(_PICKLE):
        return tensors_of(_plain_pickle(path), path), None
    if head[8:9] == b"{":
        return _safetensors(path)
    if head.lstrip().startswith(b"<"):
        raise DataError(
            "is a web page, not weights",
            file=path,
            remedy="The download was refused or the link moved: look at it in a browser",
        )
    if head.startswith(b"version https://git-lfs"):
        raise DataError(
            "is Git LFS's pointer to the weights", file=path, remedy="Run `git lfs pull` there"
        )
    raise DataError(
        "is neither a .pth, a .pkl nor a .safetensors" if head else "is empty",
        file=path,
        remedy=_AGAIN,
    )


def tensors_of(content: object, file: object = None) -> dict[str, Tensor]:
    """The weights in what a training program saved: under "model", "state_dict" or on top."""
    if isinstance(content, Mapping):
        inner = next((content[k] for k in ("model", "state_dict") if k in content), content)
        if isinstance(inner, Mapping):
            tensors = {str(name): _tensor(value) for name, value in inner.items()}
            tensors = {name: value for name, value in tensors.items() if value is not None}
            if tensors:
                return tensors
    raise DataError(
        "holds no weights by name",
        file=file,
        remedy='A checkpoint is a dict of tensors, or has one as its entry "model"',
    )


def _tensor(value: object) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        return torch.from_numpy(value)
    return None


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(64)
    except FileNotFoundError:
        raise DataError("there is no such file", file=path, remedy="Check the path") from None
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}", file=path, remedy="Give a file you may read"
        ) from None


def _torch(path: Path, mmap: bool) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        if asked is None:
            raise _damaged(path, error) from error
        keep = "torch.save({'model': torch.load(path, weights_only=False)['model']}, new_path)"
        trusted = f"If you trust where it came from, keep its weights alone: {keep}"
        raise _refused(path, asked[1], trusted) from error
    except Exception as error:  # a damaged file can fail anywhere
        raise _damaged(path, error) from error


def _plain_pickle(path: Path) -> Any:
    try:
        with open(path, "rb") as stream:
            # latin1: arrays that Python 2 wrote
            return _ArraysOnly(stream, encoding="latin1").load()
    except _Refused as error:
        distrust = "Don't open it otherwise, unless you trust where it came from"
        raise _refused(path, str(error), distrust) from None
    except Exception as error:  # a damaged file can fail anywhere
        raise _damaged(path, error) from error


class _Refused(Exception):
    """The name of a global that a pickle asked for."""


class _ArraysOnly(pickle.Unpickler):
    ALLOWED = {
        "collections.OrderedDict",
        "_codecs.encode",  # how newer Pythons write bytes for older ones
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.core.multiarray._reconstruct",  # before numpy 2
        "numpy.core.numeric._frombuffer",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.numeric._frombuffer",
    }

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self.ALLOWED or "." in name:
            raise _Refused(f"{module}.{name}")
        return super().find_class(module, name)


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, "pt") as stream:
            names = stream.keys()
            return {name: stream.get_tensor(name) for name in names}, stream.metadata() or {}
    except SafetensorError as error:
        raise _damaged(path, error) from error


def _refused(path: Path, asked: str, remedy: str) -> DataError:
    problem = f"asks for {asked}, which plain weights don't need, so it was not read"
    return DataError(problem, file=path, remedy=remedy)


def _damaged(path: Path, error: Exception) -> DataError:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return DataError(f"cannot be read ({first})", file=path, remedy=_AGAIN)
