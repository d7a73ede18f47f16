"""What the tests that run notebooks in their own process share."""

import matplotlib.pyplot as plt
import pytest

from evis.companion.plots import style


@pytest.fixture
def unsaved(monkeypatch):
    """Figures are drawn, but not rendered into files: nbval does that, and most of the time is it.

    At the end all are closed.
    """
    monkeypatch.setattr(style, "save", lambda figure, name: None)
    monkeypatch.setattr(style, "save_animation", lambda frames, name, seconds: b"")
    plt.switch_backend("agg")
    yield
    plt.close("all")
