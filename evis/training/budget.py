"""What a stage costs: its size, which its recipe says, and its time, which only a step tells."""

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from evis.data import masks
from evis.data.errors import DataError
from evis.data.types import Category, Track, Video, VISDataset
from evis.models import VideoMask2Former, named
from evis.training import log
from evis.training.engine import train
from evis.training.recipes import Recipe

HEIGHT, WIDTH = 720, 1280  # of a made-up frame: a large one of YouTube-VIS
OBJECTS = 2  # in a made-up video; YouTube-VIS 2019 has 1.69 on average
_SETTLING = 1  # steps not counted: the first one chooses kernels and makes the optimiser's state


@dataclass(frozen=True)
class Size:
    """What a recipe says without a step being made."""

    parameters: int
    trained: int  # the parameters that move: not those of a frozen backbone
    steps: int
    clips: int  # over the whole run
    frames: int  # over the whole run, with each source at its share


@dataclass(frozen=True)
class Step:
    """One step with all its micro-batches, as measured on one device."""

    seconds: float
    memory_gib: float  # the peak
    device: str
    is_gpu: bool

    def hours(self, recipe: Recipe, devices: int = 1) -> float:
        """For all of the recipe's steps: on one GPU its GPU-hours, on more if they share evenly."""
        return self.seconds * recipe.steps / 3600 / processes(recipe, devices)


def size(recipe: Recipe, classes: int) -> Size:
    with torch.device("meta"):  # shapes without numbers
        model = VideoMask2Former(named(recipe.model, classes))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    backbone = sum(parameter.numel() for parameter in model.backbone.parameters())
    clips = recipe.steps * recipe.batch
    lengths = {"stills": recipe.still_frames, "videos": recipe.frames}
    shares = sum(share for _, share in recipe.mixture)
    frames = sum(lengths[source] * share / shares for source, share in recipe.mixture)
    return Size(
        parameters=parameters,
        trained=parameters - backbone * recipe.freeze_backbone,
        steps=recipe.steps,
        clips=clips,
        frames=round(clips * frames),
    )


def measure(
    recipe: Recipe, classes: int = 40, steps: int = 3, device: Literal["cpu"] | None = None
) -> Step:
    """Make some steps of the recipe on made-up videos, at its largest frames; -> the middle one.

    On the first GPU, or the CPU where there is none or `device` says so. In a process of its own,
    so that the memory is the training's alone and a GPU is left as it was.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(measure_here, recipe, classes, steps, device).result()
        except BrokenProcessPool:
            raise DataError(
                "the process that measured a step was killed: most likely out of memory",
                field=f"recipe {recipe.name}",
                remedy="Lower its micro_batch or shorter_sides, or use a larger machine",
            ) from None


def measure_here(
    recipe: Recipe, classes: int, steps: int, device: Literal["cpu"] | None = None
) -> Step:
    """`measure` in this process, whose earlier peak of memory counts as well."""
    recipe = replace(
        recipe,
        init=None,
        steps=_SETTLING + steps,
        shorter_sides=(max(recipe.shorter_sides),),
        renames=(),
        milestones=(),
    )
    is_gpu = device is None and torch.cuda.is_available()
    with tempfile.TemporaryDirectory() as folder:
        train(
            recipe,
            {name: made_up(recipe, name, classes) for name, _ in recipe.mixture},
            folder,
            device=device,
            keep_frames=True,
            save_every=recipe.steps,
            progress=False,
        )
        made = log.read(folder)
    return Step(
        seconds=float(made["seconds"][_SETTLING:].median()),
        memory_gib=float(made["memory_gib"].iloc[-1]),
        device=torch.cuda.get_device_name() if is_gpu else "CPU",
        is_gpu=is_gpu,
    )


def made_up(recipe: Recipe, source: str, classes: int) -> VISDataset:
    """One video, or one still picture, of noise with `OBJECTS` boxes on it."""
    length = 1 if source == "stills" else recipe.frames
    video = Video(1, "made up", HEIGHT, WIDTH, ("noise",) * length)
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    tracks = []
    for number in range(OBJECTS):
        x, y, w, h = 200 + 400 * number, 160, 320, 400
        mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
        mask[y : y + h, x : x + w] = True
        tracks.append(
            Track(
                id=number + 1,
                video_id=1,
                category_id=1,
                boxes=((float(x), float(y), float(w), float(h)),) * length,
                masks=(masks.encode(mask),) * length,
                areas=(float(w * h),) * length,
            )
        )
    categories = tuple(Category(n, f"class {n}") for n in range(1, classes + 1))
    return VISDataset((video,), tuple(tracks), categories, lambda video, frame: picture)


def processes(recipe: Recipe, available: int) -> int:
    """How many of the available processes can share a step's micro-batches evenly; at least one."""
    counts = range(min(available, recipe.micro_batches), 1, -1)
    return next((count for count in counts if recipe.micro_batches % count == 0), 1)
