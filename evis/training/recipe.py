"""A training stage as plain data: what every paper's recipe says, and how to change it.

A paper derives its own recipe, with what its method wants to know, and names its stages.
"""

import ast
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from numbers import Integral, Real
from typing import Any, Literal, TypeVar

from evis.data.errors import DataError
from evis.data.types import Supervision


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """One training stage. Two runs of one recipe on the same data and machine are the same run."""

    name: str
    title: str
    source: str  # where its values stand
    mixture: tuple[tuple[str, float], ...]  # "videos" or "stills", and its share of the batches
    steps: int
    batch: int  # clips a step, over all processes
    learning_rate: float
    # A step's gradient is the mean over micro-batches of this many clips.
    micro_batch: int = 2
    init: str | None = None  # "imagenet": a backbone; a recipe: what it trained; None: nothing
    model: str = "r50"  # a size of the method's network
    # Classes of other sources than the first, under the first's names; "" drops a class.
    renames: tuple[tuple[str, str], ...] = ()
    frames: int = 3  # a clip of a video
    frame_range: int = 5
    still_frames: int = 4  # views of a still picture in its pseudo clip
    rotation: float = 15.0  # of a view, degrees either way
    shift: float = 0.1  # of a view, share of its sides
    # The least and the greatest size of objects of other pictures that are pasted into views of
    # stills, as shares of the picture (evis.data.copy_paste); (): none are.
    copy_paste: tuple[float, ...] = ()
    # Of each frame for itself, either way: degrees about a point near the middle, and the share by
    # which it is brighter or darker, and of more or less contrast (evis.data.varied).
    frame_rotation: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    shorter_sides: tuple[int, ...] = (360, 480)
    longest_side: int = 1333
    flip: float = 0.5
    schedule: Literal["constant", "cosine", "step"] = "constant"
    milestones: tuple[int, ...] = ()  # "step": the learning rate falls to a tenth at each
    warm_up_steps: int = 10
    weight_decay: float = 0.05
    backbone_multiplier: float = 0.1  # of the learning rate
    clip_norm: float = 0.01  # of the whole model's gradient
    freeze_backbone: bool = False
    ema_decay: float | None = None
    precision: Literal["no", "bf16", "fp16"] = "no"
    seed: int = 0
    unknown: tuple[str, ...] = ()  # what the sources do not say, so that the value is ours

    def __post_init__(self) -> None:
        if problem := _problem(self):
            raise DataError(problem, field=f"recipe {self.name}")

    @property
    @abstractmethod
    def supervision(self) -> Supervision:
        """What the stage may learn from; anything stronger is taken off before it sees it."""

    @property
    def micro_batches(self) -> int:
        """A step."""
        return self.batch // self.micro_batch

    def to_json(self) -> dict[str, Any]:
        """All values by name; those of `_YOUNG` only where they are set."""
        told = _plain(asdict(self))
        for name in _YOUNG:
            if name in told and getattr(self, name) == getattr(type(self), name):
                del told[name]
        return told

    def model_among(self, sizes: Collection[str]) -> str:
        """`model`, which should be one of a network's sizes."""
        if self.model not in sizes:
            problem = f"model should be one of {', '.join(sizes)}, is {self.model!r}"
            raise DataError(problem, field=f"recipe {self.name}")
        return self.model


# Fields that came after rows were stored, weights committed and runs begun. These are found by what
# `to_json` says, so that a recipe says nothing of such a field while it changes nothing.
_YOUNG = ("copy_paste", "frame_rotation", "brightness", "contrast", "dropout")
# From the least to the most; between whole numbers only these are allowed. The most is far above
# what anybody trains with: a slip of the keyboard shall not fill the memory or take for ever.
_LIMITS: dict[str, tuple[float, float]] = {
    "steps": (1, 10_000_000),
    "batch": (1, 4096),
    "micro_batch": (1, 4096),
    "learning_rate": (1e-12, 1e38),
    "frames": (1, 100),
    "frame_range": (1, 100_000),
    "still_frames": (1, 100),
    "rotation": (0.0, 180.0),
    "shift": (0.0, 0.99),
    "copy_paste": (0.01, 1.0),
    "frame_rotation": (0.0, 180.0),
    "brightness": (0.0, 1.0),
    "contrast": (0.0, 1.0),
    "shorter_sides": (16, 4096),
    "longest_side": (16, 8192),
    "flip": (0.0, 1.0),
    "milestones": (0, 10_000_000),
    "warm_up_steps": (0, 10_000_000),
    "weight_decay": (0.0, 1e3),
    "backbone_multiplier": (0.0, 1e3),
    "clip_norm": (1e-12, 1e12),
    "seed": (0, 2**32 - 1),
}
_CHOICES = {"schedule": ("constant", "cosine", "step"), "precision": ("no", "bf16", "fp16")}


