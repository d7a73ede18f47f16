"""What a full run needs before it can start, and what of that is not here."""

from collections.abc import Sequence
from pathlib import Path

from evis.data import catalog
from evis.training.recipes import Recipe

SETS = {"videos": "youtube-vis-2019", "stills": "coco-2017"}  # what the paper trains on
_IMAGENET = {
    "r50": "torchvision's R-50, as detectron2 converts it (R-50.pkl of its torchvision folder)",
    "r101": "torchvision's R-101, as detectron2 converts it (R-101.pkl of its torchvision folder)",
    "swin_l": "Swin-L as its authors publish it (384 pixels, window 12, trained on 22k classes)",
}


def lacking(
    recipes: Sequence[Recipe], root: Path, start_from: Path | None = None, gpus: int = 0
) -> list[str]:
    """One line, or a few, for each thing without which these stages can't run; empty: all is here.

    root: the folder that holds the sets, each in a folder of its name. start_from: the weights of
    the first stage.
    """
    found = []
    roles = dict.fromkeys(role for recipe in recipes for role, _ in recipe.mixture)
    for role in roles:
        found += _lacking_set(SETS[role], root)
    found += _lacking_start(recipes[0], start_from)
    if gpus < 1:
        found.append("A GPU: none is visible.")
    return found


def data(recipe: Recipe, root: Path) -> dict[str, Path]:
    """The recipe's sets and their folders, as `evis train --data` takes them."""
    return {SETS[role]: root / SETS[role] for role, _ in recipe.mixture}


def _lacking_set(name: str, root: Path) -> list[str]:
    """The training split alone is looked for; `catalog.check` reads it all."""
    real = catalog.SETS[name]
    train = real.splits[0]
    kind = "videos" if name == SETS["videos"] else "pictures"
    absent = [
        part for part in (train.annotations, train.frames) if not (root / name / part).exists()
    ]
    if not absent:
        return []
    return [
        f"{real.title}, the training split ({train.videos:,} {kind}): "
        f"{' and '.join(absent)} below {root.name}/{name}. Terms of use: {real.licence}."
    ]


def _lacking_start(recipe: Recipe, start_from: Path | None) -> list[str]:
    if start_from is not None:
        return [] if start_from.exists() else [f"Weights: there is no file {start_from}."]
    if recipe.init is None:
        return []
    wanted = _IMAGENET.get(recipe.model, recipe.model)
    if recipe.init != "imagenet":
        wanted = f"those that {recipe.init} trained, or official ones"
    return [f"Weights to start {recipe.name} from: {wanted}."]
