"""PointVIS's stages: MinVIS on the masks that clicks chose.

Their numbers are MinVIS's, which the paper keeps but for "larger iterations" (section 4.1), which
it does not print. `toy` shrinks either to 64 x 96 frames and two CPU cores.
"""

from dataclasses import replace

from evis.training.book import Book, shrunk
from evis.training.mask_stage import TOY, MaskStage

FIRST = MaskStage(
    name="pointvis",
    title="PointVIS: Mask2Former on single frames, from masks that clicks chose",
    source="PointVIS, section 4.1; MinVIS's released configuration",
    supervision="point",
    init="eigencluster.stage1",  # the same network on masks of COCO pictures
    mixture=(("videos", 1.0),),
    frames=1,
    steps=6_000,
    batch=32,
    learning_rate=1e-4,
    schedule="step",
    milestones=(4_000,),
    unknown=(
        "its iterations, more than MinVIS's: as MinVIS's",
        "over how many GPUs a batch was spread (micro_batch)",
    ),
)
SELF = replace(
    FIRST,
    name="pointvis.self",
    title="PointVIS's self-training: the same from masks of its own first model",
    source="PointVIS, section 3.2",
    unknown=(*FIRST.unknown, "what the second training starts from: as the first"),
)

BACKBONES = ("r50", "swin_l")
_BOOK = Book((FIRST, SELF), BACKBONES)
NAMES, named = _BOOK.names, _BOOK.named


def toy(recipe: MaskStage) -> MaskStage:
    """The same stage for `toy-ytvis19`, a tiny model and two CPU cores."""
    return shrunk(recipe, TOY | {"steps": 300, "learning_rate": 1e-3})
