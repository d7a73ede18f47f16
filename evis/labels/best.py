"""PM-VIS's whole way from boxes to masks, as a labeller: Track-masks-final (Fig. 5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from evis.data.types import Track, VISDataset
from evis.labels import from_boxes, select, tracking
from evis.labels.datasets import made
from evis.labels.videos import Boxes, carrier, weights_of


@dataclass(frozen=True)
class Best:
    """Of three kinds of masks the one that agrees best with the others, object by object and frame
    by frame (SHQM): two kinds made from boxes, and what is tracked from where these two agree.

    by, other: what makes the two, as in `Boxes`; both are tidy always, as in the paper, which has
        IDOL-BoxInst's for the first and HQ-SAM's for the other.
    through, every: as in `Tracked`.
    tidy: DOOB for what comes of it too.
    """

    by: str = "grabcut"
    other: str = "toy_sam"
    through: str = "colour"
    every: int = 10
    tidy: bool = False

    @property
    def weights(self) -> tuple[str, ...]:
        carries = () if self.through == "colour" else (self.through,)
        return weights_of(self.by) + weights_of(self.other) + carries

    @property
    def origin(self) -> str:
        kinds = [Boxes(by, tidy=True).origin for by in (self.by, self.other)]
        tracked = f"what is tracked by {self.through}, K = {self.every}"
        return f"SHQM of {kinds[0]}, {kinds[1]} and {tracked}" + ", DOOB" * self.tidy

    def seen(self, dataset: VISDataset) -> VISDataset:
        return from_boxes.seen(dataset)

    def __call__(self, dataset: VISDataset, progress: bool = False) -> Sequence[Track]:
        kinds = [
            made(dataset, Boxes(by, tidy=True)(dataset, progress), by)
            for by in (self.by, self.other)
        ]
        carry = carrier(self.through)
        tracked = tracking.label(
            dataset, kinds[0], carry, self.through, self.every, kinds[1], progress
        )
        chosen = select.best_of(tracked, *kinds)
        return (select.tidied(chosen) if self.tidy else chosen).tracks
