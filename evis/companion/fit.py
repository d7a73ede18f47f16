"""Masks of one clip found by gradient descent on a loss: no training set, every step kept.

What a network learns from thousands of clips is left out, so what a loss says of itself shows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.criterion.targets import target_masks
from evis.data.clips import Clip
from evis.losses import boxinst, tel, tk
from evis.losses.tensors import Flavour

DICE_WEIGHT, MASK_WEIGHT = 5.0, 5.0  # Mask2Former's: of projection, of pairwise and temporal
SPATIAL = ("projection", "pairwise")
TEMPORAL = (*SPATIAL, "temporal")


@dataclass(frozen=True)
class Boxed:
    """All that is known of a clip under boxes: its colours and its boxes."""

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

    def start(self, inside: float = 0.5, outside: float = -4.0, seed: int = 0) -> Tensor:
        """Logits to descend from: `inside` in the boxes, `outside` beyond, and a little noise."""
        noise = torch.randn(self.boxes.shape, generator=torch.Generator().manual_seed(seed))
        return outside + (inside - outside) * self.boxes + 0.1 * noise.to(self.boxes)


def boxed(clip: Clip, stride: int = 1, flavour: Flavour = "paper") -> Boxed:
    """The clip's colours and boxes at 1/stride of its size; its masks are not read."""
    filled = target_masks([clip], "boxes", tuple(clip.frames.shape[-2:]), clip.frames.device)
    return Boxed(boxinst.lab(clip.frames, stride, flavour), shrunk(filled, stride).float())


def shrunk(masks: Tensor, stride: int) -> Tensor:
    """(N, T, H, W) bool -> (N, T, h, w) bool: in where more than half of the pixels were."""
    return F.avg_pool2d(masks.float(), stride) > 0.5


@dataclass(frozen=True)
class BoxLoss:
    """Logits (N, T, h, w) -> the terms that boxes teach a clip by, weighted as in training.

    "temporal" is TK, times 1 + beta * TEL, without the released factor of 0.1.
    """

    clip: Boxed
    terms: tuple[str, ...] = SPATIAL
    threshold: float = 0.3  # of colour similarity
    beta: float = 0.0

    def __call__(self, logits: Tensor) -> dict[str, Tensor]:
        single, boxes = logits.flatten(0, 1), self.clip.boxes.flatten(0, 1)
        weighted = {}
        if "projection" in self.terms:
            weighted["projection"] = DICE_WEIGHT * boxinst.projection_loss(single, boxes)
        if "pairwise" in self.terms:
            found = boxinst.pairwise_loss(
                single, self.clip.similarity, boxes, self.threshold, flavour="paper"
            )
            weighted["pairwise"] = MASK_WEIGHT * found
        if "temporal" in self.terms:
            weighted["temporal"] = MASK_WEIGHT * self._temporal(logits)
        return weighted

    def _temporal(self, logits: Tensor) -> Tensor:
        """Eqs. 13-14."""
        patches, boxes, pairs = self.clip.patches, self.clip.boxes, self.clip.pairs
        found = tk.tk_loss(logits, patches, boxes, pairs, flavour="paper")
        if not self.beta:
            return found.sum()
        change = tel.eigenvalue_loss(tel.eigenvalues(logits), pairs)
        return tel.temporal_loss(found, change, self.beta)


class FreeLogits(nn.Module):
    """Every pixel's logit is a parameter, blurred over `blur` pixels so that neighbours share."""

    rate = 0.1

    def __init__(self, start: Tensor, blur: float = 0.0):
        super().__init__()
        self.values = nn.Parameter(start.clone())
        self.blur = blur

    def forward(self) -> Tensor:
        return blurred(self.values, self.blur)


class ColourNetwork(nn.Module):
    """Logits from the colours of 5x5 pixels by one small network: equal colours, equal logits."""

    rate = 0.01

    def __init__(self, clip: Boxed, seed: int = 0):
        super().__init__()
        self.colours = (clip.lab - clip.lab.mean((0, 2, 3), keepdim=True)) / 30
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = nn.Sequential(
                nn.Conv2d(3, 16, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(16, 16, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(16, len(clip.boxes), 1),
            )
        self.layers = layers.to(clip.lab.device)

    def forward(self) -> Tensor:
        return self.layers(self.colours).transpose(0, 1)


def blurred(logits: Tensor, sigma: float) -> Tensor:
    """(..., h, w) under a Gaussian of `sigma` pixels, the border repeated; 0 leaves it alone."""
    if sigma == 0:
        return logits
    reach = int(3 * sigma)
    kernel = torch.exp(-((torch.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    kernel = (kernel / kernel.sum()).to(logits)
    wide = F.pad(logits.flatten(0, -3).unsqueeze(1), [reach] * 4, mode="replicate")
    down = F.conv2d(wide, kernel[None, None, :, None])
    return F.conv2d(down, kernel[None, None, None]).reshape(logits.shape)


@dataclass(frozen=True)
class Fit:
    path: Tensor  # (steps + 1, N, T, h, w) logits, from the start on
    terms: pd.DataFrame  # one row a step, one column a term

    def masks(self, step: int = -1) -> Tensor:
        """(N, T, h, w) bool."""
        return self.path[step] > 0


def fit(
    model: nn.Module,
    loss: Callable[[Tensor], dict[str, Tensor]],
    steps: int = 100,
    optimiser: Callable[[Iterable[Tensor]], torch.optim.Optimizer] | None = None,
    clip_norm: float = torch.inf,
) -> Fit:
    """Descend from the model's start on the sum of the terms that `loss` makes of its logits.

    optimiser: Adam at the model's own rate unless given. clip_norm: gradients are cut to it.
    """
    descent = (optimiser or partial(torch.optim.Adam, lr=model.rate))(model.parameters())
    path, rows = [model().detach().clone()], []
    for _ in range(steps):
        terms = loss(model())
        descent.zero_grad()
        sum(terms.values()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        descent.step()
        path.append(model().detach().clone())
        rows.append({name: value.item() for name, value in terms.items()})
    return Fit(torch.stack(path), pd.DataFrame(rows).rename_axis("step"))


def ious(masks: Tensor, truth: Tensor) -> Tensor:
    """(..., h, w) bool each -> (...); 0 where both are empty."""
    shared, joint = ((masks & truth).sum((-2, -1)), (masks | truth).sum((-2, -1)))
    return shared / joint.clamp(min=1)
