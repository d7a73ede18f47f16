"""Videos of coloured blocks, and a model that finds each block by its colour, without fail."""

import numpy as np
import torch
from torch import nn

from evis.data.clip_prediction import ClipPrediction

COLOURS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0]], dtype=np.uint8)
HEIGHT, WIDTH = 24, 32


def video(length: int, absent: dict[int, range] | None = None, scale: int = 1) -> np.ndarray:
    """(T, 24, 32, 3) times `scale`: three blocks side by side that move up and down.

    absent: frames in which a block is not there.
    """
    frames = np.full((length, HEIGHT, WIDTH, 3), 40, dtype=np.uint8)
    for t in range(length):
        for block in range(3):
            if absent is None or t not in absent.get(block, ()):
                top = 2 + (t * (block + 1)) % 12
                frames[t, top : top + 8, 10 * block + 1 : 10 * block + 8] = COLOURS[block]
    return frames.repeat(scale, 1).repeat(scale, 2)


def truth(frames: np.ndarray, block: int) -> np.ndarray:
    """(T, h, w) bool."""
    return (frames == COLOURS[block]).all(-1)


class ByColour(nn.Module):
    """Query c is the block of colour c and says class c; two more say nothing of any object.

    The queries come in another order for each clip it sees. forgets: the query of a block that is
    not in sight says "no object", and its embedding is like the idle queries'.
    """

    queries, classes = 6, 4

    def __init__(self, stride: int = 1, forgets: bool = False):
        super().__init__()
        self.stride, self.forgets, self.seen = stride, forgets, []

    def forward(self, frames: torch.Tensor) -> ClipPrediction:
        _, length, _, height, width = frames.shape
        self.seen.append(length)
        pictures = frames[0, :, :, :: self.stride, :: self.stride].permute(0, 2, 3, 1).numpy()
        masks = np.full((self.queries, *pictures.shape[:3]), -3, dtype=np.float32)
        logits = torch.zeros(self.queries, self.classes + 1)
        logits[:, -1] = 4.0
        embeddings = torch.eye(self.queries)
        for block in range(self.classes):
            near = np.abs(pictures.astype(int) - COLOURS[block]).max(-1) < 120
            masks[block][near] = 3
            if near.any() or not self.forgets:
                logits[block] = 0.0
                logits[block, block] = 5.0 - block
        order = torch.randperm(self.queries, generator=_seeded(pictures))
        return ClipPrediction(
            logits[order][None],
            torch.from_numpy(masks[order.numpy()])[None],
            embeddings=embeddings[order][None],
            stride=self.stride,
        )


def _seeded(pictures: np.ndarray) -> torch.Generator:
    return torch.Generator().manual_seed(int(pictures.astype(np.int64).sum()) % 2**31)
