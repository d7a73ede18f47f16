"""Rows of measured tables: toy recipes trained one after another, tested on held-out videos, kept.

A row is found by its recipes, its training data, its seed and the name of its test videos, so a
stored one needs no weights. Its commit, date and seconds are of the test; weights that lie in build
are used again, whichever commit trained them. What is measured again lies apart (`AGAIN`), so that
it can be interrupted, go on and be compared.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from evis.companion import store
from evis.data import paths, provenance, toy
from evis.data.types import VISDataset
from evis.inference import Options, predict_dataset
from evis.losses import boxinst
from evis.metrics import attributes, stability, ytvis
from evis.models import load, read_about
from evis.papers.eigencluster import clip_terms
from evis.training import log, start
from evis.training.engine import train
from evis.training.folder import WEIGHTS
from evis.training.recipes import Recipe

STILLS, VIDEOS = "toy-coco", "toy-ytvis19"
_TRAINED_ON = {"stills": STILLS, "videos": VIDEOS}
_ABOUT = ("title", "source", "unknown")  # of a recipe: words that change no number
SCORES = ("AP", "AP50", "AP75", "AR1", "AR10")
_TERMS = ("class", "projection", "pairwise", "tk", "tel", "temporal", "total")
SPLITS = ("mbor", "instances", "keypoints")


@dataclass(frozen=True)
class HeldOut:
    """Videos that nothing was trained on."""

    name: str
    videos: int
    seed: int  # of the toy set: other seeds, other videos
    toy_set: str = VIDEOS
    clips: bool = False  # what TEL and QCC say of clips, in place of scores of whole videos

    def dataset(self) -> VISDataset:
        return toy.sample(self.toy_set, self.videos, self.seed, split="valid")

    def __str__(self) -> str:
        return f"{self.toy_set} {self.name} ({self.videos} videos, seed {self.seed})"


VALIDATION = HeldOut("validation", 100, 1)  # for choices
TEST = HeldOut("test", 300, 2)  # for what is reported
# Other sets, never trained on: Table V and Fig. 6.
UNSEEN = HeldOut("unseen", 150, 2, "toy-ytvis21")
CROWDED = HeldOut("unseen", 60, 2, "toy-ovis")
CLIPS = HeldOut("test clips", 300, 2, clips=True)


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


def metrics(held_out: HeldOut) -> list[str]:
    """What a row on these videos holds."""
    if held_out.clips:
        return list(clip_terms.METRICS)
    if held_out.toy_set != VIDEOS:
        return ["mIoU", *(f"mIoU, {half} {name}" for name in SPLITS for half in ("low", "high"))]
    return [*SCORES, *(f"agnostic {name}" for name in SCORES), "mIoU", "unsteadiness"]


def find(
    stages: Sequence[Recipe],
    held_out: HeldOut = TEST,
    videos: int | None = None,
    shelf: Shelf = STORED,
) -> store.ResultRow | None:
    return store.find(content(stages, videos), str(held_out), stages[-1].seed, shelf.results())


def row(
    stages: Sequence[Recipe],
    held_out: HeldOut = TEST,
    videos: int | None = None,
    shelf: Shelf = STORED,
    progress: bool = True,
) -> store.ResultRow:
    """The row of these stages, each with its seed; trained and tested if the shelf has none.

    videos: how many of them are trained on (the toy set's own number).
    """
    if held_out.clips:
        test = terms_on_clips
    else:
        test = scores if held_out.toy_set == VIDEOS else generalisation

    def measure() -> Mapping[str, float]:
        return test(_model(stages, videos, shelf, progress), held_out, progress)

    key = content(stages, videos), str(held_out), stages[-1].seed
    return store.measure(*key, measure, folder=shelf.results())


def content(stages: Sequence[Recipe], videos: int | None = None) -> dict[str, Any]:
    """What a row is found by."""
    roles = sorted({role for recipe in stages for role, _ in recipe.mixture})
    return {
        "name": "toy training",
        "stages": [_determining(recipe) for recipe in stages],
        "videos": videos,
        "data": {_TRAINED_ON[role]: toy.SPECS[_TRAINED_ON[role]].hash for role in roles},
    }


def trained(
    stages: Sequence[Recipe],
    videos: int | None = None,
    shelf: Shelf = STORED,
    progress: bool = True,
) -> Path:
    """Train, go on, or take what data/weights or an earlier call has; -> the weights' file."""
    recipe = stages[-1]
    if videos is None and (ready := committed(stages)):
        return ready
    weights = trained(stages[:-1], videos, shelf, progress) if len(stages) > 1 else None
    folder = shelf.runs() / f"{recipe.name}-{recipe.seed}-{_key(stages, videos)}"
    datasets = {role: toy.sample(_TRAINED_ON[role], videos) for role, _ in recipe.mixture}
    how = {"device": "cpu", "threads": 1, "keep_frames": True, "log_every": 10}
    train(recipe, datasets, folder, weights, progress=progress, **how)
    return folder / WEIGHTS


def terms_row(
    stages: Sequence[Recipe], shelf: Shelf = STORED, progress: bool = True
) -> store.ResultRow:
    """How large the last stage's terms were in training, as means over its log, before weights.

    "TEL factor": by how much TEL raised TK, the median and the mean; "Q" likewise.
    """

    def measure() -> Mapping[str, float]:
        table = log.read(trained(stages, None, shelf, progress).parent)
        settings = stages[-1].settings
        found = {name: table[name].mean() for name in _TERMS if name in table}
        if "tel" in table:
            raised = [boxinst.warm_up(step, settings.warm_up_steps) for step in table["step"]]
            warm = settings.temporal_factor * np.array(raised)
            factor = (table["temporal"] / table["tk"] / warm)[(warm > 0) & (table["tk"] > 0)]
            found |= {"TEL factor, median": factor.median(), "TEL factor, mean": factor.mean()}
        if "qcc" in table:
            found |= {"Q, mean": table["qcc"].mean(), "Q, last": table["qcc"].tail(3).mean()}
        return {name: float(value) for name, value in found.items()}

    return store.measure(*terms_key(stages), measure, folder=shelf.results())


def terms_key(stages: Sequence[Recipe]) -> tuple[dict[str, Any], str, int]:
    """What a row of `terms_row` is found by: recipe, data, seed."""
    return content(stages), f"{VIDEOS} training log", stages[-1].seed


def scores(model: nn.Module, held_out: HeldOut = TEST, progress: bool = True) -> dict[str, float]:
    """AP and AR for classes and, as "agnostic ...", for objects alone; mIoU and how steady it is.

    "unsteadiness": how much an object's IoU changes from frame to frame, in the mean.
    """
    dataset = held_out.dataset()
    found = _predict(model, dataset, progress)
    by_class = ytvis.evaluate(dataset, found, progress=progress).stats
    agnostic = ytvis.evaluate(dataset, found, class_agnostic=True, progress=progress).stats
    frames = stability.frame_ious(dataset, found)
    return (
        {name: by_class[name] for name in SCORES}
        | {f"agnostic {name}": agnostic[name] for name in SCORES}
        | {"mIoU": ytvis.mean_iou(dataset, found, progress=False)}
        | {"unsteadiness": stability.unsteadiness(frames)}
    )


def generalisation(model: nn.Module, held_out: HeldOut, progress: bool = True) -> dict[str, float]:
    """Class-agnostic mIoU, and on either side of the median of what makes videos hard (Fig. 6).

    The model's classes need not be the videos': what it finds counts as an object, no more.
    """
    dataset = held_out.dataset()
    first = dataset.categories[0]
    objects = tuple(replace(first, id=n, name=str(n)) for n in range(1, model.config.classes + 1))
    bare = replace(dataset, categories=objects, tracks=(), supervision="none")
    found = [replace(t, category_id=first.id) for t in _predict(model, bare, progress)]
    ious = ytvis.object_ious(dataset, found, progress=False)
    of_videos = _attributes(held_out)
    means = {"mIoU": float(ious["iou"].mean())}
    for name in SPLITS:
        side = ious["video"].map(attributes.median_split(of_videos[name]))
        for half in ("low", "high"):
            means[f"mIoU, {half} {name}"] = float(ious["iou"][side == half].mean())
    return means


def terms_on_clips(model: nn.Module, held_out: HeldOut, progress: bool = True) -> dict[str, float]:
    """Q and L_eig, whatever the model was trained with."""
    clips = tqdm(clip_terms.held_out_clips(held_out.dataset()), "clips", disable=not progress)
    with _one_thread():
        return clip_terms.statistics(clip_terms.predict(model, clips))


@cache
def _attributes(held_out: HeldOut) -> pd.DataFrame:
    """By video id; the same for every row, and SIFT takes as long as predicting."""
    return attributes.table(held_out.dataset(), progress=False).set_index("video")


def _predict(model: nn.Module, dataset: VISDataset, progress: bool):
    with _one_thread():
        return predict_dataset(model, dataset, Options(shorter_side=None), progress=progress)


@contextmanager
def _one_thread() -> Iterator[None]:
    """So that a row does not depend on the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _model(stages: Sequence[Recipe], videos: int | None, shelf: Shelf, progress: bool) -> nn.Module:
    """Trained. After stills alone, the classes that these do not have are as they start out."""
    weights = trained(stages, videos, shelf, progress)
    if any(role == "videos" for role, _ in stages[-1].mixture):
        return load(weights)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(stages[-1].seed)
        return start.build(stages[-1], toy.SPECS[VIDEOS].category_names, weights)


def committed(stages: Sequence[Recipe]) -> Path | None:
    """Stage one of a size, where data/weights holds it."""
    if len(stages) > 1 or stages[0].init is not None:
        return None
    own = content(stages)
    wanted = store.key(own, "", 0)
    for path in sorted((paths.data() / "weights").glob("toy_*.safetensors")):
        theirs = read_about(path).get("recipe")
        if theirs and store.key(own | {"stages": [_without_words(theirs)]}, "", 0) == wanted:
            return path
    return None


def _key(stages: Sequence[Recipe], videos: int | None) -> str:
    return store.key(content(stages, videos), VIDEOS, stages[-1].seed)


def _determining(recipe: Recipe) -> dict[str, Any]:
    return _without_words(recipe.to_json())


def _without_words(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recipe.items() if name not in _ABOUT}
