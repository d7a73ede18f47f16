"""Predicted tracks put right by hand: kept, dropped, renamed, trimmed, never in place."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack

Tracks = tuple[PredictedTrack, ...]


def keep(tracks: Sequence[PredictedTrack], least_score: float) -> Tracks:
    """The tracks that score at least so much."""
    return tuple(track for track in tracks if track.score >= least_score)


def drop(tracks: Sequence[PredictedTrack], numbers: Collection[int]) -> Tracks:
    """All but these tracks, counted from 1 in the order they come in."""
    _check(tracks, numbers)
    return tuple(track for n, track in enumerate(tracks, start=1) if n not in numbers)


def rename(tracks: Sequence[PredictedTrack], number: int, category_id: int) -> Tracks:
    """The track of this number under another category."""
    _check(tracks, [number])
    return tuple(
        replace(track, category_id=category_id) if n == number else track
        for n, track in enumerate(tracks, start=1)
    )


def trim(tracks: Sequence[PredictedTrack], number: int, first: int, last: int) -> Tracks:
    """The track of this number without its masks before frame `first` and after `last`."""
    _check(tracks, [number])
    return tuple(
        replace(
            track,
            masks=tuple(m if first <= t <= last else None for t, m in enumerate(track.masks)),
        )
        if n == number
        else track
        for n, track in enumerate(tracks, start=1)
    )


def _check(tracks: Sequence[PredictedTrack], numbers: Collection[int]) -> None:
    for number in numbers:
        if not 1 <= number <= len(tracks):
            raise DataError(
                f"there is no track {number}",
                remedy=f"Tracks are counted from 1 to {len(tracks)}, in the order they come in",
            )
