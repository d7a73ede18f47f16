"""Rows of measured tables: toy stages trained one after another, tested on held-out videos, kept.

A row is found by its recipes, its training data, its seed and the name of its test videos, so a
stored one needs no weights. Its commit and date are of the test, its seconds of what was left to
do: the test, and training if the last stage was not there yet. Weights that lie in build are used
again, whichever commit trained them. A shelf is a folder of rows and of what was trained for them,
where None stands for data/results and build/runs; what is measured again lies on a shelf of its own
(`again`), so that it can be interrupted, go on and be compared.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import nn

from evis.companion import store
from evis.companion.fingerprint import fingerprint
from evis.companion.held_out import TEST, VIDEOS, WHOLE, HeldOut
from evis.data import annotations, paths, provenance, toy
from evis.data.errors import DataError
from evis.data.types import VISDataset
from evis.inference import Options
from evis.models import load, read_about
from evis.training import Method, Recipe, start
from evis.training.engine import train
from evis.training.folder import WEIGHTS

T = TypeVar("T")
_WORDS = ("title", "source", "unknown")  # of a recipe: they change no number


class Labels(Protocol):
    """What makes the labels that a stage learns from, in place of the toy set's own. Hashable."""

    def content(self, seed: int) -> Any:
        """As plain json, all that the labels of a unit depend on but the data set."""

    def label(
        self, dataset: VISDataset, seed: int, place: "Place", jobs: int | None = None
    ) -> VISDataset:
        """The unit's labels. What they need may be kept at the place; jobs: videos at a time."""


@dataclass(frozen=True)
class Place:
    """Where to keep what is made, and where to compute it."""

    shelf: Path | None = None
    device: str = "cpu"
    progress: bool = True

    @property
    def build(self) -> Path:
        return self.shelf or paths.build()


HERE = Place()


