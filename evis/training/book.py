"""A paper's recipes: found by name, and shrunk to toy data."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Generic, TypeVar

from evis.data.errors import DataError
from evis.training.recipe import Recipe, changed

AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


class Book(Generic[AnyRecipe]):
    """numbers: what a backbone has otherwise than the recipes: backbone -> recipe -> changes."""

    def __init__(
        self,
        recipes: Iterable[AnyRecipe],
        backbones: Collection[str],
        numbers: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
    ):
        self._recipes = {recipe.name: recipe for recipe in recipes}
        self._backbones, self._numbers = backbones, numbers or {}
        self.names = tuple(self._recipes)

    def named(self, name: str, backbone: str = "r50") -> AnyRecipe:
        """A recipe by name, with the backbone's own numbers."""
        if name not in self._recipes:
            known = ", ".join(self.names)
            raise DataError(f"no recipe is called {name!r}", remedy=f"There are {known}")
        if backbone not in self._backbones:
            raise DataError(
                f"no paper trains {name} with the backbone {backbone!r}",
                remedy=f"There are {', '.join(self._backbones)}; another size fits with "
                "--set model=NAME",
            )
        numbers = self._numbers.get(backbone, {}).get(name, {})
        return changed(self._recipes[name], {"model": backbone, **numbers})


# What toy stages of all networks share: frames of 64 x 96, a short schedule, a backbone that starts
# from nothing.
SMALL: dict[str, Any] = {
    "shorter_sides": (64,),
    "longest_side": 96,
    "schedule": "cosine",
    "milestones": (),
    "warm_up_steps": 20,
    "backbone_multiplier": 1.0,
}


def shrunk(recipe: AnyRecipe, values: Mapping[str, Any]) -> AnyRecipe:
    """The recipe's toy stage, with these values: its name, and what it starts from, say so."""
    from_nothing = recipe.init in (None, "imagenet")
    words = {
        "name": f"toy.{recipe.name}",
        "source": f"{recipe.source}; sizes and schedule for toy data",
        "init": None if from_nothing else f"toy.{recipe.init}",
        "unknown": (),
    }
    return changed(recipe, words | values)
