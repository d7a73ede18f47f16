"""What TEL and QCC say of a trained model on clips that it never saw: Q and L_eig, no loss made.

They are computed as in training (Eqs. 1-10, S = 4, Y = 3), with any model, also one trained without
them. Objects and queries are matched by the true masks, as this is a test.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from evis.companion.held_out import HeldOut, Scoring
from evis.data.clips import Clip
from evis.inference import Options
from evis.losses import tel
from evis.losses.qcc import quality_cluster_coefficient
from evis.matching import match
from evis.papers.eigencluster import one_batch
from evis.papers.eigencluster.beyond import relative_change

METRICS = ("Q", "L_eig", "relative L_eig")


@dataclass(frozen=True)
class Predicted:
    clip: Clip
    mask_logits: Tensor  # (1, Q, T, h, w)
    queries: Tensor  # (N,): of the clip's objects, as far as there are queries
    stride: int  # of the logits in the frames


@torch.no_grad()
def predict(model: nn.Module, clips: Sequence[Clip]) -> list[Predicted]:
    """Where the model is."""
    model.eval()
    predictions = []
    for clip in clips:
        device = next(model.parameters(), clip.frames).device
        given = model(clip.frames[None].to(device))
        targets = [(clip.labels.to(device), clip.masks.to(device))]
        seeded = torch.Generator().manual_seed(0)
        ((queries, _),) = match(given.class_logits, given.mask_logits, targets, generator=seeded)
        predictions.append(Predicted(clip, given.mask_logits, queries, given.stride))
    return predictions


def quality(predicted: Predicted) -> float:
    """Q of one clip (Eq. 3)."""
    return float(quality_cluster_coefficient(predicted.mask_logits, [len(predicted.clip.labels)]))


def statistics(predictions: Sequence[Predicted]) -> dict[str, float]:
    """Means over clips, NaN over none; Q's over clips of several objects: the others have Q = 1.

    "relative L_eig": |a - b| / (a + b) in place of |a - b|, which does not grow with the logits.
    """
    several = [quality(one) for one in predictions if len(one.clip.labels) > 1]
    changes, relative = [], []
    for one in predictions:
        logits = one.mask_logits[0, one.queries]  # (N, T, h, w)
        values, pairs = tel.eigenvalues(logits), tel.cyclic_pairs(logits.shape[1])
        changes.append(float(tel.eigenvalue_loss(values, pairs).mean()))
        relative.append(float(relative_change(values, pairs).mean()))
    columns = several, changes, relative
    return {n: fmean(c) if c else math.nan for n, c in zip(METRICS, columns, strict=True)}


def on_clips(
    model: nn.Module, held_out: HeldOut, options: Options, progress: bool = True
) -> dict[str, float]:
    """Q and L_eig of held-out clips, whatever the model was trained with; options are of videos."""
    clips = tqdm(one_batch.clips_of(held_out.dataset()), "clips", disable=not progress)
    return statistics(predict(model, clips))


CLIPS = HeldOut("test clips", 300, 2, scoring=Scoring(METRICS, on_clips, in_percent=False))