@dataclass(frozen=True)
class Experiment:
    """A row of a table: stages that a method trains one after another. `seeded` makes it a run.

    A seed is a unit of the row. It is the seed of every stage, but where several units go on from
    one first stage: of unit s that one's is s // units_of_first.

    data: by role, toy sets other than the usual ones (`toy.TRAINING_SETS`).
    labels: by the names of stages; of those without, the toy sets' own, as weak as the stage says.
    options: how the trained model predicts.
    """

    name: str
    stages: tuple[Recipe, ...]
    method: Method
    seeds: tuple[int, ...] = tuple(range(6))  # of the units that are reported
    units_of_first: int = 1
    videos: int | None = None  # how many are trained on; None: the toy set's own number
    data: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, Labels], ...] = ()
    options: Options = WHOLE

    def seeded(self, seed: int) -> "Experiment":
        first, *others = self.stages
        first = replace(first, seed=seed // self.units_of_first)
        return self.of(first, *(replace(stage, seed=seed) for stage in others))

    def of(self, *stages: Recipe) -> "Experiment":
        """With these stages, and the labels of these alone."""
        names = {stage.name for stage in stages}
        labels = tuple(pair for pair in self.labels if pair[0] in names)
        return replace(self, stages=stages, labels=labels)

    @property
    def seed(self) -> int:
        return self.stages[-1].seed

    @property
    def sets(self) -> dict[str, str]:
        """The roles of what is trained on, and the toy set of each."""
        roles = {role for recipe in self.stages for role, _ in recipe.mixture}
        known = toy.TRAINING_SETS | dict(self.data)
        return {role: known[role] for role in sorted(roles)}


def by_name(*rows: Experiment) -> dict[str, Experiment]:
    return {row.name: row for row in rows}


def chosen(groups: Mapping[str, T], name: str, size: str, sizes: Collection[str]) -> T:
    """A paper's group of experiments, of one of its sizes; DataError that says what there is."""
    if name not in groups:
        raise DataError(
            f"no group of experiments is called {name!r}", remedy=f"There are {', '.join(groups)}"
        )
    if size not in sizes:
        raise DataError(
            f"no experiment is made at size {size!r}", remedy=f"Sizes: {', '.join(sizes)}"
        )
    return groups[name]


def tested_on(
    groups: Mapping[str, Mapping[str, Experiment]],
    tests: Mapping[str, HeldOut],
    held_out: HeldOut,
) -> dict[str, Experiment]:
    """The rows by name of the groups that are tested on these videos; tests: as `papers` have it,
    without the groups whose test is TEST.
    """
    of_test = (rows for name, rows in groups.items() if tests.get(name, TEST) == held_out)
    return {name: row for rows in of_test for name, row in rows.items()}


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

    place = Place(shelf, device, progress)

    def measure() -> Mapping[str, Any]:
        return held_out.score(_model(run, place), run.options, progress)

    def machine() -> dict[str, str]:
        name = "cpu" if device == "cpu" else torch.cuda.get_device_name()
        digits = fingerprint(run.stages, run.method, device, dict(run.labels))
        return {"device": name, "fingerprint": digits}

    key = content(run), str(held_out), run.seed
    return store.measure(*key, measure, folder=results(shelf), machine=machine)


def content(run: Experiment) -> dict[str, Any]:
    """What a row is found by; labels and options where they are not the usual ones."""
    how = {"options": asdict(run.options)} if run.options != WHOLE else {}
    return _of_training(run) | how


def _of_training(run: Experiment) -> dict[str, Any]:
    """What trained weights are found by."""
    seeds = {recipe.name: recipe.seed for recipe in run.stages}
    labels = {name: made.content(seeds[name]) for name, made in run.labels}
    return {
        "name": "toy training",
        "stages": [_without_words(recipe.to_json()) for recipe in run.stages],
        "videos": run.videos,
        "data": {name: toy.SPECS[name].hash for name in run.sets.values()},
    } | ({"labels": labels} if labels else {})


def _without_words(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recipe.items() if name not in _WORDS}


def trained(run: Experiment, place: Place = HERE) -> Path:
    """Train, go on, or take what data/weights or an earlier call has; -> the weights' file."""
    if ready := committed(run):
        return ready
    *before, recipe = run.stages
    weights = trained(run.of(*before), place) if before else None
    key = store.key(_of_training(run), VIDEOS, recipe.seed)
    folder = place.build / "runs" / f"{recipe.name}-{recipe.seed}-{key}"
    train(
        recipe,
        training_sets(run, place),
        folder,
        run.method,
        weights,
        device="cpu" if place.device == "cpu" else None,
        threads=1,
        keep_frames=True,
        log_every=10,
        progress=place.progress,
    )
    return folder / WEIGHTS


def training_sets(
    run: Experiment, place: Place = HERE, jobs: int | None = None
) -> dict[str, VISDataset]:
    """What the last stage learns from, by role; labels that are lacking are made, and kept."""
    recipe, labels = run.stages[-1], dict(run.labels)
    sets = {}
    for role, name in run.of(recipe).sets.items():
        sets[role] = given = _training_set(name, run.videos, paths.build())
        if maker := labels.get(recipe.name):
            by = {"name": "labels", "by": maker.content(recipe.seed), "videos": run.videos}
            key = store.key(by, f"{name} {toy.SPECS[name].hash}", recipe.seed)
            path = place.build / "labels" / f"{name}-{key}.json"
            if not path.exists():
                made = maker.label(given, recipe.seed, place, jobs)
                annotations.write(made, path, "coco" if role == "stills" else "ytvis")
            sets[role] = replace(annotations.read(path), read_frame=given.read_frame)
    return sets


@cache
def _training_set(name: str, videos: int | None, build: Path) -> VISDataset:
    """Read once a process, below `build`: in a smoke run that takes as long as all else."""
    return toy.sample(name, videos)


def committed(run: Experiment) -> Path | None:
    """The weights of an experiment's only stage, where data/weights holds them."""
    if len(run.stages) > 1 or run.videos or run.labels or run.stages[0].init is not None:
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


def _model(run: Experiment, place: Place) -> nn.Module:
    """Trained. After annotated stills alone, the classes that these do not have are as they start
    out.
    """
    weights, last = trained(run, place), run.stages[-1]
    if "videos" in run.of(last).sets or run.of(last).labels:
        return load(weights).to(place.device)
    classes = toy.SPECS[VIDEOS].category_names
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(last.seed)
        return start.build(last, classes, run.method, weights).to(place.device)
