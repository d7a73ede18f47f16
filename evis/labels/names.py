"""UVIS, Eq. 1: each crop gets the name whose text it resembles most.

The paper keeps crops whose CLIP score, in print the plain product of image and text embedding, is
0.7 or more. No such cosine exists in practice: CLIP's images and texts that belong together have
about 0.2 to 0.35. We read the score as CLIP's own probability of the name among all names given:
the softmax over cosines times CLIP's logit scale, 100. The name is the same under both readings.
"""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
from scipy.special import softmax

from evis.data import files
from evis.data.errors import DataError
from evis.data.types import Category, plain_name

SCALE = 100.0  # what CLIP and OpenCLIP are trained up to, one over the temperature


def categories(text: str, known: Sequence[Category] = ()) -> tuple[Category, ...]:
    """Names with commas between them, or a .txt file that has one a line, as categories.

    Names that `known` categories have keep their ids.
    """
    listed = _lines(Path(text)) if text.endswith(".txt") else text.split(",")
    stripped = [name.strip() for name in listed if name.strip()]
    if not stripped:
        raise DataError("no names are given", remedy="Give the classes that objects may have")
    plain = list(map(plain_name, stripped))
    if twice := [name for name in plain if plain.count(name) > 1]:
        problem = f"{twice[0]!r} is listed twice, so that neither is probable"
        raise DataError(problem, remedy="Give each name once")
    ids = {plain_name(category.name): category.id for category in known}
    free = count(max(ids.values(), default=0) + 1)
    return tuple(
        Category(ids[same] if same in ids else next(free), name)
        for same, name in zip(plain, stripped, strict=True)
    )


def _lines(path: Path) -> list[str]:
    try:
        return files.regular(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"can't be read as a list of names ({error})"
        raise DataError(problem, file=path, remedy="Give a text of one name a line") from None


def name(
    images: np.ndarray, texts: np.ndarray, scale: float = SCALE
) -> tuple[np.ndarray, np.ndarray]:
    """(n, C) of crops, (K, C) of names -> (n,) int: the name of each, and (n,): its score.

    Embeddings of any length but 0. A score is above 1 / K; of one name alone, every score is 1.
    """
    images, texts = np.asarray(images, dtype=float), np.asarray(texts, dtype=float)
    if texts.ndim != 2 or not len(texts):
        raise DataError(
            f"the embeddings of names should be (names, channels), are {texts.shape}",
            remedy="Give at least one name",
        )
    images = images if images.size else images.reshape(0, texts.shape[1])
    if images.ndim != 2 or images.shape[1] != texts.shape[1]:
        raise DataError(
            f"embeddings of crops {images.shape} don't fit those of names {texts.shape}"
        )
    cosines = unit(images, "crops") @ unit(texts, "names").T
    probabilities = softmax(scale * cosines, axis=1)
    return cosines.argmax(1), probabilities.max(1)


def unit(embeddings: np.ndarray, whose: str) -> np.ndarray:
    """(n, C) at length 1; DataError if one has no direction."""
    embeddings = np.asarray(embeddings, dtype=float)
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(bad):
        raise DataError(f"the embedding of number {bad[0]} of the {whose} is 0 or not finite")
    return embeddings / lengths
