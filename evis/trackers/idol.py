"""IDOL's tracker, as released: detections of a frame join the tracks their embeddings resemble.

A frame's detections are those queries with a score that no better one of their class, by the boxes,
nor any better one, by the masks, repeats. Best first, each goes to the track it resembles most, one
to one; what is like none begins a track if its score is high. Only detections enter the memory.
"""

from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor

# Why a query is on no track, as ids.
NOT_DETECTED, REPEATED, UNMATCHED, UNMATCHED_APART = -4, -3, -2, -1

DETECTED = 0.1  # score above which a query is a detection; where none is, the best alone
SAME_BOX = 0.9  # IoU with a better one of its class above which a detection goes
APART = 0.05  # mask IoU below which an unmatched one is apart from the better ones
BEGIN = 0.2  # score above which a track begins while there is none
LIKE = 0.5  # likeness above which a detection continues a track
REMEMBERED = 3  # embeddings a track
FORGOTTEN = 10  # frames after its last detection
NAMED = 0.05  # mean probability above which a class is a result
SHORT, ABSENT, SETTLED = 3, 2, 9  # frames, see `tracks`


@dataclass(frozen=True)
class Settings:
    """What differs between data sets."""

    same_mask: float  # IoU with a better one above which a detection goes
    new: float  # score above which an unmatched detection begins a track


YTVIS = Settings(same_mask=0.5, new=0.2)
OVIS = Settings(same_mask=0.3, new=0.3)


def track(
    class_logits: Tensor,
    boxes: Tensor,
    mask_logits: Tensor,
    embeddings: Tensor,
    settings: Settings = YTVIS,
) -> Tensor:
    """(T, Q, C), (T, Q, 4), (T, Q, h, w), (T, Q, E) -> (T, Q) long: the track of each query.

    Boxes are cx, cy, w, h. Tracks count from 0. -4: no detection, by its score or a better box of
    its class; -3: its mask repeats a better one; -2: like no track, and too weak for one of its
    own; -1: that, and by its mask apart from all better ones.
    """
    inputs = (class_logits, boxes, mask_logits, embeddings)
    named = zip(("class_logits", "boxes", "mask_logits", "embeddings"), inputs, strict=True)
    for (name, tensor), axes in zip(named, (3, 3, 4, 3), strict=True):
        if tensor.ndim != axes or tensor.shape[:2] != class_logits.shape[:2]:
            raise ValueError(
                f"{name} should have {axes} axes, the first two frames and queries as in "
                f"class_logits {tuple(class_logits.shape)}, got {tuple(tensor.shape)}"
            )
        if not tensor.isfinite().all():
            raise ValueError(f"{name} hold NaN or infinity: are the weights damaged?")
    tracker = Tracker(settings)
    ids = [tracker.step(*frame) for frame in zip(*inputs, strict=True)]
    return torch.stack(ids) if ids else class_logits.new_zeros(class_logits.shape[:2]).long()


@dataclass
class Remembered:
    """One track in the memory."""

    embeddings: deque = field(default_factory=lambda: deque(maxlen=REMEMBERED))  # (E,) each
    scores: deque = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    frames: int = 0  # with a detection, ever
    last: int = 0  # the frame of its last detection

    def mean(self) -> Tensor:
        """(E,) the newer and the surer an embedding, the more it weighs."""
        known = len(self.embeddings)
        weights = torch.stack([*self.scores]) + torch.arange(1, known + 1) / known
        return weights @ torch.stack([*self.embeddings]) / weights.sum()


