"""UVIS's tracking memory (section 3.3): frames are linked to all frames before, not to the last.

As MinVIS links, but what the queries of a frame are compared with is lambda times a track's last
query plus (1 - lambda) times the mean of its queries before that (Eqs. 2-3), lengths as they are.

Of its first frame, the print says nothing that can be computed: at t = 1 Eq. 3 is a mean over no
frame. That a track is then its one query, which we take as the reading from t = 1 on, and that the
mean is 0 there, which is the most literal one, come to the same: cosine doesn't see the factor
lambda. They differ for lambda = 0 alone, where the second compares with nothing. Both P of Eq. 2
and those of Eq. 3 lead to the tracks' order, that of the first frame: each pairing is with tracks.

Beyond the paper, frames may count by how sure their queries are of an object, w: an object that is
hidden has a query all the same, which would spoil its memory. The mean of Eq. 3 is weighted by w,
and lambda of Eq. 2 becomes lambda times w of the last query. Where w is 1, all is as in the paper.
"""

import torch
from torch import Tensor

from evis.trackers import minvis

LEAST_SURE = 1e-6  # so that a track that was never sure has a mean, too


def link(embeddings: Tensor, weight: float = 0.5, sure: Tensor | None = None) -> Tensor:
    """(T, Q, C) -> (T, Q) long: which query of frame t continues each track, as `minvis.link`.

    weight: lambda of Eq. 2, from 0 (all frames before the last one) to 1 (the last: MinVIS).
    sure: (T, Q) from 0 to 1, how sure each query is of an object; None: all are, as in the paper.
    """
    minvis.check(embeddings)
    sure = embeddings.new_ones(embeddings.shape[:2]) if sure is None else sure
    if sure.shape != embeddings.shape[:2]:
        wanted = tuple(embeddings.shape[:2])
        raise ValueError(f"sure should be {wanted}, (frames, queries), got {tuple(sure.shape)}")
    memory = Memory(weight)
    links = [memory.step(*of_frame) for of_frame in zip(embeddings, sure, strict=True)]
    return torch.stack(links) if links else embeddings.new_zeros(embeddings.shape[:2]).long()


class Memory:
    """Frame after frame; it takes no more room the longer a video is."""

    def __init__(self, weight: float = 0.5):
        if not 0 <= weight <= 1:
            raise ValueError(f"weight should be from 0 to 1, got {weight}")
        self._weight = weight
        self._last: Tensor | None = None  # (Q, C), by track
        self._last_sure: Tensor | None = None  # (Q, 1)
        self._earlier: Tensor | None = None  # (Q, C): the sum in Eq. 3
        self._earlier_sure: Tensor | float = 0.0  # (Q, 1): of its weights

    def step(self, embeddings: Tensor, sure: Tensor | None = None) -> Tensor:
        """The next frame's, (Q, C) -> (Q,) long: its query that continues each track.

        sure: (Q,), as of `link`.
        """
        # Sums of many frames need 32 bits at least.
        embeddings = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        sure = embeddings.new_ones(len(embeddings)) if sure is None else sure.to(embeddings)
        sure = sure.clamp(min=LEAST_SURE)[:, None]
        order = torch.arange(len(embeddings), device=embeddings.device)
        if self._last is not None:
            mean = self._last if self._earlier is None else self._earlier / self._earlier_sure
            own = self._weight * self._last_sure
            order = minvis.pair(own * self._last + (1 - own) * mean, embeddings)
            seen = self._last_sure * self._last
            self._earlier = seen if self._earlier is None else self._earlier + seen
            self._earlier_sure = self._earlier_sure + self._last_sure
        self._last, self._last_sure = embeddings[order], sure[order]
        return order
