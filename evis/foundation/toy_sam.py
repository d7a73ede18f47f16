"""Masks from boxes by a small network that was trained on masks of toy stills.

It stands in for SAM: `load` gives a function as `evis.foundation.sam`'s. Videos' masks took no part
in its training, so that what it makes of a video's boxes costs boxes.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.data.boxes import touched
from evis.data.types import Box
from evis.foundation import stand_in
from evis.foundation.dino import DEVIATION, MEAN
from evis.foundation.pretrained import check_box, check_picture
from evis.foundation.toy_dino import Block, Norm

SIDE = 48  # pixels of the square that a prompt's surroundings are brought to
AROUND = 0.25  # of the box's sides, seen beyond each of them


class ToySam(nn.Module):
    """Convolutions down to a quarter of the size and up again, with what each size saw before."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.sizes = {"width": width}
        self.stem = nn.Sequential(nn.Conv2d(4, width, 3, padding=1), Block(width))
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(wide, 2 * wide, 3, stride=2, padding=1), Block(2 * wide))
            for wide in (width, 2 * width)
        )
        self.middle = Block(4 * width)
        self.up = nn.ModuleList(nn.Conv2d(2 * wide, wide, 1) for wide in (2 * width, width))
        self.join = nn.ModuleList(Block(wide) for wide in (2 * width, width))
        self.tell = nn.Sequential(Norm(width), nn.Conv2d(width, 1, 1))
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1))

    def forward(self, pictures: Tensor, prompts: Tensor) -> Tensor:
        """(B, 3, SIDE, SIDE) RGB 0..1, (B, SIDE, SIDE) 1 in the box -> logits (B, SIDE, SIDE)."""
        given = torch.cat([(pictures - self.mean) / self.deviation, prompts[:, None]], 1)
        seen = [self.stem(given)]
        for down in self.down:
            seen.append(down(seen[-1]))
        found = self.middle(seen.pop())
        for up, join in zip(self.up, self.join, strict=True):
            found = join(F.interpolate(up(found), scale_factor=2.0) + seen.pop())
        return self.tell(found)[:, 0]


def load(
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Callable[[np.ndarray, Box], np.ndarray]:
    """(h, w, 3) uint8 RGB, (x, y, width, height) -> (h, w) bool, perhaps empty.

    weights: a file of `evis train toy_sam`; the repository's own unless given.
    """
    network = stand_in.load(ToySam, "toy_sam", weights, device, dtype)

    @torch.no_grad()
    def toy_sam(picture: np.ndarray, box: Box) -> np.ndarray:
        check_picture(picture)
        check_box(box)
        rows, columns = surroundings(box, *picture.shape[:2])
        seen = shown(picture, box)[None].to(device, dtype)
        logits = network(seen[:, :3], seen[:, 3]).float()
        size = rows.stop - rows.start, columns.stop - columns.start
        mask = np.zeros(picture.shape[:2], dtype=bool)
        mask[rows, columns] = (resized(logits, size)[0] > 0).cpu().numpy()
        return mask

    return toy_sam


def surroundings(box: Box, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns that the network sees of a picture."""
    x, y, across, down = box
    wider, higher = AROUND * across, AROUND * down
    larger = x - wider, y - higher, across + 2 * wider, down + 2 * higher
    return touched(larger, height, width)


def shown(picture: np.ndarray, box: Box) -> Tensor:
    """What the network sees, (4, SIDE, SIDE): RGB 0..1, and 1 where the box is."""
    rows, columns = surroundings(box, *picture.shape[:2])
    prompt = np.zeros(picture.shape[:2], dtype=np.float32)
    prompt[touched(box, *picture.shape[:2])] = 1
    both = np.concatenate([picture[rows, columns] / 255, prompt[rows, columns, None]], 2)
    return resized(torch.from_numpy(both).float().permute(2, 0, 1), (SIDE, SIDE))


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, h, w) -> (B, *size), linearly; where it shrinks, every pixel counts."""
    return F.interpolate(maps[None], size, mode="bilinear", antialias=True)[0]
