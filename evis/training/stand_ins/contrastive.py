"""How `toy_clip` is trained: pictures and captions that belong together shall lie close together.

After CLIP (Radford et al., 2021): of a batch, each picture's own caption is to be told from all
others, and each caption's own picture.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evis.data.boxes import touched
from evis.data.types import VISDataset
from evis.foundation.toy_clip import UNKNOWN, ToyClipNetwork, square
from evis.training.stand_ins import captions
from evis.training.stand_ins.loop import StandIn, Task, pictures

MOST_SCALE = 100.0  # CLIP's limit


@dataclass(frozen=True, kw_only=True)
class ClipRecipe(StandIn):
    width: int
    channels: int
    parts: float  # share of the batch that are parts of pictures, where any were found
    margin: float  # by which the sides of a part's box are drawn in or out, of its size, at most
    light: float  # change of the brightness, at most
    forget: float  # share of the words that are as if not known
    synonyms: tuple[tuple[str, ...], ...]  # a class's name, then what else it is called

    kind: ClassVar = ToyClipNetwork
    limits: ClassVar = StandIn.limits | {
        "width": (1, 4096),
        "channels": (4, 4096),
        "parts": (0.0, 1.0),
        "margin": (0.0, 0.4),
        "light": (0.0, 0.9),
        "forget": (0.0, 1.0),
    }

    def task(self, dataset: VISDataset) -> Task:
        return Contrast(self, dataset)


class Contrast(Task):
    def __init__(self, recipe: ClipRecipe, dataset: VISDataset):
        super().__init__()
        self.recipe = recipe
        self.names = captions.class_words(dataset)
        self.pictures = pictures(dataset.bare(), recipe.size)
        self.synonyms = {names[0]: names for names in recipe.synonyms if names}
        known = captions.vocabulary(dataset.category_names.values(), self.synonyms)
        self.network = self.learned = ToyClipNetwork(known, recipe.width, recipe.channels)
        self.seen = captions.look(self.pictures)

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        number = int(torch.randint(2**62, (), generator=generator))
        shown, sentences = self.draw(np.random.default_rng(number))
        device = self.network.places.device
        given = torch.from_numpy(shown).to(device).permute(0, 3, 1, 2) / 255
        light = 1 + self.recipe.light * (2 * torch.rand(len(given), generator=generator) - 1)
        given = (given * light.to(device)[:, None, None, None]).clamp(0, 1)
        numbers = self.network.numbered(sentences)
        forgotten = torch.rand(numbers.shape, generator=generator) < self.recipe.forget
        numbers = torch.where(forgotten.to(device) & (numbers > UNKNOWN), UNKNOWN, numbers)
        scale = self.network.logit_scale.exp()
        loss, right = contrast(self.network.images(given), self.network.texts(numbers), scale)
        return {"total": loss, "right": right, "scale": scale}

    @torch.no_grad()
    def after(self, step: int) -> None:
        self.network.logit_scale.clamp_(max=math.log(MOST_SCALE))

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
        """A batch: (B, SIDE, SIDE, 3) uint8, and a caption each."""
        shown, sentences = [], []
        for number in rng.integers(len(self.pictures), size=self.recipe.batch):
            whole, *parts = self.seen[number]
            is_part = parts and rng.random() < self.recipe.parts
            seen = parts[rng.integers(len(parts))] if is_part else whole
            sentences.append(captions.caption(rng, seen, self.names[number], self.synonyms))
            (x, y, w, h), picture = seen.box, self.pictures[number]
            left, top, right, bottom = self.recipe.margin * rng.uniform(-1, 1, 4) * is_part
            box = x + left * w, y + top * h, w * (1 + right - left), h * (1 + bottom - top)
            crop = square(picture[touched(box, *picture.shape[:2])])
            shown.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
        return np.stack(shown), sentences


def contrast(images: Tensor, texts: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C) each, of any lengths -> the loss, and the share of pictures whose own caption is the
    closest."""
    cosines = F.normalize(images.float(), dim=1) @ F.normalize(texts.float(), dim=1).T
    own = torch.arange(len(cosines), device=cosines.device)
    both = F.cross_entropy(scale * cosines, own) + F.cross_entropy(scale * cosines.T, own)
    return both / 2, (cosines.argmax(1) == own).float().mean().detach()
