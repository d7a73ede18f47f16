"""CutLER's rounds on our frame-wise Mask2Former: from MaskCut's masks, then from its own.

Its iterations, DropLoss, pasted objects and scores are those of CutLER's released configuration,
whose network is a Cascade Mask R-CNN trained by SGD; learning rates are therefore MinVIS's, which
has the same network as here. `toy` shrinks any round to 64 x 96 pictures and two CPU cores.
"""

from dataclasses import replace

from evis.training.book import Book, shrunk
from evis.training.mask_stage import TOY, MaskStage

FIRST = MaskStage(
    name="cutler",
    title="CutLER on Mask2Former: objects of pictures, from MaskCut's masks",
    source="CutLER's released configuration, with another network",
    supervision="none",
    init="imagenet",
    mixture=(("stills", 1.0),),
    still_frames=1,
    rotation=0.0,
    shift=0.0,
    copy_paste=(0.3, 1.0),
    drop_iou=0.01,
    steps=160_000,
    batch=16,
    learning_rate=1e-4,
    unknown=(
        "learning rate and weight decay of this network",
        "sizes of pictures",
        "the backbone: the released one is DINO's ResNet-50, trained without labels; give that "
        "file, not torchvision's, which learnt from class labels",
    ),
)
NEXT = replace(
    FIRST,
    name="cutler.round1",
    title="CutLER's first round of self-training",
    init=FIRST.name,
    copy_paste=(0.5, 1.0),
    drop_iou=None,
    steps=80_000,
    learning_rate=5e-5,  # half of the first, as released
)
LAST = replace(
    NEXT, name="cutler.round2", title="CutLER's second round of self-training", init=NEXT.name
)

BACKBONES = ("r50",)
_BOOK = Book((FIRST, NEXT, LAST), BACKBONES)
NAMES, named = _BOOK.names, _BOOK.named


def toy(recipe: MaskStage) -> MaskStage:
    """The same round for `toy-coco`, a tiny model and two CPU cores."""
    is_first = recipe.name == FIRST.name
    steps, learning_rate = (1000, 1e-3) if is_first else (500, 5e-4)
    return shrunk(recipe, TOY | {"steps": steps, "learning_rate": learning_rate})
