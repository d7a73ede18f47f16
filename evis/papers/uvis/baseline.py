"""UVIS's own baseline (Table 1, A1 of Table 2): DeepSORT links pseudo labels of the test videos.

Nothing is trained on videos, and nothing is filtered, not by objectness either. A detection is a
mask with its box, its objectness as confidence, and CLIP's embedding of its crop as its looks. The
paper does not say which class and score a track has; we take the name that its detections are
surest of together, and the mean of objectness times that certainty.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from evis.companion import held_out, store
from evis.companion.held_out import HeldOut
from evis.companion.measured import HERE, Place, results
from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.foundation import toy_clip
from evis.labels import naming
from evis.papers.uvis.experiments import DETECTOR, FILTERS
from evis.papers.uvis.pseudo import PseudoLabels
from evis.trackers import deepsort


def row(test: HeldOut, place: Place = HERE) -> store.ResultRow:
    """The stored row, or else measured."""

    def measure() -> dict[str, Any]:
        dataset = test.dataset()
        found = DETECTOR.detections(dataset, 0, place)
        named = naming.named(dataset, found, toy_clip.load(device=place.device), place.progress)
        return held_out.of_tracks(linked(dataset, found, named), dataset, place.progress)

    return store.measure(*_key(test), measure, folder=results(place.shelf))


def find(test: HeldOut, place: Place = HERE) -> store.ResultRow | None:
    return store.find(*_key(test), results(place.shelf))


def _key(test: HeldOut) -> tuple[dict[str, Any], str, int]:
    unfiltered = PseudoLabels(DETECTOR, FILTERS["A2: no filter"])
    recipe = {"name": "DeepSORT on pseudo labels", "labels": unfiltered.content()}
    return recipe, str(test), 0


def linked(
    dataset: VISDataset, detections: Sequence[PredictedTrack], named: naming.Named
) -> list[PredictedTrack]:
    """Detections, each with one mask, as tracks of the videos."""
    masks_of = [
        detections[number].masks[frame]
        for number, frame in zip(named.detections, named.frames, strict=True)
    ]
    boxes = np.array([masks.tight_box(rle) for rle in masks_of]).reshape(-1, 4)
    videos = np.array([detections[number].video_id for number in named.detections], dtype=int)
    tracks = []
    for video in dataset.videos:
        of_frame = [
            np.flatnonzero((videos == video.id) & (named.frames == frame))
            for frame in range(video.length)
        ]
        seen = ((boxes[rows], named.objectness[rows], named.embeddings[rows]) for rows in of_frame)
        ids = deepsort.track(seen, min_confidence=0.0)
        of_track = defaultdict(list)
        for row, number in zip(np.concatenate(of_frame), np.concatenate(ids), strict=True):
            if number >= 0:
                of_track[number].append(row)
        for rows in of_track.values():
            votes = np.bincount(named.classes[rows], named.certainty[rows])
            sure = named.certainty[rows] * (named.classes[rows] == votes.argmax())
            score = float((named.objectness[rows] * sure).mean())
            shown = dict(zip(named.frames[rows].tolist(), rows, strict=True))
            of_frames = [
                masks_of[shown[frame]] if frame in shown else None for frame in range(video.length)
            ]
            category = dataset.categories[votes.argmax()].id
            tracks.append(PredictedTrack(video.id, category, score, tuple(of_frames)))
    return tracks
