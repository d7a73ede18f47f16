"""How crops and names look to CLIP, or to what stands in for it, as plain data: workers get that,
and kept files tell what made them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from evis.data.errors import DataError
from evis.foundation import clip, stand_in, toy_clip

TOY_CLIP = "toy_clip"


@dataclass(frozen=True)
class Looks:
    """An `evis.labels.naming.Embedder`.

    by: "toy_clip", or a CLIP's weights: a folder, or its name in the cache.
    """

    by: str = TOY_CLIP
    device: str = field(default="cpu", compare=False)

    @property
    def weights(self) -> tuple[str, ...]:
        return (str(stand_in.committed(TOY_CLIP)) if self.by == TOY_CLIP else self.by,)

    @property
    def scale(self) -> float:
        return network(self.by, self.device).scale

    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        return network(self.by, self.device).images(pictures)

    def texts(self, names: Sequence[str]) -> np.ndarray:
        """toy_clip can't tell apart what it has no word of, so that such names are an error."""
        model = network(self.by, self.device)
        if self.by == TOY_CLIP and (strange := [name for name in names if not model.knows(name)]):
            listed = ", ".join(map(repr, strange[:5])) + ", ..." * (len(strange) > 5)
            problem = f"toy_clip, which has seen generated shapes alone, has no word of {listed}"
            remedy = f"Name by a CLIP's folder or name in the cache, such as {clip.EXAMPLE}"
            raise DataError(problem, remedy=f"{remedy}; or by colours and shapes")
        return model.texts(names)


@cache
def network(by: str, device: str = "cpu") -> clip.Clip | toy_clip.ToyClip:
    """Weights are read once a process."""
    return toy_clip.load(device=device) if by == TOY_CLIP else clip.load(by, device)
