"""A video's frames from wherever they come, and windows of them at the model's size."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from evis.data import video as own_video
from evis.data.errors import DataError
from evis.data.types import Video, VISDataset
from evis.inference.options import Options
from evis.trackers.windows import Window

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


def read_windows(
    dataset: VISDataset, plan: Sequence[Window], options: Options
) -> Iterator[tuple[Window, Tensor]]:
    """Each window of the one video with its frames, (T, 3, h, w) uint8, at the model's size."""
    (video,) = dataset.videos
    held: list[Tensor] = []
    start = 0
    for window in plan:
        held = held[window.start - start :]
        start = window.start
        for index in range(start + len(held), window.stop):
            frame = resized(dataset.frame(video.id, index), options)
            held.append(torch.from_numpy(frame).permute(2, 0, 1))
        yield window, torch.stack(held)


def resized(frame: np.ndarray, options: Options) -> np.ndarray:
    """As in training, by area if made smaller."""
    height, width = options.seen_size(*frame.shape[:2])
    if (height, width) == frame.shape[:2]:
        return np.array(frame)  # a copy: a decoded picture is read-only
    smaller = height < frame.shape[0]
    return cv2.resize(
        frame, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
