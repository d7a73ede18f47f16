"""Sliders where a reader can move them, a static picture where nobody can."""

import os
from collections.abc import Callable, Sequence

import ipywidgets


def interact(draw: Callable[..., None], **choices: Sequence) -> None:
    """Call `draw` with sliders over `choices` (argument = its values) in a live Jupyter session.

    Elsewhere, draw once with `draw`'s own defaults: papermill and nbval have nobody to move
    anything. Jupyter's server names the session in the kernel's environment; those two do not.
    """
    if "JPY_SESSION_NAME" not in os.environ:
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
