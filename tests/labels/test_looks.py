"""The embedder as plain data: the stand-in's own numbers, and no name that it has no word of."""

import numpy as np
import pytest

from evis.data import DataError
from evis.foundation import toy_clip
from evis.labels.looks import Looks


def test_toy_clips_own_numbers():
    own, looks = toy_clip.load(), Looks()
    pictures = [np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)]
    assert np.array_equal(looks.images(pictures), own.images(pictures))
    assert np.array_equal(looks.texts(["star", "red disc"]), own.texts(["star", "red disc"]))
    assert looks.scale == own.scale


def test_names_that_it_has_no_word_of_are_refused():
    with pytest.raises(DataError, match="no word of 'person', 'giant_panda'. Name by a CLIP's"):
        Looks().texts(["star", "person", "giant_panda"])
    with pytest.raises(DataError, match=r"'n4', \.\.\. *\. Name"):
        Looks().texts([f"n{number}" for number in range(6)])
