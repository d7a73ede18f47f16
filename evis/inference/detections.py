"""A video's tracks where a tracker takes detections, frame by frame: IDOL's own, and DeepSORT.

Of each frame some queries are detections, and the tracker says whose: tracks begin, are absent for
a while, and end. The masks of detections alone are enlarged and encoded, at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from evis.data.clip_prediction import ClipPrediction
from evis.data.errors import DataError
from evis.data.files import Spill
from evis.data.frame_prediction import FramePrediction
from evis.data.masks import Kept
from evis.data.types import Video
from evis.inference import instances
from evis.inference.options import Options
from evis.trackers import deepsort, idol
from evis.trackers.windows import Window

LOOKS = 100  # that DeepSORT keeps of a track, so that a long video takes no more


class Frame(NamedTuple):
    """What a model says of the Q queries of one frame."""

    class_logits: Tensor  # (Q, C) of IDOL, (Q, C + 1) of others
    mask_logits: Tensor  # (Q, h, w)
    embeddings: Tensor  # (Q, E)
    boxes: Tensor | None  # (Q, 4) cx, cy, w, h, of IDOL alone


class ByIDOL:
    """Scores are sigmoids; classes that are hardly probable are no results."""

    least, mode = idol.NAMED, "nearest"  # the released one enlarges thresholded masks
    patience = idol.FORGOTTEN  # frames after which no track comes back

    def __init__(self, options: Options):
        settings = idol.OVIS if options.tracker == "idol-ovis" else idol.YTVIS
        self._tracker = idol.Tracker(settings)

    def probabilities(self, class_logits: Tensor) -> Tensor:
        return class_logits.double().sigmoid()

    def of_any(self, probabilities: Tensor) -> Tensor:
        return probabilities.amax(-1)

    def step(self, frame: Frame, probabilities: Tensor, stride: int) -> Tensor:
        """(Q,) long: the track of each query, below 0 for none."""
        queries = frame.class_logits, frame.boxes, frame.mask_logits, frame.embeddings
        return self._tracker.step(*queries).cpu()

    def is_dropped(self, frame: int, seen: int, last: int) -> bool:
        return idol.is_dropped(frame, seen, last)

    def shortest(self, length: int) -> int:
        """In how many frames a result is seen at least."""
        return 1


class ByDeepSORT:
    """Detections are the queries that are sure enough of an object and have a mask; boxes are those
    around the masks, looks the queries' embeddings."""

    least, mode = 0.0, "bilinear"

    def __init__(self, options: Options):
        self._tracker = deepsort.DeepSort(budget=LOOKS)
        self._class_agnostic, self.patience = options.class_agnostic, self._tracker.max_age

    def probabilities(self, class_logits: Tensor) -> Tensor:
        return class_logits.double().softmax(-1)[:, :-1]

    def of_any(self, probabilities: Tensor) -> Tensor:
        return probabilities.sum(-1)

    def step(self, frame: Frame, probabilities: Tensor, stride: int) -> Tensor:
        """As `ByIDOL.step`."""
        sure = self.of_any(probabilities) if self._class_agnostic else probabilities.amax(-1)
        masks = frame.mask_logits > 0
        queries = ((sure >= self._tracker.min_confidence) & masks.flatten(1).any(1).cpu()).nonzero()
        queries = queries.flatten()
        found = queries.to(masks.device)
        columns, rows = masks[found].any(1).cpu(), masks[found].any(2).cpu()
        boxes = torch.stack([*_span(columns), *_span(rows)], 1)[:, [0, 2, 1, 3]] * stride
        looks = frame.embeddings[found].double().cpu()
        ids = self._tracker.step(boxes.numpy(), sure[queries].numpy(), looks.numpy())
        return torch.full((len(masks),), -1).index_copy(0, queries, torch.from_numpy(ids).long())

    def is_dropped(self, frame: int, seen: int, last: int) -> bool:
        """A track that was not confirmed ends with the first frame that it is missed in."""
        return seen < deepsort.CONFIRMED and last < frame

    def shortest(self, length: int) -> int:
        """Confirmed tracks are results, as released; in a shorter video those seen throughout."""
        return min(deepsort.CONFIRMED, length)


def _span(there: Tensor) -> tuple[Tensor, Tensor]:
    """(n, length) bool, each with some -> where it begins, and how long it is: (n,) each."""
    first = there.byte().argmax(1)
    return first, there.shape[1] - there.flip(1).byte().argmax(1) - first


TRACKERS = {"idol": ByIDOL, "idol-ovis": ByIDOL, "deepsort": ByDeepSORT}


