"""Every training stage as plain data: the papers' values and, beside them, the released code's.

`named("eigencluster.stage3")` is what the paper prints, `named("eigencluster.stage3.released")`
what the published code does where the two differ. What neither says is listed in `unknown`, and the
value that stands for it is ours. `toy` shrinks any of them to 64 x 96 frames and two CPU cores.
"""

import ast
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from operator import attrgetter
from typing import Any, Literal

from evis.data.errors import DataError
from evis.losses.settings import Settings
from evis.papers.eigencluster.beyond import VARIANTS
from evis.papers.eigencluster.temporal import SCHEMES

# All that differs from backbone to backbone.
BETA = {"r50": 0.16, "r101": 1.0, "swin_l": 1.0}  # released
STAGE3_STEPS = {"r50": 2300, "r101": 2700, "swin_l": 2400}  # released; the paper: up to 4k
STAGE3_ROTATION = {"r50": 0.0, "r101": 0.0, "swin_l": 15.0}  # of stills, released

# Toy sizes: everything that `toy` changes, in one place.
TOY_MODEL = "tiny"
TOY_CHANGES: dict[str, Any] = {
    "frame_range": 20,  # toy videos are short
    "shorter_sides": (64,),
    "longest_side": 96,
    "schedule": "cosine",
    "warm_up_steps": 20,
    "backbone_multiplier": 1.0,  # the toy backbone starts from nothing
    "precision": "no",
}
TOY_SETTINGS: dict[str, Any] = {"points": 512, "warm_up_steps": 100}
TOY_STEPS = {"stills": 2000, "videos": 300, "frozen": 150}
TOY_BATCH = {"stills": 16, "videos": 8, "frozen": 8}
TOY_LEARNING_RATE = {"stills": 1e-3, "videos": 1e-3, "frozen": 3e-4}


@dataclass(frozen=True)
class Recipe:
    """One training stage. Two runs of one recipe on the same data and machine are the same run."""

    name: str
    title: str
    source: str  # where its values stand
    settings: Settings  # the loss
    mixture: tuple[tuple[str, float], ...]  # "videos" or "stills", and its share of the batches
    steps: int
    batch: int  # clips a step, over all processes
    learning_rate: float
    # A step's gradient is the mean over micro-batches of this many clips, each with its own loss.
    micro_batch: int = 2
    init: str | None = None  # "imagenet": a backbone; a recipe: what it trained; None: nothing
    model: str = "r50"  # a size of `evis.models.named`
    # Classes of other sources than the first, under the first's names; "" drops a class.
    renames: tuple[tuple[str, str], ...] = ()
    frames: int = 3  # a clip of a video
    frame_range: int = 5
    still_frames: int = 4  # views of a still picture in its pseudo clip
    rotation: float = 15.0  # of a view, degrees either way
    shift: float = 0.1  # of a view, share of its sides
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
    scheme: str | None = None  # of `temporal.SCHEMES` or `beyond.VARIANTS`, in place of TK and TEL
    seed: int = 0
    unknown: tuple[str, ...] = ()  # what the sources do not say, so that the value is ours

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise DataError(problem, field=f"recipe {self.name}")

    @property
    def micro_batches(self) -> int:
        """A step."""
        return self.batch // self.micro_batch

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


_ABOVE_ZERO = (
    "steps batch micro_batch learning_rate frames frame_range still_frames clip_norm "
    "settings.eigenvalues settings.scale settings.points"
)
_ZERO_OR_MORE = (
    "settings.warm_up_steps settings.beta settings.class_weight settings.mask_weight "
    "settings.dice_weight settings.no_object_weight settings.temporal_factor"
)
_CHOICES = {
    "schedule": ("constant", "cosine", "step"),
    "precision": ("no", "bf16", "fp16"),
    "settings.supervision": ("mask", "box"),
    "settings.flavour": ("paper", "released"),
    "settings.alpha": (0, 1),
}


