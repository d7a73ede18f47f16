"""A video's frames, read when they are asked for, and windows of them at the model's size."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from evis.data import video as own_video
from evis.data.errors import DataError
from evis.data.types import VISDataset
from evis.inference.options import Options
from evis.trackers.windows import Window

Frames = Sequence[np.ndarray]  # (h, w, 3) uint8 RGB each, one size


class VideoFrames(Sequence):
    """The frames of a data set's only video."""

    def __init__(self, dataset: VISDataset):
        if len(dataset.videos) != 1:
            raise DataError(
                f"holds {len(dataset.videos)} videos where one is asked for",
                remedy="Use predict_dataset, or give dataset.subset([video_id])",
            )
        self.dataset, self.video = dataset, dataset.videos[0]

    def __len__(self) -> int:
        return self.video.length

    def __getitem__(self, frame: int) -> np.ndarray:
        return self.dataset.frame(self.video.id, frame)


def open_frames(source: str | Path | VISDataset | Frames) -> Frames:
    """A folder of pictures, a video file, a data set of one video, or frames in memory."""
    if isinstance(source, str | Path):
        source = own_video.read(source)
    if isinstance(source, VISDataset):
        return VideoFrames(source)
    if not len(source):
        raise DataError("there are no frames", remedy="Give at least one picture")
    return source


def read_windows(
    frames: Frames, plan: Sequence[Window], options: Options
) -> Iterator[tuple[Window, Tensor]]:
    """Each window with its frames, (T, 3, h, w) uint8, at the model's size."""
    held: list[Tensor] = []
    start, size = 0, None
    for window in plan:
        held = held[window.start - start :]
        start = window.start
        for index in range(start + len(held), window.stop):
            frame = _checked(frames[index], index, size)
            size = frame.shape[:2]
            held.append(torch.from_numpy(resized(frame, options)).permute(2, 0, 1))
        yield window, torch.stack(held)


def _checked(frame: np.ndarray, index: int, size: tuple[int, int] | None) -> np.ndarray:
    frame = np.asarray(frame)
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or 0 in frame.shape:
        raise DataError(
            f"should be (height, width, 3) uint8 RGB, is {frame.shape} {frame.dtype}", frame=index
        )
    if size is not None and frame.shape[:2] != size:
        raise DataError(
            f"the picture is {frame.shape[0]} x {frame.shape[1]} (height x width), those before "
            f"it {size[0]} x {size[1]}",
            frame=index,
            remedy="All frames of a video have one size",
        )
    return frame


def resized(frame: np.ndarray, options: Options) -> np.ndarray:
    """As in training, by area if made smaller."""
    height, width = options.seen_size(*frame.shape[:2])
    if (height, width) == frame.shape[:2]:
        return np.array(frame)  # a copy: a decoded picture is read-only
    smaller = height < frame.shape[0]
    return cv2.resize(
        frame, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
