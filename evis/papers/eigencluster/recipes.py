"""The lead paper's stages: its printed values and, beside them, the released code's.

`named("eigencluster.stage3")` is what the paper prints, `named("eigencluster.stage3.released")`
what the published code does where the two differ. What neither says is listed in `unknown`, and the
value that stands for it is ours. `toy` shrinks any of them to 64 x 96 frames and two CPU cores.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from evis.data.errors import DataError
from evis.papers.eigencluster.beyond import VARIANTS
from evis.papers.eigencluster.settings import RELEASED, Settings
from evis.papers.eigencluster.temporal import SCHEMES
from evis.training.recipe import Recipe, changed


@dataclass(frozen=True, kw_only=True)
class Stage(Recipe):
    """A recipe with what the lead paper's loss is told."""

    settings: Settings
    scheme: str | None = None  # of `temporal.SCHEMES` or `beyond.VARIANTS`, in place of TK and TEL

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scheme is not None and self.scheme not in (known := (*SCHEMES, *VARIANTS)):
            raise DataError(
                f"scheme should be None or one of {', '.join(known)}, is {self.scheme!r}",
                field=f"recipe {self.name}",
            )

    @property
    def supervision(self) -> Literal["mask", "box"]:
        return self.settings.supervision


_VIDEOS = (("videos", 1.0),)
_STILLS = (("stills", 1.0),)
_WITH_STILLS = (("videos", 0.75), ("stills", 1.0))  # released
# COCO's classes that YouTube-VIS calls otherwise. COCO's mouse is the computer's.
_COCO_NAMES = (("motorcycle", "motorbike"), ("car", "sedan"), ("mouse", ""))
_SECTION = "Eigen-Cluster VIS, section IV-B"
_SPREAD = "over how many GPUs a batch was spread (micro_batch)"
_SCHEDULE = "schedule and warm-up of the learning rate"
_SIZES = "frame sizes and flips"
_CLIPS = "frames a clip and their range: as in the released stage three"
_SHIFTS = "how far the views of a pseudo clip shift: the code crops them"
_BOXES = "the code's stills keep their masks, here they have boxes"

# With R50. What differs with another backbone is in `OTHER_BACKBONES`.
STAGE1 = Stage(
    name="eigencluster.stage1",
    title="Eigen-Cluster VIS, stage one: masks of COCO pictures",
    source=_SECTION,
    settings=Settings(supervision="mask", alpha=0, beta=0.0),
    init="imagenet",
    mixture=_STILLS,
    still_frames=1,
    rotation=0.0,
    shift=0.0,
    steps=60_000,
    batch=16,
    learning_rate=1e-4,
    unknown=(_SPREAD, _SCHEDULE, _SIZES, "frames a picture: one, as pictures are named"),
)
STAGE2 = Stage(
    name="eigencluster.stage2",
    title="Eigen-Cluster VIS, stage two: boxes of videos, TK",
    source=_SECTION,
    settings=Settings(supervision="box", alpha=0, beta=0.0),
    init=STAGE1.name,
    mixture=_VIDEOS,
    steps=6_000,
    batch=16,
    learning_rate=1e-4,
    unknown=(_SPREAD, _SCHEDULE, _SIZES, _CLIPS),
)
STAGE2_RELEASED = replace(
    STAGE2,
    name="eigencluster.stage2.released",
    source=f"{_SECTION}, with released loss and pseudo clips; {_BOXES}",
    settings=replace(STAGE2.settings, **RELEASED),
    mixture=_WITH_STILLS,
    renames=_COCO_NAMES,
    precision="fp16",
    unknown=(_SPREAD, _SCHEDULE, _SHIFTS, "all that is not released for stage three"),
)
STAGE3 = Stage(
    name="eigencluster.stage3",
    title="Eigen-Cluster VIS, stage three: TEL and QCC, backbone frozen",
    source=_SECTION,
    # The released counter of the warm-up is loaded with the weights, long past its end.
    settings=Settings(supervision="box", alpha=1, beta=0.16, warm_up_steps=0),
    init=STAGE2.name,
    mixture=_VIDEOS,
    steps=4_000,
    batch=2,
    learning_rate=1e-4,
    freeze_backbone=True,
    unknown=(_SPREAD, _SCHEDULE, _SIZES, _CLIPS, "beta: as released", "steps: up to 4k"),
)
STAGE3_RELEASED = replace(
    STAGE3,
    name="eigencluster.stage3.released",
    source=f"the released code; {_BOXES}",
    settings=replace(STAGE3.settings, **RELEASED),
    init=STAGE2_RELEASED.name,
    mixture=_WITH_STILLS,
    renames=_COCO_NAMES,
    rotation=0.0,
    steps=2300,
    learning_rate=1e-5,
    precision="fp16",
    unknown=(_SPREAD, _SCHEDULE, _SHIFTS, "the kind of mixed precision"),
)
MASKFREE = replace(
    STAGE2,
    name="maskfree",
    title="MaskFreeVIS: boxes of videos, projection, pairwise and TK",
    source="Eigen-Cluster VIS, sections III-E and IV-B, on its baseline [28]",
)
BOXINST = replace(
    STAGE2,
    name="boxinst",
    title="BoxInst losses on videos: projection and pairwise, no temporal term",
    source="Eigen-Cluster VIS, section III-E, without L_temporal",
    settings=replace(STAGE2.settings, temporal_factor=0.0),
)
MASK2FORMER = replace(
    STAGE2,
    name="mask2former",
    title="Mask2Former-VIS, supervised by video masks",
    source="Eigen-Cluster VIS, section IV-B: all settings but loss and matching are its own",
    settings=replace(STAGE2.settings, supervision="mask"),
)

