from evis.companion.plots import sliders


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
