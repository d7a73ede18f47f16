"""What a stage starts from: nothing, a backbone, or what another stage trained."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from torch import nn

from evis.data import paths
from evis.data.errors import DataError
from evis.labels import taught_by
from evis.models.checkpoints import clip_length, load_backbone, read_about, warm_start
from evis.training.method import Method
from evis.training.recipe import Recipe

_IMAGENET = {
    "r50": "torchvision's R-50, as detectron2 converts it (R-50.pkl of its torchvision folder)",
    "r101": "torchvision's R-101, as detectron2 converts it (R-101.pkl of its torchvision folder)",
    "swin_l": "Swin-L as its authors publish it (384 pixels, window 12, trained on 22k classes)",
}


def build(
    recipe: Recipe, classes: Sequence[str], method: Method, weights: Path | None = None
) -> nn.Module:
    """The method's network for these classes, started as the recipe's `init` says.

    Weights of a stage that learned from more of videos than the recipe may are refused.
    """
    if weights is None and recipe.init is not None:
        raise DataError(
            f"{recipe.name} starts from {wanted(recipe)}, and no weights are given",
            remedy=f"{_fitting(recipe)}, or start from nothing (--set init=None)",
        )
    model = fresh(recipe, classes, method)
    if weights is not None:
        taught_by.check_start(weights, recipe.supervision, dict(recipe.mixture))
        if recipe.init == "imagenet":
            load_backbone(model, weights)
        else:
            warm_start(model, weights, classes)
    return model


def fresh(recipe: Recipe, classes: Sequence[str], method: Method) -> nn.Module:
    """The method's network, which says of itself what one does that is loaded from its file."""
    model = method.build(recipe, classes)
    model.shorter_side = min(recipe.shorter_sides)
    model.clip_length = clip_length(recipe.to_json())
    return model


def wanted(recipe: Recipe) -> str:
    """The weights that a stage starts from, in words."""
    if recipe.init == "imagenet":
        return f"an ImageNet backbone: {_IMAGENET.get(recipe.model, recipe.model)}"
    official = "" if recipe.init.startswith("toy.") else ", or official ones of that stage"
    return f"the weights that {recipe.init} trained{official}"


def _fitting(recipe: Recipe) -> str:
    """What to do about missing weights: the repository's that fit, by name, or how to make some."""
    if recipe.init == "imagenet":
        return "Download them and name the file (--model FILE)"
    if files := _own_weights(recipe.init, recipe.model):
        return f"--model {' or '.join(map(str, files))} fits"
    first = recipe.init.removeprefix("toy.")
    scale = " --scale toy" if first != recipe.init else ""
    return f"Train them (evis train {first}{scale}) and name the file (--model FILE)"


def _own_weights(name: str, size: str) -> list[Path]:
    """The repository's weights that a recipe of this name trained, of this size."""
    fitting = []
    with suppress(DataError):  # installed without its repository
        for path in sorted((paths.data() / "weights").glob("*.safetensors")):
            with suppress(DataError, AttributeError):  # somebody else's file
                recipe = read_about(path).get("recipe", {})
                if (recipe.get("name"), recipe.get("model")) == (name, size):
                    fitting.append(path)
    return fitting
