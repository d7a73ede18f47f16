"""Features of patches without any training: colour, texture and place. The floor for DINO's.

`features` is an extractor as `evis.foundation.dino.load` gives: a frame (h, w, 3) uint8 RGB ->
(rows, columns, C) float32, each of length 1.
"""

import cv2
import numpy as np

from evis.foundation.pretrained import check_picture

CELLS = 24  # along the longer side of a frame: 16 x 24 for 64 x 96 pixels
# Distances in colour, texture (LAB's units) and place (of the longer side) at a cosine of 0.6.
# Chosen among six by MaskCut's masks on 80 training stills of toy-coco, whose true masks were seen.
COLOUR, TEXTURE, PLACE = 15.0, 15.0, 0.5
DIRECTIONS = 128


def features(frame: np.ndarray, cells: int = CELLS) -> np.ndarray:
    """LAB's mean and deviation in each cell, and its place, as directions: (rows, columns, 256).

    The cosine of two patches is about exp(-d^2 / 2), d their distance in units of the three scales:
    1 for what is the same, 0 for what is far apart in any of them, as cuts with a threshold need.
    """
    check_picture(frame)
    rows, columns = grid(*frame.shape[:2], cells)
    lab = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float64)

    def mean(pixels: np.ndarray) -> np.ndarray:
        return cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA)

    colour = mean(lab)
    texture = np.sqrt(np.maximum(mean(lab**2) - colour**2, 0))
    place = np.mgrid[:rows, :columns].transpose(1, 2, 0) / max(rows, columns)
    scaled = np.concatenate([colour / COLOUR, texture / TEXTURE, place / PLACE], axis=-1)
    return spread(scaled)


def spread(places: np.ndarray) -> np.ndarray:
    """(..., C) -> (..., 256) of length 1, whose cosines are about exp(-d^2 / 2), d the distance.

    Random Fourier features; the generator's numbers never change.
    """
    angles = places @ np.random.RandomState(0).standard_normal((places.shape[-1], DIRECTIONS))
    made = np.concatenate([np.cos(angles), np.sin(angles)], axis=-1)
    return (made / np.sqrt(DIRECTIONS)).astype(np.float32)


def grid(height: int, width: int, cells: int) -> tuple[int, int]:
    """Rows and columns of about square cells, so many along the longer side of a frame; none is
    smaller than a pixel."""
    longer = min(cells, max(height, width))
    rows, columns = (max(1, round(longer * side / max(height, width))) for side in (height, width))
    return rows, columns
