"""A paper's recipes, found by name."""

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
