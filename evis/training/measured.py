"""Rows of measured tables: a toy recipe trained, evaluated on held-out videos, kept in the store.

A row is found by its recipe, its start, its test videos and its seed. Choices were made on the
validation videos alone; `TEST` is for what is reported.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evis import paths
from evis.data import toy
from evis.data.types import VISDataset
from evis.inference import Options, predict_dataset
from evis.metrics import ytvis
from evis.results import store
from evis.training import start
from evis.training.engine import train
from evis.training.folder import WEIGHTS
from evis.training.recipes import Recipe, named
from evis.training.recipes import toy as toy_recipe

STILLS, VIDEOS = "toy-coco", "toy-ytvis19"


@dataclass(frozen=True)
class HeldOut:
    """Videos that nothing was trained on."""

    name: str
    videos: int
    seed: int  # of the toy set: other seeds, other videos

    def dataset(self) -> VISDataset:
        return toy.sample(VIDEOS, self.videos, self.seed, split="valid")


VALIDATION = HeldOut("validation", 100, 1)
TEST = HeldOut("test", 300, 2)
SMALL = HeldOut("smoke", 4, 3)


def row(
    name: str,
    recipe: Recipe,
    seed: int,
    weights: Path | None = None,
    held_out: HeldOut = TEST,
    videos: int | None = None,
    recompute: bool = False,
    progress: bool = True,
) -> store.ResultRow:
    """Train `recipe` with this seed from `weights`, or from nothing; or take the stored row.

    name: what tables call the row. videos: how many training videos (the toy set's own number).
    """
    recipe = _seeded(recipe, seed, weights)

    def measure() -> dict[str, float]:
        if recompute:
            shutil.rmtree(_folder(recipe, weights, videos), ignore_errors=True)
        return scores(trained(recipe, weights, videos, progress), held_out, progress)

    content = {"row": name, "recipe": recipe.to_json(), "videos": videos}
    return _stored(content, weights, seed, held_out, measure, recompute)


def start_row(
    weights: Path, held_out: HeldOut = TEST, recompute: bool = False, progress: bool = True
) -> store.ResultRow:
    """What stage one alone reaches on videos; classes that it never saw stay untrained."""
    classes = toy.SPECS[VIDEOS].category_names
    recipe = replace(toy_recipe(named("boxinst")), seed=0)

    def measure() -> dict[str, float]:
        return scores(start.build(recipe, classes, weights), held_out, progress)

    return _stored({"row": "stage one only"}, weights, 0, held_out, measure, recompute)


def trained(
    recipe: Recipe, weights: Path | None, videos: int | None = None, progress: bool = True
) -> Path:
    """Train below build/runs, go on, or take what an earlier call trained; -> the weights' file."""
    recipe = _seeded(recipe, recipe.seed, weights)
    sets = {"stills": STILLS, "videos": VIDEOS}
    datasets = {role: toy.sample(sets[role], videos) for role, _ in recipe.mixture}
    folder = _folder(recipe, weights, videos)
    how = {"device": "cpu", "threads": 1, "keep_frames": True, "log_every": 10}
    train(recipe, datasets, folder, weights, progress=progress, **how)
    return folder / WEIGHTS


def scores(
    model: Path | nn.Module, held_out: HeldOut = TEST, progress: bool = True
) -> dict[str, float]:
    """AP and AR over the held-out videos, for classes and, as "agnostic ...", for objects alone."""
    dataset = held_out.dataset()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = predict_dataset(model, dataset, Options(shorter_side=None), progress=progress)
    finally:
        torch.set_num_threads(before)
    stats = ytvis.evaluate(dataset, found).stats
    agnostic = ytvis.evaluate(dataset, found, class_agnostic=True).stats
    wanted = ("AP", "AP50", "AP75", "AR1", "AR10")
    return {name: stats[name] for name in wanted} | {
        f"agnostic {name}": agnostic[name] for name in wanted
    }


def _seeded(recipe: Recipe, seed: int, weights: Path | None) -> Recipe:
    return replace(recipe, seed=seed, init=recipe.init if weights else None)


def _folder(recipe: Recipe, weights: Path | None, videos: int | None) -> Path:
    """The run's own, named by all that determines it."""
    specs = [toy.SPECS[name].hash for name in (STILLS, VIDEOS)]
    content = recipe.to_json() | {"videos": videos, "data": specs}
    content["start"] = weights and start.digest(weights)
    key = store.key(content, VIDEOS, recipe.seed)
    return paths.build() / "runs" / f"{recipe.name}-{recipe.seed}-{key}"


def _stored(
    content: dict[str, Any],
    weights: Path | None,
    seed: int,
    held_out: HeldOut,
    measure: Callable[[], dict[str, float]],
    recompute: bool,
) -> store.ResultRow:
    content = {"name": "toy training", **content, "data": toy.SPECS[VIDEOS].hash}
    content["start"] = weights and start.digest(weights)
    videos = f"{VIDEOS} {held_out.name} ({held_out.videos} videos, seed {held_out.seed})"
    return store.measure(content, videos, seed, measure, recompute)
