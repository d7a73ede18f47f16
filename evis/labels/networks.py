"""What labels are made with, by names and paths: plain data goes to workers, networks are read
there, once a process."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from evis.data.errors import DataError
from evis.foundation import colour, dino, flow, pretrained, sam, sam2, stand_in, toy_dino, toy_sam
from evis.labels import from_boxes, tracking

OF_BOXES: dict[str, from_boxes.Segmenter] = {
    "grabcut": from_boxes.grabcut,
    "ellipse": from_boxes.ellipse,
    "fill": from_boxes.fill,
}
TOY_SAM, TOY_DINO, COLOUR, DIS = "toy_sam", "toy_dino", "colour", "dis"


def weights_of(*names: str) -> tuple[str, ...]:
    """Of what any function here takes: the files and folders of those that have weights."""
    own = {name: str(stand_in.committed(name)) for name in (TOY_SAM, TOY_DINO)}
    return tuple(own.get(name, name) for name in names if name not in {*OF_BOXES, COLOUR, DIS})


@cache
def extractor(
    features: str, size: int | None = None, device: str = "cpu"
) -> Callable[[np.ndarray], np.ndarray]:
    """A frame -> features of its patches. size: a DINO's, pixels of a frame's longer side."""
    if features not in (COLOUR, TOY_DINO):
        return dino.load(features, size, device=device)
    if size is not None:
        remedy = "Leave it away, or take a DINO's"
        raise DataError(f"{features} features have a size of their own", remedy=remedy)
    return colour.features if features == COLOUR else toy_dino.load(device=device)


@cache
def estimator(by: str, device: str = "cpu") -> flow.Estimator:
    """(frame, frame) -> flow. by: "dis", or a file of torchvision's weights for RAFT."""
    return flow.dis if by == DIS else flow.raft(by, device)


@cache
def segmenter(by: str, device: str = "cpu") -> from_boxes.Segmenter:
    """(picture, box) -> mask."""
    if by == TOY_SAM:
        return toy_sam.load(device=device)
    return OF_BOXES[by] if by in OF_BOXES else sam.load(by, device)


@cache
def carrier(through: str, size: int | None = None, device: str = "cpu") -> tracking.Carrier:
    """What carries a mask through a video. size: a DINO's, as of `extractor`."""
    if through == COLOUR:
        return tracking.BY_COLOUR
    own = through == TOY_DINO or Path(through).is_file()
    if own or pretrained.model_type(through, sam2.EXAMPLE, "DINO or SAM 2") != sam2.KIND:
        return tracking.by_likeness(extractor(through, size, device))
    if size is not None:
        remedy = "Leave it away, or carry by a DINO"
        raise DataError("SAM 2 has a size of its own", file=through, remedy=remedy)
    return sam2.load(through, device)
