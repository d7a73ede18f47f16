"""Temporal matching with parameters (Eigen-Cluster VIS, Table II); the details are ours.

Both modules weight several candidates in frame a for each pixel of frame b and return the weighted
cost. What they learn from is that cost alone: nothing but the pictures they see keeps them from
preferring candidates because these already agree.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.losses.neighbours import (
    WINDOW,
    displaced,
    inside_picture,
    label_cost,
    shifted,
    weighted_mean,
    window_cost,
)
from evis.losses.tensors import full_precision
from evis.losses.tk import DILATION, Pairs, check_clip, in_any_box

_LAB_UNIT = 10.0  # colours this far apart look different
_CHANNELS = 16  # of what either module reads off the pictures


class LearnableMatching(nn.Module):
    """TK's nine candidates, weighted by how near a learned embedding of their colours is.

    side: 1 embeds pixels, 3 embeds 3x3 patches. Three layers, softmax over the candidates inside
    the picture.
    """

    def __init__(self, side: int):
        super().__init__()
        self.embed = nn.Sequential(
            nn.Conv2d(3, _CHANNELS, side, padding=side // 2),
            nn.ReLU(),
            nn.Conv2d(_CHANNELS, _CHANNELS, 1),
            nn.ReLU(),
            nn.Conv2d(_CHANNELS, _CHANNELS, 1),
        )

    def forward(
        self, mask_logits: Tensor, pictures: Tensor, box_masks: Tensor, pairs: Pairs
    ) -> Tensor:
        check_clip(mask_logits, pictures, box_masks, pairs)
        pixels = pictures.flatten(0, 1).to(self.embed[0].weight.dtype) / _LAB_UNIT
        embedded = full_precision(self.embed(pixels)).unflatten(0, pictures.shape[:2])
        seen = in_any_box(box_masks)
        values = []
        for a, b in pairs:
            cost = window_cost(mask_logits[:, a], mask_logits[:, b], DILATION)
            share = self.share(embedded[:, a], embedded[:, b])
            values.append(weighted_mean((cost * share).sum(1, keepdim=True), seen))
        return torch.stack(values)

    @staticmethod
    def share(first: Tensor, second: Tensor) -> Tensor:
        """(P, C, h, w) each -> (P, 9, h, w), of sum 1 over the candidates."""
        distance = torch.stack(
            [(second - moved).square().sum(1) for moved in shifted(first, DILATION)], dim=1
        )
        outside = ~inside_picture(first, DILATION)
        return distance.neg().masked_fill(outside, -torch.inf).softmax(1)


class DeformableMatching(nn.Module):
    """Nine points that start in TK's window, moved and weighted as two convolutions say.

    Like a modulated deformable kernel, laid from frame b into frame a. It begins as the plain
    window with equal weights.
    """

    def __init__(self):
        super().__init__()
        self.read = nn.Conv2d(2 * 3, _CHANNELS, 3, padding=1)
        self.tell = nn.Conv2d(_CHANNELS, 3 * len(WINDOW), 3, padding=1)
        nn.init.zeros_(self.tell.weight)
        nn.init.zeros_(self.tell.bias)

    def forward(
        self, mask_logits: Tensor, pictures: Tensor, box_masks: Tensor, pairs: Pairs
    ) -> Tensor:
        check_clip(mask_logits, pictures, box_masks, pairs)
        logits = full_precision(mask_logits)
        seen = in_any_box(box_masks)
        values = []
        for a, b in pairs:
            places, share = self.points(pictures[:, a], pictures[:, b])
            there, inside = displaced(logits[:, a], places)
            cost = label_cost(there, logits[:, b : b + 1]) * inside * share
            values.append(weighted_mean(cost.sum(1, keepdim=True), seen))
        return torch.stack(values)

    def points(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """(P, 3, h, w) each -> displacements (P, 9, 2, h, w), x and y, and weights (P, 9, h, w)."""
        told = self.tell(F.relu(self.read(torch.cat((first, second), dim=1) / _LAB_UNIT)))
        moves, weights = full_precision(told).split((2 * len(WINDOW), len(WINDOW)), dim=1)
        start = told.new_tensor([(DILATION * x, DILATION * y) for y, x in WINDOW])
        return moves.unflatten(1, (len(WINDOW), 2)) + start[..., None, None], weights.softmax(1)
