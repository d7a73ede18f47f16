"""Labels that stages of measured rows learn from (`measured.Labels`)."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from evis.companion import measured, store
from evis.companion.measured import Experiment, Labels, Place
from evis.data import annotations, per_video
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import Options, predict_dataset
from evis.labels import self_training, videos
from evis.labels.datasets import OBJECT
from evis.training.folder import told

ALONE = Options(window=None, shorter_side=None, class_agnostic=True)  # frames, one at a time


@dataclass(frozen=True)
class Made:
    """By a labeller of `evis.labels.videos`, the same for all units."""

    by: videos.Labeller

    def content(self, seed: int = 0) -> dict[str, Any]:
        told = {"made by": type(self.by).__name__} | per_video.content(self.by)
        weights = per_video.digests(self.by.weights)
        return told | ({"weights": weights} if weights else {})

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        key = store.key({"name": "parts"} | self.content(), told(dataset), 0)
        parts = place.build / "labels" / f"parts-{key}"
        return videos.make(dataset, self.by, parts, jobs, place.progress)


def predicted(
    run: Experiment,
    dataset: VISDataset,
    options: Options,
    place: Place,
    jobs: int | None = None,
) -> Sequence[PredictedTrack]:
    """What the run's model says, trained if need be; kept, as other labels ask for the same."""
    weights = measured.trained(run, place)
    asked = {"name": "predictions", "by": measured.content(run), "options": asdict(options)}
    folder = place.build / "labels" / f"predictions-{store.key(asked, told(dataset), 0)}"
    how = {"device": place.device, "progress": place.progress}
    return predict_dataset(weights, dataset, options, jobs, folder, **how)


@dataclass(frozen=True)
class Detector:
    """A trained model of objects of any class. unit: whose model all ask; None: each its own."""

    experiment: Experiment
    unit: int | None = None
    top: int = 10  # detections a frame

    def run(self, seed: int) -> Experiment:
        return self.experiment.seeded(seed if self.unit is None else self.unit)

    def content(self, seed: int) -> dict[str, Any]:
        return {"top": self.top} | measured.content(self.run(seed))

    def detections(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> list[PredictedTrack]:
        """Of every frame for itself, each a track of the video with one mask."""
        stills, origins = apart(dataset)
        found = predicted(self.run(seed), stills, replace(ALONE, top=self.top), place, jobs)
        tracks = []
        for track in found:
            video, frame = origins[track.video_id]
            masks = [None] * dataset.video(video).length
            (masks[frame],) = track.masks
            tracks.append(replace(track, video_id=video, masks=tuple(masks)))
        return tracks


def apart(dataset: VISDataset) -> tuple[VISDataset, dict[int, tuple[int, int]]]:
    """Every frame as a video of its own, without labels; and the video and frame each was."""
    stills, origins = [], {}
    for video in dataset.videos:
        for frame, name in enumerate(video.frames):
            number = len(stills) + 1
            origins[number] = video.id, frame
            stills.append(replace(video, id=number, name=f"{video.name}-{frame}", frames=(name,)))
    bare = dataset.bare()
    return replace(bare, videos=tuple(stills), categories=(OBJECT,)), origins


@dataclass(frozen=True)
class NextRound:
    """What the model of one round makes of the labels that it has learnt from (CutLER)."""

    detector: Detector
    before: Labels
    least: float

    def content(self, seed: int = 0) -> dict[str, Any]:
        learned = {"before": self.before.content(seed), "least": self.least}
        return {"next labels by": self.detector.content(seed)} | learned

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        labels = self.before.label(dataset, seed, place, jobs)
        found = self.detector.detections(dataset, seed, place, jobs)
        return self_training.next_labels(labels, found, self.least)


def kept(
    dataset: VISDataset, content: Any, place: Place, make: Callable[[], VISDataset]
) -> VISDataset:
    """What `make` gives of videos with content's labeller, or what an earlier call left of it.

    For labels that are made of other labels: several rows and all units ask for these again.
    """
    key = store.key({"name": "kept labels", "by": content}, told(dataset), 0)
    path = place.build / "labels" / f"kept-{key}.json"
    if not path.exists():
        annotations.write(make(), path)
    return replace(annotations.read(path), read_frame=dataset.read_frame)
