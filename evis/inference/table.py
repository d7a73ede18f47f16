"""Predicted tracks as a table, one line a track."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset

COLUMNS = {
    "video": str,
    "track": int,  # by score within its video, from 1: the number that overlays show
    "category": str,
    "score": float,
    "first_frame": int,
    "last_frame": int,
    "frames_visible": int,
    "longest_gap": int,  # frames between two in which it is visible
    "mean_area": float,  # pixels, over the frames in which it is visible; so the mean box
    "box_x": float,
    "box_y": float,
    "box_width": float,
    "box_height": float,
}


def table(
    predictions: Sequence[PredictedTrack], dataset: VISDataset, threshold: float = 0.0
) -> pd.DataFrame:
    """The tracks that score at least `threshold` and are visible in some frame."""
    rows = [
        _row(track, number, video.name, dataset.category_names)
        for video in dataset.videos
        for number, track in numbered(predictions, video.id, threshold)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def numbered(
    predictions: Sequence[PredictedTrack], video_id: int, threshold: float
) -> list[tuple[int, PredictedTrack]]:
    """A video's visible tracks with their numbers, best first."""
    own = [track for track in predictions if track.video_id == video_id and any(track.masks)]
    own.sort(key=lambda track: -track.score)
    return [(n, track) for n, track in enumerate(own, start=1) if track.score >= threshold]


def _row(track: PredictedTrack, number: int, video: str, names: dict[int, str]) -> tuple:
    measured = [
        (frame, masks.area(mask), *masks.tight_box(mask))
        for frame, mask in enumerate(track.masks)
        if mask is not None
    ]
    visible, areas, *boxes = np.array(measured).T
    return (
        video,
        number,
        name(track.category_id, names),
        track.score,
        int(visible[0]),
        int(visible[-1]),
        len(visible),
        int(np.diff(visible).max(initial=1)) - 1,
        areas.mean(),
        *np.stack(boxes, 1).mean(0),
    )


def name(category_id: int, names: dict[int, str]) -> str:
    """The category's name, or its number where no name is known."""
    return names.get(category_id, f"class {category_id}")
