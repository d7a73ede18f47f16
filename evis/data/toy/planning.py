"""What each video of a toy set has to come to, so that the set's means are the papers'.

Plain random numbers would leave the means of a hundred videos off by ten per cent. So videos are
planned in blocks: the objects and the overlap of a block add up to the set's means exactly, and are
spread over its videos at random, in an order that keeps the means close between two blocks too.
A set's first videos do not depend on how many follow.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evis.data.toy.spec import SPECS, ToySpec

BLOCK = 10  # videos
ORDERS = 1000  # tried, for one that keeps a part of a block close to the means too
MOST_MBOR = 0.5  # for many objects; two reach half of it
SPLITS = ("train", "valid")


@dataclass(frozen=True)
class Plan:
    """One video: enough to make it anywhere, in any order."""

    spec: ToySpec  # the set that draws it; another one than the set it is for if they share it
    index: int  # within that set and split, from 0
    split: str
    seed: int
    objects: int
    mbor: float

    @property
    def name(self) -> str:
        return f"{self.spec.name.removeprefix('toy-')}-{self.split}-{self.index:04d}"

    def random(self) -> np.random.Generator:
        return _random(self.spec, self.split, self.seed, 1, self.index)


def plan(spec: ToySpec, split: str, seed: int, videos: int) -> list[Plan]:
    """The set's first videos. Shared ones lie evenly among its own."""
    own = _plans(spec.remainder(), split, seed)
    if spec.shares is None:
        return [next(own) for _ in range(videos)]
    shared = _plans(SPECS[spec.shares.source], split, seed)
    turns = np.floor(spec.shares.share * np.arange(videos + 1))
    return [next(shared if is_shared else own) for is_shared in np.diff(turns)]


def _plans(spec: ToySpec, split: str, seed: int) -> Iterator[Plan]:
    rng = _random(spec, split, seed, 0)
    planned, index = 0, 0
    while True:
        due = (index + BLOCK) * spec.instances - planned
        while True:
            counts = _spread_objects(rng, round(due), spec.most_instances)
            mbors = _spread_mbor(rng, BLOCK * spec.mbor, counts, spec.mbor_spread)
            if (mbors <= MOST_MBOR * (1 - 1 / counts)).all():
                break
        order = _even_order(rng, counts / spec.instances, mbors / spec.mbor)
        for k in order:
            yield Plan(spec, index, split, seed, int(counts[k]), float(mbors[k]))
            index += 1
        planned += counts.sum()


def _spread_objects(rng: np.random.Generator, wanted: int, most: int) -> np.ndarray:
    """(BLOCK,) counts from 1 to `most` that add up: any way to add up is equally likely."""
    while True:
        bars = np.sort(rng.choice(wanted - 1, BLOCK - 1, replace=False))
        counts = np.diff(bars, prepend=-1, append=wanted - 1)
        if counts.max() <= most:
            return counts


def _spread_mbor(
    rng: np.random.Generator, wanted: float, counts: np.ndarray, spread: float
) -> np.ndarray:
    """(BLOCK,) MBORs that add up to `wanted`.

    More objects overlap more. Videos then pair up, and one gives a random part to the other.
    """
    weights = np.sqrt(counts - 1)
    mbors = wanted * weights / weights.sum()
    crowds = rng.permutation(np.flatnonzero(weights))
    for giver, taker in zip(crowds[::2], crowds[1::2], strict=False):
        given = spread * rng.random() * min(mbors[giver], mbors[taker])
        mbors[giver] -= given
        mbors[taker] += given
    return mbors


def _even_order(rng: np.random.Generator, *shares: np.ndarray) -> np.ndarray:
    """The order whose first few videos are never far from the means; (BLOCK,) shares of them."""
    orders = rng.permuted(np.tile(np.arange(BLOCK), (ORDERS, 1)), axis=1)
    ahead = np.stack(shares)[:, orders].cumsum(-1) - np.arange(1, BLOCK + 1)
    return orders[abs(ahead).max((0, 2)).argmin()]


def _random(spec: ToySpec, split: str, seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng([seed, spec.stream, SPLITS.index(split), *key])
