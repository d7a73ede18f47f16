"""Captions for toy stills: sentences about what a picture's pixels and its class words tell.

Of its labels a picture gives its class words alone, as a web page gives the words around it: how
many objects there are, and where, no caption is told. Colour, size and surroundings are those of
masks that MaskCut finds without any label.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from tqdm.auto import tqdm

from evis.data.types import Box, VISDataset
from evis.foundation import colour
from evis.foundation.toy_clip import TEMPLATES, words
from evis.labels import crf, maskcut

# Names of hues, each up to so many degrees; red is at both ends.
HUES = (
    ("red", 20), ("orange", 45), ("yellow", 70), ("green", 160), ("cyan", 200), ("blue", 255),
    ("purple", 290), ("pink", 340), ("red", 361),
)  # fmt: skip
GREYS = (("black", 60), ("grey", 190), ("white", 256))  # each up to a brightness
PALE = 0.12  # saturation below which a colour is a grey
SMALL, BIG = 0.06, 0.15  # of the picture


@dataclass(frozen=True)
class Seen:
    """A picture, or a part of it that MaskCut set apart, in words; "" for what is not told."""

    box: Box
    colour: str
    size: str
    ground: str  # the colour around it


def look(pictures: Sequence[np.ndarray]) -> list[list[Seen]]:
    """Of each picture (h, w, 3) uint8 first the whole, then what MaskCut finds in it."""
    return [_look(picture) for picture in tqdm(pictures, "look", unit="picture", disable=None)]


def _look(picture: np.ndarray) -> list[Seen]:
    height, width = picture.shape[:2]
    found = crf.enlarged(picture, maskcut.masks(colour.features(picture)))
    found = [mask for mask in found if mask.any() and not mask.all()]
    bare = picture[~np.any(found, axis=0)] if found else picture.reshape(-1, 3)
    ground = colour_word(bare) if len(bare) else ""
    seen = [Seen((0, 0, width, height), "", "", ground)]
    for mask in found:
        x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        share = mask.mean()
        size = "small" if share < SMALL else "big" if share > BIG else ""
        around = colour_word(picture[~mask])
        seen.append(Seen((x, y, w, h), colour_word(picture[mask]), size, around))
    return seen


def colour_word(pixels: np.ndarray) -> str:
    """(n, 3) uint8 RGB -> the name of their mean colour."""
    mean = pixels.mean(0).astype(np.float32) / 255
    hue, saturation, value = cv2.cvtColor(mean[None, None], cv2.COLOR_RGB2HSV)[0, 0]
    if saturation < PALE:
        return next(word for word, end in GREYS if 255 * value < end)
    return next(word for word, end in HUES if hue < end)


def class_words(dataset: VISDataset) -> list[tuple[str, ...]]:
    """Of each frame of each video the names of the classes in its video: all that is looked at."""
    names = dataset.category_names
    found = []
    for video in dataset.videos:
        classes = {names[track.category_id] for track in dataset.tracks_of(video.id)}
        found += [tuple(sorted(classes))] * video.length
    return found


def caption(
    rng: np.random.Generator,
    seen: Seen,
    names: Sequence[str],
    synonyms: Mapping[str, Sequence[str]],
) -> str:
    """A sentence. Of a part it names one class of the picture's, of a picture all."""
    called = [rng.choice(synonyms.get(name, (name,))) for name in names]
    if not called:
        called = ["thing"]
    elif seen.colour:  # a part
        called = [called[rng.integers(len(called))]]
    ground = seen.ground and f"on {seen.ground} ground"
    parts = zip((seen.size, seen.colour, ground), rng.random(3) < 0.5, strict=True)
    size, colour_, around = (part if told else "" for part, told in parts)
    phrase = " ".join(filter(None, (size, colour_, " and ".join(called), around)))
    return TEMPLATES[rng.integers(len(TEMPLATES))].replace("{}", phrase)


def vocabulary(names: Iterable[str], synonyms: Mapping[str, Sequence[str]]) -> list[str]:
    """Every word that a caption can hold."""
    texts = [*TEMPLATES, *names, *(word for several in synonyms.values() for word in several)]
    texts += [word for word, _ in HUES + GREYS] + ["small big thing and on ground"]
    return sorted({word for text in texts for word in words(re.sub(r"[{}]", "", text))})
