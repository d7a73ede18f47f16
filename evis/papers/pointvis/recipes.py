"""PointVIS's stages: MinVIS on the masks that clicks chose, and its baselines.

Their numbers are MinVIS's, which the paper keeps but for "larger iterations" (section 4.1), which
it does not print. `toy` shrinks any to 64 x 96 frames and two CPU cores.
"""

from dataclasses import dataclass, replace

from evis.data.types import Supervision
from evis.training.book import Book, shrunk
from evis.training.mask_stage import MINVIS, SPREAD, TOY, MaskStage
from evis.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class PointStage(Recipe):
    """A recipe that learns at clicks alone (`evis.criterion.point_loss`)."""

    supervision: Supervision = "point"
    cross_instance: bool = False  # clicks on other objects are negatives


FIRST = MaskStage(
    name="pointvis",
    title="PointVIS: Mask2Former on single frames, from masks that clicks chose",
    source="PointVIS, section 4.1; MinVIS's released configuration",
    supervision="point",
    unknown=("its iterations, more than MinVIS's: as MinVIS's", SPREAD),
    **MINVIS,
)
SELF = replace(
    FIRST,
    name="pointvis.self",
    title="PointVIS's self-training: the same from masks of its own first model",
    source="PointVIS, section 3.2",
    unknown=(*FIRST.unknown, "what the second training starts from: as the first"),
)
VISC = replace(
    FIRST,
    name="pointvis.visc",
    title="VISC: the same from the most confident masks of a model of pictures",
    supervision="none",
    unknown=(*FIRST.unknown, "how many masks a video, k"),
)
VISP = PointStage(
    name="pointvis.visp",
    title="VISP: MinVIS with its loss at clicks alone, without any mask",
    source=FIRST.source,
    unknown=(*FIRST.unknown, "by what queries are matched: by the same points"),
    **MINVIS,
)
VISP_CINEG = replace(
    VISP,
    name="pointvis.visp_cineg",
    title="VISP+CINeg: the same, clicks on other objects as negatives",
    cross_instance=True,
)

BACKBONES = ("r50", "swin_l")
_BOOK = Book((FIRST, SELF, VISC, VISP, VISP_CINEG), BACKBONES)
NAMES, named = _BOOK.names, _BOOK.named


def toy(recipe: MaskStage | PointStage) -> MaskStage | PointStage:
    """The same stage for `toy-ytvis19`, a tiny model and two CPU cores."""
    values = TOY | {"steps": 300, "learning_rate": 1e-3}
    return shrunk(recipe, {name: value for name, value in values.items() if hasattr(recipe, name)})
