"""The firewall for models that label: what they learned of videos is part of what labels cost.

A model that saw masks of videos hands them on in what it predicts, so that labels which claim to
cost boxes or points may not come from it. Stills are no videos: their masks may teach (PointVIS's
proposals, stage one of Eigen-Cluster VIS).
"""

from pathlib import Path

from evis.data.errors import DataError
from evis.data.supervision import LEVELS
from evis.data.types import Supervision
from evis.models import read_about


def check(weights: str | Path, level: Supervision) -> None:
    """Refuse weights whose recipe learned from more of videos than labels of this level cost.

    Files of others tell no recipe and are taken as they are, and so is what a recipe began with,
    which its file tells by name alone: who gives them answers for them.
    """
    recipe = read_about(weights).get("recipe")
    if not isinstance(recipe, dict) or "videos" not in dict(recipe.get("mixture", ())):
        return
    settings = recipe.get("settings") or {}
    taught = recipe.get("supervision", settings.get("supervision"))
    if taught in LEVELS and LEVELS.index(taught) < LEVELS.index(level):
        problem = (
            f'its recipe, {recipe.get("name")}, learns from "{taught}" labels of videos, and what '
            f'it predicts can\'t cost as little as "{level}"'
        )
        remedy = (
            f'Give a model of stills, or one that learned from "{level}" labels of videos at most: '
            "evis train pmvis learns from masks that were made from boxes, evis train pointvis "
            "from those that clicks chose, and lets nothing else in"
        )
        raise DataError(problem, file=weights, remedy=remedy)
