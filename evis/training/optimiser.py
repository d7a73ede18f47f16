"""AdamW as Mask2Former uses it, and how the learning rate moves."""

import math

import torch
from torch import nn

from evis.training.recipe import Recipe

# Learned tables that no input is multiplied with. The papers say "weight decay 0.05" and no more;
# that norms and embeddings are spared is what Mask2Former is known to do. IDOL's query table and
# those of the stand-ins are decayed like any other weight.
_EMBEDDINGS = (
    "query_content",
    "query_position",
    "level_embedding",
    "level_embed",
    "relative_position_bias_table",
)
_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)


def adamw(
    model: nn.Module,
    learning_rate: float,
    weight_decay: float,
    backbone_multiplier: float,
    loss: nn.Module | None = None,
) -> torch.optim.AdamW:
    """Four groups at most: backbone or not, decayed or not. A loss's parameters join the head's.

    A group's `multiplier` is what `set_learning_rate` scales the recipe's rate with. On a GPU a few
    launches update all parameters together.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for path, module in model.named_modules():
        multiplier = backbone_multiplier if path.partition(".")[0] == "backbone" else 1.0
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                spared = isinstance(module, _NORMS) or name in _EMBEDDINGS
                decay = 0.0 if spared else weight_decay
                groups.setdefault((multiplier, decay), []).append(parameter)
    if loss is not None:
        groups.setdefault((1.0, weight_decay), []).extend(loss.parameters())
    return torch.optim.AdamW(
        [
            {"params": parameters, "multiplier": multiplier, "weight_decay": decay}
            for (multiplier, decay), parameters in groups.items()
        ],
        lr=learning_rate,
        fused=True if next(model.parameters()).is_cuda else None,
    )


def learning_rate(recipe: Recipe, step: int) -> float:
    """The head's learning rate in this step, counted from 0."""
    rate = recipe.learning_rate * min(1.0, (step + 1) / (recipe.warm_up_steps + 1))
    if recipe.schedule == "cosine":
        return rate * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    if recipe.schedule == "step":
        return rate * 0.1 ** sum(step >= milestone for milestone in recipe.milestones)
    return rate


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate * group["multiplier"]