def _problem(recipe: Recipe) -> str | None:
    if problem := outside(recipe, _LIMITS):
        return problem
    for name, known in _CHOICES.items():
        if (value := getattr(recipe, name)) not in known:
            return f"{name} should be one of {', '.join(known)}, is {value!r}"
    if recipe.batch % recipe.micro_batch:
        return f"a batch of {recipe.batch} can't be split by {recipe.micro_batch}"
    shares = dict(recipe.mixture) if _are_pairs(recipe.mixture) else {}
    if not shares or not all(_is_number(share) and 0 < share <= 1e6 for share in shares.values()):
        return f"the mixture should name sources with shares above 0, is {recipe.mixture!r}"
    if not (_are_pairs(recipe.renames) and all(isinstance(new, str) for _, new in recipe.renames)):
        return f"renames should be pairs of names, the old and the new, is {recipe.renames!r}"
    if recipe.copy_paste and (
        len(recipe.copy_paste) != 2 or recipe.copy_paste[0] > recipe.copy_paste[1]
    ):
        return f"copy_paste should be (least size, greatest size) or (), is {recipe.copy_paste!r}"
    if not recipe.shorter_sides:
        return "shorter_sides should hold one side at least, is ()"
    if recipe.init is not None and not isinstance(recipe.init, str):
        return f"init should be None, imagenet or a recipe's name, is {recipe.init!r}"
    decay = recipe.ema_decay
    if decay is not None and not (isinstance(decay, float) and 0 < decay < 1):
        return f"ema_decay should be None or between 0 and 1, is {decay!r}"
    return None


def outside(holder: Any, limits: Mapping[str, tuple[float, float]]) -> str | None:
    """What is wrong with the fields that have limits: numbers, or tuples of them."""
    for name, (least, most) in limits.items():
        value, whole = getattr(holder, name), isinstance(least, int)
        for number in value if isinstance(value, tuple) else (value,):
            if not (_is_number(number, whole) and least <= number <= most):
                kind = "whole numbers" if whole else "numbers"
                kind = kind if isinstance(value, tuple) else f"a {kind[:-1]}"
                return f"{name} should be {kind} from {least:,} to {most:,}, is {value!r}"
    return None


def _is_number(value: Any, whole: bool = False) -> bool:
    return isinstance(value, Integral if whole else Real) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """With Python's numbers in place of numpy's, which json does not know."""
    if isinstance(value, dict):
        return {name: _plain(held) for name, held in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if _is_number(value):
        return int(value) if _is_number(value, whole=True) else float(value)
    return value


def _are_pairs(value: Any) -> bool:
    """Whether these are pairs that begin with a name."""
    pairs = isinstance(value, tuple) and all(isinstance(p, tuple | list) for p in value)
    return pairs and all(len(p) == 2 and isinstance(p[0], str) for p in value)


SHORT = {"lr": "learning_rate"}
AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


def changed(recipe: AnyRecipe, changes: Mapping[str, Any]) -> AnyRecipe:
    """The recipe with other values; `settings.beta` reaches into its `settings`, `lr` is short.

    A value may be text, as from the command line: "3e-4", "(64, 80)", "cosine", "None".
    """
    values: dict[str, Any] = {}
    for key, value in changes.items():
        name, dot, inner = SHORT.get(key, key).partition(".")
        held = values[name] if name in values else _held(recipe, name, key)
        if dot:
            value = _as_held(_held(held, inner, key), value, key)
            values[name] = replace(held, **{inner: value})
        else:
            values[name] = _as_held(held, value, name)
    return replace(recipe, **values)


def _held(holder: Any, name: str, key: str) -> Any:
    """What a field of a recipe, or of its settings, holds now."""
    names = [field.name for field in fields(holder)] if is_dataclass(holder) else []
    if name not in names:
        known = ", ".join(names) or "no parts of it"
        raise DataError(f"a recipe has no {key!r} to set", remedy=f"There are {known}")
    return getattr(holder, name)


def _as_held(current: Any, value: Any, key: str) -> Any:
    """The value in the type of what a field holds now; DataError where it is of another kind."""
    if isinstance(value, str):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):  # deeply nested
            value = ast.literal_eval(value)
    kind, number = type(current), _is_number(value)
    if kind is tuple and (number or isinstance(value, list)):
        value = (value,) if number else tuple(value)
    elif number and (kind is float or (kind is int and value % 1 == 0)):
        with suppress(OverflowError):  # too large for a float
            value = kind(value)
    if type(value) is kind or current is None or (value is None and kind is str):
        return value
    raise DataError(f"{key} should be of the kind {kind.__name__}, like {current!r}, not {value!r}")
