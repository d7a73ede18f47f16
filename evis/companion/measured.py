"""Rows of measured tables: toy stages trained one after another, tested on held-out videos, kept.

A row is found by its recipes, its training data, its seed and the name of its test videos, so a
stored one needs no weights. Its commit, date and seconds are of the test; weights that lie in build
are used again, whichever commit trained them. A shelf is a folder of rows and of what was trained
for them, where None stands for data/results and build/runs; what is measured again lies on a shelf
of its own (`again`), so that it can be interrupted, go on and be compared.
"""

from collections.abc import Mapping
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

_WORDS = ("title", "source", "unknown")  # of a recipe: they change no number


@dataclass(frozen=True)
class Experiment:
    """A row of a table: stages that a method trains one after another. `seeded` makes it a run.

    A seed is a unit of the row. It is the seed of every stage, but where several units go on from
    one first stage: of unit s that one's is s // units_of_first.
    """

    name: str
    stages: tuple[Recipe, ...]
    method: Method
    seeds: tuple[int, ...] = tuple(range(6))  # of the units that are reported
    units_of_first: int = 1
    videos: int | None = None  # how many are trained on; None: the toy set's own number

    def seeded(self, seed: int) -> "Experiment":
        first, *others = self.stages
        first = replace(first, seed=seed // self.units_of_first)
        return self.of(first, *(replace(stage, seed=seed) for stage in others))

    def of(self, *stages: Recipe) -> "Experiment":
        return replace(self, stages=stages)

    @property
    def seed(self) -> int:
        return self.stages[-1].seed

    @property
    def sets(self) -> dict[str, str]:
        """The roles of what is trained on, and the toy set of each."""
        roles = {role for recipe in self.stages for role, _ in recipe.mixture}
        return {role: toy.TRAINING_SETS[role] for role in sorted(roles)}


def again() -> Path:
    """A shelf for every commit, so that nothing that other code measured or trained is found there.

    All changes that are not committed share one.
    """
    commit, dirty = provenance.commit_at_start(paths.repository())
    return paths.build() / "again" / ((commit or "no commit")[:12] + " changed" * bool(dirty))


def results(shelf: Path | None) -> Path:
    return shelf / "results" if shelf else paths.results()


def find(
    run: Experiment, held_out: HeldOut = TEST, shelf: Path | None = None
) -> store.ResultRow | None:
    return store.find(content(run), str(held_out), run.seed, results(shelf))


def row(
    run: Experiment,
    held_out: HeldOut = TEST,
    shelf: Path | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> store.ResultRow:
    """The row of a seeded experiment; trained and tested if the shelf has none.

    device: "cpu" or "cuda". It is no part of what a row is found by; the row's `machine` says it,
    and how it rounds.
    """

    def measure() -> Mapping[str, Any]:
        return held_out.score(_model(run, shelf, device, progress), progress)

    def machine() -> dict[str, str]:
        name = "cpu" if device == "cpu" else torch.cuda.get_device_name()
        return {"device": name, "fingerprint": fingerprint(run.stages, run.method, device)}

    key = content(run), str(held_out), run.seed
    return store.measure(*key, measure, folder=results(shelf), machine=machine)


def content(run: Experiment) -> dict[str, Any]:
    """What a row is found by."""
    return {
        "name": "toy training",
        "stages": [_without_words(recipe.to_json()) for recipe in run.stages],
        "videos": run.videos,
        "data": {name: toy.SPECS[name].hash for name in run.sets.values()},
    }


def _without_words(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recipe.items() if name not in _WORDS}


def trained(
    run: Experiment, shelf: Path | None = None, device: str = "cpu", progress: bool = True
) -> Path:
    """Train, go on, or take what data/weights or an earlier call has; -> the weights' file."""
    if ready := committed(run):
        return ready
    *before, recipe = run.stages
    weights = trained(run.of(*before), shelf, device, progress) if before else None
    sets = run.of(recipe).sets.items()
    key = store.key(content(run), VIDEOS, recipe.seed)
    folder = (shelf or paths.build()) / "runs" / f"{recipe.name}-{recipe.seed}-{key}"
    train(
        recipe,
        {role: _training_set(name, run.videos, paths.build()) for role, name in sets},
        folder,
        run.method,
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


def committed(run: Experiment) -> Path | None:
    """The weights of an experiment's only stage, where data/weights holds them."""
    if len(run.stages) > 1 or run.videos or run.stages[0].init is not None:
        return None
    wanted = store.key(content(run), "", 0)
    for path in sorted((paths.data() / "weights").glob("toy_*.safetensors")):
        theirs = read_about(path).get("recipe")
        if (
            theirs
            and store.key(content(run) | {"stages": [_without_words(theirs)]}, "", 0) == wanted
        ):
            return path
    return None


def _model(run: Experiment, shelf: Path | None, device: str, progress: bool) -> nn.Module:
    """Trained. After stills alone, the classes that these do not have are as they start out."""
    weights, last = trained(run, shelf, device, progress), run.stages[-1]
    if "videos" in run.of(last).sets:
        return load(weights).to(device)
    classes = toy.SPECS[VIDEOS].category_names
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(last.seed)
        return start.build(last, classes, run.method, weights).to(device)
