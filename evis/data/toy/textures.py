"""Textures: pieces of real photographs that come inside scikit-learn and matplotlib, recoloured."""

from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from evis.data.frames import read_picture
from evis.data.toy.motion import rotation
from evis.data.toy.spec import ToySpec

LEVELS = 4  # halvings of a photo kept for drawing it small without flicker
_HUES = np.array([[2, -1, -1], [0, 1, -1]]) / np.sqrt([[6], [2]])  # red, green: axes off grey


def _photo(name: str) -> np.ndarray:
    """(h, w, 3) uint8 RGB."""
    match name:
        case "china" | "flower":
            return read_picture(_file("sklearn", f"datasets/images/{name}.jpg"))
        case "flag":
            return read_picture(_file("matplotlib", f"{_SAMPLES}/grace_hopper.jpg"))[:340, :190]
        case "uniform":
            return read_picture(_file("matplotlib", f"{_SAMPLES}/grace_hopper.jpg"))[380:]
        case "present":
            icon = read_picture(_file("matplotlib", f"{_SAMPLES}/Minduka_Present_Blue_Pack.png"))
            return cv2.resize(icon, (512, 512), interpolation=cv2.INTER_CUBIC)
        case "terrain":
            return _terrain()


_SAMPLES = "mpl-data/sample_data"


def _file(package: str, name: str) -> Path:
    """A file inside an installed package, found without importing it, which takes a second."""
    return Path(find_spec(package).submodule_search_locations[0]) / name


def _terrain() -> np.ndarray:
    """A relief map as a picture: height coloured from green to brown to white."""
    height = np.load(_file("matplotlib", f"{_SAMPLES}/jacksboro_fault_dem.npz"))["elevation"]
    share = (height.astype(float) - height.min()) / np.ptp(height)
    stops = np.array([[24, 52, 30], [92, 128, 58], [170, 140, 88], [245, 240, 232]], float)
    channels = [np.interp(share, np.linspace(0, 1, 4), stop) for stop in stops.T]
    return np.rint(np.stack(channels, -1)).astype(np.uint8)


@cache
def pyramid(photo: str) -> tuple[np.ndarray, ...]:
    """The photo as (h, w, 3) uint8 RGB, then halved again and again."""
    levels = [np.ascontiguousarray(_photo(photo))]
    while len(levels) < LEVELS:
        levels.append(cv2.pyrDown(levels[-1]))
    return tuple(levels)


@cache
def _brightness(photo: str) -> float:
    return float(pyramid(photo)[-1].mean())


@dataclass(frozen=True)
class Surface:
    """A photo in other colours, how it is laid out (`middle` + `layout` @ point in frame heights),
    and what light does to it."""

    photo: np.ndarray  # (h, w, 3) uint8, before `colours`
    colours: tuple[np.ndarray, ...]  # (3, 4) matrices, one after another
    middle: np.ndarray  # (2,) picture pixel x, y at the origin
    layout: np.ndarray  # (2, 2) picture pixels a frame height
    relief: float = 0.0  # darkening towards the edge
    shadow: float = 0.0
    softness: float = 0.0  # of relief and shadow, in frame heights

    def painted(self, planes: np.ndarray, boxes: np.ndarray) -> "Surface":
        """With its colours laid on where it shows: a photo is large, and little of it is seen.

        It shows in boxes (S, 4) of frames that planes (S, 2, 3) take to its own plane, see `draw`.
        """
        corners = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]].swapaxes(1, 2)  # (S, 2, corners)
        local = planes[..., :2] @ corners + planes[..., 2:]
        seen = self.layout @ local + self.middle[:, None]
        size = np.array(self.photo.shape[1::-1])
        first, last = np.floor(seen.min((0, 2))) - 1, np.ceil(seen.max((0, 2))) + 2
        mirrored = (first < 0) | (last > size)  # a photo goes on beyond its edges
        first, last = np.where(mirrored, [[0, 0], size], [first, last]).astype(int)
        shown = (slice(first[1], last[1]), slice(first[0], last[0]))
        part = self.photo[shown]
        for matrix in self.colours:
            part = cv2.transform(part, matrix)
        picture = np.empty(self.photo.shape, np.uint8)  # nothing reads the rest
        picture[shown] = part
        return replace(self, photo=picture, colours=())

    def draw(self, to_local: np.ndarray, box: np.ndarray) -> np.ndarray:
        """The painted texture over the frame's pixels x0:x1, y0:y1 (the box): (h, w, 3) uint8.

        `to_local` (2, 3) takes continuous frame coordinates in pixels to the texture's own plane.
        """
        x0, y0, x1, y1 = box
        linear = self.layout @ to_local[:, :2]
        first = to_local[:, :2] @ (x0 + 0.5, y0 + 0.5) + to_local[:, 2]  # the first pixel's middle
        shift = self.layout @ first + self.middle
        return cv2.warpAffine(
            self.photo,
            np.column_stack([linear, shift]),
            (x1 - x0, y1 - y0),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )


def recolouring(rng: np.random.Generator, spec: ToySpec, mean: float) -> np.ndarray:
    """(3, 4) matrix that turns hues about grey, and changes saturation, contrast, brightness.

    `mean` is the photo's mean brightness: a dark photo is lifted, so that little of it is black.
    """
    turn = spec.recolour * rng.uniform(-np.pi, np.pi)
    grey = np.full((3, 3), 1 / 3)
    axis = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    saturation = np.exp(rng.uniform(-0.5, 0.5))
    hue = np.cos(turn) * (np.eye(3) - grey) + np.sin(turn) * axis
    contrast = np.exp(rng.uniform(*np.log(spec.contrast)))
    matrix = contrast * (grey + saturation * hue)
    brightness = rng.uniform(80, 170)
    return np.column_stack([matrix, brightness - matrix @ np.full(3, mean)])


def pick(rng: np.random.Generator, spec: ToySpec) -> Surface:
    """A random piece of a random photo of the set's, at a random scale, angle and colour."""
    photo = spec.photos[rng.integers(len(spec.photos))]
    grain = np.exp(rng.uniform(*np.log(spec.grain)))
    wanted = np.log2(grain / spec.size[0])
    level = int(np.clip(np.rint(wanted), 0, LEVELS - 1))
    colours = recolouring(rng, spec, _brightness(photo))
    picture = pyramid(photo)[level]
    height, width = picture.shape[:2]
    angle = rng.uniform(-np.pi, np.pi)
    layout = grain / 2**level * rotation(angle)
    middle = rng.uniform(0.15, 0.85, 2) * (width, height)
    return Surface(picture, (colours,), middle, layout)


def coloured(surface: Surface, hue: float, chroma: float) -> Surface:
    """The texture dyed: little of its own colours, and this hue, so many grey levels off grey."""
    paler = 0.3 * np.eye(3) + 0.7 / 3
    dye = chroma * (np.cos(hue) * _HUES[0] + np.sin(hue) * _HUES[1])
    return replace(surface, colours=(*surface.colours, np.column_stack([paler, dye])))


def like(rng: np.random.Generator, surface: Surface, shift: float) -> Surface:
    """Another piece of the same recoloured photo, somewhat brighter or darker: camouflage."""
    levels = rng.choice([-1.0, 1.0]) * shift * rng.uniform(0.5, 1.0)
    colours = (*surface.colours, np.column_stack([np.eye(3), np.full(3, levels)]))
    grain = np.sqrt(abs(np.linalg.det(surface.layout)))
    offset = rng.uniform(-0.5, 0.5, 2) * grain
    return Surface(surface.photo, colours, surface.middle + offset, surface.layout)
