"""What a stage costs: its size, which its recipe says, and its time, which only a step tells."""

import tempfile
from dataclasses import dataclass, replace

import torch

from evis.data.made_up import made_up
from evis.training import log
from evis.training.engine import train
from evis.training.method import Method
from evis.training.recipe import Recipe

FRAME = 720, 1280  # height and width of a large one of YouTube-VIS
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

    def hours(self, recipe: Recipe, devices: int = 1) -> float:
        """For all of the recipe's steps: on one GPU its GPU-hours, on more if they share evenly."""
        return self.seconds * recipe.steps / 3600 / processes(recipe, devices)


def size(recipe: Recipe, classes: int, method: Method) -> Size:
    with torch.device("meta"):  # shapes without numbers
        model = method.build(recipe, [str(number) for number in range(classes)])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    backbone = sum(parameter.numel() for parameter in model.backbone.parameters())
    clips = recipe.steps * recipe.batch
    lengths = {"stills": recipe.still_frames, "videos": recipe.frames}
    shares = sum(share for _, share in recipe.mixture)
    frames = sum(lengths[source] * share / shares for source, share in recipe.mixture)
    trained = parameters - backbone * recipe.freeze_backbone
    return Size(parameters, trained, recipe.steps, clips, round(clips * frames))


def measure(recipe: Recipe, classes: int, method: Method, steps: int = 3) -> Step:
    """Make some steps of the recipe on made-up videos, at its largest frames; -> the middle one.

    On the first GPU, or on the CPU where there is none.
    """
    short = replace(
        recipe,
        init=None,
        steps=_SETTLING + steps,
        shorter_sides=(max(recipe.shorter_sides),),
        renames=(),
        milestones=(),
    )
    lengths = {"stills": 1, "videos": recipe.frames}
    datasets = {role: made_up(lengths[role], classes, FRAME) for role, _ in recipe.mixture}
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        how = {"keep_frames": True, "save_every": short.steps, "progress": False}
        train(short, datasets, folder, method, **how)
        logged = log.read(folder)
    seconds = float(logged["seconds"][_SETTLING:].median())
    return Step(seconds, float(logged["memory_gib"].iloc[-1]))


def processes(recipe: Recipe, available: int) -> int:
    """How many of the available processes can share a step's micro-batches evenly; at least one."""
    counts = range(min(available, recipe.micro_batches), 1, -1)
    return next((count for count in counts if recipe.micro_batches % count == 0), 1)
