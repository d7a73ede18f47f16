"""A training stage as plain data: what every paper's recipe says, and how to change it.

A paper derives its own recipe, with what its method wants to know, and names its stages.
"""

import ast
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from numbers import Integral, Real
from types import UnionType
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

from evis.data.errors import DataError
from evis.data.jsonfile import brief
from evis.data.types import Supervision


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """One training stage. Two runs of one recipe on the same data and machine are the same run."""

    name: str
    title: str
    source: str  # where its values stand
    mixture: tuple[tuple[Literal["videos", "stills"], float], ...]  # its share of the batches
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
    # From the least to the most; between whole numbers only these are allowed. The most is far
    # above what anybody trains with: a slip of the keyboard shall not fill the memory or take for
    # ever.
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
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
# What a field of a type should be, of which the annotation alone would say it less plainly.
_WORDS = {
    int: "a whole number",
    float: "a number",
    float | None: "None or a number",
    tuple[int, ...]: "whole numbers",
    tuple[float, ...]: "numbers",
    tuple[int, int]: "two whole numbers",
    tuple[float, float]: "two numbers",
}


def _problem(recipe: Recipe) -> str | None:
    if problem := outside(recipe, recipe.limits):
        return problem
    if recipe.batch % recipe.micro_batch:
        return f"a batch of {recipe.batch} can't be split by {recipe.micro_batch}"
    if not recipe.mixture or not all(0 < share <= 1e6 for _, share in recipe.mixture):
        return f"the mixture should name sources with shares above 0, is {recipe.mixture!r}"
    if recipe.copy_paste and (
        len(recipe.copy_paste) != 2 or recipe.copy_paste[0] > recipe.copy_paste[1]
    ):
        return f"copy_paste should be (least size, greatest size) or (), is {recipe.copy_paste!r}"
    if not recipe.shorter_sides:
        return "shorter_sides should hold one side at least, is ()"
    if recipe.ema_decay is not None and not 0 < recipe.ema_decay < 1:
        return f"ema_decay should be None or between 0 and 1, is {recipe.ema_decay!r}"
    return None


def outside(holder: Any, limits: Mapping[str, tuple[float, float]]) -> str | None:
    """What is wrong with a field: its type, or a size of the numbers that it is or holds."""
    for field in fields(holder):
        name, kind, value = field.name, field.type, getattr(holder, field.name)
        wanted, is_right = _in_words(kind), _fits(value, kind)
        if name in limits:
            least, most = limits[name]
            wanted += f" from {least:,} to {most:,}"
            numbers = value if isinstance(value, tuple) else () if value is None else (value,)
            is_right = is_right and all(least <= number <= most for number in numbers)
        if not is_right:
            return f"{name} should be {wanted}, is {value!r}"
    return None


def _in_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    name = str(kind) if get_args(kind) else kind.__name__
    return _WORDS.get(kind) or name.replace("typing.", "")


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is what a field's annotation says. Numpy's numbers are numbers, too."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return value in parts
    if origin is UnionType:
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        parts = parts[:1] * len(value) if isinstance(value, tuple) and ... in parts else parts
        is_long_enough = isinstance(value, tuple) and len(value) == len(parts)
        return is_long_enough and all(map(_fits, value, parts))
    return _is_number(value, kind is int) if kind in (int, float) else isinstance(value, kind)


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


def check_numbers(least: int = 1, **numbers: int | None) -> None:
    """Of how a recipe is run: whole numbers, or None where nothing is said."""
    for name, number in numbers.items():
        if number is not None and not (_is_number(number, whole=True) and number >= least):
            raise DataError(f"{name} should be a whole number from {least} on, is {number!r}")


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
            current = _held(held, inner, key)
            value = _as_held(current, value, key, _may_be_none(held, inner))
            values[name] = replace(held, **{inner: value})
        else:
            values[name] = _as_held(held, value, name, _may_be_none(recipe, name))
    return replace(recipe, **values)


def _held(holder: Any, name: str, key: str) -> Any:
    """What a field of a recipe, or of its settings, holds now."""
    names = [field.name for field in fields(holder)] if is_dataclass(holder) else []
    if name not in names:
        known = ", ".join(names) or "no parts of it"
        raise DataError(f"a recipe has no {key!r} to set", remedy=f"There are {known}")
    return getattr(holder, name)


def _may_be_none(holder: Any, name: str) -> bool:
    (kind,) = (field.type for field in fields(holder) if field.name == name)
    return type(None) in get_args(kind)


def _as_held(current: Any, value: Any, key: str, may_be_none: bool) -> Any:
    """The value in the type of what a field holds now; DataError where it is of another kind."""
    if isinstance(value, str):
        with suppress(ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            held = ast.literal_eval(value)
            repr(held)  # no number of more digits than Python writes
            value = held
    kind, number = type(current), _is_number(value)
    if kind is tuple:
        value = (value,) if number else as_tuples(value)
    elif number and (kind is float or (kind is int and value % 1 == 0)):
        with suppress(OverflowError):  # too large for a float
            value = kind(value)
    if type(value) is kind or current is None or (value is None and may_be_none):
        return value
    problem = f"{key} should be of the kind {kind.__name__}, like {current!r}, not {brief(value)}"
    raise DataError(problem)


def as_tuples(value: Any) -> Any:
    """Lists, and those in them, as tuples: recipes can be keys."""
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value
