"""What FlowCut builds on, which has to be seen to work before a claim about it is judged.

- Clips teach more than pictures: VideoCutLER beats CutLER linked frame by frame, from which it goes
  on. Else these videos do not reward what a network learns from clips, whoever made them.
- Flow shows what moves: of the objects of training videos that move over the ground, labels with
  flow have more than those of colour alone. Else no network can learn from flow where objects are.
  (Of what rests under a moving camera flow can show nothing; so the world's own speeds say what
  moves, not the way in the picture.)

True masks are read for the second to judge, and by no row.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from evis.companion import measured, paired, store
from evis.companion.claims import Comparison, Table
from evis.companion.control import Control
from evis.data import toy
from evis.data.masks import pairwise_iou
from evis.data.types import VISDataset
from evis.labels.videos import Cuts, make
from evis.metrics import motion
from evis.papers.flowcut.experiments import ALPHA, CUTLER, NO_FLOW, ON_PICTURES, ROWS

VIDEOS = 24  # of a set's training videos, the first
FOUND = 0.5  # IoU above which a mask has an object
_CLIPS = ON_PICTURES.name, CUTLER.name


def of(test: Comparison, table: Table, shelf: Path | None = None) -> Control | None:
    """What a comparison builds on; None if it is neither with VideoCutLER nor with no flow."""
    rows = test.left.row, test.right.row
    if rows[1] == f"{rows[0]}, no flow":
        return of_flow(ROWS[rows[0]].sets["videos"], shelf)
    if rows[1] != ON_PICTURES.name:
        return None
    left, right = (replace(test.left, row=name) for name in _CLIPS)
    return Control.of(replace(test, left=left, right=right, published=None), table)


def of_flow(on: str, shelf: Path | None = None) -> Control:
    """The second control, of a training set."""
    row = store.find(*_key(on), measured.results(shelf))
    compared = f"objects that move over the ground and have a label, %, with flow − without, {on}"
    compared += ", videos as units"
    return Control(compared, paired.Difference(tuple(row.per_video) if row else ()))


def measure(on: str, shelf: Path | None = None, recompute: bool = False) -> store.ResultRow:
    """What `of_flow` finds: the stored row, or a new one."""
    return store.measure(*_key(on), lambda: _found(on), recompute, measured.results(shelf))


def _key(on: str) -> tuple[dict[str, Any], str, int]:
    recipe = {"name": "flowcut control", "alpha": ALPHA, "toy": toy.SPECS[on].hash}
    return recipe | {"moving": "over the ground"}, f"{on} ({VIDEOS} videos)", 0


def _found(on: str) -> Mapping[str, Any]:
    """Means over videos, and by video what flow brings, in points."""
    videos = toy.sample(on, VIDEOS)
    kinds = {"with flow": ALPHA, "without": NO_FLOW}
    made = {how: make(videos, Cuts(alpha=alpha), progress=False) for how, alpha in kinds.items()}
    fast = {number for number, own in toy.speeds(on, VIDEOS).items() if own > motion.MOVES}
    shares = {how: of_moving(videos, labels, fast) for how, labels in made.items()}
    gains = np.subtract(shares["with flow"], shares["without"])
    means = {f"moving objects found, %, {how}": float(np.mean(s)) for how, s in shares.items()}
    return means | {"per_video": gains.tolist()}


def of_moving(videos: VISDataset, labels: VISDataset, fast: Collection[int]) -> list[float]:
    """By video that has some: of its objects in frames whose tracks' ids are in `fast`, how many
    have a mask, in percent.
    """
    shares = []
    for video in videos.videos:
        own, found = (dataset.tracks_of(video.id) for dataset in (videos, labels))
        moving = [track for track in own if track.id in fast]
        hits: list[bool] = []
        for frame in range(video.length):
            true, made = ([t.masks[frame] for t in of if t.masks[frame]] for of in (moving, found))
            ious = pairwise_iou(true, made)
            hits += (ious.max(1, initial=0) > FOUND).tolist()
        if hits:
            shares.append(100 * float(np.mean(hits)))
    return shares
