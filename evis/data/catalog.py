"""The real data sets: what their official layout looks like, and whether a folder holds it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tqdm.auto import tqdm

from evis.data import annotations, davis
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
    layout: Literal["ytvis", "coco", "davis"]
    categories: int
    licence: str  # where the terms of use are described

    def read(self, root: Path, split: Split) -> VISDataset:
        if self.layout == "davis":
            return davis.read(root, split.name, split.annotations)
        return annotations.read(root / split.annotations, root / split.frames)


@dataclass(frozen=True)
class Report:
    """What a check found, as lines for people."""

    lines: tuple[str, ...]
    complete: bool

    def __str__(self) -> str:
        return "\n".join(self.lines)


def _set(name: str, facts: dict[str, Any]) -> RealSet:
    splits = tuple(Split(**split) for split in facts.pop("splits"))
    return RealSet(name, splits=splits, **facts)


_FILE = Path(__file__).with_name("catalog.toml")
SETS: dict[str, RealSet] = {
    name: _set(name, facts) for name, facts in tomllib.loads(_FILE.read_text("utf-8")).items()
}


def splits_in(folder: Path) -> list[tuple[RealSet, Split]]:
    """The splits that are there of the first set whose official layout the folder follows."""
    for real in SETS.values():
        there = [split for split in real.splits if not absent_parts(real, split, folder)]
        if there:
            return [(real, split) for split in there]
    return []


def absent_parts(real: RealSet, split: Split, root: Path) -> list[Path]:
    """Where the split's annotations and frames should be, as far as they are not there."""
    parts = [root / split.annotations, root / split.frames]
    if real.layout == "davis":  # its splits share these folders
        parts.append(root / davis.listing(split.name))
    try:
        return [part for part in parts if not part.exists()]
    except PermissionError as error:  # it names a part, which may not be there at all
        problem, remedy = f"can't be looked into: {error.strerror}", "Allow it, as chmod u+rx does"
        raise DataError(problem, file=root, remedy=remedy) from None


def frames_of(annotations_json: Path) -> list[Path]:
    """Where official layouts have the frames of an annotation file that lies as in them."""
    annotations_json = annotations_json.absolute()  # the set's folder may be the current one
    return [
        annotations_json.parents[split.annotations.count("/")] / split.frames
        for real in SETS.values()
        for split in real.splits
        if annotations_json.as_posix().endswith(f"/{split.annotations}")
    ]


def describe(name: str) -> str:
    """The expected layout, as text."""
    if name not in SETS:
        raise DataError(f"unknown data set {name!r}", remedy=f"Known sets: {', '.join(SETS)}")
    real = SETS[name]
    lines = [f"{real.title}: {real.categories} categories. Licence: {real.licence}."]
    for split in real.splits:
        labels = "" if split.labelled else ", published without annotations"
        count = f"{split.name:<6} {split.videos:>7} videos"
        lines.append(f"  {count}   {split.annotations} + {split.frames}/{labels}")
    return "\n".join(lines)


def check(name: str, root: str | Path) -> Report:
    """Hold the folder against the official layout: what is there, what is missing or damaged.

    Reads every annotation, looks for every frame, and decodes one frame a video.
    """
    layout, root = describe(name), Path(root)
    if not root.is_dir():
        raise DataError("there is no such folder", file=root, remedy=layout)
    real, lines, complete = SETS[name], [layout, ""], True
    for split in real.splits:
        problems = _problems(real, split, root)
        lines.append(f"{split.name}: {'not as published' if problems else 'ok'}")
        lines += [f"  - {problem}" for problem in problems]
        complete &= not problems
    lines += ["", f"{real.title} is {'' if complete else 'not '}complete in {root}"]
    return Report(tuple(lines), complete)


def _problems(real: RealSet, split: Split, root: Path) -> list[str]:
    if absent := absent_parts(real, split, root):
        return [f"{part} is not there" for part in absent]
    try:
        dataset = real.read(root, split)
    except DataError as error:
        return [str(error)]
    problems = []
    if len(dataset.videos) != split.videos:
        problems.append(f"{len(dataset.videos)} videos, the official release has {split.videos}")
    if len(dataset.categories) != real.categories:
        problems.append(f"{len(dataset.categories)} categories instead of {real.categories}")
    if split.labelled and not dataset.tracks:
        problems.append("no annotations, though this split is published with them")
    return problems + frame_problems(dataset, root / split.frames)


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
