"""Toy sets, written and read. `spec` holds every knob, `planning` what each video must come to,
`scene` lays out what moves where, `rendering` colours it. The same seed gives the same bytes.
"""

from dataclasses import replace
from numbers import Integral
from pathlib import Path

import cv2
import joblib
import numpy as np
from tqdm.auto import tqdm

from evis.data import annotations, catalog, davis, files, masks, paths
from evis.data.errors import DataError
from evis.data.frames import PictureFolder
from evis.data.jsonfile import Record, load
from evis.data.toy.planning import SPLITS, Plan, plan
from evis.data.toy.rendering import render
from evis.data.toy.scene import Scene, compose, visible_boxes
from evis.data.toy.spec import SPECS, ToySpec
from evis.data.types import Category, Track, Video, VISDataset

WORTH_PROCESSES = 700  # frames; fewer are drawn sooner than a second process starts
COMPOSITIONS = 5  # tried at most, for a video in which every object is seen
LOCK = ".lock"  # held while a process writes into the folder
# What stands for the sources of a recipe (`evis.training.Recipe.mixture`) at the toy scale.
TRAINING_SETS = {"videos": "toy-ytvis19", "stills": "toy-coco"}


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
    processes draw changes no byte. An interrupted build starts again over its own files, one that
    another process is busy with is waited for, a folder that holds anything else is left alone.
    """
    spec, root = _spec(name), Path(root)
    claim = _claim(spec, videos, seed, split)
    real = catalog.SETS[spec.real]
    part = real.splits[SPLITS.index(split)]
    if not _is_complete(root, split, claim):
        with files.locked(root / LOCK):
            if not _is_complete(root, split, claim):  # nobody else has built it meanwhile
                _note(root, split, claim, complete=False)
                plans = plan(spec, split, claim["seed"], claim["videos"])
                made = _make(spec, plans, root / part.frames, progress, processes)
                if spec.layout == "davis":
                    davis.write(made, root, part.name, part.annotations)
                else:
                    annotations.write(made, root / part.annotations, spec.layout)
                _note(root, split, claim, complete=True)
    return real.read(root, part)


def sample(name: str, videos: int | None = None, seed: int = 0, split: str = "train") -> VISDataset:
    """`build` without a bar, below build/toy, where the next call finds it again.

    The folder's name holds all that determines the set, so that none stands in another's way.
    """
    parts = (name, videos or "all", seed, _spec(name).hash)
    root = paths.build() / "toy" / "-".join(map(str, parts))
    return build(name, root, videos, seed, split, progress=False)


def speeds(name: str, videos: int, seed: int = 0, split: str = "train") -> dict[int, float]:
    """By the tracks' ids in `sample`: how fast each object goes over the ground, in frame heights a
    frame, whatever the camera does; 0 for one that rests.
    """
    scenes = (_composed(of_video)[0] for of_video in plan(_spec(name), split, seed, videos))
    rates = np.concatenate([scene.objects.place.rate[scene.shown] for scene in scenes])
    return dict(enumerate(np.linalg.norm(rates, axis=1).tolist(), start=1))


def _spec(name: str) -> ToySpec:
    if name not in SPECS:
        raise DataError(f"unknown toy set {name!r}", remedy=f"Known sets: {', '.join(SPECS)}")
    return SPECS[name]


def _claim(spec: ToySpec, videos: int | None, seed: int, split: str) -> dict:
    """All that determines the bytes of one split."""
    if split not in SPLITS:
        raise DataError(f"unknown split {split!r}", remedy=f"Splits are {', '.join(SPLITS)}")
    if videos is None:
        videos = spec.videos if split == "train" else spec.videos // 4
    for field, value, least in (("seed", seed, 0), ("videos", videos, 1)):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            problem = f"should be a whole number from {least} on, is {value!r}"
            raise DataError(problem, field=field)
    return {"set": spec.name, "generator": spec.hash, "seed": int(seed), "videos": int(videos)}


def _is_complete(root: Path, split: str, claim: dict) -> bool:
    """Whether the split is there already; refuse a folder that holds anything else."""
    if root.exists() and not root.is_dir():
        raise DataError("is not a folder", file=root, remedy="Choose another one")
    # Looked at before the manifests: a builder writes its manifest before anything else, so what
    # another one has put here by now has a manifest by the next line.
    holds_files = root.exists() and any(entry.name[0] != "." for entry in root.iterdir())
    manifests = {name: _manifest(root, name) for name in SPLITS}
    there = {
        name: Record(load(path), file=path, path="")
        for name, path in manifests.items()
        if path.exists()
    }
    if holds_files and not there:
        remedy = "Choose a new or an empty folder; nothing was changed"
        raise DataError("the folder holds something that is no toy set", file=root, remedy=remedy)
    for name, record in there.items():
        for key, value in claim.items():
            held = record.value.get(key)
            if held != value and (name == split or key != "videos"):
                problem = f"the folder holds another toy set: {held!r} here, {value!r} asked for"
                remedy = "Choose another folder, or delete this one; nothing was changed"
                raise record.error(problem, key, remedy=remedy)
    return split in there and there[split].flag("complete")


def _note(root: Path, split: str, claim: dict, complete: bool) -> None:
    files.write_json(_manifest(root, split), {**claim, "complete": complete}, indent=1)


def _manifest(root: Path, split: str) -> Path:
    return root / f"toy-{split}.json"


def _make(
    spec: ToySpec, plans: list[Plan], frames: Path, progress: bool, processes: int | None
) -> VISDataset:
    """Draw the videos, write their frames, and put their annotations together."""
    if processes is None:
        processes = 2 if len(plans) * sum(spec.frames) / 2 >= WORTH_PROCESSES else 1
    jobs = (joblib.delayed(_make_video)(p, spec, frames, n) for n, p in enumerate(plans, start=1))
    drawn = joblib.Parallel(processes, return_as="generator")(jobs)
    videos, tracks = [], []
    for video, its_tracks in tqdm(drawn, spec.name, len(plans), unit="video", disable=not progress):
        videos.append(video)
        tracks += [replace(track, id=len(tracks) + n) for n, track in enumerate(its_tracks, 1)]
    categories = tuple(Category(n, name) for n, name in enumerate(spec.category_names, start=1))
    return VISDataset(tuple(videos), tuple(tracks), categories, PictureFolder(frames))


def _make_video(plan: Plan, spec: ToySpec, root: Path, video_id: int) -> tuple[Video, list[Track]]:
    """Draw one video under `spec`'s class names, and write its frames."""
    scene, frames = draw(plan)
    names = tuple(f"{plan.name}/{t:05d}.jpg" for t in range(scene.length))
    if spec.layout == "coco":
        names = (f"{video_id:012d}.jpg",)
    for name, frame in zip(names, frames, strict=True):
        picture = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        quality = [cv2.IMWRITE_JPEG_QUALITY, spec.jpeg_quality]
        content = cv2.imencode(".jpg", picture, quality)[1].tobytes()
        files.write_bytes(root / name, content, durable=False)
    height, width = plan.spec.size
    return Video(video_id, plan.name, height, width, names), _tracks(scene, spec, video_id)


def draw(plan: Plan) -> tuple[Scene, np.ndarray]:
    """-> the scene and its frames (T, h, w, 3) uint8 RGB."""
    scene, rng = _composed(plan)
    return scene, render(rng, scene)


def _composed(plan: Plan) -> tuple[Scene, np.random.Generator]:
    """The scene, and the lots that go on to its frames."""
    rng = plan.random()
    for _ in range(COMPOSITIONS):
        scene = compose(rng, plan.spec, plan.objects, plan.mbor)
        if scene.shown.all():
            break
    return scene, rng


def _tracks(scene: Scene, spec: ToySpec, video_id: int) -> list[Track]:
    """The objects that are shown, without an id yet."""
    labels = scene.labels()
    _, areas = visible_boxes(labels, len(scene.shapes), spec.least_piece * labels[0].size)
    tracks = []
    for n, shape in enumerate(scene.shapes):
        if scene.shown[n]:
            encoded = [
                masks.encode(label == n + 1) if area else None
                for label, area in zip(labels, areas[n], strict=True)
            ]
            track = Track(0, video_id, spec.category_id(shape))
            tracks.append(track.with_masks(encoded))
    return tracks
