"""PM-VIS's stages: one network, IDOL, and a loss whose weights say which method it is.

Their numbers are IDOL's, as its released configurations have them, which PM-VIS keeps but for the
loss (section IV-B). What neither says is listed in `unknown`, and the value that stands for it is
ours. `toy` shrinks any of them to 64 x 96 frames and two CPU cores.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from evis.papers.pmvis.settings import Settings
from evis.training.book import SMALL, Book, shrunk
from evis.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Stage(Recipe):
    """A recipe with what IDOL's loss is told."""

    settings: Settings

    @property
    def supervision(self) -> Literal["mask", "box"]:
        return self.settings.supervision


_IDOL = "IDOL's released configuration"
_CROPS = "crops of 384 to 600 pixels: left out here"
_SPREAD = "over how many GPUs a batch was spread (micro_batch)"
_OVIS = "on OVIS: with R50 the longest side, with Swin-L the batch (README of this folder)"
_MASKS = Settings(supervision="mask", box_weight=0.0, mask_weight=1.0)

STILLS = Stage(
    name="idol.stills",
    title="IDOL on masks of COCO pictures, two views of each",
    source=f"{_IDOL} for COCO; PM-VIS, section IV-B, starts from it",
    settings=_MASKS,
    init="imagenet",
    mixture=(("stills", 1.0),),
    still_frames=2,
    shorter_sides=(320, 352, 392, 416, 448, 480, 512, 544, 576, 608, 640),
    schedule="step",
    milestones=(22_200, 44_400),
    steps=59_200,
    batch=32,
    learning_rate=2e-4,
    weight_decay=1e-4,
    unknown=(_CROPS, _SPREAD, "how views differ: they are cropped apart, here turned and shifted"),
)
IDOL = replace(
    STILLS,
    name="idol",
    title="IDOL, supervised by video masks",
    source=f"{_IDOL} for YouTube-VIS 2019",
    init=STILLS.name,
    mixture=(("videos", 1.0),),
    frames=2,
    frame_range=10,
    longest_side=768,
    milestones=(8_000,),
    steps=12_000,
    learning_rate=1e-4,
    unknown=(_CROPS, _SPREAD, _OVIS),
)
IDOL_BOXINST = replace(
    IDOL,
    name="idol.boxinst",
    title="IDOL-BoxInst: boxes of videos, projection and pairwise",
    source=f"PM-VIS, section III-B 4; {_IDOL}",
    settings=Settings(box_weight=1.0, mask_weight=0.0),
    unknown=(*IDOL.unknown, "whether the pairwise term is raised slowly, as BoxInst's is"),
)
PMVIS = replace(
    IDOL_BOXINST,
    name="pmvis",
    title="PM-VIS: boxes of videos, and masks made of them",
    settings=Settings(),
)

BACKBONES = ("r50", "swin_l")
_BOOK = Book((STILLS, IDOL, IDOL_BOXINST, PMVIS), BACKBONES)
NAMES, named = _BOOK.names, _BOOK.named

# What `toy` changes: what all stages share, and each kind of stage's own. Nothing was tuned: that
# they learn was seen on unit 100, with the first 30 validation videos, before any row. After 220
# steps of stills (total loss 43 to 20) and 120 of videos, masks gave AP 5.3, class-agnostic AP50 34
# and mIoU 49; 110 steps of boxes in place of the 120, AP 5.0, 26 and 45. A step takes 0.7 seconds.
TOY: dict[str, Any] = SMALL | {"model": "tiny", "clip_norm": 0.1}
TOY_STAGES: dict[str, dict[str, Any]] = {
    "stills": {"steps": 2000, "batch": 8, "micro_batch": 8, "learning_rate": 1e-3},
    "videos": {"steps": 300, "batch": 8, "micro_batch": 8, "learning_rate": 5e-4},
}


def toy(recipe: Stage) -> Stage:
    """The same stage for `toy-coco` and `toy-ytvis19`, the `tiny` model and two CPU cores."""
    ((kind, _),) = recipe.mixture
    return shrunk(recipe, TOY | TOY_STAGES[kind])
