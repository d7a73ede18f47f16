"""A video's frames: what identifies them, and windows of them at the model's size."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from evis.data import video as own_video
from evis.data.errors import DataError
from evis.data.frames import PictureFolder, VideoFile
from evis.data.types import VISDataset
from evis.inference.options import Options
from evis.trackers.windows import Window

Frames = Sequence[np.ndarray]  # (h, w, 3) uint8 RGB each, one size


class VideoFrames(Sequence):
    """One video of a data set; a frame is read when it is asked for."""

    def __init__(self, dataset: VISDataset, video_id: int):
        self.dataset, self.video = dataset, dataset.video(video_id)

    def __len__(self) -> int:
        return self.video.length

    def __getitem__(self, frame: int) -> np.ndarray:
        return self.dataset.frame(self.video.id, frame)

    def digest(self) -> str:
        """A hash of all that the frames are read from: files' bytes, or else the pictures'."""
        sha = hashlib.sha256()
        for content in self._contents():
            sha.update(hashlib.sha256(content).digest())
        return sha.hexdigest()

    def _contents(self) -> Iterator[bytes | np.ndarray]:
        read = self.dataset.read_frame
        if isinstance(read, VideoFile) and read.path.is_file():
            yield np.memmap(read.path, mode="r")
            return
        for index, name in enumerate(self.video.frames):
            if isinstance(read, PictureFolder) and (read.root / name).is_file():
                yield (read.root / name).read_bytes()
            else:
                yield np.ascontiguousarray(self[index])


def open_frames(source: str | Path | VISDataset | Frames) -> Frames:
    """A folder of pictures, a video file, a data set of one video, or frames in memory."""
    if isinstance(source, str | Path):
        source = own_video.read(source)
    if isinstance(source, VISDataset):
        if len(source.videos) != 1:
            raise DataError(
                f"holds {len(source.videos)} videos where one is asked for",
                remedy="Use predict_dataset, or VideoFrames(dataset, video_id)",
            )
        return VideoFrames(source, source.videos[0].id)
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
