"""What is optimised and how strongly. The defaults are the paper's method in released numbers.

Where the paper and its released code differ, each difference is a field of its own:
`replace(settings, **RELEASED)` is the released loss, and `replace(settings, spectrum="released")`
has that one part of it.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from evis.data.errors import DataError
from evis.training.recipe import outside

_WEIGHTS = ("class_weight", "mask_weight", "dice_weight", "no_object_weight")
_LIMITS = {
    **dict.fromkeys((*_WEIGHTS, "beta", "temporal_factor", "q_placebo"), (0.0, 1e6)),
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

    # "released": LAB of whole numbers, red and blue exchanged.
    colours: Literal["paper", "released"] = "paper"
    # What the pairwise term's cost is divided by, or that it is left out.
    pairwise: Literal["all edges", "similar edges", "none"] = "all edges"
    tk_mean: Literal["pixels", "matches"] = "pixels"  # Eq. 12, or the matches in the boxes
    # Eq. 14, or every pair of a clip's frames, the earlier one first.
    pairs: Literal["cyclic", "every"] = "cyclic"
    # Eqs. 4-8, or the generalised problem on signs, detached.
    spectrum: Literal["exact", "released"] = "exact"
    # L_eig. The abstract, III-D and Fig. 4 say "MAE", a mean over objects and eigenvalues, and so
    # does the code, which gives beta; Eq. 10 is a sum. Both have a gradient, the code has none.
    change: Literal["mean", "sum", "detached mean"] = "mean"
    kmeans: Literal["best start", "one start", "soft"] = "best start"  # soft, ours: has a gradient
    q_scales: Literal["box terms", "everything"] = "box terms"  # everything: the class term too
    canvas: Literal["clip", "batch"] = "clip"  # a clip is judged on its own size, or as padded
    q_placebo: float = 1.0  # ours: a constant in Q's place where alpha is 0

    def __post_init__(self) -> None:
        if problem := outside(self, _LIMITS):
            raise DataError(problem, field=f"settings.{problem.partition(' ')[0]}")

    def to_json(self) -> dict[str, Any]:
        """All values by name; `q_placebo` only where it is set: it came after rows were stored."""
        told = asdict(self)
        if self.q_placebo == Settings.q_placebo:
            del told["q_placebo"]
        return told

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
            if self.pairwise == "none":
                del spatial["pairwise"]
        return {"class": self.class_weight, **spatial}


RELEASED = {  # field -> what the released code does
    "colours": "released",
    "pairwise": "similar edges",
    "tk_mean": "matches",
    "pairs": "every",
    "spectrum": "released",
    "change": "detached mean",
    "kmeans": "one start",
    "q_scales": "everything",
    "canvas": "batch",
}
