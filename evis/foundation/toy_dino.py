"""Features of patches by a small network that taught itself on toy stills, without any label.

It stands in for DINO and is trained as DINO is, by self-distillation: see
`evis.training.stand_ins.self_distillation`. `load` gives an extractor as `evis.foundation.dino`'s.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from evis.foundation import stand_in
from evis.foundation.colour import grid, spread
from evis.foundation.dino import DEVIATION, MEAN, Extractor
from evis.foundation.pretrained import check_picture

PATCH = 4  # pixels a side
CELLS = 24  # along the longer side of a frame: 16 x 24 for 64 x 96 pixels, as it was trained
# Distance of the network's own features, of length 1, at a cosine of 0.6 of what `load` makes of
# them. Chosen among three by MaskCut's masks on 40 training stills, whose true masks were seen.
SCALE = 0.4


class Norm(nn.LayerNorm):
    """Over the channels of each place of (B, C, h, w)."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.body = nn.Sequential(
            Norm(width),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features + self.body(features)


class ToyDino(nn.Module):
    """Convolutions at a quarter of the picture's size, and what of them is learned from.

    Student and teacher tell by cosines with `prototypes` which kind each patch is of.
    """

    def __init__(self, width: int = 64, blocks: int = 2, prototypes: int = 256):
        super().__init__()
        self.sizes = {"width": width, "blocks": blocks, "prototypes": prototypes}
        self.stem = nn.Sequential(
            nn.Conv2d(3, width // 2, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(width // 2, width, 3, stride=2, padding=1),
        )
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)), Norm(width))
        self.head = nn.Sequential(
            nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1)
        )
        self.prototypes = nn.Parameter(torch.randn(prototypes, width))
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1))

    def features(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) RGB 0..1, sides multiples of `PATCH` -> (B, width, H / 4, W / 4), each of
        length 1."""
        seen = self.blocks(self.stem((pictures - self.mean) / self.deviation))
        return F.normalize(self.head(seen), dim=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """-> (B, prototypes, H / 4, W / 4): cosines."""
        prototypes = F.normalize(self.prototypes, dim=1)[..., None, None]
        return F.conv2d(self.features(pictures), prototypes)


def load(
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Extractor:
    """A frame (h, w, 3) uint8 RGB -> (rows, columns, 256) float32, each of length 1.

    As `colour`'s, cosines fall to 0 with the distance, as cuts with a threshold need.
    A frame's longer side becomes that of the pictures that the network was trained on.
    weights: a file of `evis train toy_dino`; the repository's own unless given.
    """
    network = stand_in.load(ToyDino, "toy_dino", weights, device, dtype)

    @torch.no_grad()
    def toy_dino(frame: np.ndarray) -> np.ndarray:
        check_picture(frame)
        rows, columns = grid(*frame.shape[:2], CELLS)
        resized = Image.fromarray(frame).resize((columns * PATCH, rows * PATCH), Image.LANCZOS)
        picture = torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None] / 255
        features = network.features(picture.to(device, dtype))[0].float()
        return spread(features.permute(1, 2, 0).cpu().numpy() / SCALE)

    return toy_dino
