"""UVIS's pseudo labels (section 3.1): masks of no class get names, and doubtful instances go.

An instance is one mask in one frame: crops are named by themselves, and UVIS trains on single
frames. It stays if the detector was sure of an object, if CLIP was sure of its name, and if it
looks like its class's prototypes. Masks of one detection that have the same name are one track.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import joblib
import numpy as np
from tqdm.auto import tqdm

from evis.data import files, masks, per_video
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.types import Box, Track, VISDataset
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


# The paper's are CLIP's. `toy_clip` is never so sure of a name, and its pictures lie closer
# together; evis.papers.uvis.experiments says how these were chosen. MaskCut has no objectness.
OF_CLIP, OF_TOY_CLIP = Least(objectness=None), Least(None, 0.25, 0.95)


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
        """Filter by filter, (n,) bool: which instances are left after it and those before.

        Prototypes are made of what the others left.
        """
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
    folder: str | Path | None = None,
    jobs: int | None = None,
) -> Named:
    """Every mask of the detections under the likeliest of the data set's category names.

    Labels of the data set are not read. A detection's score is its objectness.

    folder, jobs: where each video's embeddings are kept, and videos at a time, as in `videos.make`;
        both need an embedder that is plain data (`evis.labels.looks`).
    """
    if not dataset.categories:
        raise DataError("no names are given", remedy="Give the classes that objects may have")
    texts = embedder.texts([category.name for category in dataset.categories])
    found: dict[int, dict[int, list[int]]] = {}  # video -> frame -> detections
    for number, detection in enumerate(detections):
        video = dataset.video(detection.video_id).id
        for frame, rle in enumerate(detection.masks):
            if rle is not None:
                found.setdefault(video, defaultdict(list))[frame].append(number)
    made_by = per_video.made_by(embedder) if folder is not None else []
    bare, alone = replace(dataset.bare(), categories=()), len(found) == 1 and progress
    calls = [
        joblib.delayed(_looks)(
            bare.subset([video]),
            {
                frame: [masks.tight_box(detections[number].masks[frame]) for number in here]
                for frame, here in of_video.items()
            },
            embedder,
            folder,
            made_by,
            alone,
        )
        for video, of_video in found.items()
    ]
    looks = np.concatenate(
        [np.zeros((0, texts.shape[1])), *per_video.results(calls, jobs, "name", progress)]
    )
    frames_of = [(frame, here) for of_video in found.values() for frame, here in of_video.items()]
    numbers = [number for _, here in frames_of for number in here]
    frames = [frame for frame, here in frames_of for _ in here]
    classes, certainty = names.name(looks, texts, embedder.scale)
    return Named(
        np.array(numbers, dtype=int),
        np.array(frames, dtype=int),
        np.array([detections[number].score for number in numbers]),
        looks,
        classes,
        certainty,
    )


def _looks(
    dataset: VISDataset,
    boxes: Mapping[int, Sequence[Box]],
    embedder: Embedder,
    folder: str | Path | None,
    made_by: Sequence[Any],
    progress: bool,
) -> np.ndarray:
    """What a worker does with one video, a data set of its own, and its boxes by frame: (n, C)."""
    (video,) = dataset.videos

    def embedded() -> np.ndarray:
        shown = tqdm(boxes.items(), "name", unit="frame", leave=False, disable=not progress)
        pictures = ((dataset.frame(video.id, frame), here) for frame, here in shown)
        return np.concatenate([embedder.images(crops(*given)) for given in pictures])

    content = [*made_by, list(boxes.items())]
    read, write = files.read_array, lambda found, path: files.write_array(path, found)
    return per_video.kept(embedded, dataset, content, folder, read, write, ".npy")


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
