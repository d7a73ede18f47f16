"""Claims of UVIS that need no training row; claims.toml names these functions."""

import numpy as np

from evis.companion import stand_ins
from evis.companion.claims import CANNOT_TELL, CONTRADICTED, HOLDS, Finding
from evis.data import toy
from evis.foundation import toy_clip
from evis.labels import names
from evis.papers.uvis.recipes import named

ASKED = 0.7  # of a CLIP score
VIDEOS = 12  # whose objects `toy_clip` names


def no_annotation() -> Finding:
    """By the recipe: what a stage may learn from, and what its backbone starts from."""
    stage = named("uvis")
    words = f"the stage learns at the level {stage.supervision!r}, from {stage.init}'s class labels"
    return Finding(HOLDS if stage.supervision == "none" else CONTRADICTED, words)


def clip_score() -> Finding:
    """On objects of toy videos, by `toy_clip`: whether any score is as high as is asked for."""
    dataset, clip = toy.sample("toy-ytvis19", VIDEOS, seed=1, split="valid"), toy_clip.load()
    crops, _ = stand_ins.objects(dataset)
    return reached(clip.images(crops), clip.texts(list(dataset.category_names.values())))


def reached(images: np.ndarray, texts: np.ndarray) -> Finding:
    """(n, C) of crops, (K, C) of names: Eq. 1's plain product, or else its softmax over the names
    at CLIP's temperature. If only the second is ever so high, it hangs on what the score is.
    """
    products = (names.unit(images, "crops") @ names.unit(texts, "names").T).max(1)
    _, probabilities = names.name(images, texts)
    plain, soft = ((scores >= ASKED).mean() for scores in (products, probabilities))
    verdict = HOLDS if plain else CANNOT_TELL if soft else CONTRADICTED
    words = (
        f"of {len(images)} objects named by toy_clip, {plain:.0%} have a product of {ASKED} or "
        f"more, as Eq. 1 is printed, and {soft:.0%} such a softmax at CLIP's temperature"
    )
    return Finding(verdict, words)
