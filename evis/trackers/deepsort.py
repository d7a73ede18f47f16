"""DeepSORT: detections join tracks by where a Kalman filter expects them and by how they look.

Tracks that were seen three times running are confirmed. They take, those seen last first, what
looks like one of their detections so far and lies where the filter allows; what is left goes by the
overlap of boxes to new tracks and to those seen in the frame before.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import linear_sum_assignment

from evis.data.errors import DataError

Frame = tuple[np.ndarray, np.ndarray, np.ndarray]  # boxes tlwh (n, 4), confidence (n,), (n, C)

CONFIRMED = 3  # frames running, the first one too
GATE = 9.4877  # squared Mahalanobis distance, 95% of a chi-squared distribution of 4 dimensions
FAR = 1e5  # the cost beyond it
MOVED = 0.7  # 1 - IoU above which boxes are not one object's

POSITION, VELOCITY = 1 / 20, 1 / 160  # the filter's deviations, in heights of the box
STEP = np.eye(8) + np.eye(8, k=4)  # state: cx, cy, width / height, height and how each changes
SEEN = np.eye(4, 8)


def track(
    frames: Iterable[Frame], min_confidence: float = 0.3, budget: int | None = None
) -> list[np.ndarray]:
    """One (boxes x, y, w, h (n, 4), confidence (n,), features (n, C)) a frame -> one (n,) int a
    frame: the track's id from 1 on, -1 for a detection that is not used.

    budget: how many features of a track are kept, None for all. Ids of tracks that were never
    confirmed are among these: they have fewer than three detections.
    """
    tracker = DeepSort(min_confidence=min_confidence, budget=budget)
    return [tracker.step(*frame) for frame in frames]


class Track:
    """One object: `mean` (8,) and `covariance` (8, 8) of its state, and its looks so far."""

    def __init__(self, number: int, measured: np.ndarray, look: np.ndarray):
        self.number, self.looks = number, [look]  # unit vectors (C,)
        self.hits, self.age, self.missed = 1, 1, 0  # frames: seen, lived, since it was seen
        self.confirmed = False
        position = _deviations(2 * POSITION, 1e-2, measured[3])
        velocity = _deviations(10 * VELOCITY, 1e-5, measured[3])
        self.mean = np.concatenate([measured, np.zeros(4)])
        self.covariance = np.diag(np.concatenate([position, velocity]) ** 2)

    @property
    def box(self) -> np.ndarray:
        """x, y, w, h"""
        x, y, aspect, height = self.mean[:4]
        return np.array([x - aspect * height / 2, y - height / 2, aspect * height, height])

    def predict(self) -> None:
        """The state in the next frame, before that is looked at."""
        position = _deviations(POSITION, 1e-2, self.mean[3])
        noise = np.concatenate([position, _deviations(VELOCITY, 1e-5, self.mean[3])])
        self.mean = STEP @ self.mean
        self.covariance = STEP @ self.covariance @ STEP.T + np.diag(noise**2)
        self.age += 1
        self.missed += 1

    def expected(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (4,) and covariance (4, 4) of what a detector should measure."""
        noise = np.diag(_deviations(POSITION, 1e-1, self.mean[3]) ** 2)
        return SEEN @ self.mean, SEEN @ self.covariance @ SEEN.T + noise

    def update(self, measured: np.ndarray, look: np.ndarray, budget: int | None) -> None:
        mean, covariance = self.expected()
        gain = cho_solve(cho_factor(covariance), SEEN @ self.covariance).T  # (8, 4)
        self.mean = self.mean + gain @ (measured - mean)
        self.covariance = self.covariance - gain @ covariance @ gain.T
        self.looks.append(look)
        if budget is not None:
            self.looks = self.looks[-budget:]
        self.hits += 1
        self.missed = 0
        self.confirmed |= self.hits >= CONFIRMED

    def looks_unlike(self, measured: np.ndarray, looks: np.ndarray) -> np.ndarray:
        """(n, 4), (n, C) -> (n,): cosine distance to the most alike of its looks, FAR if gated."""
        mean, covariance = self.expected()
        off = (measured - mean).T  # (4, n)
        gated = (off * cho_solve(cho_factor(covariance), off)).sum(0) > GATE
        return np.where(gated, FAR, (1 - np.stack(self.looks) @ looks.T).min(0))

    def moved(self, boxes: np.ndarray) -> np.ndarray:
        """(n, 4) x, y, w, h -> (n,): 1 - IoU with its own box."""
        own = self.box
        low = np.maximum(own[:2], boxes[:, :2])
        high = np.minimum(own[:2] + own[2:], boxes[:, :2] + boxes[:, 2:])
        shared = (high - low).clip(0).prod(1)
        return 1 - shared / (own[2:].prod() + boxes[:, 2:].prod(1) - shared)


