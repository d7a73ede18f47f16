"""PM-VIS's pseudo masks of a toy set (Fig. 5), and the true masks that they filter.

What a model predicts is of the unit's own model, so that units differ in their masks, too;
`toy_sam` is one for all.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from evis.companion import measured
from evis.companion.labelled import Made, kept, predicted
from evis.companion.measured import Experiment, Labels, Place
from evis.data.supervision import weaken
from evis.data.types import Supervision, VISDataset
from evis.labels import assigned, filtering, select, steady, tracking

RULES: dict[str, Callable[..., VISDataset]] = {
    "SHQM": select.best_of,
    "steadiest": steady.steadiest_of,  # ours, of two kinds
}


@dataclass(frozen=True)
class Predicted:
    """IDOL-BoxInst-masks: predictions of its model, assigned to boxes by SCM with other masks."""

    by: Experiment
    prompted: Made
    tidy: bool = False  # DOOB

    def content(self, seed: int = 0) -> dict[str, Any]:
        model = {"predicted by": measured.content(self.by.seeded(seed))}
        model |= {"top": assigned.PREDICTIONS}
        return model | {"prompted": self.prompted.content(), "tidy": self.tidy}

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        boxes = weaken(dataset, "box")

        def make() -> VISDataset:
            prompted = self.prompted.label(boxes, seed, place, jobs)
            found = predicted(
                self.by.seeded(seed),
                replace(boxes.bare(), categories=()),
                replace(self.by.options, top=assigned.PREDICTIONS, class_agnostic=True),
                place,
                jobs,
            )
            labelled = assigned.by_scm(boxes, prompted, found, f"{self.by.name}'s masks")
            return select.tidied(labelled) if self.tidy else labelled

        return kept(boxes, self.content(seed), place, make)


@dataclass(frozen=True)
class Tracked:
    """Track-masks: from where the two kinds agree most, carried by likeness of colour.

    gaps: with what was carried to annotations of which the first kind has no mask. The paper takes
        it out (section III-E), so that both kinds are as many (Fig. 6, IV-C 4).
    """

    first: Predicted
    other: Made
    every: int  # K
    gaps: bool = False

    def content(self, seed: int = 0) -> dict[str, Any]:
        kinds = {"tracked": self.first.content(seed), "other": self.other.content()}
        own = {"through": "colour", "every": self.every}
        return kinds | own | ({} if self.gaps else {"without": "what the first kind lacks"})

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        boxes = weaken(dataset, "box")

        def make() -> VISDataset:
            first, other = (of.label(boxes, seed, place, jobs) for of in (self.first, self.other))
            how = tracking.BY_COLOUR, "tracked by colour", self.every
            tracked = tracking.label(boxes, first, *how, other, place.progress)
            return tracked if self.gaps else filtering.missing_data(tracked, first)

        return kept(boxes, self.content(seed), place, make)


@dataclass(frozen=True)
class Chosen:
    """Of several kinds, object by object and frame by frame, one mask by a rule of `RULES`."""

    first: Labels
    others: tuple[Labels, ...]
    rule: str = "SHQM"

    def content(self, seed: int = 0) -> dict[str, Any]:
        kinds = [kind.content(seed) for kind in (self.first, *self.others)]
        return {"chosen by": self.rule, "of": kinds}

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        boxes = weaken(dataset, "box")

        def make() -> VISDataset:
            kinds = (of.label(boxes, seed, place, jobs) for of in (self.first, *self.others))
            return RULES[self.rule](*kinds)

        return kept(boxes, self.content(seed), place, make)


@dataclass(frozen=True)
class Filtered:
    """The annotations of which pseudo masks say that they can be learned: Missing-Data and RIA.

    threshold: RIA's tau; 0 is Missing-Data alone, which boxes can be filtered by too.
    """

    by: Labels
    threshold: float = 0.6
    level: Supervision = "mask"

    def content(self, seed: int = 0) -> dict[str, Any]:
        own = {"threshold": self.threshold, "level": self.level}
        return {"filtered by": self.by.content(seed)} | own

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        truth, pseudo = weaken(dataset, self.level), self.by.label(dataset, seed, place, jobs)
        if self.threshold:
            return filtering.ria(truth, pseudo, self.threshold)
        return filtering.missing_data(truth, pseudo)
