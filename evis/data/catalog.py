"""The real data sets: what their official layout looks like, and whether a folder holds it."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from evis.data import coco, davis, ytvis
from evis.data.errors import DataError
from evis.data.types import VISDataset


@dataclass(frozen=True)
class Split:
    """One split: its annotation file, its frames, and the counts that the official release has."""

    name: str
    annotations: str
    frames: str
    videos: int
    labelled: bool = True


@dataclass(frozen=True)
class RealSet:
    name: str
    title: str
    splits: tuple[Split, ...]
    read: Callable[[Path, Split], VISDataset]
    categories: int
    licence: str  # where the terms of use are described


@dataclass(frozen=True)
class Report:
    """What a check found, as lines for people."""

    lines: tuple[str, ...]
    complete: bool

    def __str__(self) -> str:
        return "\n".join(self.lines)


def _read_ytvis(root: Path, split: Split) -> VISDataset:
    return ytvis.read(root / split.annotations, root / split.frames)


def _read_coco(root: Path, split: Split) -> VISDataset:
    return coco.read(root / split.annotations, root / split.frames)


def _read_davis(root: Path, split: Split) -> VISDataset:
    return davis.read(root, split.name, split.annotations, progress=True)


_READERS = {"ytvis": _read_ytvis, "coco": _read_coco, "davis": _read_davis}


def _set(name: str, facts: dict[str, Any]) -> RealSet:
    splits = tuple(Split(**split) for split in facts.pop("splits"))
    return RealSet(name, splits=splits, read=_READERS[facts.pop("reader")], **facts)


_FILE = Path(__file__).with_name("catalog.toml")
SETS: dict[str, RealSet] = {
    name: _set(name, facts) for name, facts in tomllib.loads(_FILE.read_text("utf-8")).items()
}


def names() -> list[str]:
    return list(SETS)


def splits_in(folder: Path) -> list[tuple[RealSet, Split]]:
    """The splits that are there of the first set whose official layout the folder follows."""
    for real in SETS.values():
        found = [
            (real, split)
            for split in real.splits
            if (folder / split.annotations).exists() and (folder / split.frames).is_dir()
        ]
        if found:
            return found
    return []


def frames_of(annotations_json: Path) -> Path | None:
    """Where an official layout has the frames of an annotation file that lies as in it."""
    for real in SETS.values():
        for split in real.splits:
            if annotations_json.as_posix().endswith(f"/{split.annotations}"):
                folder = annotations_json.parents[split.annotations.count("/")] / split.frames
                if folder.is_dir():
                    return folder
    return None


def describe(name: str) -> str:
    """The expected layout, as text."""
    real = _find(name)
    lines = [f"{real.title}: {real.categories} categories. Licence: {real.licence}."]
    for split in real.splits:
        labels = "" if split.labelled else ", published without annotations"
        lines.append(
            f"  {split.name:<6} {split.videos:>7} videos   "
            f"{split.annotations} + {split.frames}/{labels}"
        )
    return "\n".join(lines)


def _find(name: str) -> RealSet:
    try:
        return SETS[name]
    except KeyError:
        raise DataError(
            f"unknown data set {name!r}", remedy=f"Known sets: {', '.join(SETS)}"
        ) from None


def check(name: str, root: str | Path) -> Report:
    """Hold the folder against the official layout: what is there, what is missing or damaged.

    Reads every annotation, looks for every frame, and decodes one frame a video.
    """
    real, root = _find(name), Path(root)
    if not root.is_dir():
        raise DataError("there is no such folder", file=root, remedy=describe(name))
    lines, complete = [describe(name), ""], True
    for split in real.splits:
        state, found = _check_split(real, split, root)
        lines += [f"{state} {split.name}: {found[0]}", *found[1:]]
        complete &= state == _OK
    lines += ["", f"{real.title} is {'complete' if complete else 'not complete'} in {root}"]
    return Report(tuple(lines), complete)


_OK, _MISSING, _FAULTY = "ok     ", "MISSING", "FAULTY "


def _check_split(real: RealSet, split: Split, root: Path) -> tuple[str, list[str]]:
    for part in (split.annotations, split.frames):
        if not (root / part).exists():
            return _MISSING, [f"{root / part} is not there"]
    try:
        dataset = real.read(root, split)
    except DataError as error:
        return _FAULTY, [str(error)]
    frames = sum(video.length for video in dataset.videos)
    found = [f"{len(dataset.videos)} videos, {frames} frames, {len(dataset.tracks)} tracks"]
    problems = []
    if len(dataset.videos) != split.videos:
        problems.append(f"{len(dataset.videos)} videos, the official release has {split.videos}")
    if len(dataset.categories) != real.categories:
        problems.append(f"{len(dataset.categories)} categories instead of {real.categories}")
    if split.labelled and not dataset.tracks:
        problems.append("no annotations, though this split is published with them")
    problems += frame_problems(dataset, root / split.frames)
    state = _FAULTY if problems else _OK
    return state, found + [f"        - {problem}" for problem in problems]


def frame_problems(dataset: VISDataset, root: Path) -> list[str]:
    """What is wrong with the frames below `root`, in at most ten lines; decodes one a video."""
    missing, problems = [], []
    for video in tqdm(dataset.videos, desc="frames", unit="video"):
        absent = [name for name in video.frames if not (root / name).is_file()]
        missing += absent
        if not absent:
            try:
                dataset.frame(video.id, 0)
            except DataError as error:
                problems.append(str(error))
    if missing:
        problems.insert(0, f"{len(missing)} frames are missing, the first is {root / missing[0]}")
    return problems[:10]
