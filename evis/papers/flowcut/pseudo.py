"""FlowCut's labels of toy sets: pairs of frames whose masks agree."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from evis.companion.labelled import Made
from evis.companion.measured import HERE, Labels, Place
from evis.data.errors import DataError
from evis.data.masks import RLE
from evis.data.types import VISDataset
from evis.labels import curate
from evis.labels.videos import Cuts

MATCHERS: dict[str, curate.Matcher] = {
    "paper": curate.by_rows,  # a mask of the second frame can be taken twice
    "one-to-one": curate.by_assignment,
}


@dataclass(frozen=True)
class Pairs:
    """Sections 3.2 and 3.3: masks of all frames, then the pairs of frames in which some agree."""

    cuts: Made
    matching: Literal["paper", "one-to-one"] = "paper"
    gaps: tuple[int, ...] = curate.GAPS

    def content(self, seed: int = 0) -> dict[str, Any]:
        return {"pairs of": self.cuts.content(seed), "matching": self.matching, "gaps": self.gaps}

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        return self._curated(dataset, seed, place, jobs)[0]

    def counts(
        self, dataset: VISDataset, place: Place = HERE, jobs: int | None = None
    ) -> pd.DataFrame:
        """A line a gap: pairs of frames, those kept, and instances kept and dropped."""
        counted = self._curated(dataset, 0, place, jobs)[1]
        return pd.DataFrame([asdict(count) for count in counted]).set_index("gap")

    def _curated(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None
    ) -> tuple[VISDataset, tuple[curate.Count, ...]]:
        labelled = self.cuts.label(dataset, seed, place, jobs)
        pairs, counts = curate.pairs(labelled, self.gaps, matcher=MATCHERS[self.matching])
        if not pairs.videos:
            problem = "no two frames have masks that agree, so that there are no pairs"
            raise DataError(problem, remedy="Try another alpha or tau, or larger gaps")
        return pairs, counts


@dataclass(frozen=True)
class Uncurated(Cuts):
    """Masks as they are cut: the n-th of a frame and the n-th of another are taken for one object.

    What section 3.3 mends: objects found in one frame alone, or in another order.
    """

    def tracked(self, found: Sequence[Sequence[RLE]]) -> list[list[RLE | None]]:
        most = max(map(len, found), default=0)
        return [[rles[n] if n < len(rles) else None for rles in found] for n in range(most)]


@dataclass(frozen=True)
class ByKind:
    """One maker for videos, another for pictures: of a stage that learns from both."""

    videos: Labels
    stills: Labels

    def content(self, seed: int) -> dict[str, Any]:
        return {"videos": self.videos.content(seed), "stills": self.stills.content(seed)}

    def label(
        self, dataset: VISDataset, seed: int, place: Place, jobs: int | None = None
    ) -> VISDataset:
        maker = self.stills if dataset.are_stills else self.videos
        return maker.label(dataset, seed, place, jobs)
