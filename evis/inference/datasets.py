"""A model over a data set: one video a job, through joblib, on any backend that it has.

with joblib.parallel_config(backend="dask"):  # or "ray": a cluster takes the jobs
    predict_dataset("model.safetensors", dataset, folder="out/videos")
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import joblib
import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

import evis
from evis.data import predictions
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.types import VISDataset
from evis.inference import weights
from evis.inference.fitting import fitted
from evis.inference.one_video import predict
from evis.inference.options import Options

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
    network = model
    if not isinstance(model, nn.Module):
        network, dataset = (weights.load(model, device), weights.with_classes(dataset, model))
    dataset = dataset.bare()
    if not isinstance(options, Mapping):
        options = fitted_to(network, dataset, options or Options())
    made_by = folder and [evis.__version__, weights.digest(model)]
    alone = len(dataset.videos) == 1
    jobs_of_videos = [
        joblib.delayed(_tracks_of)(
            dataset.subset([video.id]), model, options[video.id], device, alone, folder, made_by
        )
        for video in dataset.videos
    ]
    # A video a batch: of a worker that is killed, a cluster has another one do its video alone.
    videos = joblib.Parallel(jobs, return_as="generator", batch_size=1)(jobs_of_videos)
    bar = tqdm(videos, "predict", len(jobs_of_videos), unit="video", disable=not progress)
    return tuple(track for tracks in bar for track in tracks)


def fitted_to(model: nn.Module, dataset: VISDataset, options: Options) -> dict[int, Options]:
    """For each video, by id, the options that `options` mean for it: without "auto"."""
    return {video.id: fitted(options, model, video) for video in dataset.videos}


def _tracks_of(
    dataset: VISDataset,
    model: str | Path | nn.Module,
    options: Options,
    device: str,
    alone: bool,
    folder: str | Path | None,
    made_by: list[str] | None,
) -> Tracks:
    """What a worker does with one video, a data set of its own: its tracks, kept or new."""
    (video,) = dataset.videos
    if folder is not None:
        # What a result depends on is in its name, so that nothing else can be taken for it.
        content = [made_by, *map(asdict, (options, video, *dataset.categories))]
        digest = hashlib.sha256(json.dumps(content).encode())
        for frame in range(video.length):
            digest.update(np.ascontiguousarray(dataset.frame(video.id, frame)))
        path = Path(folder) / f"{video.id}-{digest.hexdigest()[:16]}.json"
        with suppress(DataError):  # none yet, or damaged
            return predictions.read(path, dataset)
    if not isinstance(model, nn.Module):
        model = weights.load(model, device)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads if alone else 1)
    try:
        tracks = predict(model, dataset, options, dataset.categories or None, progress=alone)
    finally:
        torch.set_num_threads(threads)
    if folder is not None:
        for earlier in path.parent.glob(f"{video.id}-*.json"):
            earlier.unlink(missing_ok=True)
        predictions.write(tracks, path)
    return tracks
