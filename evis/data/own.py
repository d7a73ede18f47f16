"""A data set of one's own: any YouTube-VIS or COCO json, and the frames that belong to it."""

from dataclasses import replace
from pathlib import Path

from evis.data import annotations, catalog
from evis.data.errors import DataError
from evis.data.frames import PictureFolder
from evis.data.types import VISDataset
from evis.data.video import read as read_video


def read(path: str | Path, frames_root: str | Path | None = None) -> VISDataset:
    """The data set of an annotation json, or of a folder that holds one.

    Where no `frames_root` is given, its frames are looked for where an official layout has them,
    and beside the json. A folder in the official layout of a known set gives its first split.
    """
    path = Path(path)
    if path.is_dir():
        if splits := catalog.splits_in(path):
            if frames_root is not None:
                problem = "is laid out as a known set, whose frames have a place of their own"
                raise DataError(problem, file=path, remedy="Leave --frames out, or give the json")
            real, first = splits[0]
            return real.read(path, first)
        path = _only_json(path)
    dataset = annotations.read(path)
    return replace(dataset, read_frame=PictureFolder(_frames(path, frames_root, dataset)))


def find(
    path: str | Path, split: str | None = None, frames_root: str | Path | None = None
) -> VISDataset:
    """Whatever videos lie at `path`, with the labels that are there.

    path: a folder of pictures, a video file, a folder of several of these, the folder of a data set
        in an official layout, or an annotation json. `split` is needed where the folder holds
        several, and `frames_root` where the frames of the json are neither where its official
        layout has them nor beside it.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        if split is not None:
            problem = "--split goes with the folder of a data set, and this is a json"
            raise DataError(problem, file=path, remedy="Leave it out, or give the folder")
        return read(path, frames_root)
    if frames_root is not None:
        problem = "--frames goes with an annotation json, and this is none"
        raise DataError(problem, file=path, remedy="Leave it out, or give the json")
    splits = {known.name: (real, known) for real, known in catalog.splits_in(path)}
    if not splits:
        if split is not None and path.exists():
            problem = f"holds no split {split!r}: it is laid out like no set that evis knows"
            raise DataError(problem, file=path, remedy="Leave --split out: its videos are taken")
        return read_video(path)
    if split is None and len(splits) == 1:
        (split,) = splits
    if split not in splits:
        problem = f"holds {len(splits)} splits" if split is None else f"holds no split {split!r}"
        raise DataError(problem, file=path, remedy=f"Give --split {'|'.join(splits)}")
    real, known = splits[split]
    return real.read(path, known)


def _only_json(folder: Path) -> Path:
    files = sorted(folder.glob("*.json"))
    if len(files) != 1:
        listed = ", ".join(file.name for file in files[:5]) or "none"
        problem = f"holds {len(files)} json files ({listed}), and no layout that evis knows"
        raise DataError(problem, file=folder, remedy="Name the annotation json itself")
    return files[0]


def _frames(json: Path, given: str | Path | None, dataset: VISDataset) -> Path:
    """The folder that the names of frames start from: the one that holds the first of them."""
    first = dataset.videos[0].frames[0]
    beside = (json.parent / name for name in ("", "JPEGImages", "frames", "images", json.stem))
    for root in [Path(given)] if given else [*beside, *catalog.frames_of(json)]:
        if (root / first).is_file():
            return root
    place = f"in {given}" if given else "beside it"
    remedy = "Give the folder that the names of frames start from (--frames DIR, frames_root)"
    raise DataError(f"its first frame, {first}, is not {place}", file=json, remedy=remedy)


_USES = {
    "mask": "to train under masks, boxes or points; evis evaluate scores masks",
    "box": "to train under boxes; evis evaluate scores boxes",
    "point": "to train under points",
    "none": "to predict; training and evaluating need annotations",
}


def check(path: str | Path, frames_root: str | Path | None = None) -> catalog.Report:
    """What the data set holds, what can be done with it, and what is wrong with its frames."""
    dataset = read(path, frames_root)
    lines = [
        f"{path}: {dataset!r}",
        f"Its categories: {', '.join(category.name for category in dataset.categories)}",
    ]
    if dataset.origin is None:
        lines.append(f"It is fit {_USES[dataset.supervision if dataset.tracks else 'none']}")
    else:
        what = " and ".join(sorted(dataset.kinds)) or "labels"
        costs = f'where "{dataset.supervision}" or more is allowed'
        lines.append(f"Its {what} were made: to train on {costs}, but no ground truth")
    bare = sum(not dataset.tracks_of(video.id) for video in dataset.videos)
    if dataset.tracks and bare:
        lines.append(f"{bare} videos have no track, so that they are not trained on")
    problems = catalog.frame_problems(dataset, dataset.read_frame.root)
    lines += [f"- {problem}" for problem in problems]
    lines.append(f"{path} is {'not ' if problems else ''}in order")
    return catalog.Report(tuple(lines), not problems)
