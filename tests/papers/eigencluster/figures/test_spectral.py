import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from evis.papers.eigencluster.figures import clusters, spectral


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_disc_is_positive_inside_and_negative_outside():
    mask = spectral.disc(radius=0.25, size=(40, 56)) > 0
    assert mask[20, 28] and not mask[20, 2]
    assert abs(mask.sum() - np.pi * 10**2) < 12


def test_scenarios_change_what_they_name():
    cases = spectral.scenarios()
    areas = {name: (logits > 0).sum((1, 2)) for name, logits in cases.items()}
    assert (areas["grows"].diff() >= 0).all() and areas["grows"][-1] > 2 * areas["grows"][0]
    assert (areas["gets surer"] == areas["gets surer"][0]).all()
    assert (areas["vanishes"] == 0).sum() == 3
    assert cases["gets surer"].amax((1, 2)).diff().min() > 0


def test_reactions_draw_the_losses():
    cases = {"moves": spectral.scenarios()["moves"]}
    losses = {"paper": {"moves": torch.arange(11.0)}, "released": {"moves": torch.zeros(11)}}
    axes = spectral.reactions(cases, losses).axes
    assert [bar.get_height() for bar in axes[3].patches] == list(range(11))


def test_clusters_are_numbered_by_size_and_painted():
    labels = clusters.by_size(torch.tensor([2, 2, 2, 0, 1, 1]))
    assert labels.tolist() == [0, 0, 0, 2, 1, 1]
    picture = clusters.painted(labels.view(2, 3))
    assert picture.shape == (2, 3, 3) and (picture[0] == picture[0, 0]).all()
    assert len({tuple(rgb) for rgb in picture.reshape(-1, 3)}) == 3


def test_davies_bouldins_parts_are_those_worked_by_hand():
    six = torch.tensor([[-1.0, 0], [1, 0], [4, -1], [4, 1], [-2, 3], [2, 3]])
    (axis,) = clusters.by_hand(six, torch.tensor([0, 0, 1, 1, 2, 2])).axes
    texts = [text.get_text() for text in axis.texts]
    assert {"(1 + 1) / 4 = 0.5", "(1 + 2) / 3 = 1", "(1 + 2) / 5 = 0.6"} <= set(texts)