class Tracker:
    """Frame after frame; `memory` holds the tracks so far by their ids."""

    def __init__(self, settings: Settings = YTVIS):
        self.settings = settings
        self.memory: dict[int, Remembered] = {}
        self._frame, self._begun = 0, 0

    @torch.no_grad()
    @torch.autocast("cpu", enabled=False)  # where all of it is computed
    def step(
        self, class_logits: Tensor, boxes: Tensor, mask_logits: Tensor, embeddings: Tensor
    ) -> Tensor:
        """The next frame, (Q, C), (Q, 4), (Q, h, w), (Q, E) -> (Q,) long ids as `track`'s."""
        scores, classes = class_logits.float().cpu().sigmoid().max(-1)
        ids = torch.full((len(scores),), NOT_DETECTED)
        queries = detections(scores, classes, boxes.float().cpu())
        overlaps = mask_ious((mask_logits[queries.to(mask_logits.device)] > 0).cpu())
        kept = first_of_each(overlaps > self.settings.same_mask)
        ids[queries[~kept]] = REPEATED
        queries, overlaps = queries[kept], overlaps[kept][:, kept]
        embeddings, scores = embeddings.float().cpu()[queries], scores[queries]

        found = self._continued(embeddings)
        new = (found == UNMATCHED) & (scores > (self.settings.new if self.memory else BEGIN))
        found[new] = torch.arange(self._begun, self._begun + int(new.sum()))
        self._begun += int(new.sum())
        apart = (overlaps.tril(-1) < APART).all(1)
        found[(found == UNMATCHED) & apart] = UNMATCHED_APART
        ids[queries] = found
        self._remember(found, embeddings, scores)
        return ids.to(class_logits.device)

    def likeness(self, embeddings: Tensor) -> Tensor:
        """(n, E) -> (n, tracks in the memory): the mean of softmax over tracks and over rows."""
        products = embeddings @ torch.stack([known.mean() for known in self.memory.values()]).T
        return (products.softmax(1) + products.softmax(0)) / 2

    def _continued(self, embeddings: Tensor) -> Tensor:
        """(n, E), best first -> (n,) the track each continues, or UNMATCHED.

        One that is like several tracks goes by likeness times the track's number of frames.
        """
        found = torch.full((len(embeddings),), UNMATCHED)
        if not self.memory:
            return found
        likeness, known = self.likeness(embeddings), list(self.memory)
        frames = torch.tensor([float(track.frames) for track in self.memory.values()])
        for row, of_row in enumerate(likeness):
            like = of_row > LIKE
            if like.sum() > 1:
                of_row = of_row * frames * like  # the released mean weight of the rest never wins
            best = of_row.argmax()
            if of_row[best] > LIKE:
                found[row] = known[best]
                likeness[row + 1 :, best] = 0
        return found

    def _remember(self, ids: Tensor, embeddings: Tensor, scores: Tensor) -> None:
        for number, embedding, score in zip(ids.tolist(), embeddings, scores, strict=True):
            if number >= 0:
                known = self.memory.setdefault(number, Remembered())
                known.embeddings.append(embedding)
                known.scores.append(score)
                known.frames += 1
                known.last = self._frame
        self.memory = {
            number: known
            for number, known in self.memory.items()
            if self._frame - known.last < FORGOTTEN
        }
        self._frame += 1


def detections(scores: Tensor, classes: Tensor, boxes: Tensor) -> Tensor:
    """(Q,), (Q,), (Q, 4) -> the queries that are detections, best first."""
    order = scores.argsort(descending=True, stable=True)
    if not (scores > DETECTED).any():
        return order[:1]
    order = order[scores[order] > DETECTED]
    same_class = classes[order][:, None] == classes[order]
    return order[first_of_each((box_ious(boxes[order]) > SAME_BOX) & same_class)]


def first_of_each(same: Tensor) -> Tensor:
    """(n, n) bool -> (n,) bool: rows that are the same as no earlier row that stays."""
    stays = torch.ones(len(same), dtype=torch.bool)
    for row in range(len(same)):
        stays[row] = not (same[row, :row] & stays[:row]).any()
    return stays


def box_ious(boxes: Tensor) -> Tensor:
    """(n, 4) cx, cy, w, h -> (n, n)"""
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    sides = torch.minimum(high[:, None], high) - torch.maximum(low[:, None], low)
    shared, areas = sides.clamp(min=0).prod(-1), boxes[:, 2:].prod(-1)
    return shared / (areas[:, None] + areas - shared).clamp(min=1e-12)


def mask_ious(masks: Tensor) -> Tensor:
    """(n, h, w) bool -> (n, n). As released, two empty masks are the same: 1."""
    masks = masks.flatten(1).float()
    shared, areas = masks @ masks.T, masks.sum(1)
    return (shared + 1e-6) / (areas[:, None] + areas - shared + 1e-6)


def tracks(ids: Tensor, class_logits: Tensor) -> tuple[Tensor, Tensor]:
    """(T, Q) ids and (T, Q, C) -> (N, T) long, (N, C): what the video's results are made of.

    Of each track the query in every frame, -1 where it has none, and the probabilities of its
    classes, the mean over its frames. Every class above NAMED is one result of the whole track.
    From frame 9 on, a track that is absent in two frames running and was seen in fewer than three
    is dropped; it begins anew, without its past, where its id comes again. Tracks are in the order
    in which they (last) began, those of one frame by their scores there, best first.
    """
    frames, probabilities = len(ids), class_logits.float().sigmoid()
    best_first = probabilities.amax(-1).argsort(dim=1, descending=True, stable=True)
    found: dict[int, Tensor] = {}
    for t, (of_frame, order) in enumerate(zip(ids.cpu(), best_first.cpu(), strict=True)):
        for query in order[of_frame[order] >= 0]:
            empty = torch.full((frames,), -1)
            found.setdefault(int(of_frame[query]), empty)[t] = query
        for number, queries in list(found.items()):
            seen = (queries >= 0).nonzero().flatten()
            if is_dropped(t, len(seen), int(seen[-1])):
                del found[number]
    queries = torch.stack([*found.values()]) if found else torch.zeros((0, frames)).long()
    queries = queries.to(ids.device)
    of_tracks = [probabilities[of_track >= 0, of_track[of_track >= 0]] for of_track in queries]
    if not of_tracks:
        return queries, probabilities.new_zeros(0, class_logits.shape[-1])
    return queries, torch.stack([of_track.mean(0) for of_track in of_tracks])


def is_dropped(frame: int, seen: int, last: int) -> bool:
    """Whether a track that was seen in so many frames till now, last in `last`, is no result."""
    return frame >= SETTLED and frame - last >= ABSENT and seen < SHORT
