"""Claim: at the size of the YouTube-VIS 2019 validation set, evaluation is at least 20 times as
fast as pair by pair with pycocotools when every prediction meets every object (class-agnostic).

Class-aware, the official protocol compares few pairs, and both sides mostly read masks. With a mask
of its own for each prediction (`--queries 100`) evis gains less: what it saves there is merging,
not reading. `from files` is all that a user waits for, from two json files to the numbers.

    python benchmarks/ytvis_evaluation.py [--videos 302] [--queries 10]

The set is made up: 302 videos of 20 to 36 frames at 720 x 1280, 40 classes, 1.69 objects a video,
one of twenty a crowd, 100 predictions a video. Masks are ellipses with ragged edges that move and
breathe. Predictions are what query models such as Mask2Former-VIS write: the 100 best pairs of
query and class, so that one query's masks appear under several classes; `--queries` of them, some
near each object, the others elsewhere. `--queries 100` gives every prediction its own masks.

Pair by pair means the official protocol: `mask.area` of every predicted mask, then for each video
and class each prediction with each object, frame by frame the areas of `mask.merge` as intersection
and as union, then the plain loops over thresholds. Both sides start from the same parsed json and
ground truth, or from the same files, which the official way parses and believes, while evis checks
every field and every run. Both run on one thread, and the twelve numbers must agree to 1e-9.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from command import finish, parser_of

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from pycocotools import mask as coco

from evis.data import annotations, files, masks
from evis.data.types import Category, Track, Video, VISDataset
from evis.metrics import average_precision, ytvis

HEIGHT, WIDTH, CLASSES, PREDICTIONS = 720, 1280, 40, 100
OBJECTS = (1, 2, 3, 4)
A_CROWD = 20  # one of so many objects
OBJECT_SHARES = (0.55, 0.27, 0.12, 0.06)  # 1.69 objects a video
TYPICAL_SIDE, SIDE_SPREAD = 170.0, 0.6  # root of the area: lognormal, small to large


def ellipses(path: np.ndarray, rng: np.random.Generator) -> list[masks.RLE | None]:
    """One mask a row of `path` (frames, 4): centre x and y, half width and half height."""
    tracked = []
    for x, y, across, down in path:
        columns = np.arange(max(0, int(x - across)), min(WIDTH, int(x + across) + 1))
        half = down * np.sqrt(np.maximum(0.0, 1 - ((columns - x) / across) ** 2))
        ragged = rng.integers(-1, 2, (2, len(columns)))
        top = np.clip(np.rint(y - half) + ragged[0], 0, HEIGHT - 1).astype(int)
        bottom = np.clip(np.rint(y + half) + ragged[1], top + 1, HEIGHT).astype(int)
        if not len(columns):
            tracked.append(None)
            continue
        begins, ends = columns * HEIGHT + top, columns * HEIGHT + bottom
        joined = ends[:-1] == begins[1:]  # full columns: one run, as an encoder writes it
        begins, ends = begins[np.append(True, ~joined)], ends[np.append(~joined, True)]
        edges = np.stack([begins, ends], axis=1).ravel()
        runs = np.diff(edges, prepend=0, append=HEIGHT * WIDTH)
        tracked.append(masks.from_runs(runs, HEIGHT, WIDTH))
    return tracked


def path(frames: int, rng: np.random.Generator) -> np.ndarray:
    """(frames, 4) of an ellipse that drifts and changes size."""
    time_ = np.linspace(0, 1, frames)
    side = TYPICAL_SIDE * np.exp(SIDE_SPREAD * rng.normal()) * np.sqrt(4 / np.pi) / 2
    stretch = np.exp(0.3 * rng.normal())
    x = rng.uniform(0.15, 0.85) * WIDTH + rng.normal() * 150 * time_
    y = rng.uniform(0.15, 0.85) * HEIGHT + rng.normal() * 80 * time_
    breath = 1 + 0.15 * np.sin(rng.uniform(0, 6) + 4 * time_)
    return np.stack([x, y, side * stretch * breath, side / stretch * breath], axis=1)


def build(videos: int, queries: int) -> tuple[VISDataset, list[dict]]:
    rng = np.random.default_rng(0)
    listed, tracks, rows = [], [], []
    for video_id in range(1, videos + 1):
        frames = int(rng.integers(20, 37))
        names = tuple(f"{video_id}/{frame:05d}.jpg" for frame in range(frames))
        listed.append(Video(video_id, str(video_id), HEIGHT, WIDTH, names))
        objects = [path(frames, rng) for _ in range(rng.choice(OBJECTS, p=OBJECT_SHARES))]
        common = int(rng.integers(1, CLASSES + 1))  # objects of a video often share a class
        for object_path in objects:
            category = common if rng.random() < 0.7 else int(rng.integers(1, CLASSES + 1))
            shape = tuple(ellipses(object_path, rng))
            areas = tuple(None if rle is None else float(masks.area(rle)) for rle in shape)
            number = len(tracks) + 1
            crowd = {"is_crowd": number % A_CROWD == 0}
            tracks.append(Track(number, video_id, category, masks=shape, areas=areas, **crowd))
        present = [track.category_id for track in tracks[-len(objects) :]]
        rows += predicted(video_id, frames, objects, present, queries, rng)
    categories = tuple(Category(number, f"class {number}") for number in range(1, CLASSES + 1))
    return VISDataset(tuple(listed), tuple(tracks), categories), rows


def predicted(video_id, frames, objects, present, queries, rng) -> list[dict]:
    """100 rows: each query under its best classes, the classes in the video first."""
    rows = []
    others = [c for c in range(1, CLASSES + 1) if c not in present]
    for query in range(queries):
        near = query < min(queries // 2, 3 * len(objects))
        if near:
            wobble = rng.normal(size=4) * (0.1, 0.1, 0.08, 0.08)
            base = objects[query % len(objects)]
            side = base[:, 2:].mean()
            moved = base + np.concatenate([wobble[:2] * side, np.zeros(2)])
            moved[:, 2:] *= 1 + wobble[2:]
        else:
            moved = path(frames, rng)
        shape = ellipses(moved, rng)
        classes = list(dict.fromkeys(present)) + list(rng.permutation(others))
        for place, category in enumerate(classes[: PREDICTIONS // queries]):
            score = round(float(rng.beta(4, 2) if near and not place else rng.beta(1, 6)), 4)
            row = {"video_id": video_id, "category_id": int(category), "score": score}
            rows.append(row | {"segmentations": shape})
    # As parsed from a file: no two rows share a string.
    return json.loads(json.dumps(rows))


def pair_by_pair(dataset: VISDataset, rows: list[dict], class_agnostic: bool) -> dict[str, float]:
    """The official protocol, one pair, one frame, one threshold at a time."""
    objects, found = defaultdict(list), defaultdict(list)
    for track in dataset.tracks:
        group = 0 if class_agnostic else track.category_id
        area = mean_area(track.areas)
        objects[track.video_id, group].append((track.masks, area, track.is_crowd))
    for row in rows:
        group = 0 if class_agnostic else row["category_id"]
        areas = [None if rle is None else coco.area(rle) for rle in row["segmentations"]]
        found[row["video_id"], group].append(
            (row["score"], row["category_id"], row["segmentations"], mean_area(areas))
        )
    groups = [0] if class_agnostic else [category.id for category in dataset.categories]
    precision = np.full((10, 101, len(groups), 4), np.nan)
    recall = np.full((10, len(groups), 4, 3), np.nan)
    for k, group in enumerate(groups):
        compared = []
        for video in dataset.videos:
            theirs = objects[video.id, group]
            ranked = sorted(found[video.id, group], key=lambda row: (-row[0], row[1]))[:100]
            ious = [[iou(row[2], masks_) for masks_, _, _ in theirs] for row in ranked]
            compared.append((theirs, ranked, ious))
        for a, (low, high) in enumerate(average_precision.AREA_RANGES.values()):
            matched = [match(*video, low, high) for video in compared]
            count = sum(video[0] for video in matched)
            for m, most in enumerate(average_precision.MAX_PREDICTIONS):
                if count:
                    curves = accumulate([video[1:] for video in matched], count, most)
                    recall[:, k, a, m] = curves[1]
                    if most == PREDICTIONS:
                        precision[:, :, k, a] = curves[0]
    names = ("AP", "AP_S", "AP_M", "AP_L"), ("AR100", "AR_S", "AR_M", "AR_L")
    stats = {name: np.nanmean(precision[..., a]) for a, name in enumerate(names[0])}
    stats |= {name: np.nanmean(recall[..., a, 2]) for a, name in enumerate(names[1])}
    stats |= {"AP50": np.nanmean(precision[0, ..., 0]), "AP75": np.nanmean(precision[5, ..., 0])}
    return stats | {"AR1": np.nanmean(recall[..., 0, 0]), "AR10": np.nanmean(recall[..., 0, 1])}


def mean_area(areas) -> float:
    visible = [area for area in areas if area]
    return float(np.mean(visible)) if visible else 0.0


def iou(predicted: list, wanted: tuple) -> float:
    shared = union = 0.0
    for one, other in zip(predicted, wanted, strict=True):
        if one and other:
            shared += coco.area(coco.merge([one, other], intersect=True))
            union += coco.area(coco.merge([one, other], intersect=False))
        elif one or other:
            union += coco.area(one or other)
    return shared / union if union else 0.0


def match(theirs, ranked, ious, low, high):
    """How many objects count, and scores, hits and ignored (10, predictions) of one video."""
    outside = [is_crowd or not low <= area <= high for _, area, is_crowd in theirs]
    order = sorted(range(len(theirs)), key=lambda g: outside[g])
    hit = np.zeros((10, len(ranked)), dtype=bool)
    ignored = np.zeros((10, len(ranked)), dtype=bool)
    for t, threshold in enumerate(average_precision.IOU_THRESHOLDS):
        taken = set()
        for d, row in enumerate(ranked):
            best, chosen = threshold, None
            for g in order:
                if g in taken and not theirs[g][2]:  # a crowd takes any number
                    continue
                if chosen is not None and not outside[chosen] and outside[g]:
                    break
                if ious[d][g] >= best:
                    best, chosen = ious[d][g], g
            if chosen is not None:
                taken.add(chosen)
                hit[t, d], ignored[t, d] = True, outside[chosen]
            else:
                ignored[t, d] = not low <= row[3] <= high
    return len(theirs) - sum(outside), [row[0] for row in ranked], hit, ignored


def accumulate(videos, count: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    scores = np.concatenate([scores[:most] for scores, _, _ in videos])
    order = np.argsort(-scores, kind="stable")
    hit = np.concatenate([hit[:, :most] for _, hit, _ in videos], axis=1)[:, order]
    ignored = np.concatenate([ignored[:, :most] for _, _, ignored in videos], axis=1)[:, order]
    right, wrong = np.cumsum(hit & ~ignored, axis=1), np.cumsum(~hit & ~ignored, axis=1)
    precision, recall = np.zeros((10, 101)), np.zeros(10)
    if len(scores):
        for t in range(10):
            reached = right[t] / count
            best = np.maximum.accumulate((right[t] / np.maximum(right[t] + wrong[t], 1))[::-1])
            for r, level in enumerate(average_precision.RECALL_LEVELS):
                place = np.searchsorted(reached, level)
                precision[t, r] = best[::-1][place] if place < len(reached) else 0.0
            recall[t] = reached[-1]
    return precision, recall


def official_from_files(truth: Path, predictions: Path) -> dict[str, float]:
    """Class-aware, with nothing checked."""
    content = json.loads(truth.read_text())
    tracks = [
        Track(
            row["id"],
            row["video_id"],
            row["category_id"],
            masks=row["segmentations"],
            areas=row["areas"],
            is_crowd=bool(row["iscrowd"]),
        )
        for row in content["annotations"]
    ]
    videos = tuple(
        Video(row["id"], "", row["height"], row["width"], row["file_names"])
        for row in content["videos"]
    )
    categories = tuple(Category(row["id"], row["name"]) for row in content["categories"])
    dataset = VISDataset(videos, tuple(tracks), categories)
    return pair_by_pair(dataset, json.loads(predictions.read_text()), class_agnostic=False)


def peak_memory(truth: Path, predictions: Path) -> float:
    """GiB of a process that evaluates the files."""
    command = [sys.executable, __file__, "--memory", str(truth), str(predictions)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def timed(function, *arguments, repeats: int = 1):
    """The result, and the seconds of processor time: the machine may be shared."""
    seconds = []
    for _ in range(repeats):
        begin = time.process_time()
        result = function(*arguments)
        seconds.append(time.process_time() - begin)
    return result, min(seconds)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--videos", type=int, default=302)
    parser.add_argument("--queries", type=int, default=10, help="distinct masks a video")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        ytvis.evaluate(*options.memory, progress=False)
        # Not getrusage: its peak begins with that of the process which started this one.
        peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
        print(int(peak) / 2**20)
        return
    recipe = {
        "name": "benchmark ytvis evaluation",
        "videos": options.videos,
        "queries": options.queries,
    }
    finish(options, recipe, "made-up tracks", lambda: run(options))


def run(options: argparse.Namespace) -> dict[str, float]:
    dataset, rows = build(options.videos, options.queries)
    gc.collect()
    gc.freeze()  # neither side pays for the garbage collector's walks through the set
    frames = sum(video.length for video in dataset.videos)
    print(
        f"{len(dataset.videos)} videos, {frames} frames, {len(dataset.tracks)} objects, "
        f"{len(rows)} predictions with {options.queries} distinct masks a video"
    )
    metrics = {}
    for class_agnostic in (False, True):
        fast, seconds = timed(ytvis.evaluate, dataset, rows, class_agnostic, False, repeats=3)
        slow, slow_seconds = timed(pair_by_pair, dataset, rows, class_agnostic)
        difference = max(abs(slow[name] - value) for name, value in fast.stats.items())
        assert difference < 1e-9, f"the numbers differ by {difference}"
        mode = "class-agnostic" if class_agnostic else "class-aware"
        metrics |= {
            f"{mode}, pair by pair, s": slow_seconds,
            f"{mode}, evis, s": seconds,
            f"{mode}, times as fast": slow_seconds / seconds,
        }
        print(
            f"{mode:14}  AP {slow['AP']:.4f}  "
            f"pair by pair {slow_seconds:6.2f} s  evis {seconds:5.2f} s  "
            f"{slow_seconds / seconds:5.1f} times as fast  largest difference {difference:.0e}"
        )
    with tempfile.TemporaryDirectory() as folder:
        truth = annotations.write(dataset, Path(folder) / "truth.json")
        predictions = files.write_json(Path(folder) / "predictions.json", rows)
        del dataset, rows
        return metrics | from_files(truth, predictions)


def from_files(truth: Path, predictions: Path) -> dict[str, float]:
    size = predictions.stat().st_size / 2**30
    fast, seconds = timed(ytvis.evaluate, truth, predictions, False, False)
    slow, slow_seconds = timed(official_from_files, truth, predictions)
    difference = max(abs(slow[name] - value) for name, value in fast.stats.items())
    assert difference < 1e-9, f"the numbers differ by {difference}"
    memory = peak_memory(truth, predictions)
    print(
        f"from files      pair by pair {slow_seconds:6.2f} s  evis {seconds:5.2f} s  "
        f"{slow_seconds / seconds:5.1f} times as fast\n"
        f"peak memory of evis: {memory:.2f} GiB for {size:.2f} GiB of predictions"
    )
    return {
        "from files, pair by pair, s": slow_seconds,
        "from files, evis, s": seconds,
        "from files, times as fast": slow_seconds / seconds,
        "predictions, GiB": size,
        "peak memory, GiB": memory,
    }


if __name__ == "__main__":
    main()
