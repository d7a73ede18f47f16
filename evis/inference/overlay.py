"""A video under its predicted tracks, as mp4 or gif, written frame by frame."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from evis.data import masks
from evis.data.frames import VideoFile, open_video
from evis.data.predictions import PredictedTrack
from evis.data.types import Video, VISDataset
from evis.data.video import Films
from evis.inference import drawing
from evis.inference.table import name, numbered
from evis.inference.video_writer import check_size, write_video

LEAST_HEIGHT = 320  # smaller frames are enlarged by a whole factor, so that labels can be read
WIDEST = 4096  # what no frame is enlarged beyond
FRAME_RATE = 6.0  # of YouTube-VIS, for frames that come as pictures

Plate = tuple[int, int, int, int]  # a label's x, y, width, height


def write(
    path: str | Path,
    dataset: VISDataset,
    video_id: int,
    predictions: Sequence[PredictedTrack],
    threshold: float = 0.0,
) -> Path:
    """Write the overlay as .mp4 or .gif, whole or not at all."""
    pictures = draw(dataset, video_id, predictions, threshold)
    return write_video(path, pictures, frame_rate(dataset, video_id))


def check(dataset: VISDataset, kind: str) -> None:
    """Whether all videos can be drawn as mp4 or gif, before the work that overlays come after."""
    for video in dataset.videos:
        scale = _scale(video)
        check_size(f".{kind}", scale * video.height, scale * video.width, video=video.name)


def _scale(video: Video) -> int:
    return max(1, min(-(-LEAST_HEIGHT // video.height), WIDEST // video.width))


def draw(
    dataset: VISDataset,
    video_id: int,
    predictions: Sequence[PredictedTrack],
    threshold: float = 0.0,
) -> Iterator[np.ndarray]:
    """Each frame with masks, outlines, and a label of number, category and score a track."""
    video = dataset.video(video_id)
    shown = numbered(predictions, video_id, threshold)
    scale = _scale(video)
    for index in range(video.length):
        picture = drawing.enlarge(dataset.frame(video_id, index), scale)
        found = [(n, t, t.masks[index]) for n, t in shown if t.masks[index] is not None]
        for number, _, mask in reversed(found):  # the best on top
            mask = drawing.enlarge(masks.decode(mask), scale)
            picture = drawing.draw_mask(picture, mask, drawing.colour(number - 1))
        plates: list[Plate] = []
        for number, track, mask in found:
            text = f"{number} {name(track.category_id, dataset.category_names)} {track.score:.2f}"
            x, y, *_ = (round(scale * side) for side in masks.tight_box(mask))
            plates.append(_label(picture, text, (x, y), drawing.colour(number - 1), plates))
        yield picture


def _label(
    picture: np.ndarray,
    text: str,
    corner: tuple[int, int],
    rgb: tuple[int, int, int],
    taken: Sequence[Plate],
) -> Plate:
    """Draw the text on a plate of the track's colour, above `corner` but within the picture.

    Where other plates are, it goes below them.
    """
    font, size = cv2.FONT_HERSHEY_SIMPLEX, max(0.4, picture.shape[0] / 900)
    thickness = 1 if size < 0.8 else 2
    (text_width, text_height), below = cv2.getTextSize(text, font, size, thickness)
    margin = max(2, below // 2)
    width, height = text_width + 2 * margin, text_height + below + 2 * margin
    left = max(0, min(corner[0], picture.shape[1] - width))
    top = max(0, min(corner[1] - height, picture.shape[0] - height))
    while covered := [other for other in taken if _overlap((left, top, width, height), other)]:
        top = max(y + h for _, y, _, h in covered) + 1
    cv2.rectangle(picture, (left, top), (left + width, top + height), rgb, -1)
    bright = np.dot(rgb, (0.299, 0.587, 0.114)) > 140
    ink = (0, 0, 0) if bright else (255, 255, 255)
    place = left + margin, top + margin + text_height
    cv2.putText(picture, text, place, font, size, ink, thickness, cv2.LINE_AA)
    return left, top, width, height


def _overlap(a: Plate, b: Plate) -> bool:
    return all(a[i] <= b[i] + b[i + 2] and b[i] <= a[i] + a[i + 2] for i in (0, 1))


def frame_rate(dataset: VISDataset, video_id: int) -> float:
    """Frames a second: the video file's own, or `FRAME_RATE`."""
    reader = dataset.read_frame
    if isinstance(reader, Films):
        reader = reader.of(dataset.video(video_id))
    if not isinstance(reader, VideoFile):
        return FRAME_RATE
    stream = open_video(reader.path)
    rate = stream.get(cv2.CAP_PROP_FPS)
    stream.release()
    return rate if 0.01 <= rate <= 240 else FRAME_RATE
