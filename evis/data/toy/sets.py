"""Toy sets, written and read. `spec` holds every knob, `planning` what each video must come to,
`scene` lays out what moves where, `rendering` colours it. The same seed gives the same bytes.
"""

import operator
from pathlib import Path

import cv2
import joblib
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from evis.data import catalog, coco, davis, files, masks, paths, ytvis
from evis.data.boxes import mbor
from evis.data.errors import DataError
from evis.data.frames import PictureFolder
from evis.data.jsonfile import Record, load
from evis.data.masks import RLE
from evis.data.toy.planning import SPLITS, Plan, plan
from evis.data.toy.rendering import render
from evis.data.toy.scene import Scene, compose, visible_boxes
from evis.data.toy.spec import SPECS, ToySpec
from evis.data.types import Category, Track, Video, VISDataset

WORTH_PROCESSES = 700  # frames; fewer are drawn sooner than a second process starts
COMPOSITIONS = 5  # tried at most, for a video in which every object is seen
# What stands for the sources of a recipe (`evis.training.Recipe.mixture`) at the toy scale.
TRAINING_SETS = {"videos": "toy-ytvis19", "stills": "toy-coco"}


def names() -> list[str]:
    return list(SPECS)


def build(
    name: str,
    root: str | Path,
    videos: int | None = None,
    seed: int = 0,
    split: str = "train",
    progress: bool = True,
    processes: int | None = None,
) -> VISDataset:
    """Write a toy set below `root` and read it back; one that is there already is only read.

    `split="valid"` draws other videos of the same classes, into the same `root` if wanted, a
    quarter as many unless `videos` says how many. Means over videos are within 5% of `SPECS` from
    40 videos on (60 for toy-ytvis21, whose shared and own videos are planned apart). How many
    processes draw changes no byte. An interrupted build starts again over its own files; a folder
    that holds anything else is left alone.
    """
    spec, root = _spec(name), Path(root)
    claim = _claim(spec, videos, seed, split)
    real = catalog.SETS[spec.real].splits[SPLITS.index(split)]
    if not _is_complete(root, split, claim):
        plans = plan(spec, split, claim["seed"], claim["videos"])
        frames = len(plans) * sum(spec.frames) / 2
        processes = processes or (2 if frames >= WORTH_PROCESSES else 1)
        _note(root, split, claim, complete=False)
        _write(spec, _make(spec, plans, root / real.frames, progress, processes), root, real)
        _note(root, split, claim, complete=True)
    return _read(spec, root, real, progress)


def sample(name: str, videos: int | None = None, seed: int = 0, split: str = "train") -> VISDataset:
    """`build` without a bar, below build/toy, where the next call finds it again.

    The folder's name holds all that determines the set, so that none stands in another's way.
    """
    parts = (name, videos or "all", seed, _spec(name).hash)
    root = paths.build() / "toy" / "-".join(map(str, parts))
    return build(name, root, videos, seed, split, progress=False)


def _spec(name: str) -> ToySpec:
    try:
        return SPECS[name]
    except KeyError:
        raise DataError(
            f"unknown toy set {name!r}", remedy=f"Known sets: {', '.join(SPECS)}"
        ) from None


def _claim(spec: ToySpec, videos: int | None, seed: int, split: str) -> dict:
    """All that determines the bytes of one split."""
    if split not in SPLITS:
        raise DataError(f"unknown split {split!r}", remedy=f"Splits are {', '.join(SPLITS)}")
    if videos is None:
        videos = spec.videos if split == "train" else spec.videos // 4
    return {
        "set": spec.name,
        "generator": spec.hash,
        "seed": _whole(seed, "seed", 0),
        "videos": _whole(videos, "videos", 1),
    }


