"""What is optimised and how strongly. The defaults are the released numbers."""

from dataclasses import dataclass
from typing import Literal

from evis.data.errors import DataError
from evis.training.recipe import outside

_CHOICES = {"supervision": ("mask", "box"), "flavour": ("paper", "released"), "alpha": (0, 1)}
_WEIGHTS = ("class_weight", "mask_weight", "dice_weight", "no_object_weight")
_LIMITS = {
    **dict.fromkeys((*_WEIGHTS, "beta", "temporal_factor"), (0.0, 1e6)),
    "warm_up_steps": (0, 10_000_000),
    "eigenvalues": (1, 1000),
    "scale": (1, 64),
    "points": (1, 10_000_000),
}


@dataclass(frozen=True)
class Settings:
    """Defaults: stage three with R50. Stages one and two have alpha = beta = 0.

    A part of stored rows' keys: what is named or written otherwise here isn't found any more.
    """

    supervision: Literal["mask", "box"] = "box"
    flavour: Literal["paper", "released"] = "paper"
    alpha: Literal[0, 1] = 1  # 1: Q multiplies the loss (boxes only)
    beta: float = 0.16  # Eq. 13; 1.0 for R101 and Swin-L
    class_weight: float = 2.0
    mask_weight: float = 5.0  # of BCE, pairwise and temporal
    dice_weight: float = 5.0  # of dice and of the projection term, a dice loss too
    no_object_weight: float = 0.1  # of the class "no object" within the class term
    temporal_factor: float = 0.1
    # Of the temporal term: 2,000 calls of the released loss, one for each of ten layers a step.
    warm_up_steps: int = 200
    eigenvalues: int = 3  # Y
    scale: int = 4  # S, of TEL and QCC
    points: int = 20_000  # where BCE, dice and the matching look at a mask
    soft_qcc: bool = False  # ours: a Q with a gradient

    def __post_init__(self) -> None:
        problem = outside(self, _LIMITS)
        for name, known in _CHOICES.items():
            if (value := getattr(self, name)) not in known:
                problem = f"{name} should be {' or '.join(map(str, known))}, is {value!r}"
        if problem:
            raise DataError(problem, field=f"settings.{problem.partition(' ')[0]}")

    @property
    def weights(self) -> dict[str, float]:
        """The terms that are optimised. Whatever else is returned is for plots."""
        if self.supervision == "mask":
            spatial = {"bce": self.mask_weight, "dice": self.dice_weight}
        else:
            spatial = {
                "projection": self.dice_weight,
                "pairwise": self.mask_weight,
                "temporal": self.mask_weight,
            }
        return {"class": self.class_weight, **spatial}
