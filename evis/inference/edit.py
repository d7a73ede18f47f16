"""Predicted tracks put right by hand: kept, renamed, trimmed, never in place."""

from collections.abc import Sequence
from dataclasses import replace

from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack

Tracks = tuple[PredictedTrack, ...]


def keep(tracks: Sequence[PredictedTrack], least_score: float) -> Tracks:
    """The tracks that score at least so much."""
    return tuple(track for track in tracks if track.score >= least_score)


def rename(tracks: Sequence[PredictedTrack], number: int, category_id: int) -> Tracks:
    """All tracks, the one of this number (from 1, in their order) under another category."""
    renamed = replace(_track(tracks, number), category_id=category_id)
    return (*tracks[: number - 1], renamed, *tracks[number:])


def trim(tracks: Sequence[PredictedTrack], number: int, first: int, last: int) -> Tracks:
    """All tracks, the one of this number without masks before frame `first` and after `last`."""
    track = _track(tracks, number)
    masks = tuple(m if first <= t <= last else None for t, m in enumerate(track.masks))
    return (*tracks[: number - 1], replace(track, masks=masks), *tracks[number:])


def _track(tracks: Sequence[PredictedTrack], number: int) -> PredictedTrack:
    if not 1 <= number <= len(tracks):
        raise DataError(
            f"there is no track {number}",
            remedy=f"Tracks are counted from 1 to {len(tracks)}, in the order they come in",
        )
    return tracks[number - 1]
