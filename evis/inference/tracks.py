"""A video's tracks while its windows come: who is who, who may win, and the masks of those.

Who wins is known at the end. Till then the mask logits of all tracks are put aside as the model
gives them, small, and only the winners' are enlarged and encoded. Where a long video's would take
more room than there is, those so far are a stretch: of its frames, masks are encoded for the
tracks that are among the best so far or within it, `SPARE` times as many as can win, and the other
tracks, of no importance there, stay without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from evis.data.clip_prediction import ClipPrediction
from evis.data.files import Spill
from evis.data.masks import Kept
from evis.data.types import Video
from evis.inference import instances
from evis.inference.options import OF_MEMORY, WEIGHTED, Options
from evis.inference.tally import Tally
from evis.trackers.windows import JOINS, ByMemory, Window

SPARE = 2


@dataclass
class Piece:
    """A window's own frames, from `first` on: the tracks (Q,) of its queries, in `logits` (Q, T,
    h, w) their masks."""

    first: int
    numbers: Tensor
    logits: "Tensor | OnDisk"


class OnDisk:
    """A tensor put aside, whose rows can be read."""

    def __init__(self, tensor: Tensor, spill: Spill):
        self._spill, self._dtype, self._shape = spill, tensor.dtype, tensor.shape[1:]
        self._start = spill.append(tensor.view(torch.uint8).flatten().numpy().data)

    def __getitem__(self, row: int) -> Tensor:
        size = prod(self._shape) * self._dtype.itemsize
        content = bytearray(self._spill.read(self._start + row * size, size))
        return torch.frombuffer(content, dtype=self._dtype).view(self._shape)


class Tracks:
    def __init__(self, options: Options, video: Video, seen: tuple[int, int], room: int):
        """seen: height and width at which the model sees the frames; room: bytes of logits that
        may be put aside."""
        self._options, self._video, self._seen = options, video, seen
        self._size, self._room = (video.height, video.width), room
        self._by_maskness = options.score == "maskness"
        if options.tracker in OF_MEMORY:
            self._join = ByMemory(weighted=options.tracker == WEIGHTED)
        else:
            self._join = JOINS[options.join]()
        self._stop = 0  # of the last window
        self._most = SPARE * options.top
        self._all = Tally(self._most, options.class_agnostic)
        self._encoded = Spill()
        self._masks: dict[int, Kept] = {}
        self._inside: dict[int, Tensor] = {}  # (2,) each: see `instances.inside`
        self._begin_stretch()

    def _begin_stretch(self) -> None:
        self._pieces: list[Piece] = []
        self._put_aside, self._bytes = Spill(), 0  # what is on the disk, and all of it
        self._stretch = Tally(self._most, self._options.class_agnostic)

    def add(self, windows: Sequence[Window], prediction: ClipPrediction) -> None:
        """The next windows, with what the model says of each: B is their number.

        Whatever decides is brought to the CPU at once, and masks only if windows are joined by
        them.
        """
        self._stride, self._device = prediction.stride, prediction.mask_logits.device
        class_logits = prediction.class_logits.double().cpu()
        self.classes = class_logits.shape[2] - 1
        embeddings = prediction.embeddings
        embeddings = [None] * len(windows) if embeddings is None else embeddings.cpu()
        for window, *of_window in zip(
            windows, class_logits, embeddings, prediction.mask_logits, strict=True
        ):
            # Not the masks, which are large: what spoils the features spoils these as well.
            instances.check_finite(of_window[:2], self._video, window.start)
            self._add(window, *of_window)

    def _add(self, window: Window, classes: Tensor, embeddings: Tensor, masks: Tensor) -> None:
        numbers = torch.arange(len(classes))
        if window.stop - window.start < self._video.length:
            sure = classes.softmax(-1)[:, :-1].sum(-1)
            numbers = self._join.join(embeddings, masks, self._stop - window.start, sure)
        self._stop = window.stop
        for tally in (self._all, self._stretch):
            tally.add(numbers, classes)
        own = masks[:, window.first - window.start : window.last - window.start].contiguous()
        self._pieces.append(Piece(window.first, numbers, own))
        self._bytes += own.nbytes
        if window.last == self._video.length:
            return
        if own.device.type == "cpu":
            self._pieces[-1].logits = OnDisk(own, self._put_aside)
        if self._bytes > self._room:
            best = *self._all.best(self._most), *self._stretch.best(self._most)
            self._encode({number for number, *_ in best})
            self._begin_stretch()

    def best(self) -> list[tuple[int, int, float, Kept]]:
        """(track, class, score, masks) of the wanted number, best first."""
        found = self._all.best(self._options.top)
        self._encode({number for number, *_ in found})
        nothing = self._no_masks()
        best = [(*each, self._masks.get(each[0], nothing)) for each in found]
        return instances.by_maskness(best, self._inside) if self._by_maskness else best

    def _encode(self, wanted: set[int]) -> None:
        """Masks for these tracks, of the frames put aside; those of tracks that lost go."""
        places: list[tuple[int, int]] = []  # track and frame of each mask
        logits: list[Tensor] = []
        for piece in self._pieces:
            for row, number in enumerate(piece.numbers.tolist()):
                if number in wanted:
                    logits.append(piece.logits[row])
                    frames = range(piece.first, piece.first + len(logits[-1]))
                    places += [(number, frame) for frame in frames]
            if len(places) >= instances.at_once(self._device, self._size):
                self._keep(places, logits)
                places, logits = [], []
        self._keep(places, logits)
        alive = set(self._all.numbers.tolist())
        self._masks = {number: kept for number, kept in self._masks.items() if number in alive}

    def _keep(self, places: list[tuple[int, int]], logits: list[Tensor]) -> None:
        if not places:
            return
        masks = torch.cat(logits), self._stride, self._seen, self._size
        if self._by_maskness:
            for (number, _), sums in zip(places, instances.inside(*masks), strict=True):
                self._inside[number] = self._inside.get(number, 0) + sums
        for (number, frame), rle in zip(places, instances.encode(*masks), strict=True):
            if rle is not None:
                self._masks.setdefault(number, self._no_masks()).put(frame, rle)

    def _no_masks(self) -> Kept:
        return Kept(self._size, self._video.length, self._encoded)
