"""A run's folder: what it holds, and whether it holds this run."""

import hashlib
import json
import reprlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from evis.data import files, jsonfile
from evis.data.errors import DataError
from evis.data.types import VISDataset
from evis.training import log
from evis.training.recipe import Recipe

WEIGHTS, RECIPE, CHECKPOINTS = "weights.safetensors", "recipe.json", "checkpoints"
LOCK = ".lock"  # held while a process trains into the folder
MOST_TOLD = 10  # of what differs in another run
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring = 2, 200  # room for a data set in words


def manifest(
    recipe: Recipe, sources: Mapping[str, VISDataset], weights: Path | None
) -> dict[str, Any]:
    """All that determines a run but the frames' pixels, as json: the content of recipe.json.

    Of the frames their names count alone: whoever changes pictures under names that stay takes
    another folder.
    """
    data = {name: told(set_) for name, set_ in sources.items()}
    start = weights and f"weights {files.digest(weights)[:12]}"
    classes = [category.name for category in sources[recipe.mixture[0][0]].categories]
    content = {"recipe": recipe.to_json(), "data": data, "classes": classes, "start": start}
    return json.loads(json.dumps(content))  # as it will be read back


def told(dataset: VISDataset) -> str:
    """A data set in words, with twelve digits that change with any video's name or frames, any
    track, any category."""
    labels = dataset.videos, dataset.tracks, dataset.categories
    return f"{dataset!r}, {hashlib.sha256(repr(labels).encode()).hexdigest()[:12]}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training into the folder; a killed process lets go of it, too."""
    with ExitStack() as held:
        try:
            held.enter_context(files.locked(folder / LOCK, wait=False))
        except BlockingIOError:
            raise DataError(
                "another process is training into this folder right now",
                file=folder,
                remedy="Wait for it to end, or choose another folder; nothing was changed",
            ) from None
        yield


def refuse_another(folder: Path, asked: dict[str, Any]) -> None:
    """Whether the folder is free, or holds this very run."""
    path, remedy = folder / RECIPE, "Choose another folder, or delete this one; nothing was changed"
    kept = (folder / WEIGHTS).exists() or (folder / CHECKPOINTS).exists()
    # A run that was refused before its first step has left nothing but its recipe.
    told = (folder / log.NAME).exists() and (folder / log.NAME).stat().st_size > 0
    if path.exists() and (kept or told):
        differing = "; ".join(islice(_differences(jsonfile.load(path), asked), MOST_TOLD))
        if differing:
            problem = f"the folder holds another run: {differing}"
            raise DataError(problem, file=path, remedy=remedy)
    elif kept:
        raise DataError(f"holds a run without its {RECIPE}", file=folder, remedy=remedy)


def _differences(there: Any, asked: Any, at: str = "") -> Iterator[str]:
    if isinstance(there, dict) and isinstance(asked, dict):
        for key in sorted(there.keys() | asked.keys()):
            name = f"{at}.{key}" if at else key
            yield from _differences(there.get(key), asked.get(key), name)
    elif there != asked:
        there, asked = (_SHORT.repr(value) for value in (there, asked))
        yield f"{at or 'it'} is {there} there, {asked} here"
