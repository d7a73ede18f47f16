"""Which tracks are the best so far: class logits, summed over the windows that each was in."""

import torch
from torch import Tensor

from evis.inference import instances


class Tally:
    """Of N tracks by number, ascending."""

    def __init__(self, most: int, class_agnostic: bool):
        """most: how many will be asked for."""
        self._most, self._class_agnostic = most, class_agnostic
        self.numbers = torch.zeros(0, dtype=torch.long)  # (N,)
        self._windows = torch.zeros(0, dtype=torch.long)  # (N,): in how many each was
        self._sums: Tensor | None = None  # (N, C+1)

    def add(self, numbers: Tensor, class_logits: Tensor) -> None:
        """A window's: the track of each query (Q,), class logits (Q, C+1) float64.

        A track that is not in it has ended. It goes if so many better ones ended, too, that it
        can't be among the best any more.
        """
        if self._sums is None:
            self._sums = class_logits[:0]
        new = numbers[~torch.isin(numbers, self.numbers)].sort().values
        self.numbers = torch.cat([self.numbers, new])
        self._windows = torch.cat([self._windows, torch.zeros_like(new)])
        self._sums = torch.cat([self._sums, self._sums.new_zeros(len(new), class_logits.shape[1])])
        rows = torch.searchsorted(self.numbers, numbers)
        self._windows[rows] += 1
        self._sums[rows] += class_logits
        ended = torch.ones(len(self.numbers), dtype=torch.bool)
        ended[rows] = False
        if ended.sum() > self._most:
            stays = ~ended
            best = [row for row, *_ in self._choose(ended, self._most)]
            stays[ended.nonzero().flatten()[best]] = True
            parts = self.numbers, self._windows, self._sums
            self.numbers, self._windows, self._sums = (part[stays] for part in parts)

    def best(self, top: int) -> list[tuple[int, int, float]]:
        """(track, class, score) of the best `top`, best first.

        Scores are of the mean over the windows that a track was in, as MinVIS averages over frames.
        """
        found = self._choose(slice(None), top)
        return [(int(self.numbers[row]), label, score) for row, label, score in found]

    def _choose(self, rows: Tensor | slice, top: int) -> list[tuple[int, int, float]]:
        means = self._sums[rows] / self._windows[rows, None]
        return instances.choose(means, top, self._class_agnostic)
