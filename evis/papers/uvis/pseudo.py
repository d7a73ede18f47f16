"""UVIS's pseudo labels of a toy set (section 3.1), as the stage `uvis` learns from them."""

from dataclasses import asdict, dataclass
from typing import Any

from evis.companion.labelled import Detector
from evis.companion.measured import Place
from evis.data import files
from evis.data.types import VISDataset
from evis.foundation import stand_in, toy_clip
from evis.labels import naming


@dataclass(frozen=True)
class PseudoLabels:
    """Masks of a detector, names of `toy_clip`, and what is left of them by `least`."""

    detector: Detector
    least: naming.Least = naming.Least()

    def content(self, seed: int = 0) -> dict[str, Any]:
        return {
            "named by": files.digest(stand_in.committed("toy_clip")),
            "masks": self.detector.content(seed),
            "least": asdict(self.least),
        }

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        found = self.detector.detections(dataset, seed, place, jobs)
        embedder = toy_clip.load(device=place.device)
        named = naming.named(dataset, found, embedder, place.progress)
        origin = "a detector's masks, toy_clip's names"
        return naming.label(dataset, found, named, origin, self.least)
