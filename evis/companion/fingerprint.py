"""How a machine rounds: the digits that training leaves, by which rows may be compared bit by bit.

Two machines with one processor's name can compute with other instructions, and training amplifies
the last bit until scores differ. So a row keeps a digest of a computation that is small, fixed and
made of the operators that trained it. It changes with the instruction set, the libraries, the
device, and with code that changes the arithmetic. Where it agrees, a row's numbers should come
out the same to the last bit; where not, they are only as alike as two seeds are.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from tempfile import TemporaryDirectory

import torch

from evis.data.made_up import made_up, pseudo
from evis.training import Method, Recipe
from evis.training.engine import train

CLASSES = 8
STEPS = 2


def fingerprint(
    stages: Sequence[Recipe],
    method: Method,
    device: str = "cpu",
    labelled: Collection[str] = (),
) -> str:
    """Twelve digits of the weights after two steps of every stage, each from a fresh network.

    Seeds, names and what a stage goes on from make no difference. labelled: names of the stages
    whose labels were made of annotations: masks, whatever these were.
    """
    bits = hashlib.sha256()
    for stage in stages:
        short = replace(stage, init=None, steps=STEPS, seed=0, renames=(), milestones=())
        bits.update(_weights(short, method, device, stage.name in labelled))
    return bits.hexdigest()[:12]


@cache
def _weights(recipe: Recipe, method: Method, device: str, labelled: bool) -> bytes:
    """A digest of what the recipe trains on noise of its own frame size."""
    size = min(recipe.shorter_sides), recipe.longest_side
    lengths = {"stills": 1, "videos": recipe.frames}
    datasets = {role: made_up(lengths[role], CLASSES, size) for role, _ in recipe.mixture}
    if labelled or recipe.supervision in ("none", "point"):  # where no annotation is learned from
        datasets = {role: pseudo(given, recipe.supervision) for role, given in datasets.items()}
    with TemporaryDirectory() as folder, torch.random.fork_rng():
        model = train(
            recipe,
            datasets,
            folder,
            method,
            device="cpu" if device == "cpu" else None,
            threads=1,
            keep_frames=True,
            progress=False,
        )
    bits = hashlib.sha256()
    for tensor in model.state_dict().values():
        bits.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())
    return bits.digest()
