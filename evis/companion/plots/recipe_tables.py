"""Recipes side by side, as html: what two flavours of a stage differ in, and what nobody says."""

import html
from collections.abc import Mapping, Sequence

from evis.training.recipe import Recipe

_MARKED = "background:#ffe9b8;color:#000"


def values(recipe: Recipe) -> dict[str, str]:
    """The lines of a recipe's column."""
    loss = recipe.settings
    boxes = loss.supervision == "box"
    return {
        "starts from": recipe.init or "nothing",
        "learns from": _mixture(recipe),
        "annotation": "boxes" if boxes else "masks",
        "temporal terms": _temporal(recipe) if boxes else "none",
        "loss as in": {"paper": "the paper", "released": "the released code"}[loss.flavour],
        "steps": f"{recipe.steps:,}",
        "clips a step": str(recipe.batch),
        "learning rate": f"{recipe.learning_rate:g}, {recipe.schedule}",
        "frames a clip": _lengths(recipe),
        "backbone": "frozen" if recipe.freeze_backbone else "trained",
        "precision": "full" if recipe.precision == "no" else recipe.precision,
    }


def comparison(stages: Mapping[str, Sequence[Recipe]]) -> str:
    """A column a recipe, one stage's flavours together; what differs within a stage is marked.

    The last line lists what the sources leave open, where the value is evis's own.
    """
    columns = [(stage, recipe) for stage, recipes in stages.items() for recipe in recipes]
    head = "".join(
        f'<th colspan="{len(recipes)}" style="text-align:center">{html.escape(stage)}</th>'
        for stage, recipes in stages.items()
    )
    flavours = "".join(f"<th>{_flavour(recipe)}</th>" for _, recipe in columns)
    lines = [f"<tr><th></th>{head}</tr>", f"<tr><th></th>{flavours}</tr>"]
    for name in values(columns[0][1]):
        cells = []
        for stage, recipe in columns:
            differs = len({values(other)[name] for other in stages[stage]}) > 1
            cells.append(_cell(html.escape(values(recipe)[name]), differs))
        lines.append(f"<tr><th>{name}</th>{''.join(cells)}</tr>")
    unknown = "".join(
        _cell("<br>".join(f"- {html.escape(each)}" for each in recipe.unknown))
        for _, recipe in columns
    )
    lines.append(f"<tr><th>no source says</th>{unknown}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _cell(content: str, marked: bool = False) -> str:
    style = "text-align:left;vertical-align:top" + (f";{_MARKED}" if marked else "")
    return f'<td style="{style}">{content}</td>'


def _flavour(recipe: Recipe) -> str:
    return "released" if recipe.name.endswith(".released") else "paper"


def _mixture(recipe: Recipe) -> str:
    total = sum(share for _, share in recipe.mixture)
    if len(recipe.mixture) == 1:
        return recipe.mixture[0][0]
    return " and ".join(f"{name} ({share / total:.0%})" for name, share in recipe.mixture)


def _temporal(recipe: Recipe) -> str:
    loss = recipe.settings
    if not loss.temporal_factor:
        return "none"
    terms = ["TK"]
    if loss.beta:
        terms.append(f"TEL (beta {loss.beta:g})")
    if loss.alpha:
        terms.append("Q")
    return ", ".join(terms)


def _lengths(recipe: Recipe) -> str:
    lengths = {"stills": recipe.still_frames, "videos": recipe.frames}
    return ", ".join(str(lengths[name]) for name, _ in recipe.mixture)