def _whole(value: int, field: str, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise DataError(f"should be a whole number from {least} on, is {value!r}", field=field)
    return number


def _is_complete(root: Path, split: str, claim: dict) -> bool:
    """Whether the split is there already; refuse a folder that holds anything else."""
    if root.exists() and not root.is_dir():
        raise DataError("is not a folder", file=root, remedy="Choose another one")
    paths = {name: _manifest(root, name) for name in SPLITS if _manifest(root, name).exists()}
    if not paths and root.exists() and any(entry.name[0] != "." for entry in root.iterdir()):
        raise DataError(
            "the folder holds something that is no toy set",
            file=root,
            remedy="Choose a new or an empty folder; nothing was changed",
        )
    found = {name: Record(load(path), file=path, path="") for name, path in paths.items()}
    for name, record in found.items():
        for key, value in claim.items():
            there = record.value.get(key)
            if there != value and (name == split or key != "videos"):
                raise record.error(
                    f"the folder holds another toy set: {there!r} here, {value!r} asked for",
                    key,
                    remedy="Choose another folder, or delete this one; nothing was changed",
                )
    return split in found and found[split].flag("complete")


def _note(root: Path, split: str, claim: dict, complete: bool) -> None:
    files.write_json(_manifest(root, split), {**claim, "complete": complete}, indent=1)


def _manifest(root: Path, split: str) -> Path:
    return root / f"toy-{split}.json"


def _make(
    spec: ToySpec, plans: list[Plan], frames: Path, progress: bool, processes: int
) -> VISDataset:
    """Draw the videos, write their frames, and put their annotations together."""
    jobs = (joblib.delayed(_make_video)(p, spec, frames, n) for n, p in enumerate(plans, start=1))
    drawn = joblib.Parallel(processes, return_as="generator")(jobs)
    bar = tqdm(drawn, total=len(plans), desc=spec.name, unit="video", disable=not progress)
    videos, tracks = [], []
    for video, found in bar:
        videos.append(video)
        for category_id, boxes, encoded in found:
            areas = tuple(mask and float(masks.area(mask)) for mask in encoded)
            tracks.append(Track(len(tracks) + 1, video.id, category_id, boxes, encoded, areas))
    categories = tuple(Category(n, name) for n, name in enumerate(spec.category_names, start=1))
    return VISDataset(tuple(videos), tuple(tracks), categories, PictureFolder(frames))


Found = tuple[int, tuple, tuple[RLE | None, ...]]  # category id, boxes, masks


def _make_video(plan: Plan, spec: ToySpec, root: Path, video_id: int) -> tuple[Video, list[Found]]:
    """Draw one video under `spec`'s class names, and write its frames."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # processes share the work already
    try:
        scene, frames = draw(plan)
        height, width = plan.spec.size
        paths = _frame_names(spec, plan.name, video_id, scene.length)
        for path, frame in zip(paths, frames, strict=True):
            _write_frame(root / path, frame, spec.jpeg_quality)
    finally:
        cv2.setNumThreads(threads)
    return Video(video_id, plan.name, height, width, paths), _annotate(scene, spec)


def draw(plan: Plan) -> tuple[Scene, np.ndarray]:
    """-> the scene and its frames (T, h, w, 3) uint8 RGB."""
    rng = plan.random()
    for _ in range(COMPOSITIONS):
        scene = compose(rng, plan.spec, plan.objects, plan.mbor)
        if scene.shown.all():
            break
    return scene, render(rng, scene)


def _frame_names(spec: ToySpec, name: str, video_id: int, length: int) -> tuple[str, ...]:
    if spec.layout == "coco":
        return (f"{video_id:012d}.jpg",)
    return tuple(f"{name}/{t:05d}.jpg" for t in range(length))


def _write_frame(path: Path, frame: np.ndarray, quality: int) -> None:
    picture = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    files.write_bytes(path, content, durable=False)


def _annotate(scene: Scene, spec: ToySpec) -> list[Found]:
    labels = scene.labels()
    least = spec.least_piece * labels[0].size
    boxes, _ = visible_boxes(labels, len(scene.shapes), least)
    found = []
    for number, (shape, track) in enumerate(zip(scene.shapes, boxes, strict=True), start=1):
        if scene.shown[number - 1]:
            seen = [tuple(map(float, box)) if box[2] else None for box in track]
            encoded = [box and masks.encode(labels[t] == number) for t, box in enumerate(seen)]
            found.append((spec.category_id(shape), tuple(seen), tuple(encoded)))
    return found


def _write(spec: ToySpec, dataset: VISDataset, root: Path, real: catalog.Split) -> None:
    if spec.layout == "davis":
        davis.write(dataset, root, real.name, real.annotations)
    elif spec.layout == "coco":
        coco.write(dataset, root / real.annotations)
    else:
        ytvis.write(dataset, root / real.annotations)


def _read(spec: ToySpec, root: Path, real: catalog.Split, progress: bool) -> VISDataset:
    if spec.layout == "davis":
        return davis.read(root, real.name, real.annotations, progress)
    read = coco.read if spec.layout == "coco" else ytvis.read
    return read(root / real.annotations, root / real.frames)


def statistics(dataset: VISDataset) -> pd.DataFrame:
    """One row a video; the columns' means are what `SPECS` sets and the papers report."""
    rows = []
    for video in dataset.videos:
        tracks = dataset.tracks_of(video.id)
        boxes = [[track.boxes[t] for track in tracks] for t in range(video.length)]
        seen = sum(box is not None for frame in boxes for box in frame)
        rows.append(
            {
                "video": video.name,
                "frames": video.length,
                "instances": len(tracks),
                "instances_a_frame": seen / video.length,
                "mbor": mbor(boxes),
            }
        )
    return pd.DataFrame(rows)
