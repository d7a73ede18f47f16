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
    if not 0 <= weight <= 1:
        raise ValueError(f"weight should be from 0 to 1, got {weight}")
    frames, queries, _ = embeddings.shape
    links = torch.arange(queries, device=embeddings.device).repeat(frames, 1)
    earlier = torch.zeros(1, device=embeddings.device)  # the sum in Eq. 3, float32 at least
    for t in range(1, frames):
        last = embeddings[t - 1, links[t - 1]]
        mean = earlier / (t - 1) if t > 1 else last
        links[t] = minvis.pair(weight * last + (1 - weight) * mean, embeddings[t].to(mean))
        earlier = earlier + last
    return links
