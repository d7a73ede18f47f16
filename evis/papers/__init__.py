"""The papers, a folder each. What belongs to one paper's tables alone lies in its folder.

Here recipes and methods are found by name across all of them; a paper is imported when it is first
asked for. A new paper adds its folder to `PAPERS`, and to the folder the modules `recipes` (with
NAMES, `named` and `toy`), `method` (what `evis.training.method` asks for) and
`experiments` (GROUPS, `group` and TESTS, for `evis measure`; COUNTS where its module `quality` also
counts labels).
"""

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from evis.data.errors import DataError

if TYPE_CHECKING:
    from torch import nn

    from evis.training import Method, Recipe
    from evis.training.method import Loss

PAPERS = ("eigencluster", "cutler", "uvis", "flowcut", "pointvis", "pmvis")


def recipe_names() -> tuple[str, ...]:
    return tuple(name for paper in PAPERS for name in _module(paper, "recipes").NAMES)


def named(name: str, backbone: str = "r50", toy: bool = False) -> "Recipe":
    """The recipe of this name, with the backbone's own numbers; `toy`: shrunk to toy data."""
    recipes = _module(_paper_of(name), "recipes")
    recipe = recipes.named(name, backbone)
    return recipes.toy(recipe) if toy else recipe


def method_of(recipe: "Recipe") -> "Method":
    return _module(_paper_of(recipe.name.removeprefix("toy.")), "method")


def experiments(paper: str) -> ModuleType:
    """What a paper measures, for another whose rows start from it: no paper imports another."""
    return _module(paper, "experiments")


def group_names() -> tuple[str, ...]:
    """Of all groups of experiments that `evis measure` knows."""
    return tuple(
        name for paper in PAPERS for name in (*experiments(paper).GROUPS, *_counted(paper))
    )


def measures(group: str) -> ModuleType:
    """The module that has this group of experiments: GROUPS, `group` and, of some, TESTS."""
    for paper in PAPERS:
        if group in experiments(paper).GROUPS:
            return experiments(paper)
    raise DataError(
        f"no group of experiments is called {group!r}",
        remedy=f"There are {', '.join(group_names())}",
    )


def counts(group: str) -> ModuleType | None:
    """The module that counts labels under this group's name, by ROWS and `measure`, if one does."""
    for paper in PAPERS:
        if group in _counted(paper):
            return _module(paper, "quality")
    return None


def build(recipe: "Recipe", classes: Sequence[str]) -> "nn.Module":
    """With `loss`, this package is a method too: of stages of any paper, each its own."""
    return method_of(recipe).build(recipe, classes)


def loss(recipe: "Recipe") -> "Loss":
    return method_of(recipe).loss(recipe)


def _paper_of(name: str) -> str:
    for paper in PAPERS:
        if name in _module(paper, "recipes").NAMES:
            return paper
    raise DataError(
        f"no recipe is called {name!r}", remedy=f"There are {', '.join(recipe_names())}"
    )


def _counted(paper: str) -> tuple[str, ...]:
    return getattr(experiments(paper), "COUNTS", ())


def _module(paper: str, name: str) -> ModuleType:
    return import_module(f"evis.papers.{paper}.{name}")
