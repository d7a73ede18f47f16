"""Labels that stages of measured rows learn from (`measured.Labels`)."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evis.companion import measured, store
from evis.data import files
from evis.data.types import VISDataset
from evis.labels import videos


@dataclass(frozen=True)
class Made:
    """By a labeller of `evis.labels.videos`, the same for all units."""

    by: videos.Labeller

    def content(self, seed: int = 0) -> dict[str, Any]:
        weights = self.by.weights
        told = {"made by": type(self.by).__name__} | asdict(self.by)
        if weights is not None and Path(weights).exists():
            told["weights"] = files.digest(weights)
        return told

    def label(
        self,
        dataset: VISDataset,
        seed: int,
        place: measured.Place,
        jobs: int | None = None,
    ) -> VISDataset:
        key = store.key({"name": "parts"} | self.content(), "", 0)
        parts = place.build / "labels" / f"parts-{key}"
        return videos.make(dataset, self.by, parts, jobs, place.progress)