_PLAIN = (STAGE1, STAGE2, STAGE2_RELEASED, STAGE3, STAGE3_RELEASED, MASKFREE, BOXINST, MASK2FORMER)
_RECIPES = {recipe.name: recipe for recipe in _PLAIN}
NAMES = tuple(_RECIPES)
# The released numbers that are others than R50's.
OTHER_BACKBONES: dict[str, dict[str, dict[str, Any]]] = {
    "r101": {
        STAGE3.name: {"settings.beta": 1.0},
        STAGE3_RELEASED.name: {"settings.beta": 1.0, "steps": 2700},
    },
    "swin_l": {
        STAGE3.name: {"settings.beta": 1.0},
        STAGE3_RELEASED.name: {"settings.beta": 1.0, "steps": 2400, "rotation": 15.0},
    },
}
BACKBONES = ("r50", *OTHER_BACKBONES)


def named(name: str, backbone: str = "r50") -> Stage:
    """A recipe by name, with the backbone's own numbers."""
    if name not in _RECIPES:
        raise DataError(f"no recipe is called {name!r}", remedy=f"There are {', '.join(NAMES)}")
    if backbone not in BACKBONES:
        raise DataError(
            f"no paper trains with the backbone {backbone!r}",
            remedy=f"There are {', '.join(BACKBONES)}; another size fits with --set model=NAME",
        )
    numbers = OTHER_BACKBONES.get(backbone, {}).get(name, {})
    return changed(_RECIPES[name], {"model": backbone, **numbers})


# All that `toy` changes, and with it the regime of the toy rows: what all stages share, and each
# kind of stage's own. TK is the mean over its matches, as in the released code, where its factor of
# 0.1 is from: with Eq. 12's division by all pixels that factor leaves it a tenth as strong.
TOY: dict[str, Any] = {
    "model": "tiny",
    "shorter_sides": (64,),
    "longest_side": 96,
    "schedule": "cosine",
    "warm_up_steps": 20,
    "backbone_multiplier": 1.0,  # the toy backbone starts from nothing
    "precision": "no",
    "settings.points": 512,
    "settings.temporal_factor": 0.1,
    "settings.tk_mean": "matches",
    "settings.warm_up_steps": 100,
}
TOY_STAGES: dict[str, dict[str, Any]] = {
    "stills": {"steps": 2000, "batch": 16, "micro_batch": 16, "learning_rate": 1e-3},
    "videos": {"steps": 300, "batch": 8, "micro_batch": 8, "learning_rate": 1e-3},
    "frozen": {"steps": 150, "batch": 8, "micro_batch": 8, "learning_rate": 3e-4},
}


def toy(recipe: Stage) -> Stage:
    """The same stage for `toy-coco` and `toy-ytvis19`, the `tiny` model and two CPU cores."""
    stills_only = recipe.mixture == _STILLS
    kind = "stills" if stills_only else "frozen" if recipe.freeze_backbone else "videos"
    words = {
        "name": f"toy.{recipe.name}",
        "source": f"{recipe.source}; sizes and schedule for toy data",
        "init": None if recipe.init in (None, "imagenet") else f"toy.{recipe.init}",
        "unknown": (),
    }
    values = words | TOY | TOY_STAGES[kind]
    if not recipe.settings.temporal_factor:  # without a temporal term it stays without
        values["settings.temporal_factor"] = 0.0
    return changed(recipe, values)
