"""A model over one video: windows in, predicted tracks out, in memory that doesn't grow with it."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from evis.data.clip_prediction import ClipPrediction
from evis.data.errors import DataError
from evis.data.frame_prediction import FramePrediction
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Video, VISDataset
from evis.inference.detections import Detections
from evis.inference.fitting import device_of, fitted, room, windows_at_once
from evis.inference.frames import Frames, as_dataset, read_clips
from evis.inference.options import OF_DETECTIONS, Options
from evis.inference.tracks import Tracks
from evis.models import IDOL, VideoMask2Former
from evis.models.allocator import freed_memory_at_hand, give_back
from evis.trackers.windows import Window, plan

GROUPS_BETWEEN = 32  # of windows, before free memory goes back to the system
_SMALLER = "Use windows of fewer frames (--window) or smaller frames (--shorter-side)"
_FEWER = "Ask for fewer tracks (--top), or leave the GPU (--device cpu)"


def predict(
    model: nn.Module,
    source: str | Path | VISDataset | Frames,
    options: Options | None = None,
    categories: Sequence[Category] | None = None,
    progress: bool = True,
) -> tuple[PredictedTrack, ...]:
    """The best tracks of one video, best first, with masks at its own size.

    source: a folder of pictures, a video file, a data set of one video, or frames in memory,
        (h, w, 3) uint8 RGB each. Frames are read once, in order, as windows need them.
    categories: what the model's classes stand for, in order; without them, ids count from 1.
    """
    dataset = as_dataset(source)
    (video,) = dataset.videos
    options = fitted(options or Options(), model, video)
    device, seen = device_of(model), options.seen_size(video.height, video.width)
    if options.tracker in OF_DETECTIONS:
        tracks = Detections(options, video, seen)
    else:
        tracks = Tracks(options, video, seen, room(device))
    bar = tqdm(total=video.length, unit="frame", desc="predict", disable=not progress, leave=False)
    with bar, evaluating(model), freed_memory_at_hand(), torch.inference_mode():
        windows = plan(video.length, options.window, options.overlap)
        number = windows_at_once(options, model, video)
        groups = [windows[n : n + number] for n in range(0, len(windows), number)]
        with closing(read_clips(dataset, groups, options, device)) as clips_of:
            for done, group in enumerate(groups, 1):
                with explained(group, video):
                    tracks.add(group, _run(model, next(clips_of), options.precision))
                bar.update(group[-1].last - group[0].first)
                if done % GROUPS_BETWEEN == 0:
                    give_back()
        with explained(windows, video, "as the best tracks got their masks", _FEWER):
            found, classes = tracks.best(), tracks.classes
    ids = _category_ids(categories, classes)
    return tuple(
        PredictedTrack(video.id, ids[label], score, masks) for _, label, score, masks in found
    )


def _run(model: nn.Module, clips: Tensor, precision: str) -> ClipPrediction | FramePrediction:
    """clips: (B, T, 3, h, w) uint8, where the model is."""
    kind = clips.device.type
    is_halved, before = precision == "bfloat16", torch.get_float32_matmul_precision()
    if is_halved and kind == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32, for what autocast leaves at 32 bits
    try:
        with torch.autocast(kind, torch.bfloat16, enabled=is_halved):
            if isinstance(model, VideoMask2Former | IDOL):
                return model(clips, every_layer=False)
            return model(clips)
    finally:
        torch.set_float32_matmul_precision(before)


def _category_ids(categories: Sequence[Category] | None, classes: int) -> list[int]:
    if categories is None:
        return list(range(1, classes + 1))
    if len(categories) != classes:
        raise DataError(
            f"the model knows {classes} classes, the data set has {len(categories)} categories",
            remedy="Use weights trained for this data set, or give its json without categories",
        )
    return [category.id for category in categories]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in eval mode for a while."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


@contextmanager
def explained(
    windows: Sequence[Window], video: Video, when: str | None = None, remedy: str = _SMALLER
) -> Iterator[None]:
    """Running out of memory becomes an error that says where, and what to change.

    when: at what; unless said, as the windows were read or seen.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        told = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not (told or "DefaultCPUAllocator" in str(error)):
            raise
        raise DataError(
            f"out of memory {when or f'with {windows[-1].stop - windows[0].start} frames at once'}",
            video=video.name,
            field=f"frames {windows[0].start} to {windows[-1].stop - 1}",
            remedy=remedy,
        ) from error
