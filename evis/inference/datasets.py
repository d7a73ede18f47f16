"""A model over a data set: one video a job, through joblib, on any backend that it has.

with joblib.parallel_config(backend="dask"):  # or "ray": a cluster takes the jobs
    predict_dataset("model.safetensors", dataset, folder="out/videos")
"""

import hashlib
import json
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import joblib
import torch
from torch import nn
from tqdm.auto import tqdm

import evis
from evis.data import files
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, VISDataset
from evis.inference import weights
from evis.inference.frames import VideoFrames
from evis.inference.one_video import predict
from evis.inference.options import Options


def predict_dataset(
    model: str | Path | nn.Module,
    dataset: VISDataset,
    options: Options | None = None,
    jobs: int | None = None,
    folder: str | Path | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> tuple[PredictedTrack, ...]:
    """The best tracks of every video, in the data set's order.

    model: a file of weights, which each worker reads once and puts on `device`; its classes are
        matched with the data set's by name. Or a module, used where it is; its classes are the data
        set's categories, in order.
    jobs: videos at a time; None is one, or what `joblib.parallel_config` says. It changes no mask:
        on the CPU every video has one thread, unless it is the only one.
    folder: where each video's tracks are kept, so that an interrupted run goes on. A video is done
        again if the weights, the options or the video itself changed.
    """
    options = options or Options()
    if not isinstance(model, nn.Module):
        classes = weights.load(model, device).config.classes
        dataset = weights.with_classes(dataset, weights.class_names(model), classes)
    made_by = {"evis": evis.__version__, "weights": weights.digest(model), **asdict(options)}
    job = _Job(model, options, device, len(dataset.videos) > 1, folder and Path(folder), made_by)
    bare = replace(dataset, tracks=(), supervision="none")
    bar = tqdm(total=len(dataset.videos), unit="video", desc="predict", disable=not progress)
    with bar, _Parallel(bar, n_jobs=jobs) as parallel:
        found = parallel(joblib.delayed(job)(bare.subset([video.id])) for video in dataset.videos)
    return tuple(track for tracks in found for track in tracks)


class _Parallel(joblib.Parallel):
    """joblib with a bar that counts finished videos, whatever the backend."""

    def __init__(self, bar: tqdm, **settings):
        super().__init__(**settings)
        self._bar = bar

    def print_progress(self) -> None:
        self._bar.update(self.n_completed_tasks - self._bar.n)


class _Job:
    """What a worker does with one video, a data set of its own. Can be pickled."""

    def __init__(
        self,
        model: str | Path | nn.Module,
        options: Options,
        device: str,
        one_thread: bool,
        folder: Path | None,
        made_by: dict,
    ):
        self.model, self.options, self.device = model, options, device
        self.one_thread, self.folder, self.made_by = one_thread, folder, made_by

    def __call__(self, dataset: VISDataset) -> tuple[PredictedTrack, ...]:
        frames = VideoFrames(dataset, dataset.videos[0].id)
        if self.folder is None:
            return self._predict(frames, dataset.categories)
        path = self.folder / f"{frames.video.id}.json"
        digest = self._digest(frames, dataset.categories)
        tracks = _done(path, digest)
        if tracks is None:
            tracks = self._predict(frames, dataset.categories)
            content = {"made_by": digest, "tracks": [asdict(track) for track in tracks]}
            files.write_json(path, content)
        return tracks

    def _predict(
        self, frames: VideoFrames, categories: tuple[Category, ...]
    ) -> tuple[PredictedTrack, ...]:
        model = self.model
        if not isinstance(model, nn.Module):
            model = weights.load(model, self.device)
        with _threads(1 if self.one_thread else torch.get_num_threads()):
            return predict(
                model, frames, self.options, categories or None, progress=not self.one_thread
            )

    def _digest(self, frames: VideoFrames, categories: tuple[Category, ...]) -> str:
        """Of all that the tracks depend on; a look at the first frame stands for the pictures."""
        settings = [self.made_by, asdict(frames.video), [category.id for category in categories]]
        found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        found.update(frames[0].tobytes())
        return found.hexdigest()


def _done(path: Path, digest: str) -> tuple[PredictedTrack, ...] | None:
    """The tracks in a file that an earlier run left, if it is about the same."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if content["made_by"] != digest:
        return None
    return tuple(
        PredictedTrack(**{**track, "masks": tuple(track["masks"])}) for track in content["tracks"]
    )


@contextmanager
def _threads(count: int):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
