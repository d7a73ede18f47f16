"""UVIS's stages: MinVIS, frame by frame, on masks and names that algorithms made.

Their numbers are MinVIS's, as its released configurations have them, which UVIS keeps but for what
section 4.1 changes: pseudo labels in place of masks, a backbone from ImageNet in place of COCO, and
320,000 iterations. `toy` shrinks any of them to 64 x 96 frames and two CPU cores.
"""

from dataclasses import replace

from evis.training import mask_stage
from evis.training.book import Book, shrunk
from evis.training.mask_stage import SPREAD, TOY, MaskStage

MINVIS = MaskStage(
    name="minvis",
    title="MinVIS: Mask2Former on masks of single frames, after COCO",
    source="MinVIS's released configuration for YouTube-VIS 2019",
    unknown=(SPREAD,),
    **mask_stage.MINVIS,
)
MINVIS_ALONE = replace(
    MINVIS,
    name="minvis.alone",
    title="MinVIS without COCO: what UVIS is measured against",
    source=f"{MINVIS.source}; UVIS, Table 1",
    init="imagenet",
    unknown=(SPREAD, "its iterations without COCO: as with it"),
)
UVIS = replace(
    MINVIS_ALONE,
    name="uvis",
    title="UVIS: Mask2Former on single frames, from masks and names without annotation",
    source="UVIS, section 4.1; what it does not change is MinVIS's",
    supervision="none",
    steps=320_000,
    milestones=(),
    schedule="constant",
    unknown=(SPREAD, "when the learning rate falls within 320,000 iterations: never, here"),
)

_BOOK = Book((MINVIS, MINVIS_ALONE, UVIS), backbones=("r50",))
NAMES, named = _BOOK.names, _BOOK.named


def toy(recipe: MaskStage) -> MaskStage:
    """The same stage for `toy-ytvis19`, a tiny model and two CPU cores.

    1,000 steps of 16 frames see each of some 7,000 frames about twice.
    """
    return shrunk(recipe, TOY | {"steps": 1000, "learning_rate": 1e-3})
