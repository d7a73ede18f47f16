"""A model over a data set: one video a job, through joblib, on any backend that it has.

with joblib.parallel_config(backend="dask"):  # or "ray": a cluster takes the jobs
    predict_dataset("model.safetensors", dataset, folder="out/videos")
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import joblib
import torch
from torch import nn
from tqdm.auto import tqdm

import evis
from evis.data import predictions
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import weights
from evis.inference.fitting import fitted, memory_budget
from evis.inference.frames import VideoFrames
from evis.inference.one_video import device_of, predict
from evis.inference.options import Options
from evis.models import VideoMask2Former

Tracks = tuple[PredictedTrack, ...]


def predict_dataset(
    model: str | Path | nn.Module,
    dataset: VISDataset,
    options: Options | Mapping[int, Options] | None = None,
    jobs: int | None = None,
    folder: str | Path | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> Tracks:
    """The best tracks of every video, in the data set's order.

    model: a file of weights, which each worker reads once and puts on `device`; its classes are
        matched with the data set's by name. Or a module, used where it is; its classes are the data
        set's categories, in order.
    options: for all videos, or those that `fitted_to` gave for each.
    jobs: videos at a time; None is one, or what `joblib.parallel_config` says. It changes no mask:
        on the CPU every video has one thread, unless it is the only one.
    folder: where each video's tracks are kept, so that an interrupted run goes on. A video is done
        again if the weights, the options or any frame of it changed.
    """
    network, names = model, None
    if not isinstance(model, nn.Module):
        network, names = weights.load(model, device), weights.class_names(model)
    if isinstance(network, VideoMask2Former):
        dataset = weights.with_classes(dataset, names, network.config.classes)
    dataset = dataset.bare()
    if not isinstance(options, Mapping):
        options = fitted_to(network, dataset, options or Options())
    made_by = {"evis": evis.__version__, "weights": weights.digest(model)}
    alone = len(dataset.videos) == 1
    jobs_of_videos = [
        joblib.delayed(_tracks_of)(
            dataset.subset([video.id]), model, options[video.id], device, alone, folder, made_by
        )
        for video in dataset.videos
    ]
    videos = joblib.Parallel(jobs, return_as="generator")(jobs_of_videos)
    bar = tqdm(videos, "predict", len(jobs_of_videos), unit="video", disable=not progress)
    return tuple(track for tracks in bar for track in tracks)


def fitted_to(model: nn.Module, dataset: VISDataset, options: Options) -> dict[int, Options]:
    """For each video, by id, the options that `options` mean for it: without "auto"."""
    budget = memory_budget(device_of(model))
    return {
        video.id: fitted(options, model, video.length, (video.height, video.width), budget)
        for video in dataset.videos
    }


def _tracks_of(
    dataset: VISDataset,
    model: str | Path | nn.Module,
    options: Options,
    device: str,
    alone: bool,
    folder: str | Path | None,
    made_by: dict[str, str],
) -> Tracks:
    """What a worker does with one video, a data set of its own: its tracks, kept or new."""
    frames = VideoFrames(dataset, dataset.videos[0].id)
    if folder is None:
        return _predict(frames, model, options, device, alone)
    content = [made_by, asdict(options), asdict(frames.video), frames.digest()]
    content.append([asdict(category) for category in dataset.categories])
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    # What a result depends on is in its name, so that nothing else can be taken for it.
    path = Path(folder) / f"{frames.video.id}-{digest[:16]}.json"
    try:
        return predictions.read(path, dataset)
    except DataError:  # none yet, or damaged
        tracks = _predict(frames, model, options, device, alone)
        predictions.write(tracks, path)
    for other in path.parent.glob(f"{frames.video.id}-*.json"):
        if other != path:
            other.unlink(missing_ok=True)
    return tracks


def _predict(
    frames: VideoFrames, model: str | Path | nn.Module, options: Options, device: str, alone: bool
) -> Tracks:
    if not isinstance(model, nn.Module):
        model = weights.load(model, device)
    categories = frames.dataset.categories or None
    with _threads(torch.get_num_threads() if alone else 1):
        return predict(model, frames, options, categories, progress=alone)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
