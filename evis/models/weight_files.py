"""Files of weights, read without running anything that is in them.

A pickle is a program. torch's files are read with `weights_only=True`, detectron2's plain pickles
by an unpickler that can make numpy arrays and containers, and nothing else.
"""

import mmap
import pickle
import re
import struct
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from evis.data import files, torch_files
from evis.data.errors import DataError
from evis.data.torch_files import AGAIN

_ZIP = b"PK\x03\x04"  # what torch has written since 1.6
_OLD_TORCH = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)
_PICKLE = b"\x80"
# The upper half of the header's length, and its json: the lower half may begin like a pickle. A
# length of more than 4 GiB is refused as one of a safetensors file.
_SAFETENSORS = b"\0\0\0\0{"


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str] | None]:
    """The tensors of a .pth, .pkl or .safetensors file, and the metadata of the last kind.

    The first bytes tell what kind of file it is, whatever its name says.
    """
    content, metadata = None, None
    files.regular(path)
    try:
        with open(path, "rb") as stream:
            head = stream.read(64)
            stream.seek(0)
            if head.startswith((_ZIP, _OLD_TORCH)):
                content = torch_files.load(path, mmap=head.startswith(_ZIP))
            elif head[4:9] == _SAFETENSORS or (head[8:9] == b"{" and head[:1] != _PICKLE):
                with safe_open(path, "pt") as tensors:
                    content = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
                    metadata = tensors.metadata() or {}
            elif head.startswith(_PICKLE):
                # latin1: arrays that Python 2 wrote
                with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as there:
                    content = _ArraysOnly(there, encoding="latin1").load()
    except FileNotFoundError:
        raise DataError("there is no such file", file=path, remedy="Check the path") from None
    except Exception as error:  # a damaged file can fail anywhere
        raise _unreadable(path, str(error) or type(error).__name__) from error
    if content is None:
        problem = f"is neither a .pth, a .pkl nor a .safetensors: it begins with {head[:24]!r}"
        raise DataError(problem, file=path, remedy=AGAIN)
    return torch_files.tensors_of(content, path, most=4 * path.stat().st_size), metadata


class _ArraysOnly(pickle._Unpickler):
    """Python's own in Python: that in C takes as much memory as a place in its memo asks for."""

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
            raise pickle.UnpicklingError(f"GLOBAL {module}.{name}")  # as torch says it
        return super().find_class(module, name)

    def load_bytearray8(self) -> None:
        """From what is there; Python's makes room for the length that the file claims."""
        (length,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(length)))

    dispatch = pickle._Unpickler.dispatch | {pickle.BYTEARRAY8[0]: load_bytearray8}


def _unreadable(path: Path, said: str) -> DataError:
    asked = re.search(r"GLOBAL (\S+)", said)
    if asked is None:
        return DataError(f"cannot be read ({said.splitlines()[0]})", file=path, remedy=AGAIN)
    return DataError(
        f"asks for {asked[1]}, which plain weights don't need, so it was not read",
        file=path,
        remedy="If you trust where it came from, load it yourself and save its weights alone: "
        "torch.save({'model': weights}, new_path)",
    )
