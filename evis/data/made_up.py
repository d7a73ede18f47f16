"""A data set of one video of noise, for what needs some input and hardly cares which."""

from dataclasses import replace

import numpy as np

from evis.data import masks
from evis.data.supervision import P1N1, weaken
from evis.data.types import Category, Supervision, Track, Video, VISDataset

SPEED = 6  # pixels a frame: three logits of the toy networks, as far as TK looks for matches


def made_up(frames: int, classes: int, size: tuple[int, int]) -> VISDataset:
    """One video of `frames` frames of noise that drifts to the right, with two objects.

    size: height and width. The objects are rectangles of the first class, with boxes and masks.
    """
    height, width = size
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tracks = []
    for number in (1, 2):
        left, top, wide, high = (2 * number - 1) * width // 6, height // 4, width // 4, height // 2
        bitmaps = np.zeros((frames, height, width), dtype=bool)
        for frame, bitmap in enumerate(bitmaps):
            x = min(left + SPEED * frame, width - wide)
            bitmap[top : top + high, x : x + wide] = True
        tracks.append(Track(number, 1, 1).with_masks([masks.encode(bitmap) for bitmap in bitmaps]))

    def read(video: Video, frame: int) -> np.ndarray:
        return np.roll(picture, SPEED * frame, axis=1)

    video = Video(1, "made up", height, width, ("noise",) * frames)
    categories = tuple(Category(number, f"class {number}") for number in range(1, classes + 1))
    return VISDataset((video,), tuple(tracks), categories, read)


def pseudo(dataset: VISDataset, level: Supervision) -> VISDataset:
    """As if its masks were made from labels of this level, which stay beside them if clicks."""
    tracks = dataset.tracks
    if level == "point":
        clicked = weaken(dataset, level, P1N1).tracks
        both = zip(tracks, clicked, strict=True)
        tracks = tuple(replace(track, points=clicks.points) for track, clicks in both)
    return replace(dataset, tracks=tracks, supervision=level, origin="noise")
