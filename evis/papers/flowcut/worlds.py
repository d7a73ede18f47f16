"""Small drawn worlds in which motion should help a cut, and in which it should not.

A cloth of two colours, and on it an ellipse of another cloth: of other colours, or camouflaged, of
the same. The object moves or rests, and so does the camera.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from evis.foundation import flow

HEIGHT, WIDTH = 80, 120
SAND = np.array([[214, 190, 140], [150, 124, 84]])  # the two colours of a cloth, RGB
BLUE = np.array([[90, 140, 200], [40, 70, 140]])
_ROOM, _PLACE, _RADII = 60, (40, 54), (17, 22)  # rows and columns
_NOISE = 2.0  # grey levels, as a sensor adds


@dataclass(frozen=True)
class World:
    """step, camera: how far the object and the camera go in a frame, pixels down and right."""

    colours: np.ndarray
    step: tuple[int, int] = (0, 0)
    camera: tuple[int, int] = (0, 0)

    def clip(
        self, seed: int = 0, length: int = flow.GAP + 1
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Frames (h, w, 3) uint8, and the object's mask (h, w) in the first."""
        generator = np.random.default_rng(seed)
        ground, own = (_cloth(generator, colours) for colours in (SAND, self.colours))
        frames, masks = [], []
        for t in range(length):
            down, right = np.multiply(self.camera, t)
            view = ground[_ROOM + down :, _ROOM + right :][:HEIGHT, :WIDTH]
            place = np.add(_PLACE, np.multiply(np.subtract(self.step, self.camera), t))
            inside = _ellipse(place)
            share = cv2.GaussianBlur(inside.astype(float), (0, 0), 1)[..., None]  # soft edges
            moved = np.roll(own, place - np.array(_PLACE), (0, 1))[:HEIGHT, :WIDTH]
            noisy = share * moved + (1 - share) * view + generator.normal(0, _NOISE, view.shape)
            frames.append(noisy.clip(0, 255).astype(np.uint8))
            masks.append(inside)
        return frames, masks[0]


WORLDS: Mapping[str, World] = {
    "plain: all rests": World(BLUE),
    "still camera, moving object": World(BLUE, step=(0, 2)),
    "moving camera, still object": World(BLUE, camera=(1, 2)),
    "camouflaged, moving object": World(SAND, step=(0, 2)),
}


def _cloth(generator: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """Larger than the picture, (h, w, 3): spots of two sizes."""
    noise = generator.normal(size=(HEIGHT + 2 * _ROOM, WIDTH + 2 * _ROOM)).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(noise, (0, 0), width) for width in (1.5, 4))
    share = 0.5 + 0.5 * np.tanh((fine / fine.std() + coarse / coarse.std()) / 1.5)[..., None]
    return share * colours[0] + (1 - share) * colours[1]


def _ellipse(middle: np.ndarray) -> np.ndarray:
    away = (np.indices((HEIGHT, WIDTH)).T - middle) / _RADII
    return (away**2).sum(-1).T < 1
