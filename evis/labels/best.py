"""PM-VIS's whole way from boxes to masks, as a labeller: Track-masks-final (Fig. 5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evis.data.per_video import YOUNG
from evis.data.types import Track, VISDataset
from evis.labels import filtering, from_boxes, select, tracking
from evis.labels.networks import carrier, weights_of
from evis.labels.videos import Boxes


@dataclass(frozen=True)
class Best:
    """Of three kinds of masks the one that agrees best with the others, object by object and frame
    by frame (SHQM): two kinds made from boxes, and what is tracked from where these two agree.
    An annotation of which the first kind has no mask gets none (section III-E).

    by, other: what makes the two, as in `Boxes`; both are tidy always, as in the paper, which has
        IDOL-BoxInst's for the first (`evis.labels.assigned`) and HQ-SAM's for the other.
    through, every, size: as in `Tracked`.
    tidy: DOOB for what comes of it too.
    """

    by: str = "grabcut"
    other: str = "toy_sam"
    through: str = "colour"
    every: int = 10
    tidy: bool = False
    size: int | None = field(default=None, metadata=YOUNG)
    device: str = field(default="cpu", compare=False)

    @property
    def kinds(self) -> list[Boxes]:
        return [Boxes(by, tidy=True, device=self.device) for by in (self.by, self.other)]

    @property
    def weights(self) -> tuple[str, ...]:
        return weights_of(self.by, self.other, self.through)

    @property
    def origin(self) -> str:
        first, other = (kind.origin for kind in self.kinds)
        tracked = f"what is tracked by {Path(self.through).name}, K = {self.every}"
        return f"SHQM of {first}, {other} and {tracked}" + ", DOOB" * self.tidy

    def seen(self, dataset: VISDataset) -> VISDataset:
        return from_boxes.seen(dataset)

    def __call__(self, dataset: VISDataset, progress: bool = False) -> Sequence[Track]:
        kinds = [kind.masks(dataset, progress) for kind in self.kinds]
        carry = carrier(self.through, self.size, self.device)
        tracked = tracking.label(
            dataset, kinds[0], carry, self.through, self.every, kinds[1], progress
        )
        chosen = select.best_of(filtering.missing_data(tracked, kinds[0]), *kinds)
        return (select.tidied(chosen) if self.tidy else chosen).tracks
