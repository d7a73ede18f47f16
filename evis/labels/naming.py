"""UVIS's pseudo labels (section 3.1): masks of no class get names, and doubtful instances go.

An instance is one mask in one frame: crops are named by themselves, and UVIS trains on single
frames. It stays if the detector was sure of an object, if CLIP was sure of its name, and if it
looks like its class's prototypes. Masks of one detection that have the same name are one track.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from tqdm.auto import tqdm

from evis.data import masks
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.types import Track, VISDataset
from evis.foundation.clip import crops
from evis.labels import names, prototypes
from evis.labels.datasets import made


class Embedder(Protocol):
    """`evis.foundation.clip.Clip` is one."""

    scale: float  # one over the temperature

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures (h, w, 3) -> (n, C)."""

    def texts(self, names: Sequence[str]) -> np.ndarray:
        """K names -> (K, C)."""


@dataclass(frozen=True)
class Least:
    """Below which an instance goes; None: for this reason none does. Defaults are the paper's."""

    objectness: float | None = 0.7
    name: float | None = 0.7
    prototype: float | None = 0.7  # tau
    instances_each: float = prototypes.EACH  # a prototype


@dataclass(frozen=True)
class Named:
    """n instances, and what CLIP says of them."""

    detections: np.ndarray  # (n,) int: whose mask it is
    frames: np.ndarray  # (n,) int
    objectness: np.ndarray  # (n,)
    embeddings: np.ndarray  # (n, C) of the crop
    classes: np.ndarray  # (n,) int: rows of the data set's categories
    certainty: np.ndarray  # (n,): CLIP's probability of that name

    def stay(self, least: Least, seed: int = 0) -> dict[str, np.ndarray]:
        """Filter by filter, (n,) bool: which instances are left after it and those before."""
        left = np.ones(len(self.frames), dtype=bool)
        after = {"found": left}
        for name, scores, at_least in (
            ("objectness", self.objectness, least.objectness),
            ("name", self.certainty, least.name),
        ):
            if at_least is not None:
                after[name] = left = left & (scores >= at_least)
        if least.prototype is not None:
            rows = np.flatnonzero(left)
            like, _ = prototypes.keep(
                self.embeddings[rows],
                self.classes[rows],
                least.prototype,
                least.instances_each,
                seed,
            )
            after["prototype"] = left = np.isin(np.arange(len(left)), rows[like])
        return after


def named(
    dataset: VISDataset,
    detections: Sequence[PredictedTrack],
    embedder: Embedder,
    progress: bool = True,
) -> Named:
    """Every mask of the detections under the likeliest of the data set's category names.

    Labels of the data set are not read. A detection's score is its objectness.
    """
    if not dataset.categories:
        raise DataError("no names are given", remedy="Give the classes that objects may have")
    found: dict[tuple[int, int], list[int]] = defaultdict(list)  # (video, frame) -> detections
    for number, detection in enumerate(detections):
        for frame, rle in enumerate(detection.masks):
            if rle is not None:
                found[dataset.video(detection.video_id).id, frame].append(number)
    texts = embedder.texts([category.name for category in dataset.categories])
    numbers, frames, embeddings = [], [], [np.zeros((0, texts.shape[1]))]
    for (video, frame), here in tqdm(found.items(), "name", unit="frame", disable=not progress):
        boxes = [masks.tight_box(detections[number].masks[frame]) for number in here]
        embeddings.append(embedder.images(crops(dataset.frame(video, frame), boxes)))
        numbers += here
        frames += [frame] * len(here)
    looks = np.concatenate(embeddings)
    classes, certainty = names.name(looks, texts, embedder.scale)
    return Named(
        np.array(numbers, dtype=int),
        np.array(frames, dtype=int),
        np.array([detections[number].score for number in numbers]),
        looks,
        classes,
        certainty,
    )


def label(
    dataset: VISDataset,
    detections: Sequence[PredictedTrack],
    of_instances: Named,
    origin: str,
    least: Least = Least(),
    seed: int = 0,
) -> VISDataset:
    """The data set under the instances that stay."""
    *_, stays = of_instances.stay(least, seed).values()
    tracks: dict[tuple[int, int], list] = {}
    for row in np.flatnonzero(stays).tolist():
        number, frame = int(of_instances.detections[row]), int(of_instances.frames[row])
        rles = detections[number].masks
        kept = tracks.setdefault((number, int(of_instances.classes[row])), [None] * len(rles))
        kept[frame] = rles[frame]
    made_of = [
        Track(place, detections[number].video_id, dataset.categories[category].id).with_masks(kept)
        for place, ((number, category), kept) in enumerate(tracks.items(), start=1)
    ]
    return made(dataset.bare(), made_of, origin)
