"""Sliders where a reader can move them, a static picture where nobody can."""

import os
from collections.abc import Callable, Sequence

import ipywidgets


def is_live() -> bool:
    """Whether somebody is there to move or click anything: papermill and nbval have nobody.

    Jupyter's server names the session in the kernel's environment; those two do not.
    """
    return "JPY_SESSION_NAME" in os.environ


def interact(draw: Callable[..., None], **choices: Sequence) -> None:
    """Call `draw` with sliders over `choices` (argument = its values) in a live Jupyter session.

    Elsewhere, draw once with `draw`'s own defaults.
    """
    if not is_live():
        draw()
        return
    defaults = dict(zip(choices, draw.__defaults__, strict=True))
    sliders = {
        name: ipywidgets.SelectionSlider(
            options=values, value=defaults[name], description=name, continuous_update=False
        )
        for name, values in choices.items()
    }
    ipywidgets.interact(draw, **sliders)
