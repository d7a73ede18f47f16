import numpy as np

from evis.papers.eigencluster.figures import spectral


def test_a_disc_is_positive_inside_and_negative_outside():
    mask = spectral.disc(radius=0.25, size=(40, 56)) > 0
    assert mask[20, 28] and not mask[20, 2]
    assert abs(mask.sum() - np.pi * 10**2) < 12
