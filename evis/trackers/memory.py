"""UVIS's tracking memory (section 3.3): frames are linked to all frames before, not to the last.

As MinVIS links, but what the queries of a frame are compared with is lambda times a track's last
query plus (1 - lambda) times the mean of its queries before that (Eqs. 2-3), lengths as they are.

Of its first frame, the print says nothing that can be computed: at t = 1 Eq. 3 is a mean over no
frame. That a track is then its one query, which we take as the reading from t = 1 on, and that the
mean is 0 there, which is the most literal one, come to the same: cosine doesn't see the factor
lambda. They differ for lambda = 0 alone, where the second compares with nothing. Both P of Eq. 2
and those of Eq. 3 lead to the tracks' order, that of the first frame: each pairing is with tracks.
"""

import torch
from torch import Tensor

from evis.trackers import minvis


def link(embeddings: Tensor, weight: float = 0.5) -> Tensor:
    """(T, Q, C) -> (T, Q) long: which query of frame t continues each track, as `minvis.link`.

    weight: lambda of Eq. 2, from 0 (all frames before the last one) to 1 (the last: MinVIS).
    """
    if embeddings.ndim != 3:
        raise ValueError(
            f"embeddings should be (frames, queries, channels), got {tuple(embeddings.shape)}"
        )
    memory = Memory(weight)
    links = [memory.step(of_frame) for of_frame in embeddings]
    return torch.stack(links) if links else embeddings.new_zeros(embeddings.shape[:2]).long()


class Memory:
    """Frame after frame; it takes no more room the longer a video is."""

    def __init__(self, weight: float = 0.5):
        if not 0 <= weight <= 1:
            raise ValueError(f"weight should be from 0 to 1, got {weight}")
        self._weight = weight
        self._last: Tensor | None = None  # (Q, C), by track
        self._earlier, self._frames = 0.0, 0  # the sum in Eq. 3, and of how many frames

    def step(self, embeddings: Tensor) -> Tensor:
        """The next frame's, (Q, C) -> (Q,) long: its query that continues each track."""
        # Sums of many frames need 32 bits at least.
        embeddings = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        order = torch.arange(len(embeddings), device=embeddings.device)
        if self._last is not None:
            mean = self._earlier / self._frames if self._frames else self._last
            order = minvis.pair(self._weight * self._last + (1 - self._weight) * mean, embeddings)
            self._earlier, self._frames = self._earlier + self._last, self._frames + 1
        self._last = embeddings[order]
        return order
