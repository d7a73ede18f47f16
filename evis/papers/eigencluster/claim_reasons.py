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
from evis.losses.tk import best_candidates, in_any_box, patch_similarity
from evis.models import VideoMask2Former, load
from evis.papers.eigencluster.loss import Loss
from evis.papers.eigencluster.recipes import changed, named, toy
from evis.papers.eigencluster.settings import Settings
from evis.training.batches import Batch, Batches, admit
from evis.training.optimiser import adamw

RECIPE = changed(toy(named("eigencluster.stage3")), {"model": "tiny_s"})
VARIANTS = {  # of the loss; a placebo is TK's loss by a constant
    "TEL": {"alpha": 0},
    "QCC": {"beta": 0.0},
    "TEL + QCC": {},
    "TK × 1.02": {
        "alpha": 0,
        "beta": 0.0,
        "temporal_factor": 1.02 * RECIPE.settings.temporal_factor,
    },
}
CONTROL = {"alpha": 0, "beta": 0.0}
_LATE = 10_000  # a step after the warm-up of the temporal term


def batches(number: int, videos: int = 40) -> list[Batch]:
    """The first that stage three sees, of so many training videos."""
    sources = admit(RECIPE, {"videos": toy_sets.sample("toy-ytvis19", videos)})
    found = Batches(RECIPE, sources, keep_frames=False)
    return [found[index] for index in range(number)]


def stage_two() -> VideoMask2Former:
    """With the backbone frozen, as stage three begins."""
    model = load(paths.data() / "weights" / "toy_tk_tiny_s.safetensors").train()
    model.backbone.requires_grad_(False)
    return model


@torch.no_grad()
def factors(of: Sequence[Batch], **changes) -> pd.DataFrame:
    """A line a batch and decoder layer: what TEL multiplies TK with; for the batch, Q and how much
    of the spatial and temporal terms together is temporal, without TEL and with it.
    """
    model, settings = stage_two(), replace(RECIPE.settings, **changes)
    weights = settings.weights
    lines = []
    for number, batch in enumerate(of):
        terms = {name: float(value) for name, value in _terms(model, batch, settings).items()}
        layers = [name.removeprefix("temporal") for name in terms if name.startswith("temporal")]
        tk = {layer: settings.temporal_factor * terms[f"tk{layer}"] for layer in layers}
        spatial = sum(
            weights[name] * terms[name + layer]
            for name in ("projection", "pairwise")
            for layer in layers
        )
        without = weights["temporal"] * sum(tk.values())
        with_tel = weights["temporal"] * sum(terms[f"temporal{layer}"] for layer in layers)
        lines += [
            {
                "batch": number,
                "layer": layer,
                "factor": terms[f"temporal{layer}"] / tk[layer],
                "Q": terms["qcc"],
                "share of TK": without / (spatial + without),
                "share with TEL": with_tel / (spatial + with_tel),
            }
            for layer in layers
        ]
    return pd.DataFrame(lines)


def _terms(model: VideoMask2Former, batch: Batch, settings: Settings) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return Loss(settings)(model(batch.frames), batch.clips, Step(_LATE), generator)


def gradients(of: Sequence[Batch]) -> pd.DataFrame:
    """Each variant's gradient beside TK's on the same batch: its length, and the angle between.

    "next batch": TK's own gradient on the next batch, the yardstick.
    """
    model = stage_two()
    plain = [_gradient(model, batch, CONTROL) for batch in of]
    lines = []
    for number, batch in enumerate(of):
        others = {name: _gradient(model, batch, changes) for name, changes in VARIANTS.items()}
        others["next batch"] = plain[(number + 1) % len(plain)]
        for name, vector in others.items():
            cosine = torch.dot(vector, plain[number]) / (vector.norm() * plain[number].norm())
            degrees = float(np.degrees(np.arccos(min(float(cosine), 1.0))))
            length = float(vector.norm() / plain[number].norm())
            times = float(vector.norm() / RECIPE.clip_norm)
            line = {"loss": name, "degrees": degrees, "length": length, "times the clip": times}
            lines.append(line)
    return pd.DataFrame(lines)


def _gradient(model: VideoMask2Former, batch: Batch, changes: dict) -> Tensor:
    model.zero_grad()
    _terms(model, batch, replace(RECIPE.settings, **changes))["total"].backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).double()


def _adamw(model: nn.Module) -> torch.optim.AdamW:
    return adamw(model, RECIPE.learning_rate, RECIPE.weight_decay, RECIPE.backbone_multiplier)


def scaled_steps(of: Sequence[Batch], scales: Sequence[float]) -> pd.DataFrame:
    """How far training by a scaled loss ends from training by the loss, over the way it went.

    A step a batch, with TK alone: gradient descent at one learning rate; AdamW; AdamW with the
    recipe's clipping of the gradient.
    """
    ways = {
        "gradient descent": lambda model: torch.optim.SGD(_free(model), lr=1e-4),
        "AdamW": _adamw,
        "AdamW, clipped": _adamw,
    }
    table = {}
    for name, optimiser in ways.items():
        clip = RECIPE.clip_norm if "clipped" in name else None
        went = {scale: _train(of, scale, optimiser, clip) for scale in {1.0, *scales}}
        table[name] = {
            scale: float((went[scale] - went[1.0]).norm() / went[1.0].norm()) for scale in scales
        }
    return pd.DataFrame(table).T


def _train(of: Sequence[Batch], scale: float, optimiser, clip: float | None) -> Tensor:
    model = stage_two()
    descend, before = optimiser(model), _weights(model)
    for batch in of:
        descend.zero_grad()
        (scale * _terms(model, batch, replace(RECIPE.settings, **CONTROL))["total"]).backward()
        if clip:
            nn.utils.clip_grad_norm_(_free(model), clip)
        descend.step()
    return _weights(model) - before


def _free(model: VideoMask2Former) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _weights(model: VideoMask2Former) -> Tensor:
    return torch.cat([p.detach().flatten().double() for p in _free(model)])


def pairs_kept(of: Sequence[Batch], thresholds: Sequence[float]) -> pd.Series:
    """The share of TK's candidate pairs, the five best of nine in the boxes, above a threshold."""
    similarities = []
    for clip in (clip for batch in of for clip in batch.clips):
        lab = boxinst.lab(clip.frames, 4, RECIPE.settings.flavour)  # (T, 3, h, w)
        boxes = fill_boxes(clip.boxes, clip.visible, tuple(clip.frames.shape[-2:]))
        seen = in_any_box(boxinst.resize_boxes(boxes, tuple(lab.shape[-2:]))).amax(0).bool()
        for a, b in cyclic_pairs(len(lab)):
            alike = patch_similarity(lab[a, None], lab[b, None])[0]  # (9, h, w)
            similarities.append(alike[best_candidates(alike) & seen])
    found = torch.cat(similarities)
    return pd.Series({each: float((found >= each).float().mean()) for each in thresholds})
