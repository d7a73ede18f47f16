"""One result a video: made by joblib's workers, kept in files, so that a cut off run goes on."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
from tqdm.auto import tqdm

import evis
from evis.data import files
from evis.data.errors import DataError
from evis.data.types import VISDataset

T = TypeVar("T")
# Metadata of a field that came after results were kept and rows stored; see `content`.
YOUNG = {"young": True}


def results(calls: Sequence[Any], jobs: int | None, what: str, progress: bool) -> Iterator[Any]:
    """What `joblib.delayed` calls give, in their order, with a bar; a video a call.

    jobs: videos at a time; None is one, or what `joblib.parallel_config` says.
    """
    if jobs is not None and jobs > len(calls):  # all would be started, whatever there is to do
        jobs = max(1, len(calls))
    # A video a batch: of a worker that is killed, a cluster has another one do its video alone.
    made = joblib.Parallel(jobs, return_as="generator", batch_size=1)(calls)
    try:
        yield from tqdm(made, what, len(calls), unit="video", disable=not progress)
    except BrokenProcessPool:
        problem = "a process was killed while it made a video, most likely as memory ran out"
        remedy = "Run it again with fewer --jobs: videos that are kept in a folder are done"
        raise DataError(problem, remedy=remedy) from None


def one_by_one(dataset: VISDataset) -> Iterator[VISDataset]:
    """A data set a video."""
    for video in dataset.videos:
        yield replace(dataset, videos=(video,), tracks=dataset.tracks_of(video.id))


def made_by(maker: Any) -> list[Any]:
    """What `kept` is told of a maker: a dataclass of plain values, whose `weights` are files,
    folders, or names in a cache."""
    return [evis.__version__, type(maker).__name__, content(maker), *digests(maker.weights)]


def digests(weights: Sequence[str]) -> list[str]:
    """Of what stands in the files and folders; of names in Hugging Face's cache the commits."""
    told = [files.digest(it) if Path(it).exists() else _cached_commit(it) for it in weights]
    return [digest for digest in told if digest is not None]


def _cached_commit(name: str) -> str | None:
    with suppress(ImportError, ValueError):  # nothing is named in a cache, or not so
        from huggingface_hub import try_to_load_from_cache

        config = try_to_load_from_cache(name, "config.json")
        return Path(config).parent.name if isinstance(config, str) else None
    return None


def content(maker: Any) -> dict[str, Any]:
    """A maker's values by name, as far as they decide what it makes.

    Without those that are never compared, such as a device, and those that are `YOUNG` only where
    they are set: what was made before they came is found by what it was called then.
    """
    told = asdict(maker)
    for field in fields(maker):
        unset = "young" in field.metadata and getattr(maker, field.name) == field.default
        if unset or not field.compare:
            del told[field.name]
    return told


def kept(
    make: Callable[[], T],
    dataset: VISDataset,
    made_by: Sequence[Any],
    folder: str | Path | None,
    read: Callable[[Path], T],
    write: Callable[[T, Path], Any],
    suffix: str = ".json",
) -> T:
    """What `make` gives of a data set of one video, or what is in the folder of an earlier run.

    made_by: as json, all else that it depends on but evis's code, of which the version alone
        counts: after a change of it, empty the folder. The video's labels and frames count too, so
        that what was made of others is made anew; what the video's file held before is removed.
    """
    if folder is None:
        return make()
    (video,) = dataset.videos
    content = [*made_by, *map(asdict, (video, *dataset.categories, *dataset.tracks))]
    digest = hashlib.sha256(json.dumps(content).encode())
    for frame in range(video.length):
        digest.update(np.ascontiguousarray(dataset.frame(video.id, frame)))
    path = Path(folder) / f"{video.id}-{digest.hexdigest()[:16]}{suffix}"
    with suppress(DataError):  # none yet, or damaged
        return read(path)
    made = make()
    for earlier in path.parent.glob(f"{video.id}-{'[0-9a-f]' * 16}{suffix}"):
        earlier.unlink(missing_ok=True)
    write(made, path)
    return made