@dataclass
class Track:
    """One track so far."""

    masks: Kept
    total: Tensor  # (C,) probabilities, summed over its frames
    frames: int = 0
    last: int = 0
    inside: Tensor | int = 0  # (2,): see `instances.inside`


class Detections:
    def __init__(self, options: Options, video: Video, seen: tuple[int, int]):
        """seen: height and width at which the model sees the frames."""
        self._options, self._video, self._seen = options, video, seen
        self._size = video.height, video.width
        self._tracker = TRACKERS[options.tracker](options)
        self._by_maskness = options.score == "maskness"
        self._tracks: dict[int, Track] = {}
        self._encoded = Spill()

    def add(self, windows: Sequence[Window], prediction: FramePrediction | ClipPrediction) -> None:
        """The next frames, a window each, with what the model says of them."""
        places: list[tuple[Track, int]] = []
        logits: list[Tensor] = []
        frames = _frames(prediction)
        for window, frame in zip(windows, frames, strict=True):
            instances.check_finite(frame, self._video, window.start)
            probabilities = self._tracker.probabilities(frame.class_logits.cpu())
            self.classes = probabilities.shape[1]
            ids = self._tracker.step(frame, probabilities, prediction.stride)
            for query in (ids >= 0).nonzero().flatten().tolist():
                track = self._seen_again(int(ids[query]), window.start, probabilities[query])
                places.append((track, window.start))
                logits.append(frame.mask_logits[query])
            self._forget(window.start)
        if logits:
            how = prediction.stride, self._seen, self._size, self._tracker.mode
            masks = torch.stack(logits)
            if self._by_maskness:
                for (track, _), sums in zip(places, instances.inside(masks, *how), strict=True):
                    track.inside = track.inside + sums
            for (track, frame), rle in zip(places, instances.encode(masks, *how), strict=True):
                if rle is not None:
                    track.masks.put(frame, rle)

    def _seen_again(self, number: int, frame: int, probabilities: Tensor) -> Track:
        if number not in self._tracks:
            masks = Kept(self._size, self._video.length, self._encoded)
            self._tracks[number] = Track(masks, torch.zeros_like(probabilities))
        track = self._tracks[number]
        track.total += probabilities
        track.frames, track.last = track.frames + 1, frame
        return track

    def _forget(self, frame: int) -> None:
        """Tracks that are no results; and, of those that have ended, what can't win any more."""
        for number, track in list(self._tracks.items()):
            if self._tracker.is_dropped(frame, track.frames, track.last):
                del self._tracks[number]
        ended = [n for n, t in self._tracks.items() if frame - t.last > self._tracker.patience]
        if len(ended) > 2 * self._options.top:
            best = {number for number, *_ in self._ranked(ended)}
            for number in set(ended) - best:
                del self._tracks[number]

    def best(self) -> list[tuple[int, int, float, Kept]]:
        """(track, class, score, masks) of the wanted number, best first.

        Scores are means over the frames that a track is in.
        """
        shortest = self._tracker.shortest(self._video.length)
        long = [n for n, track in sorted(self._tracks.items()) if track.frames >= shortest]
        found = self._ranked(long)
        best = [(*each, self._tracks[each[0]].masks) for each in found]
        inside = {number: track.inside for number, track in self._tracks.items()}
        return instances.by_maskness(best, inside) if self._by_maskness else best

    def _ranked(self, numbers: Sequence[int]) -> list[tuple[int, int, float]]:
        if not numbers:
            return []
        tracks = [self._tracks[number] for number in numbers]
        means = torch.stack([track.total / track.frames for track in tracks])
        of_any = self._tracker.of_any(means) if self._options.class_agnostic else None
        found = instances.ranked(means, self._options.top, of_any)
        return [(numbers[row], *rest) for row, *rest in found if rest[1] > self._tracker.least]


def _frames(prediction: FramePrediction | ClipPrediction) -> list[Frame]:
    """Of windows of one frame each."""
    if isinstance(prediction, FramePrediction):
        parts = prediction.class_logits, prediction.mask_logits, prediction.embeddings
        frames = [part[:, 0] for part in (*parts, prediction.boxes)]
        return [Frame(*of_frame) for of_frame in zip(*frames, strict=True)]
    if prediction.embeddings is None:
        raise DataError("the model gives no embeddings, by which objects are told apart")
    parts = prediction.class_logits, prediction.mask_logits[:, :, 0], prediction.embeddings
    return [Frame(*of_frame, boxes=None) for of_frame in zip(*parts, strict=True)]
