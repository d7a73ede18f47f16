"""A data set of one video of noise, for what needs some input and hardly cares which."""

import numpy as np

from evis.data import masks
from evis.data.types import Category, Track, Video, VISDataset

SPEED = 6  # pixels a frame: three logits of the toy networks, as far as TK looks for matches


def made_up(frames: int, classes: int, size: tuple[int, int]) -> VISDataset:
    """One video of `frames` frames of noise that drifts to the right, with two objects.

    size: height and width. The objects are rectangles of the first class, with boxes and masks.
    """
    height, width = size
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tracks = []
    for number in (1, 2):
        left, top, w, h = (2 * number - 1) * width // 6, height // 4, width // 4, height // 2
        lefts = [min(left + SPEED * frame, width - w) for frame in range(frames)]
        tracks.append(
            Track(
                id=number,
                video_id=1,
                category_id=1,
                boxes=tuple((float(x), float(top), float(w), float(h)) for x in lefts),
                masks=tuple(masks.encode(_rectangle(size, x, top, w, h)) for x in lefts),
                areas=(float(w * h),) * frames,
            )
        )

    def read(video: Video, frame: int) -> np.ndarray:
        return np.roll(picture, SPEED * frame, axis=1)

    video = Video(1, "made up", height, width, ("noise",) * frames)
    categories = tuple(Category(number, f"class {number}") for number in range(1, classes + 1))
    return VISDataset((video,), tuple(tracks), categories, read)


def _rectangle(size: tuple[int, int], left: int, top: int, w: int, h: int) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[top : top + h, left : left + w] = True
    return mask
