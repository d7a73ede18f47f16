"""Rows of measured tables: toy stages trained one after another, tested on held-out videos, kept.

A row is found by its recipes, its training data, its seed and the name of its test videos, so a
stored one needs no weights. Its commit, date and seconds are of the test; weights that lie in build
are used again, whichever commit trained them. What is measured again lies apart (`AGAIN`), so that
it can be interrupted, go on and be compared.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evis.companion import store
from evis.companion.fingerprint import fingerprint
from evis.companion.held_out import TEST, VIDEOS, HeldOut
from evis.data import paths, provenance, toy
from evis.data.types import VISDataset
from evis.models import load, read_about
from evis.training import Method, Recipe, start
from evis.training.engine import train
from evis.training.folder import WEIGHTS

SEEDS = tuple(range(8))  # of the rows that are reported
_ABOUT = ("title", "source", "unknown")  # of a recipe: words that change no number


@dataclass(frozen=True)
class Experiment:
    """A row of a table: stages that a method trains one after another. `seeded` makes it a run."""

    name: str
    stages: tuple[Recipe, ...]
    method: Method
    # How many of the first stages are shared by the rows of a table. They keep their seed.
    shared: int = 0
    videos: int | None = None  # how many are trained on; None: the toy set's own number

    def seeded(self, seed: int) -> "Experiment":
        own = (replace(stage, seed=seed) for stage in self.stages[self.shared :])
        return replace(self, stages=(*self.stages[: self.shared], *own))

    @property
    def seed(self) -> int:
        return self.stages[-1].seed

    @property
    def before(self) -> "Experiment | None":
        """Without the last stage, which goes on from there."""
        return replace(self, stages=self.stages[:-1]) if self.stages[1:] else None


@dataclass(frozen=True)
class Shelf:
    """Where rows and trained weights are kept, below the repository."""

    results: Callable[[], Path]
    runs: Callable[[], Path]

    @classmethod
    def below(cls, folder: Callable[[], Path]) -> "Shelf":
        return cls(lambda: folder() / "results", lambda: folder() / "runs")


def _again() -> Path:
    """Apart for every commit, so that nothing that other code measured or trained is taken for it.

    All changes that are not committed share one place.
    """
    commit, dirty = provenance.commit_at_start(paths.repository())
    return paths.build() / "again" / ((commit or "no commit")[:12] + " changed" * bool(dirty))


STORED = Shelf(paths.results, lambda: paths.build() / "runs")
AGAIN = Shelf.below(_again)


def find(
    experiment: Experiment, held_out: HeldOut = TEST, shelf: Shelf = STORED
) -> store.ResultRow | None:
    return store.find(content(experiment), str(held_out), experiment.seed, shelf.results())


def row(
    experiment: Experiment,
    held_out: HeldOut = TEST,
    shelf: Shelf = STORED,
    device: str = "cpu",
    progress: bool = True,
) -> store.ResultRow:
    """The row of a seeded experiment; trained and tested if the shelf has none.

    device: "cpu" or "cuda". It is no part of what a row is found by; the row's `machine` says it.
    """

    def measure() -> Mapping[str, float]:
        return held_out.score(_model(experiment, shelf, device, progress), progress)

    return find(experiment, held_out, shelf) or store.measure(
        content(experiment),
        str(held_out),
        experiment.seed,
        measure,
        folder=shelf.results(),
        machine=machine(experiment, device),
    )


def machine(experiment: Experiment, device: str = "cpu") -> dict[str, str]:
    """What a row is measured on, beside the machine's name: the device, and how it rounds."""
    name = "cpu" if device == "cpu" else torch.cuda.get_device_name()
    return {
        "device": name,
        "fingerprint": fingerprint(experiment.stages, experiment.method, device),
    }


def content(experiment: Experiment) -> dict[str, Any]:
    """What a row is found by."""
    roles = sorted({role for recipe in experiment.stages for role, _ in recipe.mixture})
    return {
        "name": "toy training",
        "stages": [_without_words(recipe.to_json()) for recipe in experiment.stages],
        "videos": experiment.videos,
        "data": {name: toy.SPECS[name].hash for name in map(toy.TRAINING_SETS.get, roles)},
    }


def _without_words(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recipe.items() if name not in _ABOUT}


def trained(
    experiment: Experiment, shelf: Shelf = STORED, device: str = "cpu", progress: bool = True
) -> Path:
    """Train, go on, or take what data/weights or an earlier call has; -> the weights' file."""
    if ready := committed(experiment):
        return ready
    before = experiment.before
    weights = trained(before, shelf, device, progress) if before else None
    recipe = experiment.stages[-1]
    names = {role: toy.TRAINING_SETS[role] for role, _ in recipe.mixture}
    datasets = {
        role: _training_set(name, experiment.videos, paths.build()) for role, name in names.items()
    }
    key = store.key(content(experiment), VIDEOS, recipe.seed)
    folder = shelf.runs() / f"{recipe.name}-{recipe.seed}-{key}"
    train(
        recipe,
        datasets,
        folder,
        experiment.method,
        weights,
        device="cpu" if device == "cpu" else None,
        threads=1,
        keep_frames=True,
        log_every=10,
        progress=progress,
    )
    return folder / WEIGHTS


@cache
def _training_set(name: str, videos: int | None, build: Path) -> VISDataset:
    """Read once a process, below `build`: in a smoke run that takes as long as all else."""
    return toy.sample(name, videos)


def committed(experiment: Experiment) -> Path | None:
    """The weights of an experiment's only stage, where data/weights holds them."""
    if experiment.before or experiment.videos or experiment.stages[0].init is not None:
        return None
    asked = content(experiment)
    wanted = store.key(asked, "", 0)
    for path in sorted((paths.data() / "weights").glob("toy_*.safetensors")):
        theirs = read_about(path).get("recipe")
        if theirs and store.key(asked | {"stages": [_without_words(theirs)]}, "", 0) == wanted:
            return path
    return None


def _model(experiment: Experiment, shelf: Shelf, device: str, progress: bool) -> nn.Module:
    """Trained. After stills alone, the classes that these do not have are as they start out."""
    weights = trained(experiment, shelf, device, progress)
    last = experiment.stages[-1]
    if any(role == "videos" for role, _ in last.mixture):
        return load(weights).to(device)
    classes = toy.SPECS[VIDEOS].category_names
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(last.seed)
        return start.build(last, classes, experiment.method, weights).to(device)
