"""Training without a network: the masks of a few clips descend on the lead paper's own loss.

Here every temporal term meets its positive control. A network learns from other clips what objects
look like, which hides what a term adds; masks that are parameters know nothing but what the loss
tells them of their own clip. Queries, classes and frames are given, the loss is `Loss` with the toy
rows' settings, after its warm-up. A unit is a batch of clips that nothing else was done with, since
L_eig and Q are those of a batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch
from torch import nn

from evis.companion import fit, store
from evis.criterion.step import Step
from evis.data import toy
from evis.data.clip_prediction import ClipPrediction
from evis.data.clips import Clip
from evis.data.toy.spec import SPECS
from evis.papers.eigencluster import one_batch, recipes
from evis.papers.eigencluster.experiments import BETAS
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.settings import RELEASED, Settings

DATASET = "toy-ytvis19"
BASE = replace(recipes.toy(recipes.named("eigencluster.stage3")).settings, warm_up_steps=0)
CLIPS, STEPS = 6, 80  # of a unit; of its descent
UNITS, SEARCH_UNITS = tuple(range(20)), tuple(range(100, 106))
STRIDE = 2  # of the toy models' logits
SURE, OUTSIDE = 10.0, -4.0  # logits of a given class, and of the masks of queries without object

MODELS: dict[str, Callable[[fit.Boxed], nn.Module]] = {
    "free": lambda boxed: fit.FreeLogits(boxed.start(), blur=2.0),  # every pixel is a parameter
    "colours": fit.ColourNetwork,  # equal colours, equal logits
}
REGIMES: dict[str, tuple[str, Mapping[str, Any]]] = {  # what masks are made of, and `Settings`
    "free": ("free", {}),
    "free, no pairwise": ("free", {"pairwise": "none"}),
    "colours": ("colours", {}),
}
BETA = {"mean": 0.04, "sum": 0.04}  # the best of `BETAS` on `SEARCH_UNITS`, in every regime
_NEITHER = {"alpha": 0, "beta": 0.0}
TERMS: dict[str, Mapping[str, Any]] = {  # row -> what of `Settings` it has
    "boxes": _NEITHER | {"temporal_factor": 0.0},
    "TK": _NEITHER,
    "TEL": {"alpha": 0, "beta": BETA["mean"]},
    "TEL, released beta": {"alpha": 0, "beta": Settings.beta},
    "TEL, sum": {"alpha": 0, "beta": BETA["sum"], "change": "sum"},
    "QCC": {"beta": 0.0},
    "TEL + QCC": {"beta": BETA["mean"]},
    "released": RELEASED,
    "masks": {"supervision": "mask"},
}
SEARCH: dict[str, Mapping[str, Any]] = {
    f"TEL, {change}, beta = {beta:g}": {"alpha": 0, "beta": beta, "change": change}
    for change in BETA
    for beta in BETAS
}
PLACEBOS = {f"TEL{what}": f"placebo of TEL{what}" for what in ("", ", released beta", ", sum")}


@dataclass(frozen=True)
class Descent:
    ious: list[float]  # of every clip's objects, a mean over the frames that show them
    factor: float  # by which TEL multiplied TK, a mean over steps


class Masks(nn.Module):
    """The masks of B clips as one prediction of Q queries a clip, as many as the most objects."""

    def __init__(self, clips: Sequence[Clip], kind: str):
        super().__init__()
        self.clips = clips
        self.each = nn.ModuleList(MODELS[kind](fit.boxed(clip, STRIDE)) for clip in clips)

    def forward(self) -> ClipPrediction:
        masks = [model() for model in self.each]  # (N, T, h, w) each
        queries = max(len(one) for one in masks)
        classes = 1 + max(int(clip.labels.max()) for clip in self.clips)
        logits = masks[0].new_zeros(len(masks), queries, classes + 1)
        logits[..., classes] = SURE  # no object
        for own, clip in zip(logits, self.clips, strict=True):
            own[range(len(clip.labels)), clip.labels] = 2 * SURE
        full = [
            torch.cat([one, one.new_full((queries - len(one), *one.shape[1:]), OUTSIDE)])
            for one in masks
        ]
        return ClipPrediction(logits, torch.stack(full), stride=STRIDE)


def clips_of(unit: int) -> list[Clip]:
    """Of videos that no model was trained or chosen on. Their masks are read for "masks" and for
    the score alone: under boxes the loss asks a clip for its boxes.
    """
    dataset = toy.sample(DATASET, 2 * CLIPS, seed=1000 + unit, split="valid")
    return [clip for clip in one_batch.clips_of(dataset) if len(clip.labels)][:CLIPS]


def descend(clips: Sequence[Clip], kind: str, settings: Settings, steps: int = STEPS) -> Descent:
    """Adam at the model's own rate, from the same start whatever the settings are."""
    masks, loss = Masks(clips, kind), Loss(settings)
    step, factors = Step(settings.warm_up_steps), []
    points = torch.Generator().manual_seed(0)
    descent = torch.optim.Adam(masks.parameters(), lr=masks.each[0].rate)
    for _ in range(steps):
        terms = loss(masks(), clips, step, points)
        descent.zero_grad()
        terms["total"].backward()
        descent.step()
        if "tel" in terms:
            weight = settings.temporal_factor * terms["tk"].item()
            factors.append(terms["temporal"].item() / weight if weight else 1.0)
    with torch.no_grad():
        found = [model() > 0 for model in masks.each]
    scores = []
    for clip, mask in zip(clips, found, strict=True):
        truth = fit.shrunk(clip.masks, STRIDE)
        seen = truth.flatten(2).any(-1)  # (N, T)
        scores.append(float(fit.ious(mask, truth)[seen].mean()))
    return Descent(scores, sum(factors) / len(factors) if factors else 1.0)


