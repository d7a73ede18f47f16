"""What a stage starts from: fresh weights, a backbone, or what another stage trained."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from evis.data.errors import DataError
from evis.models import VideoMask2Former, named
from evis.models.checkpoints import load, load_backbone, load_into, read_about
from evis.training.recipes import Recipe


def build(recipe: Recipe, classes: Sequence[str], weights: Path | None) -> VideoMask2Former:
    """The recipe's model for these classes, started as its `init` says."""
    model = VideoMask2Former(named(recipe.model, len(classes)))
    if weights is None and recipe.init is not None:
        raise DataError(
            f"{recipe.name} starts from {_start_of(recipe)}, and no weights are given",
            remedy="Name them (--model FILE), or start from nothing (--set init=None)",
        )
    if weights is not None:
        if recipe.init == "imagenet":
            load_backbone(model, weights)
        else:
            fill(model, classes, weights)
    return model


def _start_of(recipe: Recipe) -> str:
    if recipe.init == "imagenet":
        return f"an ImageNet backbone ({recipe.model})"
    return f"the weights that {recipe.init} trained"


def fill(model: VideoMask2Former, classes: Sequence[str], weights: Path) -> None:
    """Load another stage's weights. Of its classifier, classes of the same name go on.

    Where the file doesn't name its classes, the classifier stays fresh unless it fits.
    """
    theirs = _classes(weights)
    report = load_into(model, weights, strict=False)
    beside = [mismatch for mismatch in report.mismatched if "class" not in mismatch.name]
    if report.missing or report.unexpected or beside:
        report.demand_fit(weights)
    if theirs not in (None, list(classes)):
        _carry_over(model, classes, load(weights), theirs)


@torch.no_grad()
def _carry_over(
    model: VideoMask2Former, classes: Sequence[str], other: VideoMask2Former, theirs: Sequence[str]
) -> None:
    """The other classifier's rows for classes of the same name, and for "no object"."""
    own = [*classes, None]
    model.decoder.classify.reset_parameters()
    for row, name in enumerate([*theirs, None]):
        if name in own:
            for to, from_ in zip(
                model.decoder.classify.parameters(),
                other.decoder.classify.parameters(),
                strict=True,
            ):
                to[own.index(name)] = from_[row]


def _classes(weights: Path) -> list[str] | None:
    """The classes that weights of evis's own were trained for; None where the file doesn't say."""
    try:
        return read_about(weights).get("categories")
    except DataError:
        return None  # a reference implementation's


def digest(path: Path) -> str:
    """Twelve digits that change with the weights, not with who saved them, when or how."""
    try:
        about = read_about(path)
    except DataError:  # a reference implementation's
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    return content(load(path).state_dict(), about.get("categories"))


def content(tensors: Mapping[str, Tensor], categories: Sequence[str] | None = None) -> str:
    """Twelve digits that change with any name, shape, type or value."""
    found = hashlib.sha256(repr(categories).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()[:12]
