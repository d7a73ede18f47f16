"""What IDOL learns from and how strongly. The defaults are PM-VIS's."""

from dataclasses import dataclass
from typing import Literal

from evis.data.errors import DataError
from evis.training.recipe import outside

_LIMITS = {
    **dict.fromkeys(("box_weight", "mask_weight"), (0.0, 1e6)),
    "threshold": (0.0, 1.0),
    "warm_up_steps": (0, 10_000_000),
}


@dataclass(frozen=True)
class Settings:
    """Under boxes, masks that count must have been made from boxes: the data set says so."""

    supervision: Literal["mask", "box"] = "box"
    box_weight: float = 1.0  # W1, of BoxInst's projection and pairwise term (Table III)
    mask_weight: float = 0.5  # W2, of IDOL's focal and dice loss (Table IV)
    threshold: float = 0.2  # of like colours (Eq. 3); 0.3 in the public code
    flavour: Literal["paper", "released"] = "paper"  # of BoxInst's two terms
    warm_up_steps: int = 0  # of the pairwise term

    def __post_init__(self) -> None:
        problem = outside(self, _LIMITS)
        if not problem and not (self.box_weight or self.mask_weight):
            problem = "box_weight and mask_weight are both 0, so that no mask would be learnt"
        if problem:
            raise DataError(problem, field=f"settings.{problem.partition(' ')[0]}")
