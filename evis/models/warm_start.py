"""Starting from what was trained on other classes."""

from collections.abc import Sequence
from pathlib import Path

import torch

from evis.data.errors import DataError
from evis.models.checkpoints import load, load_into, read_about
from evis.models.video_mask2former import VideoMask2Former


def warm_start(model: VideoMask2Former, weights: Path, classes: Sequence[str]) -> None:
    """Fill a model for these classes. Of the file's classifier, classes of the same name go on.

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
    here, there = model.decoder.classify, other.decoder.classify
    here.reset_parameters()
    places = [*classes, None]
    for row, name in enumerate([*theirs, None]):
        if name in places:
            for ours, learned in zip(here.parameters(), there.parameters(), strict=True):
                ours[places.index(name)] = learned[row]


def _classes(weights: Path) -> list[str] | None:
    """The classes that weights of evis's own were trained for; None where the file doesn't say."""
    try:
        return read_about(weights).get("categories")
    except DataError:
        return None  # a reference implementation's
