"""How large the terms of the loss were in training: rows of a training log's means."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evis.companion import measured, store
from evis.companion.held_out import VIDEOS
from evis.companion.measured import Experiment
from evis.losses import boxinst
from evis.training import log

TERMS = ("class", "projection", "pairwise", "tk", "tel", "temporal", "total")


def row(
    experiment: Experiment, shelf: Path | None = None, progress: bool = True
) -> store.ResultRow:
    """The last stage's terms, as means over its log, before their weights.

    "TEL factor": by how much TEL raised TK, the median and the mean; "Q" likewise.
    """

    def measure() -> Mapping[str, float]:
        place = measured.Place(shelf, progress=progress)
        table = log.read(measured.trained(experiment, place).parent)
        means = {name: table[name].mean() for name in TERMS if name in table}
        if "tel" in table:
            settings = experiment.stages[-1].settings
            raised = [boxinst.warm_up(step, settings.warm_up_steps) for step in table["step"]]
            warm = settings.temporal_factor * np.array(raised)
            factor = (table["temporal"] / table["tk"] / warm)[(warm > 0) & (table["tk"] > 0)]
            means |= {"TEL factor, median": factor.median(), "TEL factor, mean": factor.mean()}
        if "qcc" in table:
            means |= {"Q, mean": table["qcc"].mean(), "Q, last": table["qcc"].tail(3).mean()}
        return {name: float(value) for name, value in means.items()}

    return store.measure(*key(experiment), measure, folder=measured.results(shelf))


def key(experiment: Experiment) -> tuple[dict[str, Any], str, int]:
    """What a row is found by in the store: recipe, data, seed."""
    return measured.content(experiment), f"{VIDEOS} training log", experiment.seed
