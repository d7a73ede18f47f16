"""How `toy_sam` is trained: a box, drawn anew a little off, shall become its object's mask.

It learns from annotated stills, as SAM did, and takes no frame of a video.
"""

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor

from evis.data.errors import DataError
from evis.data.types import VISDataset
from evis.foundation import toy_sam
from evis.foundation.toy_sam import SIDE, ToySam
from evis.losses import masks
from evis.training.stand_ins.loop import StandIn, Task, pictures


@dataclass(frozen=True, kw_only=True)
class SamRecipe(StandIn):
    width: int
    jitter: float  # by which each side of a box is moved, of the box's size, at most
    light: float  # change of the brightness, at most

    kind: ClassVar = ToySam
    limits: ClassVar = StandIn.limits | {
        "width": (1, 4096),
        "jitter": (0.0, 0.4),
        "light": (0.0, 0.9),
    }

    def task(self, dataset: VISDataset) -> Task:
        return Prompted(self, dataset)


class Prompted(Task):
    def __init__(self, recipe: SamRecipe, dataset: VISDataset):
        super().__init__()
        if not dataset.are_stills:
            remedy = "Give annotated stills, each a video of one frame"
            raise DataError("toy_sam learns from no mask of a video", remedy=remedy)
        self.recipe = recipe
        self.pictures = pictures(dataset.bare(), recipe.size)
        numbers = {video.id: number for number, video in enumerate(dataset.videos)}
        self.objects = [
            (numbers[track.video_id], *_at(recipe.size, track.mask(0), track.boxes[0]))
            for track in dataset.tracks
            if not track.is_crowd and track.masks is not None and track.masks[0] is not None
        ]
        if not self.objects:
            raise DataError("there is no mask to learn from", remedy="Give a set with masks")
        self.network = self.learned = ToySam(recipe.width)

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        number = int(torch.randint(2**62, (), generator=generator))
        shown, wanted = self.draw(np.random.default_rng(number))
        device = self.network.mean.device
        shown, wanted = shown.to(device), wanted.to(device).flatten(1)
        light = 1 + self.recipe.light * (2 * torch.rand(len(shown), generator=generator) - 1)
        given = (shown[:, :3] * light.to(device)[:, None, None, None]).clamp(0, 1)
        logits = self.network(given, shown[:, 3]).flatten(1)
        bce, dice = masks.bce(logits, wanted).mean(), masks.dice(logits, wanted).mean()
        found, true = logits.detach() > 0, wanted > 0.5
        iou = (found & true).sum(1) / (found | true).sum(1).clamp(min=1)
        return {"total": bce + dice, "bce": bce, "dice": dice, "iou": iou.mean()}

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A batch: (B, 4, SIDE, SIDE) as `toy_sam.shown` has it, and masks (B, SIDE, SIDE) 0..1."""
        shown, wanted = [], []
        for number in rng.integers(len(self.objects), size=self.recipe.batch):
            which, mask, (x, y, w, h) = self.objects[number]
            left, top, right, bottom = self.recipe.jitter * rng.uniform(-1, 1, 4)
            box = x + left * w, y + top * h, w * (1 + right - left), h * (1 + bottom - top)
            place = toy_sam.surroundings(box, *mask.shape)
            inside = torch.from_numpy(mask[place])[None].float()
            both = [toy_sam.shown(self.pictures[which], box)]
            both += [toy_sam.resized(inside, (SIDE, SIDE))]
            pair = torch.cat(both)
            pair = pair.flip(2) if rng.random() < 0.5 else pair
            shown.append(pair[:4])
            wanted.append(pair[4])
        return torch.stack(shown), torch.stack(wanted)


def _at(size: tuple[int, int], mask: np.ndarray, box: tuple) -> tuple[np.ndarray, tuple]:
    """A mask and its box in the picture brought to this size."""
    down, across = np.divide(size, mask.shape)
    small = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0.5
    x, y, w, h = box
    return small, (x * across, y * down, w * across, h * down)
