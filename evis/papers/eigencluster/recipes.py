"""The lead paper's stages: its printed values and, beside them, the released code's.

`named("eigencluster.stage3")` is what the paper prints, `named("eigencluster.stage3.released")`
what the published code does where the two differ. recipes.toml has their values. `toy` shrinks any
of them to 64 x 96 frames and two CPU cores.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from evis.data.errors import DataError
from evis.papers.eigencluster.beyond import VARIANTS
from evis.papers.eigencluster.settings import RELEASED, Settings
from evis.papers.eigencluster.temporal import SCHEMES
from evis.training.book import Book, shrunk
from evis.training.recipe import Recipe, as_tuples


@dataclass(frozen=True, kw_only=True)
class Stage(Recipe):
    """A recipe with what the lead paper's loss is told."""

    settings: Settings
    scheme: str | None = None  # of `temporal.SCHEMES` or `beyond.VARIANTS`, in place of TK and TEL

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scheme is not None and self.scheme not in (known := (*SCHEMES, *VARIANTS)):
            raise DataError(
                f"scheme should be None or one of {', '.join(known)}, is {self.scheme!r}",
                field=f"recipe {self.name}",
            )

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"settings": self.settings.to_json()}

    @property
    def supervision(self) -> Literal["mask", "box"]:
        return self.settings.supervision


def _stages(entries: Iterable[Mapping[str, Any]]) -> dict[str, Stage]:
    stages: dict[str, Stage] = {}
    for entry in entries:
        values = {name: as_tuples(value) for name, value in entry.items()}
        like = stages.get(values.pop("like", None))
        own = values.pop("settings", {})
        own |= RELEASED if values.pop("released_loss", False) else {}
        values["settings"] = replace(like.settings, **own) if like else Settings(**own)
        stages[values["name"]] = replace(like, **values) if like else Stage(**values)
    return stages


_CONTENT = tomllib.loads(Path(__file__).with_name("recipes.toml").read_text("utf-8"))
OTHER_BACKBONES: dict[str, dict[str, dict[str, Any]]] = _CONTENT["backbones"]
BACKBONES = ("r50", *OTHER_BACKBONES)
_BOOK = Book(_stages(_CONTENT["stage"]).values(), BACKBONES, OTHER_BACKBONES)
NAMES, named = _BOOK.names, _BOOK.named
TOY: dict[str, Any] = {name: as_tuples(value) for name, value in _CONTENT["toy"].items()}
TOY_STAGES: dict[str, dict[str, Any]] = _CONTENT["toy_stages"]


def toy(recipe: Stage) -> Stage:
    """The same stage for `toy-coco` and `toy-ytvis19`, the `tiny` model and two CPU cores."""
    roles = [role for role, _ in recipe.mixture]
    kind = "stills" if roles == ["stills"] else "frozen" if recipe.freeze_backbone else "videos"
    values = TOY | TOY_STAGES[kind]
    if not recipe.settings.temporal_factor:  # without a temporal term it stays without
        values["settings.temporal_factor"] = 0.0
    return shrunk(recipe, values)
