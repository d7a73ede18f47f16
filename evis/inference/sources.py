"""What to predict, from whatever path a person has: frames, a video file, or a data set."""

from dataclasses import replace
from pathlib import Path

from evis.data import catalog, video, ytvis
from evis.data.errors import DataError
from evis.data.types import VISDataset


def open_source(
    path: str | Path, split: str | None = None, frames_root: str | Path | None = None
) -> VISDataset:
    """The videos at `path`, without annotations.

    path: a folder of pictures, a video file, the folder of a data set in an official layout, or an
        annotation json. `split` is needed where the folder holds several, and `frames_root` where
        the json doesn't lie where its official layout has it.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        root = frames_root or _frames_beside(path)
        return replace(ytvis.read(path, root), tracks=(), supervision="none")
    found = _splits(path) if path.is_dir() else []
    if not found:
        return video.read(path)
    names = [name for _, name in found]
    if split is None and len(found) > 1:
        raise DataError(
            f"holds {len(found)} splits", file=path, remedy=f"Give --split {'|'.join(names)}"
        )
    if split is not None and split not in names:
        raise DataError(
            f"holds no split {split!r}", file=path, remedy=f"There is {', '.join(names)}"
        )
    real, name = found[names.index(split) if split else 0]
    dataset = real.read(path, next(s for s in real.splits if s.name == name))
    return replace(dataset, tracks=(), supervision="none")


def _splits(folder: Path) -> list[tuple[catalog.RealSet, str]]:
    """The splits of the first data set whose official layout the folder follows."""
    for real in catalog.SETS.values():
        found = [
            (real, split.name)
            for split in real.splits
            if (folder / split.annotations).exists() and (folder / split.frames).is_dir()
        ]
        if found:
            return found
    return []


def _frames_beside(json: Path) -> Path:
    """Where the official layouts have the frames of an annotation file of this name."""
    for real in catalog.SETS.values():
        for split in real.splits:
            if json.as_posix().endswith(f"/{split.annotations}"):
                root = json.parents[split.annotations.count("/")] / split.frames
                if root.is_dir():
                    return root
    raise DataError(
        "its frames are not where an official layout has them", file=json, remedy="Give --frames"
    )