def _problem(recipe: Recipe) -> str | None:
    for name in _ABOVE_ZERO.split():
        if not (value := attrgetter(name)(recipe)) > 0:
            return f"{name} should be above 0, is {value!r}"
    for name in _ZERO_OR_MORE.split():
        if not (value := attrgetter(name)(recipe)) >= 0:
            return f"{name} should be 0 or more, is {value!r}"
    for name, known in _CHOICES.items():
        if (value := attrgetter(name)(recipe)) not in known:
            *others, last = map(str, known)
            return f"{name} should be {', '.join(others)} or {last}, is {value!r}"
    if recipe.batch % recipe.micro_batch:
        return f"a batch of {recipe.batch} can't be split by {recipe.micro_batch}"
    if not recipe.mixture or any(share <= 0 for _, share in recipe.mixture):
        return f"the mixture should name sources with shares above 0, is {recipe.mixture!r}"
    decay = recipe.ema_decay
    if decay is not None and not (isinstance(decay, float) and 0 < decay < 1):
        return f"ema_decay should be None or between 0 and 1, is {recipe.ema_decay!r}"
    if recipe.scheme is not None and recipe.scheme not in (known := SCHEMES | VARIANTS):
        return f"scheme should be None or one of {', '.join(known)}, is {recipe.scheme!r}"
    return None


_VIDEOS = (("videos", 1.0),)
_WITH_STILLS = (("videos", 0.75), ("stills", 1.0))  # released
# COCO's classes that YouTube-VIS calls otherwise. COCO's mouse is the computer's.
_COCO_NAMES = (("motorcycle", "motorbike"), ("car", "sedan"), ("mouse", ""))
_SPREAD = "over how many GPUs a batch was spread (micro_batch)"
_SCHEDULE = "schedule and warm-up of the learning rate"
_SIZES = "frame sizes and flips"
_CLIPS = "frames a clip and their range: as in the released stage three"
_STILLS = "how far the views of a pseudo clip shift: the code crops them"
_BOXES = "the code's stills keep their masks, here they have boxes"


def _stage1(backbone: str) -> Recipe:
    return Recipe(
        name="eigencluster.stage1",
        title="Eigen-Cluster VIS, stage one: masks of COCO pictures",
        source="Eigen-Cluster VIS, section IV-B",
        settings=Settings(supervision="mask", alpha=0, beta=0.0),
        model=backbone,
        init="imagenet",
        mixture=(("stills", 1.0),),
        still_frames=1,
        rotation=0.0,
        shift=0.0,
        steps=60_000,
        batch=16,
        learning_rate=1e-4,
        unknown=(_SPREAD, _SCHEDULE, _SIZES, "frames a picture: one, as pictures are named"),
    )


def _stage2(backbone: str) -> Recipe:
    return Recipe(
        name="eigencluster.stage2",
        title="Eigen-Cluster VIS, stage two: boxes of videos, TK",
        source="Eigen-Cluster VIS, section IV-B",
        settings=Settings(supervision="box", alpha=0, beta=0.0),
        model=backbone,
        init="eigencluster.stage1",
        mixture=_VIDEOS,
        steps=6_000,
        batch=16,
        learning_rate=1e-4,
        unknown=(_SPREAD, _SCHEDULE, _SIZES, _CLIPS),
    )


def _stage2_released(backbone: str) -> Recipe:
    stage = _stage2(backbone)
    return replace(
        stage,
        name="eigencluster.stage2.released",
        source=f"Eigen-Cluster VIS, section IV-B, with released loss and pseudo clips; {_BOXES}",
        settings=replace(stage.settings, flavour="released"),
        mixture=_WITH_STILLS,
        renames=_COCO_NAMES,
        precision="fp16",
        unknown=(_SPREAD, _SCHEDULE, _STILLS, "all that is not released for stage three"),
    )


def _stage3(backbone: str) -> Recipe:
    return Recipe(
        name="eigencluster.stage3",
        title="Eigen-Cluster VIS, stage three: TEL and QCC, backbone frozen",
        source="Eigen-Cluster VIS, section IV-B",
        # The released counter of the warm-up is loaded with the weights, long past its end.
        settings=Settings(supervision="box", alpha=1, beta=BETA[backbone], warm_up_steps=0),
        model=backbone,
        init="eigencluster.stage2",
        mixture=_VIDEOS,
        steps=4_000,
        batch=2,
        learning_rate=1e-4,
        freeze_backbone=True,
        unknown=(_SPREAD, _SCHEDULE, _SIZES, _CLIPS, "beta: as released", "steps: up to 4k"),
    )


def _stage3_released(backbone: str) -> Recipe:
    stage = _stage3(backbone)
    return replace(
        stage,
        name="eigencluster.stage3.released",
        source=f"the released code; {_BOXES}",
        settings=replace(stage.settings, flavour="released"),
        init="eigencluster.stage2.released",
        mixture=_WITH_STILLS,
        renames=_COCO_NAMES,
        rotation=STAGE3_ROTATION[backbone],
        steps=STAGE3_STEPS[backbone],
        learning_rate=1e-5,
        precision="fp16",
        unknown=(_SPREAD, _SCHEDULE, _STILLS, "the kind of mixed precision"),
    )


