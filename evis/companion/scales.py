"""The scales that notebooks run at; another one is refused before anything is computed."""

import sys

SCALES = ("smoke", "toy", "full")


def check(scale: str) -> None:
    if scale not in SCALES:
        raise ValueError(f"no scale is called {scale!r}; there are {', '.join(SCALES)}")


def check_notebook() -> None:
    """The scale that the running notebook was given, by papermill or in its first cell."""
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()):
        check(shell.user_ns.get("scale", "toy"))
