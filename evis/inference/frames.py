"""A video's frames from wherever they come, and windows of them at the model's size."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from evis.data import video as own_video
from evis.data.clips import Geometry
from evis.data.errors import DataError
from evis.data.types import Video, VISDataset
from evis.inference.options import Options
from evis.trackers.windows import Window

T = TypeVar("T")
Frames = Sequence[np.ndarray]  # (h, w, 3) uint8 RGB each, one size


def as_dataset(source: str | Path | VISDataset | Frames) -> VISDataset:
    """A data set of one video, from a folder of pictures, a video file, or frames in memory too."""
    if isinstance(source, str | Path):
        return own_video.read(source)
    if not isinstance(source, VISDataset):
        return _of_memory(source)
    if len(source.videos) != 1:
        raise DataError(
            f"holds {len(source.videos)} videos where one is asked for",
            remedy="Use predict_dataset, or give dataset.subset([video_id])",
        )
    return source


def _of_memory(frames: Frames) -> VISDataset:
    def read(video: Video, index: int) -> np.ndarray:
        frame = np.asarray(frames[index])
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
            problem = f"should be (height, width, 3) uint8 RGB, is {frame.shape} {frame.dtype}"
            raise DataError(problem, frame=index)
        return frame

    if not len(frames):
        raise DataError("there are no frames", remedy="Give at least one picture")
    height, width, _ = read(None, 0).shape
    video = Video(1, "frames in memory", height, width, tuple(map(str, range(len(frames)))))
    return VISDataset((video,), (), (), read, supervision="none")


def read_clips(
    dataset: VISDataset, groups: Iterable[Sequence[Window]], options: Options, device: torch.device
) -> Iterator[Tensor]:
    """The clips of each group of windows, (windows, T, 3, h, w) uint8, at the model's size.

    A frame is read once, by a thread and while the model sees the group before, and moved once.
    """
    held = torch.zeros(0, dtype=torch.uint8, device=device)  # the frames from `start` on
    start = 0
    for group, frames in _ahead(_read(dataset, groups, options, pin=device.type == "cuda")):
        new = frames.to(device, non_blocking=True).permute(0, 3, 1, 2)
        held = torch.cat([held[group[0].start - start :], new])
        start = group[0].start
        yield torch.stack([held[w.start - start : w.stop - start] for w in group])


def _read(
    dataset: VISDataset, groups: Iterable[Sequence[Window]], options: Options, pin: bool
) -> Iterator[tuple[Sequence[Window], Tensor]]:
    """Each group with the frames that none before it has, (n, h, w, 3) uint8."""
    (video,) = dataset.videos
    size = video.height, video.width
    geometry = Geometry(size, options.seen_size(*size), flipped=False)  # as in training
    done = 0
    for group in groups:
        new = range(done, group[-1].stop)
        done = group[-1].stop
        pictures = [geometry.picture(dataset.frame(video.id, index)) for index in new]
        frames = torch.from_numpy(np.stack(pictures))
        yield group, frames.pin_memory() if pin else frames


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The items, each made in a thread while the one before it is used."""
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = thread.submit(next, items, None)
            yield item
