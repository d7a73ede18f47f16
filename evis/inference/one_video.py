"""A model over one video: windows in, predicted tracks out, in memory that doesn't grow with it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from evis.data.clip_prediction import ClipPrediction
from evis.data.errors import DataError
from evis.data.masks import RLE
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, VISDataset
from evis.inference import instances
from evis.inference.fitting import fitted, memory_budget
from evis.inference.frames import Frames, VideoFrames, open_frames, read_windows
from evis.inference.options import Options
from evis.models import VideoMask2Former
from evis.trackers.windows import JOINS, Window, plan


def predict(
    model: nn.Module,
    source: str | Path | VISDataset | Frames,
    options: Options | None = None,
    categories: Sequence[Category] | None = None,
    progress: bool = True,
) -> tuple[PredictedTrack, ...]:
    """The best tracks of one video, best first, with masks at its own size.

    source: a folder of pictures, a video file, a data set of one video, `VideoFrames`, or frames in
        memory, (h, w, 3) uint8 RGB each. Frames are read once, in order, as windows need them.
    categories: what the model's classes stand for, in order; without them, ids count from 1.
    """
    frames = open_frames(source)
    size = frames[0].shape[:2]
    budget = memory_budget(device_of(model))
    options = fitted(options or Options(), model, len(frames), size, budget)
    video_id = frames.video.id if isinstance(frames, VideoFrames) else 1
    windows = plan(len(frames), options.window, options.overlap)
    tracks = _Tracks(options, size, whole=len(windows) == 1)
    bar = tqdm(total=len(frames), unit="frame", desc="predict", disable=not progress, leave=False)
    with bar, evaluating(model), torch.inference_mode():
        for window, pictures in read_windows(frames, windows, options):
            with explained(window, frames):
                tracks.add(window, _run(model, pictures), seen=tuple(pictures.shape[-2:]))
            bar.update(window.last - window.first)
    class_logits = tracks.mean_class_logits()
    ids = _category_ids(categories, class_logits.shape[1] - 1)
    return tuple(
        PredictedTrack(video_id, ids[label], score, tracks.masks_of(track, len(frames)))
        for track, label, score in instances.choose(
            class_logits, options.top, options.class_agnostic
        )
    )


class _Tracks:
    """The tracks so far: sums of class logits, and masks as run lengths."""

    def __init__(self, options: Options, size: tuple[int, int], whole: bool):
        self.options, self.size, self.whole = options, size, whole
        self.joined = JOINS[options.join]()
        self.stop = 0  # of the last window
        self.class_logits: dict[int, Tensor] = {}  # by track: the sum over its windows, (C+1,)
        self.windows: dict[int, int] = {}  # by track: in how many it was
        self.masks: dict[int, dict[int, RLE]] = {}  # by track and frame

    def add(self, window: Window, prediction: ClipPrediction, seen: tuple[int, int]) -> None:
        class_logits = prediction.class_logits[0].double().cpu()
        mask_logits = prediction.mask_logits[0]
        shared, self.stop = self.stop - window.start, window.stop
        queries = list(range(len(mask_logits)))
        if self.whole:  # no later window can change which tracks are best
            numbers, options = queries, self.options
            best = instances.choose(class_logits, options.top, options.class_agnostic)
            wanted = sorted({query for query, _, _ in best})
        else:
            embeddings = None if prediction.embeddings is None else prediction.embeddings[0]
            numbers = self.joined.join(embeddings, mask_logits, shared).tolist()
            wanted = queries
        for logits, number in zip(class_logits, numbers, strict=True):
            self.class_logits[number] = self.class_logits.get(number, 0) + logits
            self.windows[number] = self.windows.get(number, 0) + 1
        for frame in range(window.first, window.last):
            logits = mask_logits[wanted, frame - window.start]
            encoded = instances.encode(logits, prediction.stride, seen, self.size)
            for query, mask in zip(wanted, encoded, strict=True):
                if mask is not None:
                    self.masks.setdefault(numbers[query], {})[frame] = mask

    def mean_class_logits(self) -> Tensor:
        """(tracks, C+1): over the windows that a track was in, as MinVIS averages over frames."""
        return torch.stack(
            [self.class_logits[n] / self.windows[n] for n in range(len(self.windows))]
        )

    def masks_of(self, track: int, length: int) -> tuple[RLE | None, ...]:
        by_frame = self.masks.get(track, {})
        return tuple(by_frame.get(frame) for frame in range(length))


def _run(model: nn.Module, pictures: Tensor) -> ClipPrediction:
    """pictures: (T, 3, h, w) uint8, on any device."""
    clip = pictures[None].to(device_of(model))
    return model(clip, every_layer=False) if isinstance(model, VideoMask2Former) else model(clip)


def device_of(model: nn.Module) -> torch.device:
    """Where its weights are; a model without any computes on the CPU."""
    return next(chain(model.parameters(), model.buffers()), torch.empty(0)).device


def _category_ids(categories: Sequence[Category] | None, classes: int) -> list[int]:
    if categories is None:
        return list(range(1, classes + 1))
    if len(categories) != classes:
        raise DataError(
            f"the model knows {classes} classes, the data set has {len(categories)} categories",
            remedy="Use weights trained for this data set, or give it as a folder of frames",
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
def explained(window: Window, frames: Frames) -> Iterator[None]:
    """Running out of memory becomes an error that says where, and what to change."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        told = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not (told or "DefaultCPUAllocator" in str(error)):
            raise
        count = window.stop - window.start
        smaller = f"Use windows of fewer frames (--window {max(1, count // 2)})"
        raise DataError(
            f"out of memory with {count} frames at once",
            video=frames.video.name if isinstance(frames, VideoFrames) else None,
            field=f"frames {window.start} to {window.stop - 1}",
            remedy=(smaller if count > 1 else "Use smaller frames") + " or --shorter-side",
        ) from error
