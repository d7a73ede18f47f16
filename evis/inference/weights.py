"""The weights that predict: read once, told from others, their classes matched by name."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import joblib
import torch
from torch import nn

from evis import models
from evis.data import files
from evis.data.errors import DataError
from evis.data.types import Category, VISDataset


def load(path: str | Path, device: str = "cpu") -> nn.Module:
    """The model in a file or folder, of any kind that `evis.models.load` reads, in eval mode.

    A process reads it once: asked again, it gives the same model if the file is still the same.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        remedy = "Give cpu, or cuda where torch sees a GPU"
        raise DataError(f"there is no device {device!r} here", remedy=remedy) from None
    return _load(str(path), device, digest(path))


@lru_cache(maxsize=1)
def _load(path: str, device: str, digest: str) -> nn.Module:
    return models.load(path).to(device)


def digest(model: str | Path | nn.Module) -> str:
    """A hash of the file, of those in the folder itself, or of the module's type and tensors."""
    if isinstance(model, nn.Module):
        state = model.state_dict().items()
        tensors = {name: (str(t.dtype), t.cpu().double().numpy()) for name, t in state}
        return joblib.hash([type(model).__qualname__, tensors])
    return files.digest(model)


def with_classes(dataset: VISDataset, path: str | Path, class_agnostic: bool = False) -> VISDataset:
    """The data set with its categories in the order of the classes that a file's model knows.

    They are matched by the names that `evis.models.save(..., categories=[...])` was told; without
    names the data set's order is taken for theirs. A data set without categories, anyone's video,
    gets the model's; so does, class-agnostic, one with others.
    """
    names = models.read_about(path).get("categories")
    if names is None:
        return dataset
    by_name = {category.name: category for category in dataset.categories}
    differing = sorted(by_name.keys() ^ set(names))
    if not by_name or (differing and class_agnostic):
        named = tuple(Category(number, name) for number, name in enumerate(names, start=1))
        return replace(dataset, categories=named)
    if differing:
        raise DataError(
            f"the model's {len(names)} classes and the data set's {len(by_name)} categories differ "
            f"in {', '.join(differing[:3])}",
            remedy="Use weights trained for this data set, or ask for objects whatever their class "
            "(--class-agnostic), and so in scoring them",
        )
    return replace(dataset, categories=tuple(by_name[name] for name in names))
