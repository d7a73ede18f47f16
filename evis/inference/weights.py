"""The weights that predict: what identifies them, and what their classes are called."""

import hashlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from torch import nn

from evis.data.errors import DataError
from evis.data.types import Category, VISDataset
from evis.models import checkpoints


def load(path: str | Path, device: str = "cpu") -> nn.Module:
    """The model in a file, of evis or of a reference implementation, in eval mode.

    A process reads it once: asked again, it gives the same model if the file is still the same.
    """
    return _load(str(path), device, digest(path))


@lru_cache(maxsize=1)
def _load(path: str, device: str, digest: str) -> nn.Module:
    return checkpoints.load(path).to(device)


def digest(model: str | Path | nn.Module) -> str:
    """A hash of the file, or of the module's type and tensors."""
    if not isinstance(model, nn.Module):
        try:
            with open(model, "rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            raise DataError("there is no such file", file=model, remedy="Check the path") from None
    sha = hashlib.sha256(type(model).__qualname__.encode())
    for name, tensor in model.state_dict().items():
        sha.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        sha.update(np.ascontiguousarray(tensor.detach().double().cpu().numpy()))
    return sha.hexdigest()


def class_names(path: str | Path) -> tuple[str, ...] | None:
    """What `evis.models.save(..., categories=[...])` was told; None if the file doesn't say."""
    try:
        names = checkpoints.read_about(path).get("categories")
    except DataError:  # a reference implementation's file, which says nothing about its classes
        return None
    return None if names is None else tuple(str(name) for name in names)


def with_classes(dataset: VISDataset, names: tuple[str, ...] | None, classes: int) -> VISDataset:
    """The data set with its categories in the order of the model's classes.

    They are matched by name. A data set without categories, anyone's video, gets the model's; and
    where the model's classes have no names, the data set's order is taken for theirs.
    """
    if not dataset.categories:
        names = names or tuple(f"class {number}" for number in range(1, classes + 1))
        own = tuple(Category(number, name) for number, name in enumerate(names, start=1))
        return replace(dataset, categories=own)
    if len(dataset.categories) != classes:
        raise DataError(
            f"the model knows {classes} classes, the data set has {len(dataset.categories)} "
            "categories",
            remedy="Use weights trained for this data set, or give its frames as a folder",
        )
    if names is None:
        return dataset
    by_name = {category.name: category for category in dataset.categories}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise DataError(
            f"the model knows a class {unknown[0]!r}, the data set has no such category",
            remedy="Use weights trained for this data set, or give its frames as a folder",
        )
    return replace(dataset, categories=tuple(by_name[name] for name in names))