def _maskfree(backbone: str) -> Recipe:
    return replace(
        _stage2(backbone),
        name="maskfree",
        title="MaskFreeVIS: boxes of videos, projection, pairwise and TK",
        source="Eigen-Cluster VIS, sections III-E and IV-B, on its baseline [28]",
    )


def _boxinst(backbone: str) -> Recipe:
    stage = _stage2(backbone)
    return replace(
        stage,
        name="boxinst",
        title="BoxInst losses on videos: projection and pairwise, no temporal term",
        source="Eigen-Cluster VIS, section III-E, without L_temporal",
        settings=replace(stage.settings, temporal_factor=0.0),
    )


def _mask2former(backbone: str) -> Recipe:
    stage = _stage2(backbone)
    return replace(
        stage,
        name="mask2former",
        title="Mask2Former-VIS, supervised by video masks",
        source="Eigen-Cluster VIS, section IV-B: all settings but loss and matching are its own",
        settings=replace(stage.settings, supervision="mask"),
    )


_RECIPES = {
    "eigencluster.stage1": _stage1,
    "eigencluster.stage2": _stage2,
    "eigencluster.stage2.released": _stage2_released,
    "eigencluster.stage3": _stage3,
    "eigencluster.stage3.released": _stage3_released,
    "maskfree": _maskfree,
    "boxinst": _boxinst,
    "mask2former": _mask2former,
}
NAMES = tuple(_RECIPES)
BACKBONES = tuple(BETA)


def named(name: str, backbone: str = "r50") -> Recipe:
    """A recipe by name, with the backbone's own numbers."""
    if name not in _RECIPES:
        raise DataError(f"no recipe is called {name!r}", remedy=f"There are {', '.join(NAMES)}")
    if backbone not in BACKBONES:
        raise DataError(
            f"no paper trains with the backbone {backbone!r}",
            remedy=f"There are {', '.join(BACKBONES)}; another size fits with --set model=NAME",
        )
    return _RECIPES[name](backbone)


def toy(recipe: Recipe) -> Recipe:
    """The same stage for `toy-coco` and `toy-ytvis19`, the `tiny` model and two CPU cores."""
    stills_only = recipe.mixture == (("stills", 1.0),)
    stage = "stills" if stills_only else "frozen" if recipe.freeze_backbone else "videos"
    return replace(
        recipe,
        name=f"toy.{recipe.name}",
        source=f"{recipe.source}; sizes and schedule for toy data",
        init=None if recipe.init in (None, "imagenet") else f"toy.{recipe.init}",
        model=TOY_MODEL,
        settings=replace(recipe.settings, **TOY_SETTINGS),
        steps=TOY_STEPS[stage],
        batch=TOY_BATCH[stage],
        micro_batch=TOY_BATCH[stage],
        learning_rate=TOY_LEARNING_RATE[stage],
        unknown=(),
        **TOY_CHANGES,
    )


SHORT = {"lr": "learning_rate"}


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with other values; `settings.beta` reaches into the loss, `lr` is short.

    A value may be text, as from the command line: "3e-4", "(64, 80)", "cosine", "None".
    """
    own: dict[str, Any] = {}
    of_loss: dict[str, Any] = {}
    for key, value in changes.items():
        key = SHORT.get(key, key)
        name = key.removeprefix("settings.")
        holder, group = (recipe.settings, of_loss) if name != key else (recipe, own)
        names = [field.name for field in fields(holder)]
        if name not in names or (name == "settings" and holder is recipe):
            raise DataError(
                f"a recipe has no {key!r} to set",
                remedy=f"There are {', '.join(n for n in names if n != 'settings')}",
            )
        group[name] = _like(getattr(holder, name), _parsed(value), key)
    return replace(recipe, settings=replace(recipe.settings, **of_loss), **own)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _like(current: Any, value: Any, key: str) -> Any:
    """The value as the field holds it; DataError where it is of another kind."""
    if isinstance(current, tuple) and isinstance(value, list | int | float):
        value = tuple(value) if isinstance(value, list) else (value,)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(current, bool):
        fits = isinstance(value, bool)
    elif isinstance(current, int):
        fits = number and value == int(value)
        value = int(value) if fits else value
    elif isinstance(current, float):
        fits = number
        value = float(value) if fits else value
    else:
        fits = current is None or value is None or isinstance(value, type(current))
    if not fits:
        kind = type(current).__name__
        raise DataError(f"{key} should be of the kind {kind}, like {current!r}, not {value!r}")
    return value
