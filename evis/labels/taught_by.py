"""The firewall for models that label or that others start from: what they learned of videos is
part of what these cost.

A model that saw masks of videos hands them on in what it predicts and in its weights, so that
labels or stages which claim to cost boxes or points may not come from it. Stills are no videos:
their masks may teach (PointVIS's proposals, stage one of Eigen-Cluster VIS).
"""

from collections.abc import Collection
from pathlib import Path

from evis.data.errors import DataError
from evis.data.supervision import LEVELS
from evis.data.types import Supervision
from evis.models import read_about


def check(weights: str | Path, level: Supervision) -> None:
    """Refuse weights whose recipe learned from more of videos than labels of this level cost.

    What the recipe began with was checked then (`check_start`). Files of others tell no recipe and
    are taken as they are: who gives them answers for them.
    """
    remedy = (
        f'Give a model of stills, or one that learned from "{level}" labels of videos at most: '
        "evis train pmvis learns from masks that were made from boxes, evis train pointvis "
        "from those that clicks chose, and lets nothing else in"
    )
    _refuse_more(weights, level, "what it predicts", remedy)


def check_start(weights: str | Path, level: Supervision, sources: Collection[str]) -> None:
    """Refuse weights that learned from more of videos than the stage which starts from them.

    sources: "videos" or "stills", what the stage learns from. One of stills alone passes for a
    model that knows no label of a video, so that it may start from no other.
    """
    level = level if "videos" in sources else "none"
    remedy = (
        f'Start from a model of stills, or one that learned from "{level}" labels of videos at '
        "most. What goes on from masks of videos is a stage that learns from them: evis train "
        "mask2former, idol or minvis"
    )
    _refuse_more(weights, level, "what starts from it", remedy)


def _refuse_more(weights: str | Path, level: Supervision, what: str, remedy: str) -> None:
    recipe = read_about(weights).get("recipe")
    if not isinstance(recipe, dict) or "videos" not in dict(recipe.get("mixture", ())):
        return
    settings = recipe.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    taught = recipe.get("supervision", settings.get("supervision"))
    if taught in LEVELS and LEVELS.index(taught) < LEVELS.index(level):
        problem = (
            f'its recipe, {recipe.get("name")}, learns from "{taught}" labels of videos, and '
            f'{what} can\'t cost as little as "{level}"'
        )
        raise DataError(problem, file=weights, remedy=remedy)
