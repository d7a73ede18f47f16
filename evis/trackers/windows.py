"""Long videos in windows: which frames a window takes, and how its queries continue the tracks."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from evis.trackers import minvis
from evis.trackers.memory import Memory

SAME_OBJECT = 0.5  # mask IoU on the shared frames, from which on two windows' queries are one track


@dataclass(frozen=True)
class Window:
    """The model sees frames start to stop; the masks of first to last are taken from this window.

    Two windows that share frames part them in the middle, where each still sees some frames beyond.
    """

    start: int
    stop: int
    first: int
    last: int


def plan(length: int, window: int | None, overlap: int = 0) -> list[Window]:
    """Windows over `length` frames. All have `window` frames (the last shares more if need be)."""
    if window is None or window >= length:
        return [Window(0, length, 0, length)]
    starts = [*range(0, length - window, window - overlap), length - window]
    cuts = [(later + earlier + window) // 2 for earlier, later in pairwise(starts)]
    return [
        Window(start, start + window, first, last)
        for start, first, last in zip(starts, [0, *cuts], [*cuts, length], strict=True)
    ]


class ByQueries:
    """Joins windows as MinVIS joins frames: by the queries' embeddings. Needs no shared frame.

    There are as many tracks as queries, from the first window to the last.
    """

    def __init__(self) -> None:
        self._tracks: Tensor | None = None  # (Q, C): the last window's embeddings, by track

    def join(
        self,
        embeddings: Tensor | None,
        mask_logits: Tensor,
        shared: int,
        sure: Tensor | None = None,
    ) -> Tensor:
        """(Q,) long: the track that each query of the next window continues.

        sure: (Q,), how sure each is of an object.
        """
        embeddings = _known(embeddings)
        if self._tracks is None:
            self._tracks = embeddings
            return torch.arange(len(embeddings))
        order = minvis.pair(self._tracks, embeddings)  # track -> query
        self._tracks = embeddings[order]
        return order.argsort()


class ByMemory:
    """As `ByQueries`, but windows are held against all before them: UVIS's tracking memory.

    weighted: windows count by how sure their queries are of an object.
    """

    def __init__(self, weighted: bool = False) -> None:
        self._memory, self._weighted = Memory(), weighted

    def join(
        self,
        embeddings: Tensor | None,
        mask_logits: Tensor,
        shared: int,
        sure: Tensor | None = None,
    ) -> Tensor:
        """As `ByQueries.join`."""
        weights = sure if self._weighted else None
        return self._memory.step(_known(embeddings), weights).argsort()


class ByMasks:
    """Joins windows by the IoU of masks on the frames they share, one to one, the best sum.

    A query that covers no track's mask begins a new track, and a track that no query covers ends.
    """

    def __init__(self) -> None:
        self._tracks = torch.zeros(0, dtype=torch.long)  # (Q,): the last window's, by query
        self._masks: Tensor | None = None  # (Q, T, h, w) bool: the last window's
        self._count = 0

    def join(
        self,
        embeddings: Tensor | None,
        mask_logits: Tensor,
        shared: int,
        sure: Tensor | None = None,
    ) -> Tensor:
        """(Q,) long: the track of each query of the next window, whose first `shared` frames the
        last window has seen too. mask_logits: (Q, T, h, w)."""
        found = torch.full((len(mask_logits),), -1)
        masks = mask_logits > 0
        if self._masks is not None:
            ious = mask_ious(self._masks[:, -shared:], masks[:, :shared])
            rows, columns = linear_sum_assignment(ious, maximize=True)
            for before, now in zip(rows, columns, strict=True):
                if ious[before, now] >= SAME_OBJECT:
                    found[now] = self._tracks[before]
        new = found < 0
        found[new] = torch.arange(self._count, self._count + int(new.sum()))
        self._tracks, self._masks, self._count = found, masks, self._count + int(new.sum())
        return found


def _known(embeddings: Tensor | None) -> Tensor:
    if embeddings is None:
        raise ValueError("the model gives no embeddings; join its windows by masks")
    return embeddings


def mask_ious(a: Tensor, b: Tensor) -> Tensor:
    """(N, T, h, w) and (M, T, h, w) bool -> (N, M); 0 where both are empty."""
    a, b = a.flatten(1).float(), b.flatten(1).float()
    both = a @ b.T
    either = a.sum(1)[:, None] + b.sum(1) - both
    return (both / either.clamp(min=1)).cpu()


JOINS = {"queries": ByQueries, "masks": ByMasks}
