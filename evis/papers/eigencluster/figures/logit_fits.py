"""Notebook 03: mask logits as free parameters, pulled towards the true masks of a toy clip."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from evis.data.types import VISDataset
from evis.losses import qcc

COARSE = 4  # the logits start as noise of blobs this many pixels wide


@dataclass(frozen=True)
class Clip:
    """A few frames of one toy video with the true masks (instances, frames, h, w), 0 or 1."""

    video_id: int
    times: tuple[int, ...]
    masks: Tensor

    def owners(self, scale: int = 4) -> Tensor:
        """(n,) for each point of `qcc.feature_points`: 0 for background, 1, 2, ... for objects."""
        strength, owner = qcc.feature_points(self.masks[None], scale)[0].max(-1)
        return torch.where(strength > 0.5, owner + 1, 0)


def cut(dataset: VISDataset, video_id: int, frames: int = 3) -> Clip:
    """Frames spread evenly over one video."""
    masks = torch.from_numpy(dataset.mask_stack(video_id)).float()
    times = tuple(t * masks.shape[1] // frames for t in range(frames))
    return Clip(video_id, times, masks[:, times])


def fit(
    masks: Tensor,
    steps: int,
    optimiser: Callable[[list[Tensor]], torch.optim.Optimizer],
    objective: Callable[[Tensor, Tensor], Tensor] = lambda logits, loss: loss,
    clip_norm: float = torch.inf,
    seed: int = 0,
) -> Tensor:
    """Every logit a parameter, descend towards the masks: (steps + 1, *masks.shape).

    objective(logits, cross-entropy summed over pixels) is what is minimised.
    """
    random = torch.Generator().manual_seed(seed)
    size = [side // COARSE for side in masks.shape[-2:]]
    noise = torch.randn(*masks.shape[:2], *size, generator=random)
    logits = F.interpolate(noise, masks.shape[-2:], mode="bilinear").requires_grad_()
    descent = optimiser([logits])
    path = [logits.detach().clone()]
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(logits, masks, reduction="sum")
        descent.zero_grad()
        objective(logits, loss).backward()
        torch.nn.utils.clip_grad_norm_([logits], clip_norm)
        descent.step()
        path.append(logits.detach().clone())
    return torch.stack(path)


def coefficient(logits: Tensor, clusters: int, **options) -> Tensor:
    """Q of one clip's logits (instances, frames, h, w)."""
    return qcc.quality_cluster_coefficient(logits[None], [clusters], **options)


def ious(path: Tensor, masks: Tensor) -> list[float]:
    """The mean IoU of the masks after each step, (steps, K, T, h, w) against (K, T, h, w)."""
    found, true = path > 0, masks > 0
    shared, joint = (both.sum((2, 3, 4)) for both in (found & true, found | true))
    return (shared / joint).mean(1).tolist()


def wrong_counts(dataset: VISDataset) -> pd.DataFrame:
    """Q of every clip's perfect logits (10 inside, -10 outside) for K one too few to two too many.

    Clips of one instance are left out: they have no K but one.
    """
    rows = []
    for video in dataset.videos:
        logits = 20 * cut(dataset, video.id).masks - 10
        instances = len(logits)
        for pixels, features, scale in (
            ("resized by 1/4 a side", logits, 4),
            ("every fourth pixel, not blended", logits[..., 2::4, 2::4], 1),
        ):
            for extra in (-1, 0, 1, 2) if instances > 1 else ():
                q = coefficient(features, instances + extra, scale=scale)
                rows.append((video.id, pixels, extra, float(q)))
    return pd.DataFrame(rows, columns=["video", "pixels", "extra", "Q"])


def read_by_resize(shape: Sequence[int], scale: int = 4) -> Tensor:
    """(h, w): which pixels a bilinear resize of (..., h, w) by 1/scale reads at all."""
    picture = torch.zeros(1, 1, 1, *shape[-2:], requires_grad=True)
    qcc.feature_points(picture, scale).sum().backward()
    return picture.grad[0, 0, 0] != 0
