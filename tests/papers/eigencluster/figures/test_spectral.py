import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from evis.companion.plots import sliders
from evis.losses import tel
from evis.papers.eigencluster.figures import spectral


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


def test_the_secular_picture_has_its_roots_between_the_poles():
    weights = [0.5, 1.2, 1.5, 2.5]
    (axis,) = spectral.secular(weights).axes
    roots = axis.get_lines()[-2].get_xdata()
    assert len(roots) == 3
    assert all(a < root < b for a, root, b in zip(weights, roots, weights[1:], strict=False))
    g = [sum(p / (p - root) for p in weights) for root in roots]
    np.testing.assert_allclose(g, 0, atol=1e-6)


def test_reactions_draw_the_losses():
    cases = {"vanishes": spectral.scenarios()["vanishes"]}
    axes = spectral.reactions(cases).axes
    drawn = [bar.get_height() for bar in axes[3].patches]
    values = tel.eigenvalues(cases["vanishes"][None])
    pairs = [(t, t + 1) for t in range(11)]
    np.testing.assert_allclose(drawn, tel.eigenvalue_loss(values, pairs), rtol=1e-6)


def test_pictures_of_graph_and_gradient():
    assert len(spectral.graph(torch.tensor([[1.0, -2.0], [3.0, 0.5]])).axes) == 4
    assert len(spectral.gradient(spectral.disc() + 0.01).axes) >= 3


def test_costs_are_measured_for_each_size():
    measured = spectral.costs({"secular": (400, 800)}, repeats=1)
    assert list(measured["secular"]) == [400, 800]
    assert all(seconds > 0 for seconds in measured["secular"].values())
    assert spectral.cost_curves(measured).axes


def test_nobody_there_to_move_a_slider(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    drawn = []
    sliders.interact(lambda value=3: drawn.append(value), value=[1, 2, 3])
    assert drawn == [3]


def test_somebody_there(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    shown = {}
    monkeypatch.setattr("ipywidgets.interact", lambda draw, **own: shown.update(own))
    sliders.interact(lambda value=3: None, value=[1, 2, 3])
    assert shown["value"].value == 3 and shown["value"].options == (1, 2, 3)
