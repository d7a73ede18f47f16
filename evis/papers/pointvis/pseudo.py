"""What PointVIS and its baselines learn from on a toy set: clicks, and masks made with them.

Proposals are of the unit's own model. Where a share of the frames is annotated, videos are cut to
these frames in the end, as MinVIS learns from nothing else.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from evis.companion import measured
from evis.companion.labelled import predicted
from evis.companion.measured import Experiment, Place
from evis.data.supervision import P1, PointScheme, in_frames, weaken
from evis.data.types import VISDataset
from evis.inference import Options
from evis.inference.weights import with_classes
from evis.labels import points
from evis.labels.agreement import by_agreement
from evis.labels.datasets import as_dataset

CLICKS = 0  # the seed of the clicks, which people made once for all trainings


@dataclass(frozen=True)
class Clicked:
    """Section 3.2: proposals by MinVIS's linking, R of them, one to one with clicked objects."""

    proposals: Experiment
    scheme: PointScheme = P1
    weights: tuple[float, float, float] = points.WEIGHTS
    score: Literal["maskness", "confidence", "agreement"] = "maskness"
    per_frame: bool = False
    count: int = 100  # R

    def content(self, seed: int = 0) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("weights", "score", "per_frame", "count")}
        model = measured.content(self.proposals.seeded(seed))
        return {"clicks": asdict(self.scheme), "proposals": model} | own

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        clicked = weaken(dataset, "point", self.scheme, CLICKS)
        score = "confidence" if self.score == "agreement" else self.score
        options = Options(
            window=1, shorter_side=None, top=self.count, class_agnostic=True, score=score
        )
        bare = replace(dataset.bare(), categories=())
        found = predicted(self.proposals.seeded(seed), bare, options, place, jobs)
        if self.score == "agreement":
            found = by_agreement(found)
        origin = f"proposals by clicks and {self.score}"
        labelled = points.label(clicked, found, origin, self.per_frame, self.weights)
        return in_frames(labelled, self.scheme.frame_share, CLICKS)


@dataclass(frozen=True)
class Clicks:
    """The clicks themselves: for VISP and VISP+CINeg, which make no mask."""

    scheme: PointScheme = P1

    def content(self, seed: int = 0) -> dict[str, Any]:
        return {"clicks": asdict(self.scheme)}

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        clicked = weaken(dataset, "point", self.scheme, CLICKS)
        return in_frames(clicked, self.scheme.frame_share, CLICKS)


@dataclass(frozen=True)
class MostConfident:
    """VISC: a video's k most confident proposals, under the names that a model of pictures gives.

    Those of a class that the videos do not have are left out. Nothing annotated is read.
    """

    proposals: Experiment
    k: int

    def content(self, seed: int = 0) -> dict[str, Any]:
        return {"most confident": self.k, "of": measured.content(self.proposals.seeded(seed))}

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        options = Options(window=1, shorter_side=None, top=self.k, class_agnostic=True)
        run, bare = self.proposals.seeded(seed), replace(dataset.bare(), categories=())
        found = predicted(run, bare, options, place, jobs)
        names = with_classes(bare, measured.trained(run, place)).category_names
        ids = {category.name: category.id for category in dataset.categories}
        named = [
            replace(track, category_id=ids[names[track.category_id]])
            for track in found
            if names[track.category_id] in ids
        ]
        return as_dataset(dataset.bare(), named, f"the {self.k} most confident proposals")


@dataclass(frozen=True)
class FewMasks:
    """The annotated masks of a share of each video's frames: MinVIS in Table 6."""

    frame_share: float

    def content(self, seed: int = 0) -> dict[str, Any]:
        return {"masks in a share of frames": self.frame_share}

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        return in_frames(dataset, self.frame_share, CLICKS)
