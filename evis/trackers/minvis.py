"""MinVIS: frames are segmented one by one, and queries with like embeddings are one object.

Frame by frame, each query is paired with the one of the frame before that it resembles most: cosine
similarity, one to one, the best sum (Hungarian).
"""

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from evis.data.errors import DataError


def link(embeddings: Tensor) -> Tensor:
    """(T, Q, C) -> (T, Q) long: which query of frame t continues each track.

    Tracks are numbered as the first frame's queries.
    """
    check(embeddings)
    frames, queries, _ = embeddings.shape
    links = torch.arange(queries, device=embeddings.device).repeat(frames, 1)
    for t in range(1, frames):
        links[t] = pair(embeddings[t - 1, links[t - 1]], embeddings[t])
    return links


def check(embeddings: Tensor) -> None:
    """That they are (T, Q, C) and finite."""
    if embeddings.ndim != 3:
        raise ValueError(
            f"embeddings should be (frames, queries, channels), got {tuple(embeddings.shape)}"
        )
    damaged = (~embeddings.isfinite()).flatten(1).any(1)
    if damaged.any():
        frame, remedy = int(damaged.byte().argmax()), "Look for frames or weights that are damaged"
        raise DataError("embeddings hold NaN or infinity", frame=frame, remedy=remedy)


def pair(before: Tensor, now: Tensor) -> Tensor:
    """(Q, C) each -> (Q,) long: which query of `now` continues each row of `before`.

    In float32 at least, under autocast too: coarser cosines tie.
    """
    wide = torch.promote_types(before.dtype, torch.float32)
    with torch.autocast(now.device.type, enabled=False):
        before, now = (F.normalize(x.to(wide), dim=-1) for x in (before, now))
        similarity = before @ now.T
    _, columns = linear_sum_assignment(similarity.double().cpu(), maximize=True)
    return torch.from_numpy(columns).to(now.device)


def follow(links: Tensor, per_frame: Tensor) -> Tensor:
    """Anything a frame and query, (T, Q, ...), in the tracks' order."""
    return torch.stack([frame[order] for frame, order in zip(per_frame, links, strict=True)])


def tracks(links: Tensor, class_logits: Tensor, mask_logits: Tensor) -> tuple[Tensor, Tensor]:
    """A frame's class logits (T, Q, K) and mask logits (T, Q, h, w) as those of tracks:

    (Q, K), the mean over the frames, and (Q, T, h, w).
    """
    return follow(links, class_logits).mean(0), follow(links, mask_logits).transpose(0, 1)
