"""Why TEL and QCC change what they change: what they do to a step of training, on toy clips.

As in stage three: its recipe, the clips of its first steps, and the committed weights of stage two.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from evis.criterion.step import Step
from evis.criterion.targets import fill_boxes
from evis.data import paths
from evis.data import toy as toy_sets
from evis.losses import boxinst
from evis.losses.tel import cyclic_pairs
from evis.losses.tensors import resize
from evis.losses.tk import best_candidates, in_any_box, patch_similarity
from evis.models import VideoMask2Former, load
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.recipes import changed, named, toy
from evis.training.batches import Batch, Batches, admit
from evis.training.optimiser import adamw

RECIPE = changed(toy(named("eigencluster.stage3")), {"model": "tiny_s"})
CONTROL = {"alpha": 0, "beta": 0.0}
VARIANTS = {  # of the loss; the last is a placebo, TK's loss by a constant
    "TEL": {"alpha": 0},
    "QCC": {"beta": 0.0},
    "TEL + QCC": {},
    "TK × 1.02": CONTROL | {"temporal_factor": 1.02 * RECIPE.settings.temporal_factor},
}
_LATE = 10_000  # a step after the warm-up of the temporal term


def batches(number: int, videos: int = 40) -> list[Batch]:
    """The first that stage three sees, of so many training videos."""
    sources = admit(RECIPE, {"videos": toy_sets.sample("toy-ytvis19", videos)})
    drawn = Batches(RECIPE, sources, keep_frames=False)
    return [drawn[index] for index in range(number)]


def stage_two() -> VideoMask2Former:
    """With the backbone frozen, as stage three begins."""
    model = load(paths.data() / "weights" / "toy_tk_tiny_s.safetensors").train()
    model.backbone.requires_grad_(False)
    return model


def _terms(model: VideoMask2Former, batch: Batch, changes: dict) -> dict[str, Tensor]:
    """Of the loss with these settings changed."""
    loss = Loss(replace(RECIPE.settings, **changes))
    return loss(model(batch.frames), batch.clips, Step(_LATE), torch.Generator().manual_seed(0))


@torch.no_grad()
def factors(of: Sequence[Batch], **changes) -> pd.DataFrame:
    """A line a batch and decoder layer: what TEL multiplies TK with, Q, and three parts of the loss
    with their weights: spatial, TK without TEL, TK with it.
    """
    model, settings = stage_two(), RECIPE.settings
    lines = []
    for number, batch in enumerate(of):
        terms = {name: float(value) for name, value in _terms(model, batch, changes).items()}
        parts = {name: weight for name, weight in settings.weights.items() if name != "class"}
        for layer in (name[len("tk") :] for name in terms if name.startswith("tk")):
            weighted = {name: weight * terms[name + layer] for name, weight in parts.items()}
            with_tel = weighted.pop("temporal")
            tk = parts["temporal"] * settings.temporal_factor * terms[f"tk{layer}"]
            line = {"batch": number, "layer": layer, "factor": with_tel / tk, "Q": terms["qcc"]}
            lines.append(line | {"spatial": sum(weighted.values()), "TK": tk, "with TEL": with_tel})
    return pd.DataFrame(lines)


def gradients(of: Sequence[Batch]) -> pd.DataFrame:
    """Each variant's gradient beside TK's on the same batch: its length, and the angle between.

    "next batch": TK's own gradient on the next batch, the yardstick.
    """
    model = stage_two()
    plain = [_gradient(model, batch, CONTROL) for batch in of]
    lines = []
    for number, (batch, tk) in enumerate(zip(of, plain, strict=True)):
        others = {name: _gradient(model, batch, changes) for name, changes in VARIANTS.items()}
        others["next batch"] = plain[(number + 1) % len(plain)]
        for name, vector in others.items():
            cosine = float(torch.dot(vector, tk) / (vector.norm() * tk.norm()))
            line = {"loss": name, "degrees": np.degrees(np.arccos(min(cosine, 1.0)))}
            line["length"] = float(vector.norm() / tk.norm())
            lines.append(line | {"times the clip": float(vector.norm() / RECIPE.clip_norm)})
    return pd.DataFrame(lines)


def _gradient(model: VideoMask2Former, batch: Batch, changes: dict) -> Tensor:
    model.zero_grad()
    _terms(model, batch, changes)["total"].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).double()


def scaled_steps(of: Sequence[Batch], scale: float) -> pd.Series:
    """How far training by a scaled loss ends from training by the loss, over the way it went.

    A step a batch, with TK alone: gradient descent at one learning rate; AdamW; AdamW with the
    recipe's clipping of the gradient.
    """
    ways = {"gradient descent": (False, None), "AdamW": (True, None)}
    ways["AdamW, clipped"] = True, RECIPE.clip_norm
    apart = {}
    for name, how in ways.items():
        plain, scaled = (_way_gone(of, times, *how) for times in (1.0, scale))
        apart[name] = float((scaled - plain).norm() / plain.norm())
    return pd.Series(apart)


def _way_gone(of: Sequence[Batch], scale: float, adam: bool, clip: float | None) -> Tensor:
    model = stage_two()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    before = nn.utils.parameters_to_vector(weights).detach().double()
    rates = RECIPE.learning_rate, RECIPE.weight_decay, RECIPE.backbone_multiplier
    optimiser = adamw(model, *rates) if adam else torch.optim.SGD(weights, lr=1e-4)
    for batch in of:
        optimiser.zero_grad()
        (scale * _terms(model, batch, CONTROL)["total"]).backward()
        if clip:
            nn.utils.clip_grad_norm_(weights, clip)
        optimiser.step()
    return nn.utils.parameters_to_vector(weights).detach().double() - before


def pairs_kept(of: Sequence[Batch], thresholds: Sequence[float]) -> pd.Series:
    """The share of TK's candidate pairs, the five best of nine in the boxes, above a threshold."""
    similarities = []
    for clip in (clip for batch in of for clip in batch.clips):
        lab = boxinst.lab(clip.frames, 4, RECIPE.settings.colours)  # (T, 3, h, w)
        boxes = fill_boxes(clip.boxes, clip.visible, tuple(clip.frames.shape[-2:]))
        seen = in_any_box(resize(boxes, tuple(lab.shape[-2:]))).amax(0).bool()
        for a, b in cyclic_pairs(len(lab)):
            alike = patch_similarity(lab[a, None], lab[b, None])[0]  # (9, h, w)
            similarities.append(alike[best_candidates(alike) & seen])
    found = torch.cat(similarities)
    return pd.Series({limit: float((found >= limit).float().mean()) for limit in thresholds})
