"""PM-VIS's filters of the ground truth (section III-E): what pseudo masks miss is no lesson either.

What comes of it costs what the filtered set does: annotated masks cost masks, and train the fully
supervised rows alone; boxes, and masks that were made of boxes, cost boxes (Missing-Data of what
was tracked, Fig. 6). RIA compares annotated masks and takes nothing weaker. Tracks of the two sets
are the same objects where video and id are.
"""

from collections.abc import Callable
from dataclasses import replace

from evis.data.errors import DataError
from evis.data.masks import iou as mask_iou
from evis.data.types import Track, VISDataset
from evis.labels.datasets import made, of_object

Keeps = Callable[[Track, Track, int], bool]  # (annotated, pseudo, frame) -> does it stay


def missing_data(truth: VISDataset, pseudo: VISDataset) -> VISDataset:
    """Missing-Data: the annotations, frame by frame, of which there is a pseudo mask.

    Boxes alone can be filtered too (the box rows of Table VIII), and cost no more than boxes.
    """
    return _filtered(truth, pseudo, lambda annotated, mask, frame: True, "Missing-Data")


def ria(truth: VISDataset, pseudo: VISDataset, threshold: float = 0.6) -> VISDataset:
    """RIA: of those of Missing-Data, the annotated masks whose IoU is not below the threshold.

    At 0 it is Missing-Data alone, as in Table IX, where 0.6 is best.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"an IoU threshold is in [0, 1], not {threshold}")
    if "masks" not in truth.kinds:
        problem = f'RIA compares annotated masks, and this set holds "{truth.supervision}" labels'
        raise DataError(problem, remedy="Give the set with masks, or use missing_data")

    def keeps(annotated: Track, mask: Track, frame: int) -> bool:
        return mask_iou(annotated.masks[frame], mask.masks[frame]) >= threshold

    return _filtered(truth, pseudo, keeps, f"Missing-Data and RIA below {threshold:g}")


def _filtered(truth: VISDataset, pseudo: VISDataset, keeps: Keeps, what: str) -> VISDataset:
    if pseudo.origin is None or any(track.masks is None for track in pseudo.tracks):
        remedy = "Give the set that evis.labels made of its boxes"
        raise DataError("annotations are filtered by pseudo masks", remedy=remedy)
    if "boxes" not in truth.kinds:
        problem = f'this set holds "{truth.supervision}" labels, whose frames are not told apart'
        raise DataError(problem, remedy="Give a set with masks or boxes")
    tracks = []
    for track in truth.tracks:
        for other in of_object(track, pseudo)[1:]:  # one, or none
            stays = [
                box is not None and other.masks[frame] is not None and keeps(track, other, frame)
                for frame, box in enumerate(track.boxes)
            ]
            if any(stays):
                tracks.append(_only(track, stays))
    return made(truth, tracks, f"{what} by masks of {pseudo.origin}", pseudo)


def _only(track: Track, stays: list[bool]) -> Track:
    """The track in these frames; in the others it counts as not visible."""
    kept = {
        kind: tuple(value if stay else None for value, stay in zip(values, stays, strict=True))
        for kind in ("boxes", "masks", "areas")
        if (values := getattr(track, kind)) is not None
    }
    return replace(track, **kept)