@dataclass
class DeepSort:
    """Frame after frame; `tracks` holds those alive.

    Defaults are the released program's, but for `min_confidence`, 0.8 there.
    """

    min_confidence: float = 0.3
    budget: int | None = None  # features kept a track
    max_overlap: float = 1.0  # with a better box, by area, above which a detection is suppressed
    min_height: float = 0  # of a box
    max_distance: float = 0.2  # cosine
    max_age: int = 30  # frames that a confirmed track may be missed
    tracks: list[Track] = field(default_factory=list, init=False)
    _begun: int = field(default=0, init=False)
    _frame: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.budget is not None and self.budget < 1:
            raise ValueError(f"budget should be at least 1, or None for all, got {self.budget}")

    def step(self, boxes: np.ndarray, confidence: np.ndarray, features: np.ndarray) -> np.ndarray:
        """The next frame, (n, 4), (n,), (n, C) -> (n,) ids as `track`'s."""
        boxes, confidence, looks = _checked(self._frame, boxes, confidence, features)
        self._frame += 1
        used = self._used(boxes, confidence)
        boxes, looks = boxes[used], looks[used]
        measured = np.column_stack(
            [boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2] / boxes[:, 3], boxes[:, 3]]
        )
        for known in self.tracks:
            known.predict()
        taken, left = self._matched(boxes, measured, looks)
        for known, detection in taken.items():
            known.update(measured[detection], looks[detection], self.budget)
        self.tracks = [
            known
            for known in self.tracks
            if known in taken or (known.confirmed and known.missed <= self.max_age)
        ]
        for detection in left:
            self._begun += 1
            new = Track(self._begun, measured[detection], looks[detection])
            self.tracks.append(new)
            taken[new] = detection
        ids = np.full(len(confidence), -1)
        for known, detection in taken.items():
            ids[used[detection]] = known.number
        return ids

    def _used(self, boxes: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        """The detections that are sure and high enough, best first, without the suppressed.

        As released, pixels are counted for this (w + 1), and the share is that of the worse box.
        """
        order = np.argsort(confidence, kind="stable")[::-1]
        order = order[
            (confidence[order] >= self.min_confidence) & (boxes[order, 3] >= self.min_height)
        ]
        low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        used: list[int] = []
        for detection in order:
            # Counted alike, so that the share of a box within another is 1, not more by rounding.
            shared = np.minimum(high[detection], high[used]) - np.maximum(low[detection], low[used])
            own = (high[detection] - low[detection] + 1).prod()
            if ((shared + 1).clip(0).prod(1) / own <= self.max_overlap).all():
                used.append(detection)
        return np.array(used, dtype=int)

    def _matched(
        self, boxes: np.ndarray, measured: np.ndarray, looks: np.ndarray
    ) -> tuple[dict[Track, int], list[int]]:
        """The detection that each track takes, and those that are left over."""
        taken: dict[Track, int] = {}
        left = list(range(len(boxes)))

        def join(tracks: list[Track], cost: Callable[[Track], np.ndarray], limit: float) -> None:
            """`tracks` take from `left` at the least sum of costs; `cost` gives (left,) of each."""
            if not (tracks and left):
                return
            costs = np.stack([cost(known) for known in tracks])
            # All that is too far costs the same, so that it is nowhere worth a worse pair.
            rows, columns = linear_sum_assignment(np.where(costs > limit, limit + 1e-5, costs))
            near = costs[rows, columns] <= limit
            for row, column in zip(rows[near], columns[near], strict=True):
                taken[tracks[row]] = left[column]
            over = [*np.setdiff1d(np.arange(len(left)), columns), *columns[~near]]
            left[:] = [left[column] for column in over]

        def unlike(known: Track) -> np.ndarray:
            return known.looks_unlike(measured[left], looks[left])

        confirmed = [known for known in self.tracks if known.confirmed]
        for missed in range(1, self.max_age + 1):
            join(
                [known for known in confirmed if known.missed == missed], unlike, self.max_distance
            )
        rest = [known for known in self.tracks if not known.confirmed]
        rest += [known for known in confirmed if known.missed == 1 and known not in taken]
        join(rest, lambda known: known.moved(boxes[left]), MOVED)
        return taken, left


def _deviations(share: float, aspect: float, height: float) -> np.ndarray:
    """(4,) of cx, cy, width / height, height."""
    return np.array([share * height, share * height, aspect, share * height])


def _checked(
    number: int, boxes: np.ndarray, confidence: np.ndarray, features: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The detections of frame `number`, the features as unit vectors."""
    boxes, confidence, features = (
        np.asarray(values, dtype=float) for values in (boxes, confidence, features)
    )
    count = len(confidence)
    boxes, features = (
        values.reshape(0, 4) if not values.size else values for values in (boxes, features)
    )
    if confidence.ndim != 1 or boxes.shape != (count, 4) or features.shape[:-1] != (count,):
        shapes = ", ".join(str(values.shape) for values in (boxes, confidence, features))
        problem = f"boxes, confidence and features should be (n, 4), (n,), (n, C), are {shapes}"
        raise DataError(problem, frame=number)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    numbers = np.column_stack([boxes, confidence, lengths])
    if not np.isfinite(numbers).all() or (boxes[:, 2:] <= 0).any() or (lengths == 0).any():
        problem = "a box needs a width and a height, a feature a direction, all finite numbers"
        raise DataError(problem, frame=number, remedy="Leave such detections out")
    return boxes, confidence, features / lengths
