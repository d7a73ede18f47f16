"""How `toy_dino` is trained: a student learns to say of each place what its own average says of it.

After DINO (Caron et al., 2021): of each picture there are two large views and some small ones; the
student sees all, the teacher the large ones. The teacher is the moving average of the student; its
outputs are centred and sharpened, without which both would soon say the same of everything. DINO
compares whole views by one token. We want patches, so places are compared: what student and teacher
say of one place of the picture in two views.
"""

import copy
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evis.data.types import VISDataset
from evis.foundation.toy_dino import ToyDino
from evis.training.stand_ins.loop import StandIn, Task, pictures

LARGE = 2  # views that the teacher sees


@dataclass(frozen=True, kw_only=True)
class DinoRecipe(StandIn):
    width: int
    blocks: int
    prototypes: int
    small_views: int  # a picture
    large: tuple[int, int]  # height and width of large views, and the sides of a picture's part
    large_scale: tuple[float, float]
    small: tuple[int, int]
    small_scale: tuple[float, float]
    light: float  # change of brightness, contrast and saturation, at most
    temperature: float  # the student's
    teacher_temperature: float  # lower: sharper
    centre_momentum: float
    momentum: float  # the teacher's at first; 1 in the end

    kind: ClassVar = ToyDino
    limits: ClassVar = StandIn.limits | {
        "width": (2, 4096),
        "blocks": (0, 100),
        "prototypes": (2, 100_000),
        "small_views": (0, 100),
        "large": (4, 1024),
        "large_scale": (0.01, 1.0),
        "small": (4, 1024),
        "small_scale": (0.01, 1.0),
        "light": (0.0, 0.9),
        "temperature": (1e-3, 1e3),
        "teacher_temperature": (1e-3, 1e3),
        "centre_momentum": (0.0, 1.0),
        "momentum": (0.0, 1.0),
    }

    def task(self, dataset: VISDataset) -> Task:
        return Distillation(self, dataset)


class Distillation(Task):
    def __init__(self, recipe: DinoRecipe, dataset: VISDataset):
        super().__init__()
        self.recipe = recipe
        self.pictures = torch.from_numpy(pictures(dataset.bare(), recipe.size)).permute(0, 3, 1, 2)
        self.learned = ToyDino(recipe.width, recipe.blocks, recipe.prototypes)
        self.network = copy.deepcopy(self.learned).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(recipe.prototypes))

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        recipe, student, teacher = self.recipe, self.learned, self.network
        chosen = torch.randint(len(self.pictures), (recipe.batch,), generator=generator)
        given = self.pictures[chosen].to(self.centre.device) / 255
        light = recipe.light
        large, places = views(given, LARGE, recipe.large, recipe.large_scale, light, generator)
        seen = list(zip(student(large).chunk(LARGE), places.chunk(LARGE), strict=True))
        if number := recipe.small_views:
            small, at = views(given, number, recipe.small, recipe.small_scale, light, generator)
            seen += zip(student(small).chunk(number), at.chunk(number), strict=True)
        with torch.no_grad():
            said = teacher(large)
            wanted = targets(said, self.centre, recipe.teacher_temperature)
        losses = []
        for of_teacher, (probabilities, at) in enumerate(
            zip(wanted.chunk(LARGE), places.chunk(LARGE), strict=True)
        ):
            for of_student, (cosines, there) in enumerate(seen):
                if of_student != of_teacher:
                    size = cosines.shape[-2:]
                    there_said, inside = corresponding(probabilities, at, there, size)
                    losses.append(cross_entropy(there_said, cosines, inside, recipe.temperature))
        with torch.no_grad():
            self.centre.lerp_(said.mean((0, 2, 3)), 1 - recipe.centre_momentum)
        # Collapse would show: all patches of one kind, or each of all kinds alike.
        return {
            "total": torch.stack(losses).mean(),
            "entropy_of_patch": entropy(wanted).mean(),
            "entropy_of_all": entropy(wanted.mean((0, 2, 3), keepdim=True)).mean(),
        }

    def after(self, step: int) -> None:
        follow(self.network, self.learned, momentum(self.recipe.momentum, step, self.recipe.steps))


def views(
    given: Tensor,
    count: int,
    size: tuple[int, int],
    scale: tuple[float, float],
    light: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """`count` views of each picture, (B, 3, H, W) 0..1 -> (count * B, 3, *size), and their places.

    A view is an upright part of the picture, sides `scale` of its own, or its mirror image, under
    another brightness, contrast and saturation. Places (count * B, 2, 3) take coordinates x, y of
    the view, -1 to 1 from side to side, to those of the picture.
    """
    total = count * len(given)

    def draw(*shape: int) -> Tensor:
        """From -1 to 1."""
        return (2 * torch.rand(total, *shape, generator=generator) - 1).to(given)

    share = (scale[0] + scale[1] + (scale[1] - scale[0]) * draw()) / 2
    places = given.new_zeros(total, 2, 3)
    places[:, 0, 0], places[:, 1, 1] = torch.where(draw() < 0, -share, share), share
    places[:, :, 2] = (1 - share[:, None]) * draw(2)
    grid = F.affine_grid(places, [total, 3, *size], align_corners=False)
    every = given.repeat(count, 1, 1, 1)
    seen = F.grid_sample(every, grid, padding_mode="border", align_corners=False)
    bright, contrast, colour = (1 + light * draw(3))[..., None, None, None].unbind(1)
    mean = seen.mean((1, 2, 3), keepdim=True)
    seen = bright * (mean + contrast * (seen - mean))
    grey = seen.mean(1, keepdim=True)
    return (grey + colour * (seen - grey)).clamp(0, 1), places


def corresponding(
    maps: Tensor, places: Tensor, other: Tensor, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """What maps (B, K, h, w) of views at `places` say of the patches of other views of `size`.

    -> (B, K, *size), bilinear, and (B, *size) bool: whether these patches' middles are in the view.
    """
    linear = torch.linalg.inv(places[:, :, :2])
    to_view = torch.cat([linear @ other[:, :, :2], linear @ (other - places)[:, :, 2:]], -1)
    grid = F.affine_grid(to_view, [len(maps), 1, *size], align_corners=False)
    said = F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
    return said, (grid.abs() <= 1).all(-1)


def targets(cosines: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """The teacher's (B, K, h, w), centred by (K,) and sharpened: probabilities over K."""
    return ((cosines - centre[:, None, None]) / temperature).softmax(1)


def cross_entropy(wanted: Tensor, cosines: Tensor, where: Tensor, temperature: float) -> Tensor:
    """Of the student's cosines, both (B, K, h, w): a mean over places (B, h, w) bool, 0 of none."""
    each = -(wanted * (cosines / temperature).log_softmax(1)).sum(1)
    return (each * where).sum() / where.sum().clamp(min=1)


def entropy(probabilities: Tensor) -> Tensor:
    """(B, K, h, w) -> (B, h, w), in nats."""
    return torch.special.entr(probabilities).sum(1)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Each of the teacher's parameters becomes momentum * itself + the rest of the student's."""
    for own, other in zip(teacher.parameters(), student.parameters(), strict=True):
        own.lerp_(other, 1 - momentum)


def momentum(start: float, step: int, steps: int) -> float:
    """From `start` to 1, along half a cosine."""
    return 1 - (1 - start) * (1 + math.cos(math.pi * step / steps)) / 2
