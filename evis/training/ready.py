"""What a full run needs before it can start, and what of that is not here."""

from collections.abc import Sequence
from pathlib import Path

from evis.data import catalog
from evis.training import start
from evis.training.recipe import Recipe

SETS = {"videos": "youtube-vis-2019", "stills": "coco-2017"}  # what the papers train on


def lacking(
    recipes: Sequence[Recipe], root: Path, start_from: Path | None = None, gpus: int = 0
) -> list[str]:
    """A line for each thing without which these stages can't run; none: all is here.

    root: the folder that holds the sets, each in a folder of its name. start_from: the weights of
    the first stage.
    """
    roles = dict.fromkeys(role for recipe in recipes for role, _ in recipe.mixture)
    lines = [line for role in roles for line in _lacking_set(role, root)]
    first = recipes[0]
    if start_from is not None and not start_from.exists():
        lines.append(f"Weights: there is no file {start_from}.")
    elif start_from is None and first.init is not None:
        lines.append(f"Weights to start {first.name} from: {start.wanted(first)}.")
    return lines + ["A GPU: none is visible."] * (gpus < 1)


def _lacking_set(role: str, root: Path) -> list[str]:
    """The training split alone is looked for; `catalog.check` reads it all."""
    real = catalog.SETS[SETS[role]]
    train, folder = real.splits[0], root / real.name
    absent = [str(part.relative_to(folder)) for part in catalog.absent_parts(real, train, folder)]
    if not absent:
        return []
    kind = "videos" if role == "videos" else "pictures"
    return [
        f"{real.title}, the training split ({train.videos:,} {kind}): {' and '.join(absent)} "
        f"below {root.name}/{real.name}. Terms of use: {real.licence}."
    ]