def rows(unit: int, terms: Mapping[str, Mapping[str, Any]] = TERMS) -> dict[str, float]:
    """ "regime: row" -> mIoU (%), a mean over clips. A TEL comes with its placebo: TK times the
    factor that this TEL came to, unit by unit.
    """
    clips, found = clips_of(unit), {}
    for regime, (kind, changes) in REGIMES.items():

        def score(row: str, kind: str = kind, regime: str = regime, **settings) -> float:
            descent = descend(clips, kind, replace(BASE, **settings))
            found[f"{regime}: {row}"] = 100 * sum(descent.ious) / len(descent.ious)
            return descent.factor

        for row, own in terms.items():
            factor = score(row, **{**own, **changes})
            if row in PLACEBOS:
                found[f"{regime}: factor of {row}"] = factor
                times = {"temporal_factor": factor * BASE.temporal_factor}
                score(PLACEBOS[row], **{**TERMS["TK"], **changes, **times})
    return found


def recipe(terms: Mapping[str, Mapping[str, Any]] = TERMS) -> dict[str, Any]:
    """What stored units are found by."""
    return {
        "name": "masks as parameters",
        "clips": CLIPS,
        "steps": STEPS,
        "toy": SPECS[DATASET].hash,
        "settings": BASE.to_json(),
        "regimes": {name: [kind, dict(changes)] for name, (kind, changes) in REGIMES.items()},
        "terms": {row: dict(own) for row, own in terms.items()},
    }


def measured(
    regime: str, units: Sequence[int] = UNITS, terms: Mapping[str, Mapping[str, Any]] = TERMS
) -> pd.DataFrame:
    """The stored units, a line each, and their rows, a column each. Without any, it is empty."""
    stored = {unit: store.find(recipe(terms), DATASET, unit) for unit in units}
    lines = {
        unit: {
            name.partition(": ")[2]: value
            for name, value in row.metrics.items()
            if name.partition(": ")[0] == regime
        }
        for unit, row in stored.items()
        if row
    }
    return pd.DataFrame(lines).T.rename_axis("unit")
