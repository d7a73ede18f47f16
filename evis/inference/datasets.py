"""A model over a data set: one video a job, through joblib, on any backend that it has.

with joblib.parallel_config(backend="dask"):  # or "ray": a cluster takes the jobs
    predict_dataset("model.safetensors", dataset, folder="out/videos")
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import joblib
import torch
from torch import nn

import evis
from evis.data import per_video, predictions
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
    network, options = model, options or Options()
    if not isinstance(model, nn.Module):
        of_all = options.values() if isinstance(options, Mapping) else [options]
        agnostic = all(of_video.class_agnostic for of_video in of_all)
        network = weights.load(model, device)
        dataset = weights.with_classes(dataset, model, agnostic)
    dataset = dataset.bare()
    if not isinstance(options, Mapping):
        options = fitted_to(network, dataset, options)
    made_by = folder and [evis.__version__, weights.digest(model)]
    alone = len(dataset.videos) == 1
    calls = [
        joblib.delayed(_tracks_of)(
            one, model, options[one.videos[0].id], device, alone, folder, made_by
        )
        for one in per_video.one_by_one(dataset)
    ]
    videos = per_video.results(calls, jobs, "predict", progress)
    return tuple(track for tracks in videos for track in tracks)


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
    return per_video.kept(
        lambda: _predicted(dataset, model, options, device, alone),
        dataset,
        [made_by, asdict(options)],
        folder,
        read=lambda path: predictions.read(path, dataset),
        write=predictions.write,
    )


def _predicted(
    dataset: VISDataset, model: str | Path | nn.Module, options: Options, device: str, alone: bool
) -> Tracks:
    if not isinstance(model, nn.Module):
        model = weights.load(model, device)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads if alone else 1)
    try:
        return predict(model, dataset, options, dataset.categories or None, progress=alone)
    finally:
        torch.set_num_threads(threads)
