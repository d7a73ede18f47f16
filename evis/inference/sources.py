"""What to predict, from whatever path a person has: frames, a video file, or a data set."""

from pathlib import Path

from evis.data import catalog, own, video
from evis.data.errors import DataError
from evis.data.types import VISDataset


def open_source(
    path: str | Path, split: str | None = None, frames_root: str | Path | None = None
) -> VISDataset:
    """The videos at `path`, without annotations.

    path: a folder of pictures, a video file, the folder of a data set in an official layout, or an
        annotation json. `split` is needed where the folder holds several, and `frames_root` where
        the frames of the json are neither where its official layout has them nor beside it.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        return own.read(path, frames_root).bare()
    found = catalog.splits_in(path) if path.is_dir() else []
    if not found:
        return video.read(path)
    names = [known.name for _, known in found]
    if split is None and len(found) > 1:
        raise DataError(
            f"holds {len(found)} splits", file=path, remedy=f"Give --split {'|'.join(names)}"
        )
    if split is not None and split not in names:
        raise DataError(
            f"holds no split {split!r}", file=path, remedy=f"There is {', '.join(names)}"
        )
    real, chosen = found[names.index(split) if split else 0]
    return real.read(path, chosen).bare()
