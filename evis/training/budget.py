"""What a stage costs: its size, which its recipe says, and its time, which only a step tells."""

import tempfile
from dataclasses import dataclass, replace

import torch

from evis.data.made_up import made_up, pseudo
from evis.training import log
from evis.training.engine import train
from evis.training.method import Method
from evis.training.recipe import Recipe

FRAME = 720, 1280  # height and width of a large one of YouTube-VIS
_SETTLING = 1  # steps not counted: the first one chooses kernels and makes the optimiser's state


@dataclass(frozen=True)
class Step:
    """One step with all its micro-batches, as measured on one device."""

    seconds: float
    memory_gib: float  # the peak

    def hours(self, recipe: Recipe, devices: int = 1) -> float:
        """For all of the recipe's steps: on one GPU its GPU-hours, on more if they share evenly."""
        return self.seconds * recipe.steps / 3600 / processes(recipe, devices)


def size(recipe: Recipe, classes: int, method: Method) -> dict[str, int]:
    """What a recipe says without a step being made: parameters, those that move (not a frozen
    backbone's), steps; clips and frames over the whole run, with each source at its share.
    """
    with torch.device("meta"):  # shapes without numbers
        model = method.build(recipe, [str(number) for number in range(classes)])
    if recipe.freeze_backbone:
        model.backbone.requires_grad_(False)
    parameters = list(model.parameters())
    clips = recipe.steps * recipe.batch
    lengths = {"stills": recipe.still_frames, "videos": recipe.frames}
    shares = sum(share for _, share in recipe.mixture)
    frames = sum(lengths[source] * share / shares for source, share in recipe.mixture)
    return {
        "parameters": sum(parameter.numel() for parameter in parameters),
        "trained": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        "steps": recipe.steps,
        "clips": clips,
        "frames": round(clips * frames),
    }


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
    if recipe.supervision != "mask":  # masks as well, for stages that learn from pseudo masks
        datasets = {role: pseudo(given, recipe.supervision) for role, given in datasets.items()}
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        train(short, datasets, folder, method, keep_frames=True, progress=False)
        logged = log.read(folder)
    seconds = float(logged["seconds"][_SETTLING:].median())
    return Step(seconds, float(logged["memory_gib"].iloc[-1]))


def processes(recipe: Recipe, available: int) -> int:
    """How many of the available processes can share a step's micro-batches evenly; at least one."""
    counts = range(1, max(available, 1) + 1)
    return max(count for count in counts if recipe.micro_batches % count == 0)
