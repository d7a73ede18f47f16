"""Masks of one clip found by gradient descent on the losses of its boxes: no training set.

What a network learns from thousands of clips is left out, so what a loss says of itself shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.data.types import Box, Track, VISDataset
from evis.labels import from_boxes as pseudo_masks
from evis.losses import boxinst, tel, tk
from evis.papers.eigencluster.settings import Settings

SPATIAL = {"projection": Settings.dice_weight, "pairwise": Settings.mask_weight}
TEMPORAL = SPATIAL | {"temporal": Settings.mask_weight}  # without the papers' factor of 0.1


@dataclass(frozen=True)
class Boxed:
    """All that is known of a clip: its colours and its boxes."""

    lab: Tensor  # (T, 3, h, w)
    boxes: Tensor  # (N, T, h, w) 0 or 1, filled; an object that is not seen has none

    @cached_property
    def similarity(self) -> Tensor:
        """(N * T, 8, h, w), object by object, as `boxes.flatten(0, 1)` is."""
        return boxinst.color_similarity(self.lab).repeat(len(self.boxes), 1, 1, 1)

    @cached_property
    def patches(self) -> list[Tensor]:
        return [tk.patch_similarity(self.lab[None, a], self.lab[None, b]) for a, b in self.pairs]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return tel.cyclic_pairs(len(self.lab)) if len(self.lab) > 1 else []


def boxed(
    frames: np.ndarray,
    boxes: Sequence[Sequence[Box | None]],
    stride: int = 1,
    flavour: boxinst.Flavour = "paper",
) -> Boxed:
    """Frames (T, H, W, 3) uint8 RGB and one box an object and frame, at 1/stride of their size."""
    pictures = torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2)
    filled = np.zeros((len(boxes), *frames.shape[:3]), dtype=np.float32)
    for n, track in enumerate(boxes):
        for t, box in enumerate(track):
            if box is not None:
                filled[n, t] = pseudo_masks.fill(frames[t], box)
    return Boxed(
        boxinst.lab(pictures, stride, flavour),
        F.avg_pool2d(torch.from_numpy(filled), stride).round(),
    )


def from_dataset(dataset: VISDataset, video_id: int, times: Sequence[int]) -> Boxed:
    """Some frames of a video with boxes, at full size; the objects that are seen in all of them."""
    frames = np.stack([dataset.frame(video_id, t) for t in times])
    tracks = seen_throughout(dataset, video_id, times)
    return boxed(frames, [[track.boxes[t] for t in times] for track in tracks])


def seen_throughout(dataset: VISDataset, video_id: int, times: Sequence[int]) -> list[Track]:
    """The video's tracks with a box in each of these frames."""
    tracks = dataset.tracks_of(video_id)
    return [track for track in tracks if all(track.boxes[t] is not None for t in times)]


class FreeLogits(nn.Module):
    """Every pixel's logit is a parameter, blurred over `blur` pixels so that neighbours share.

    They start at `inside` in the boxes and at `outside` beyond, with a little noise.
    """

    rate = 0.1

    def __init__(
        self,
        clip: Boxed,
        blur: float = 2.0,
        inside: float = 0.5,
        outside: float = -4.0,
        seed: int = 0,
    ):
        super().__init__()
        noise = torch.randn(clip.boxes.shape, generator=torch.Generator().manual_seed(seed))
        start = outside + (inside - outside) * clip.boxes + 0.1 * noise
        self.values = nn.Parameter(start)
        self.blur = blur

    def forward(self) -> Tensor:
        return blurred(self.values, self.blur)


class ColourNetwork(nn.Module):
    """Logits from the colours of 5x5 pixels by one small network: equal colours, equal logits."""

    rate = 0.01

    def __init__(self, clip: Boxed, width: int = 16, seed: int = 0):
        super().__init__()
        self.colours = (clip.lab - clip.lab.mean((0, 2, 3), keepdim=True)) / 30
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Conv2d(3, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, len(clip.boxes), 1),
            )

    def forward(self) -> Tensor:
        return self.layers(self.colours).transpose(0, 1)


def blurred(logits: Tensor, sigma: float) -> Tensor:
    """(..., h, w) under a Gaussian of `sigma` pixels, the border repeated; 0 leaves it alone."""
    if sigma == 0:
        return logits
    reach = int(3 * sigma)
    kernel = torch.exp(-((torch.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    kernel = kernel / kernel.sum()
    wide = F.pad(logits.flatten(0, -3).unsqueeze(1), [reach] * 4, mode="replicate")
    down = F.conv2d(wide, kernel[None, None, :, None])
    return F.conv2d(down, kernel[None, None, None]).reshape(logits.shape)


@dataclass(frozen=True)
class Fit:
    path: Tensor  # (steps + 1, N, T, h, w) logits, from the start on
    terms: pd.DataFrame  # one row a step, one column a term, before its weight

    def masks(self, step: int = -1) -> Tensor:
        """(N, T, h, w) bool."""
        return self.path[step] > 0


@dataclass(frozen=True)
class Objective:
    """Which terms are minimised, how strongly, and how they are computed.

    "temporal" is TK, times 1 + beta * TEL.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: SPATIAL)
    threshold: float = 0.3  # of colour similarity
    beta: float = 0.0
    flavour: boxinst.Flavour = "paper"

    def terms(self, clip: Boxed, logits: Tensor) -> dict[str, Tensor]:
        """(N, T, h, w) -> the terms that have a weight, before it."""
        single, boxes = logits.flatten(0, 1), clip.boxes.flatten(0, 1)
        found = {}
        if "projection" in self.weights:
            found["projection"] = boxinst.projection_loss(single, boxes)
        if "pairwise" in self.weights:
            found["pairwise"] = boxinst.pairwise_loss(
                single, clip.similarity, boxes, self.threshold, flavour=self.flavour
            )
        if "temporal" in self.weights:
            found["temporal"] = self._temporal(clip, logits)
        return found

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        return sum(self.weights[name] * value for name, value in terms.items())

    def _temporal(self, clip: Boxed, logits: Tensor) -> Tensor:
        """Eqs. 13-14."""
        found = tk.tk_loss(logits, clip.patches, clip.boxes, clip.pairs, flavour=self.flavour)
        if not self.beta:
            return found.sum()
        change = tel.eigenvalue_loss(tel.eigenvalues(logits), clip.pairs)
        return tel.temporal_loss(found, change, self.beta)


def fit(clip: Boxed, model: nn.Module, objective: Objective = Objective(), steps: int = 100) -> Fit:
    """Adam on the objective, from the model's start."""
    descent = torch.optim.Adam(model.parameters(), lr=model.rate)
    path, rows = [model().detach().clone()], []
    for _ in range(steps):
        terms = objective.terms(clip, model())
        descent.zero_grad()
        objective.total(terms).backward()
        descent.step()
        path.append(model().detach().clone())
        rows.append({name: value.item() for name, value in terms.items()})
    return Fit(torch.stack(path), pd.DataFrame(rows).rename_axis("step"))


def ious(masks: Tensor, truth: Tensor) -> Tensor:
    """(..., h, w) bool each -> (...); 0 where both are empty."""
    shared, joint = ((masks & truth).sum((-2, -1)), (masks | truth).sum((-2, -1)))
    return shared / joint.clamp(min=1)
