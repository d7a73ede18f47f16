"""PointVIS's pseudo masks of a toy set: proposals of the unit's own model, chosen by clicks."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from evis.companion import measured
from evis.companion.measured import Experiment, Place
from evis.data.supervision import P1, PointScheme, weaken
from evis.data.types import VISDataset
from evis.inference import Options, predict_dataset
from evis.labels import points

CLICKS = 0  # the seed of the clicks, which people made once for all trainings


@dataclass(frozen=True)
class Clicked:
    """Section 3.2: proposals by MinVIS's linking, R of them, one to one with clicked objects."""

    proposals: Experiment
    scheme: PointScheme = P1
    weights: tuple[float, float, float] = points.WEIGHTS
    score: Literal["maskness", "confidence"] = "maskness"
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
        options = Options(
            window=1, shorter_side=None, top=self.count, class_agnostic=True, score=self.score
        )
        found = predict_dataset(
            measured.trained(self.proposals.seeded(seed), place),
            replace(dataset.bare(), categories=()),
            options,
            jobs,
            device=place.device,
            progress=place.progress,
        )
        origin = f"proposals by clicks and {self.score}"
        return points.label(clicked, found, origin, self.per_frame, self.weights)
