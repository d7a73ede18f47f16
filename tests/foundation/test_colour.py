"""Features without training: their cosine is a kernel, and a disc is cut out by them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.foundation import colour
from evis.labels import maskcut


def test_grid_and_length():
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    found = colour.features(frame)
    assert found.shape == (16, 24, 256) and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)
    assert colour.features(frame, cells=48).shape == (32, 48, 256)


@settings(max_examples=40)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 30))
def test_any_size_of_frame(height, width, cells):
    found = colour.features(np.full((height, width, 3), 90, np.uint8), cells)
    assert max(found.shape[:2]) == min(cells, max(height, width)) and np.isfinite(found).all()
    assert found.shape[0] <= height and found.shape[1] <= width


def test_the_cosine_falls_with_each_distance():
    """As a Gaussian kernel, up to the 128 directions that stand for all."""
    grey = np.full((4, 96, 3), 119, np.uint8)
    row = colour.features(grey)[0]
    np.testing.assert_allclose(row @ row[0], np.exp(-2 * (np.arange(24) / 24) ** 2), atol=0.15)
    lighter = grey + np.uint8(38)  # 50 to 65 in L: one unit away
    across = (colour.features(lighter)[0] * row).sum(-1)
    np.testing.assert_allclose(across, np.exp(-0.5), atol=0.1)
    striped = grey.copy()
    striped[:, ::2] = 0
    assert ((colour.features(striped)[0] * row).sum(-1) < 0.3).all()


def test_maskcut_finds_a_disc():
    rows, columns = np.mgrid[:64, :96]
    disc = (rows - 30) ** 2 + (columns - 60) ** 2 <= 18**2
    frame = np.where(disc[..., None], (200, 60, 40), (60, 110, 70)).astype(np.uint8)
    frame += np.random.default_rng(0).integers(0, 8, frame.shape, dtype=np.uint8)
    mask = maskcut.masks(colour.features(frame), count=1)[0].repeat(4, 0).repeat(4, 1)
    assert (mask & disc).sum() / (mask | disc).sum() > 0.85


def test_bad_frames_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        colour.features(np.zeros((4, 4, 3)))
