"""A data set of one video of noise, for what needs some input and does not care which."""

import numpy as np

from evis.data import masks
from evis.data.types import Category, Track, Video, VISDataset


def made_up(frames: int, classes: int, size: tuple[int, int]) -> VISDataset:
    """One video of `frames` frames of noise that stands still, or one picture, with two objects.

    size: height and width. The objects are rectangles of the first class, with boxes and masks.
    """
    height, width = size
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tracks = []
    for number in (1, 2):
        left, top, w, h = (2 * number - 1) * width // 5, height // 4, width // 4, height // 2
        mask = np.zeros(size, dtype=bool)
        mask[top : top + h, left : left + w] = True
        tracks.append(
            Track(
                id=number,
                video_id=1,
                category_id=1,
                boxes=((float(left), float(top), float(w), float(h)),) * frames,
                masks=(masks.encode(mask),) * frames,
                areas=(float(w * h),) * frames,
            )
        )
    video = Video(1, "made up", height, width, ("noise",) * frames)
    categories = tuple(Category(number, f"class {number}") for number in range(1, classes + 1))
    return VISDataset((video,), tuple(tracks), categories, lambda video, frame: picture)
