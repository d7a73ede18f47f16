"""Names of crops by two small encoders that were trained on toy stills and made-up captions.

It stands in for CLIP: `ToyClip` has what `evis.foundation.clip.Clip` has, and averages sentences
too, those that its captions were made of. It knows the words of its captions alone; all others are
one word to it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.foundation import stand_in
from evis.foundation.clip import BATCH, averaged
from evis.foundation.dino import DEVIATION, MEAN
from evis.foundation.pretrained import check_picture
from evis.foundation.toy_dino import Block, Norm

SIDE = 32  # pixels of the square that a crop is brought to, whole: none of it is cut off
LONGEST = 24  # words of a sentence; more are not read
NOTHING, UNKNOWN = 0, 1  # numbers of what fills a sentence up, and of words that are not known
# What its captions were made of, and so what it knows; those for CLIP are more.
TEMPLATES = (
    "{}",
    "a photo of one {}",
    "a frame of a video with one {}",
    "one {} among other things",
    "one {} close to the camera",
    "one {} far from the camera",
    "some part of one {}",
    "one {} behind something else",
    "one small {}",
    "one big {}",
    "one {} that moves fast, blurred",
    "one {} that keeps still",
    "one {} seen from its side",
    "one {} seen from behind",
    "one {} in bright light",
    "one {} in the dark",
    "one {} outside",
    "one {} in a room",
)


class ToyClipNetwork(nn.Module):
    """Both encoders. Lengths of what they give are free; `logit_scale` is a logarithm."""

    def __init__(self, words: Sequence[str], width: int = 32, channels: int = 64):
        super().__init__()
        self.sizes = {"words": list(words), "width": width, "channels": channels}
        self.numbers = {word: number for number, word in enumerate(words, UNKNOWN + 1)}
        self.see = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            Block(2 * width),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            Block(4 * width),
            Norm(4 * width),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4 * width, channels),
        )
        self.embed = nn.Embedding(len(words) + 2, channels)
        self.places = nn.Parameter(0.02 * torch.randn(LONGEST, channels))
        self.read = nn.TransformerEncoderLayer(
            channels, 4, 2 * channels, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.tell = nn.Linear(channels, channels)
        self.logit_scale = nn.Parameter(torch.tensor(1 / 0.07).log())  # as CLIP's training starts
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1))

    def images(self, pictures: Tensor) -> Tensor:
        """(B, 3, SIDE, SIDE) RGB 0..1 -> (B, channels)."""
        return self.see((pictures - self.mean) / self.deviation)

    def numbered(self, sentences: Sequence[str]) -> Tensor:
        """(B, words of the longest) long: the numbers of their words."""
        found = [
            [self.numbers.get(word, UNKNOWN) for word in words(sentence)[:LONGEST]] or [UNKNOWN]
            for sentence in sentences
        ]
        longest = max(map(len, found))
        filled = [numbers + [NOTHING] * (longest - len(numbers)) for numbers in found]
        return torch.tensor(filled, device=self.places.device)

    def texts(self, numbers: Tensor) -> Tensor:
        """(B, n) long -> (B, channels): the mean over a sentence's words, each read among all."""
        filled = numbers == NOTHING
        seen = self.embed(numbers) + self.places[: numbers.shape[1]]
        seen = self.read(seen, src_key_padding_mask=filled)
        kept = (~filled)[..., None].to(seen)
        return self.tell((seen * kept).sum(1) / kept.sum(1))


@dataclass(frozen=True)
class ToyClip:
    """Embeddings of length 1, float32 on the CPU."""

    network: ToyClipNetwork

    @torch.no_grad()
    def images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """n pictures or crops, (h, w, 3) uint8 RGB of any sizes, -> (n, C)."""
        for picture in pictures:
            check_picture(picture)
        weight = self.network.places
        found = [weight.new_zeros(0, weight.shape[1])]
        for start in range(0, len(pictures), BATCH):
            squares = np.stack([square(picture) for picture in pictures[start : start + BATCH]])
            given = torch.from_numpy(squares).permute(0, 3, 1, 2).to(weight) / 255
            found.append(self.network.images(given))
        return F.normalize(torch.cat(found).float(), dim=-1).cpu().numpy()

    @torch.no_grad()
    def texts(self, names: Sequence[str], templates: Sequence[str] = TEMPLATES) -> np.ndarray:
        """K names -> (K, C), as CLIP's. Names that hold no known word all get the same."""

        def embed(sentences: Sequence[str]) -> Tensor:
            return self.network.texts(self.network.numbered(sentences))

        empty = self.network.places.new_zeros(0, self.network.places.shape[1])
        return averaged(names, templates, embed, empty)

    @property
    def scale(self) -> float:
        """One over the temperature that it was trained with."""
        return self.network.logit_scale.exp().item()

    def knows(self, name: str) -> bool:
        """Whether a name holds any word of its captions."""
        return any(word in self.network.numbers for word in words(name))


def load(
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> ToyClip:
    """From a file of `evis train toy_clip`; the repository's own unless given."""
    return ToyClip(stand_in.load(ToyClipNetwork, "toy_clip", weights, device, dtype))


def square(picture: np.ndarray) -> np.ndarray:
    """The whole picture on (SIDE, SIDE, 3), whatever its shape is."""
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def words(text: str) -> list[str]:
    """In small letters; "giant_panda" has two."""
    return re.findall(r"[a-z0-9]+", text.lower())
