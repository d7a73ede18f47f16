"""What torch saves, read as tensors and containers alone, and never as more than its file holds."""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evis.data.errors import DataError

AGAIN = "Is it the right file, and whole? Download or copy it again"


def load(path: str | Path, mmap: bool = False) -> object:
    """On the CPU. torch stores parts as they are: what becomes larger unpacked is not its work."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            taken = sum(part.file_size for part in archive.infolist())
        if taken > Path(path).stat().st_size:
            raise ValueError(f"{taken:,} bytes are packed in it, where torch packs nothing")
    return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)


def weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors by name in a file that holds nothing else."""
    return tensors_of(load(path), most=4 * Path(path).stat().st_size)


def tensors_of(content: object, file: object = None, most: float = math.inf) -> dict[str, Tensor]:
    """The weights in what a training program saved: under "model", "state_dict" or on top.

    most: bytes that they may take. A few stored numbers can stand for any number of equal ones.
    """
    tensors: dict[str, Tensor] = {}
    if isinstance(content, Mapping):
        inner = next((content[k] for k in ("model", "state_dict") if k in content), content)
        for name, value in inner.items() if isinstance(inner, Mapping) else ():
            if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
                value = torch.from_numpy(value)
            if isinstance(value, Tensor):
                tensors[str(name)] = value
    if not tensors:
        raise DataError(
            "holds no weights by name",
            file=file,
            remedy='A checkpoint is a dict of tensors, or has one as its entry "model"',
        )
    if (taken := sum(tensor.numel() * tensor.itemsize for tensor in tensors.values())) > most:
        problem = f"its tensors would take {taken:,} bytes, many times the file's own"
        raise DataError(problem, file=file, remedy=AGAIN)
    for name, tensor in tensors.items():
        try:
            is_finite = bool(tensor.isfinite().all())
        except (NotImplementedError, RuntimeError):  # sparse, quantised, without values
            problem = f"the tensor {name} is of a kind that weights are not ({tensor.dtype})"
            raise DataError(problem, file=file, remedy="Save it as float32") from None
        if not is_finite:
            raise DataError(
                f"the tensor {name} holds NaN or infinity",
                file=file,
                remedy="Its training diverged: take weights from before that",
            )
    return tensors
