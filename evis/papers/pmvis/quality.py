"""How near pseudo masks of a training set are to the true ones (Figs 2, 3 and 6).

    evis measure "pmvis quality" --rows toy_sam "toy_sam, DOOB"     # without --rows: all

Nothing is trained by these numbers, and no label is chosen by them. Of all kinds but `toy_sam`'s
the masks need IDOL-BoxInst's unit 0 of their set, which is trained where it is not yet.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from evis.companion import store
from evis.companion.held_out import OF_SET, VIDEOS
from evis.companion.measured import HERE, Labels, Place, results
from evis.data import masks, toy
from evis.data.types import VISDataset
from evis.labels.datasets import of_object
from evis.papers.pmvis.experiments import FINAL, GROUPS, IBM_TIDY

TENTHS = 10  # of IoU, as Fig. 2 has them
# By the names of the rows that learn from them, of which Fig. 3 has AP beside IoU.
KINDS: dict[str, Labels] = {
    row.name: row.labels[0][1]
    for row in (*GROUPS["pmvis masks"].values(), GROUPS[f"pmvis {VIDEOS}"]["PM-VIS"])
}
COUNTED: dict[str, Labels] = {f"IBM, {on}": IBM_TIDY[on] for on in OF_SET}  # Fig. 6
COUNTED |= {f"PM-VIS, {on}": FINAL[on] for on in OF_SET}
# What `evis measure` measures: labels, and the toy set that they are of.
ROWS: dict[str, tuple[Labels, str]] = {name: (by, VIDEOS) for name, by in KINDS.items()}
ROWS |= {name: (by, name.partition(", ")[2]) for name, by in COUNTED.items()}


def scores(truth: VISDataset, pseudo: VISDataset) -> dict[str, float]:
    """ "missing": share of the annotations without a pseudo mask; of the others, mean IoU with it,
    and the share whose IoU is in each tenth, "0.9 to 1" the last."""
    ious, missing = [], 0
    for track in truth.tracks:
        _, *found = of_object(track, pseudo)
        others = found[0].masks if found else (None,) * len(track.masks)
        for own, other in zip(track.masks, others, strict=True):
            if own is not None and other is not None:
                ious.append(masks.iou(own, other))
            missing += own is not None and other is None
    edges = np.arange(TENTHS + 1) / TENTHS
    shares = np.histogram(ious, edges)[0] / max(len(ious), 1)
    tenths = {f"{a:g} to {b:g}": s for a, b, s in zip(edges, edges[1:], shares, strict=False)}
    mean = float(np.mean(ious)) if ious else float("nan")
    return {"missing": missing / max(missing + len(ious), 1), "mIoU": mean, **tenths}


def row(
    by: Labels, on: str = VIDEOS, place: Place = HERE, jobs: int | None = None
) -> store.ResultRow:
    """The stored row of these labels of a toy training set, or else measured."""

    def measure() -> Mapping[str, float]:
        truth = toy.sample(on)
        return scores(truth, by.label(truth, 0, place, jobs))

    return store.measure(*_key(by, on), measure, folder=results(place.shelf))


def measure(
    names: Iterable[str] = tuple(ROWS), place: Place = HERE, jobs: int | None = None
) -> pd.DataFrame:
    """These of `ROWS`, a line each, stored one by one: what was interrupted goes on."""
    lines = {name: row(*ROWS[name], place, jobs).metrics for name in names}
    return pd.DataFrame.from_dict(lines, orient="index")


def find(by: Labels, on: str = VIDEOS, place: Place = HERE) -> store.ResultRow | None:
    return store.find(*_key(by, on), results(place.shelf))


def _key(by: Labels, on: str) -> tuple[dict, str, int]:
    return {"name": "pseudo masks", "labels": by.content(0)}, f"{on} {toy.SPECS[on].hash}", 0
