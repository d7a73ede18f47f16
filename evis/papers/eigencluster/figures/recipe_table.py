"""The paper's recipes side by side: what two flavours of a stage differ in, what nobody says."""

from collections.abc import Mapping, Sequence

import pandas as pd
from pandas.io.formats.style import Styler

from evis.papers.eigencluster.recipes import Stage
from evis.papers.eigencluster.settings import RELEASED

_MARKED = "background-color: #ffe9b8; color: black"


def comparison(stages: Mapping[str, Sequence[Stage]]) -> Styler:
    """A column a recipe, one stage's flavours together; what differs within a stage is marked.

    The last line lists what the sources leave open, where the value is evis's own.
    """
    table = pd.DataFrame(
        {
            (stage, _flavour(recipe)): values(recipe)
            for stage, recipes in stages.items()
            for recipe in recipes
        }
    )

    def marked(line: pd.Series) -> list[str]:
        differs = line.groupby(level=0).transform("nunique") > 1
        return [_MARKED if mark and line.name != "no source says" else "" for mark in differs]

    look = {"text-align": "left", "vertical-align": "top", "white-space": "pre-line"}
    styled = table.style.apply(marked, axis=1).set_properties(**look)
    return styled.format(escape="html").set_uuid("recipes")


def values(recipe: Stage) -> dict[str, str]:
    """The lines of a recipe's column."""
    loss = recipe.settings
    boxes, released = loss.supervision == "box", RELEASED.items() <= vars(loss).items()
    return {
        "starts from": recipe.init or "nothing",
        "learns from": _mixture(recipe),
        "annotation": "boxes" if boxes else "masks",
        "temporal terms": _temporal(recipe) if boxes else "none",
        "loss as in": "the released code" if released else "the paper",
        "steps": f"{recipe.steps:,}",
        "clips a step": str(recipe.batch),
        "learning rate": f"{recipe.learning_rate:g}, {recipe.schedule}",
        "frames a clip": _lengths(recipe),
        "backbone": "frozen" if recipe.freeze_backbone else "trained",
        "precision": "full" if recipe.precision == "no" else recipe.precision,
        "no source says": "\n".join(f"- {point}" for point in recipe.unknown),
    }


def _flavour(recipe: Stage) -> str:
    return "released" if recipe.name.endswith(".released") else "paper"


def _mixture(recipe: Stage) -> str:
    total = sum(share for _, share in recipe.mixture)
    if len(recipe.mixture) == 1:
        return recipe.mixture[0][0]
    return " and ".join(f"{name} ({share / total:.0%})" for name, share in recipe.mixture)


def _temporal(recipe: Stage) -> str:
    loss = recipe.settings
    if not loss.temporal_factor:
        return "none"
    terms = ["TK"]
    if loss.beta:
        terms.append(f"TEL (beta {loss.beta:g})")
    if loss.alpha:
        terms.append("Q")
    return ", ".join(terms)


def _lengths(recipe: Stage) -> str:
    lengths = {"stills": recipe.still_frames, "videos": recipe.frames}
    return ", ".join(str(lengths[name]) for name, _ in recipe.mixture)
