"""A model over one video: windows in, predicted tracks out, in memory that doesn't grow with it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from evis.data.clip_prediction import ClipPrediction
from evis.data.errors import DataError
from evis.data.masks import RLE
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Video, VISDataset
from evis.inference import instances
from evis.inference.fitting import device_of, fitted
from evis.inference.frames import Frames, as_dataset, read_windows
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

    source: a folder of pictures, a video file, a data set of one video, or frames in memory,
        (h, w, 3) uint8 RGB each. Frames are read once, in order, as windows need them.
    categories: what the model's classes stand for, in order; without them, ids count from 1.
    """
    dataset = as_dataset(source)
    (video,) = dataset.videos
    options = fitted(options or Options(), model, video)
    tracks = _Tracks(options, video)
    bar = tqdm(total=video.length, unit="frame", desc="predict", disable=not progress, leave=False)
    with bar, evaluating(model), torch.inference_mode():
        windows = plan(video.length, options.window, options.overlap)
        for window, pictures in read_windows(dataset, windows, options):
            with explained(window, video):
                tracks.add(window, _run(model, pictures), seen=tuple(pictures.shape[-2:]))
            bar.update(window.last - window.first)
    class_logits = tracks.mean_class_logits()
    ids = _category_ids(categories, class_logits.shape[1] - 1)
    return tuple(
        PredictedTrack(video.id, ids[label], score, tuple(tracks.masks[track]))
        for track, label, score in tracks.best(class_logits)
    )


class _Tracks:
    """The tracks so far: sums of class logits, and masks as run lengths."""

    def __init__(self, options: Options, video: Video):
        self.options, self.video = options, video
        self.joined = JOINS[options.join]()
        self.stop = 0  # of the last window
        self.class_logits = defaultdict(float)  # by track: the sum over its windows, (C+1,)
        self.windows = Counter()  # by track: in how many it was
        self.masks: dict[int, list[RLE | None]] = defaultdict(lambda: [None] * video.length)

    def add(self, window: Window, prediction: ClipPrediction, seen: tuple[int, int]) -> None:
        class_logits = prediction.class_logits[0].double().cpu()
        mask_logits = prediction.mask_logits[0]
        shared, self.stop = self.stop - window.start, window.stop
        wanted = numbers = list(range(len(mask_logits)))
        if window.stop - window.start == self.video.length:  # these are the best tracks already
            wanted = sorted({query for query, _, _ in self.best(class_logits)})
        else:
            embeddings = None if prediction.embeddings is None else prediction.embeddings[0]
            numbers = self.joined.join(embeddings, mask_logits, shared).tolist()
        self.windows.update(numbers)
        for logits, number in zip(class_logits, numbers, strict=True):
            self.class_logits[number] += logits
        size = self.video.height, self.video.width
        for frame in range(window.first, window.last):
            logits = mask_logits[wanted, frame - window.start]
            encoded = instances.encode(logits, prediction.stride, seen, size)
            for query, mask in zip(wanted, encoded, strict=True):
                self.masks[numbers[query]][frame] = mask

    def mean_class_logits(self) -> Tensor:
        """(tracks, C+1): over the windows that a track was in, as MinVIS averages over frames."""
        return torch.stack([self.class_logits[n] / self.windows[n] for n in sorted(self.windows)])

    def best(self, class_logits: Tensor) -> list[tuple[int, int, float]]:
        """(N, C+1) -> (track, class, score) of the wanted number."""
        return instances.choose(class_logits, self.options.top, self.options.class_agnostic)


def _run(model: nn.Module, pictures: Tensor) -> ClipPrediction:
    """pictures: (T, 3, h, w) uint8, on any device."""
    clip = pictures[None].to(device_of(model))
    return model(clip, every_layer=False) if isinstance(model, VideoMask2Former) else model(clip)


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
def explained(window: Window, video: Video) -> Iterator[None]:
    """Running out of memory becomes an error that says where, and what to change."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        told = isinstance(error, torch.OutOfMemoryError | MemoryError)
        if not (told or "DefaultCPUAllocator" in str(error)):
            raise
        raise DataError(
            f"out of memory with {window.stop - window.start} frames at once",
            video=video.name,
            field=f"frames {window.start} to {window.stop - 1}",
            remedy="Use windows of fewer frames (--window) or smaller frames (--shorter-side)",
        ) from error
