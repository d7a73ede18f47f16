"""The YouTube-VIS evaluator: the official numbers, a brute-force twin on dense masks, bad input."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import DataError, masks, predictions, ytvis
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.data.types import Video
from evis.metrics import average_precision, track_iou
from evis.metrics import ytvis as metric

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("ytvis_*.npz"))
STATS = [
    "AP",
    "AP50",
    "AP75",
    "AP_S",
    "AP_M",
    "AP_L",
    "AR1",
    "AR10",
    "AR100",
    "AR_S",
    "AR_M",
    "AR_L",
]


def load_golden(path: Path) -> tuple[dict, list, dict]:
    with np.load(path) as stored:
        return tuple(
            json.loads(stored[name].tobytes())
            for name in ("ground_truth", "predictions", "official")
        )


def evaluate(*arguments, **options):
    return metric.evaluate(*arguments, progress=False, **options)


def same(found: dict, expected: dict) -> None:
    """Equal numbers; the official -1 is NaN."""
    assert list(found) == STATS
    for name, value in expected.items():
        value = math.nan if value in (-1, None) else value
        assert found[name] == pytest.approx(value, abs=1e-9, nan_ok=True), name


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_some_classes_are_scored_as_if_there_were_no_others(path):
    truth, predicted, _ = load_golden(path)
    whole = evaluate(truth, predicted)
    for kept in ([c.name for c in whole.classes[::2]], [whole.classes[-1].name]):
        found = whole.of_classes(kept)
        ids = {c["id"] for c in truth["categories"] if c["name"] in kept}
        fewer = truth | {
            "categories": [c for c in truth["categories"] if c["id"] in ids],
            "annotations": [a for a in truth["annotations"] if a["category_id"] in ids],
        }
        alone = evaluate(fewer, [p for p in predicted if p["category_id"] in ids])
        same(found.stats, alone.stats)
        assert found.per_class().equals(alone.per_class())
    assert math.isnan(whole.of_classes([]).stats["AP"])


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_equals_the_official_evaluator(path, tmp_path):
    truth, predicted, official = load_golden(path)
    aware, agnostic = evaluate(truth, predicted), evaluate(truth, predicted, class_agnostic=True)
    same(aware.stats, official["stats"])
    same(agnostic.stats, official["class_agnostic"])
    per_class = aware.per_class().set_index("category")["AP"]
    for category, value in official["per_class_AP"].items():
        assert per_class[int(category)] == pytest.approx(
            math.nan if value is None else value, abs=1e-9, nan_ok=True
        )

    truth_file, file, packed = (tmp_path / name for name in ("gt.json", "p.json", "p.zip"))
    truth_file.write_text(json.dumps(truth))
    file.write_text(json.dumps(predicted))
    dataset = ytvis.read(truth_file)
    tracks = predictions.read(file, dataset)
    predictions.write(tracks, packed)
    for source in (file, packed, tracks):
        same(evaluate(dataset, source).stats, aware.stats)
    same(evaluate(truth_file, file).stats, aware.stats)


def test_there_are_golden_cases():
    assert len(GOLDEN) == 4


# A twin of the evaluator, slow and plain, on dense masks.


def dense(track: list, shape: tuple) -> np.ndarray:
    return np.stack([np.zeros(shape, bool) if m is None else masks.decode(m) for m in track])


class DenseIoU(dict):
    """`id()` of a prediction's row and of an object's -> IoU, worked out when asked for."""

    def __init__(self, video: dict):
        self.shape = video["height"], video["width"]
        self.masks: dict[int, np.ndarray] = {}

    def mask(self, row: dict) -> np.ndarray:
        if id(row) not in self.masks:
            self.masks[id(row)] = dense(row["segmentations"], self.shape)
        return self.masks[id(row)]

    def of(self, row: dict, other: dict) -> float:
        key = id(row), id(other)
        if key not in self:
            mask, other_mask = self.mask(row), self.mask(other)
            union = (mask | other_mask).sum()
            self[key] = (mask & other_mask).sum() / union if union else 0.0
        return self[key]


def twin(truth: dict, predicted: list, class_agnostic: bool) -> dict[str, float]:
    ious = DenseIoU(truth["videos"][0])
    groups = [0] if class_agnostic else sorted(c["id"] for c in truth["categories"])
    curves: dict[str, list] = {name: [] for name in STATS}
    for group in groups:
        for name, (low, high) in average_precision.AREA_RANGES.items():
            for most in (1, 10, 100):
                for number, threshold in enumerate(average_precision.IOU_THRESHOLDS):
                    listed, count = [], 0
                    for video in sorted(truth["videos"], key=lambda video: video["id"]):
                        outcome = match_video(
                            [a for a in truth["annotations"] if in_group(a, video, group)],
                            [p for p in predicted if in_group(p, video, group)],
                            (threshold, low, high, most, ious),
                        )
                        count += outcome[0]
                        listed += outcome[1]
                    if count:
                        collect(curves, precision_and_recall(listed, count), name, most, number)
    return {name: float(np.mean(values)) if values else -1 for name, values in curves.items()}


def in_group(row: dict, video: dict, group: int) -> bool:
    return row["video_id"] == video["id"] and group in (0, row["category_id"])


def collect(curves, result, area, most, number):
    precision, recall = result
    if area == "all":
        curves[f"AR{most}"].append(recall)
    if most == 100:
        curves["AP" if area == "all" else f"AP_{area}"].append(precision)
        if area != "all":
            curves[f"AR_{area}"].append(recall)
        elif number in (0, 5):
            curves["AP50" if number == 0 else "AP75"].append(precision)


def match_video(objects, found, setting):
    threshold, low, high, most, ious = setting
    objects = sorted(objects, key=lambda row: row["category_id"])
    found = sorted(found, key=lambda row: (-row["score"], row["category_id"]))[:most]
    mean = lambda areas: np.mean([a for a in areas if a]) if any(areas) else 0  # noqa: E731
    ignored = [bool(o["iscrowd"]) or not low <= mean(o["areas"]) <= high for o in objects]
    taken, listed = set(), []
    for row in found:
        fits = []
        for n, other in enumerate(objects):
            iou = ious.of(row, other)
            if iou >= threshold and (n not in taken or other["iscrowd"]):
                fits.append((not ignored[n], iou, n))
        if fits:
            chosen = max(fits)[2]
            taken.add(chosen)
            right = None if ignored[chosen] else True
        else:
            area = mean(ious.mask(row).sum(axis=(1, 2)))
            right = False if low <= area <= high else None
        listed.append((row["score"], right))
    return len(objects) - sum(ignored), listed


def precision_and_recall(listed: list, count: int) -> tuple[float, float]:
    points, right, wrong = [], 0, 0
    for _, outcome in sorted(listed, key=lambda entry: -entry[0]):
        right += outcome is True
        wrong += outcome is False
        points.append((right / count, right / (right + wrong) if right else 0.0))
    best = [
        max((precision for recall, precision in points if recall >= level), default=0.0)
        for level in average_precision.RECALL_LEVELS
    ]
    return float(np.mean(best)), right / count


HEIGHT, WIDTH = 5, 4


def one_mask():
    bits = st.lists(st.booleans(), min_size=HEIGHT * WIDTH, max_size=HEIGHT * WIDTH)
    blocks = st.tuples(*(st.integers(0, side) for side in (HEIGHT, HEIGHT, WIDTH, WIDTH)))
    return st.none() | blocks.map(block) | bits.map(lambda b: np.reshape(b, (HEIGHT, WIDTH)))


def block(corners: tuple) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[min(corners[:2]) : max(corners[:2]), min(corners[2:]) : max(corners[2:])] = True
    return mask


def encode_track(track: list) -> list:
    return [None if mask is None else masks.encode(mask) for mask in track]


@st.composite
def cases(draw) -> tuple[dict, list]:
    lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    videos = [
        {
            "id": 7 - n,
            "height": HEIGHT,
            "width": WIDTH,
            "length": length,
            "file_names": [f"{n}/{t}.jpg" for t in range(length)],
        }
        for n, length in enumerate(lengths)
    ]
    pool = {
        v["id"]: draw(
            st.lists(st.lists(one_mask(), min_size=n, max_size=n), min_size=1, max_size=3)
        )
        for v, n in zip(videos, lengths, strict=True)
    }
    annotations, predicted = [], []
    for number in range(draw(st.integers(0, 5))):
        video = draw(st.sampled_from(videos))
        track = encode_track(draw(st.sampled_from(pool[video["id"]])))
        size = draw(st.sampled_from([None, 16384.0, 30000.0, 65536.0, 90000.0]))
        areas = [m and (size or float(masks.area(m))) for m in track]
        row = {"id": number + 1, "video_id": video["id"], "segmentations": track, "areas": areas}
        row["category_id"] = draw(st.integers(1, 2))
        row["iscrowd"] = int(draw(st.integers(0, 4)) == 0)
        annotations.append(row)
    for _ in range(draw(st.integers(0, 8))):
        video = draw(st.sampled_from(videos))
        row = {"video_id": video["id"], "category_id": draw(st.integers(1, 2))}
        row["score"] = draw(st.sampled_from([0.1, 0.5, 0.9]))
        row["segmentations"] = encode_track(draw(st.sampled_from(pool[video["id"]])))
        predicted.append(row)
    categories = [{"id": 2, "name": "two"}, {"id": 1, "name": "one"}]
    return {"videos": videos, "categories": categories, "annotations": annotations}, predicted


@pytest.mark.slow
@settings(max_examples=60)
@given(cases())
def test_equals_the_twin_on_dense_masks(case):
    truth, predicted = case
    for class_agnostic in (False, True):
        found = evaluate(truth, predicted, class_agnostic=class_agnostic).stats
        same(found, twin(truth, predicted, class_agnostic))


def crowded(seed: int) -> tuple[dict, list]:
    """A set with all that is rare at once: many crowds, objects of every area range and of its very
    ends, a class without objects, one without predictions, ties, more than a hundred predictions a
    video and class, and empty ones."""
    rng = np.random.default_rng(seed)
    videos, annotations, predicted = [], [], []
    for number in range(10):
        frames = int(rng.integers(1, 4))
        names = [f"{number}/{t}.jpg" for t in range(frames)]
        video = {"id": 30 - number, "height": 8, "width": 9, "length": frames, "file_names": names}
        videos.append(video)
        shapes = [rng.random((frames, 8, 9)) < 0.5 for _ in range(5)]
        for _ in range(int(rng.integers(0, 8))):
            shape = shapes[rng.integers(5)] ^ (rng.random((frames, 8, 9)) < 0.1)
            seen = rng.random(frames) < 0.9
            track = [masks.encode(m) if s else None for m, s in zip(shape, seen, strict=True)]
            area = rng.choice([5.0, 128.0**2, 128.0**2 + 0.5, 256.0**2, 256.0**2 + 0.5])
            row = {"id": len(annotations) + 1, "video_id": video["id"], "segmentations": track}
            row["category_id"] = int(rng.choice([1, 1, 1, 2, 4]))
            row["iscrowd"] = int(rng.random() < 0.3)
            annotations.append(row | {"areas": [m and float(area) for m in track]})
        for _ in range(170 if number == 3 else 25):
            flipped = rng.random((frames, 8, 9)) < rng.choice([0.0, 0.05, 0.1, 0.2, 1.0])
            shape = shapes[rng.integers(5)] ^ flipped
            row = {"video_id": video["id"], "score": float(rng.integers(0, 12)) / 10}
            row["category_id"] = 1 if number == 3 else int(rng.choice([1, 1, 2, 3]))
            predicted.append(row | {"segmentations": encode_track(list(shape))})
    categories = [{"id": n, "name": str(n)} for n in (3, 1, 4, 2)]
    return {"videos": videos, "categories": categories, "annotations": annotations}, predicted


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_twin_on_crowded_sets(seed):
    truth, predicted = crowded(seed)
    assert sum(row["iscrowd"] for row in truth["annotations"]) > 4
    for class_agnostic in (False, True):
        expected = twin(truth, predicted, class_agnostic)
        assert 0 < expected["AP"] < 1 and expected["AP_S"] != expected["AP_L"]
        same(evaluate(truth, predicted, class_agnostic=class_agnostic).stats, expected)


def test_the_twin_equals_the_official_evaluator_where_it_is_quick():
    truth, predicted, official = load_golden(GOLDEN[0])
    expected = twin(truth, predicted, class_agnostic=False)
    for name, value in official["stats"].items():
        assert expected[name] == pytest.approx(value, abs=1e-9), name


# What must hold whatever the numbers are.


def as_predictions(truth: dict) -> list[dict]:
    return [
        {key: row[key] for key in ("video_id", "category_id", "segmentations")} | {"score": 0.9}
        for row in truth["annotations"]
        if not row["iscrowd"]
    ]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_ground_truth_as_prediction_is_perfect(path):
    truth, _, _ = load_golden(path)
    # AR1 and AR10 may stay below 1: a video and class may hold more objects.
    for class_agnostic in (False, True):
        stats = evaluate(truth, as_predictions(truth), class_agnostic=class_agnostic).stats
        for name in STATS:
            if name not in ("AR1", "AR10"):
                assert stats[name] == pytest.approx(1) or math.isnan(stats[name]), name
    assert metric.mean_iou(truth, as_predictions(truth), progress=False) == 1


def test_order_of_videos_and_predictions_changes_nothing():
    truth, predicted, _ = load_golden(GOLDEN[3])
    distinct = [row | {"score": 0.9 - n / 1000} for n, row in enumerate(predicted)]
    expected = evaluate(truth, distinct).stats
    turned = truth | {"videos": truth["videos"][::-1], "categories": truth["categories"][::-1]}
    same(evaluate(turned, distinct[::-1]).stats, expected)


def test_a_repeated_prediction_with_a_lower_score_never_helps():
    truth, predicted, _ = load_golden(GOLDEN[0])
    before = evaluate(truth, predicted).stats["AP"]
    for row in predicted[:8]:
        after = evaluate(truth, [*predicted, row | {"score": row["score"] / 2}]).stats["AP"]
        assert after <= before + 1e-12


def test_what_only_a_crowd_explains_costs_nothing():
    truth, _, _ = load_golden(GOLDEN[2])
    crowd = next(row for row in truth["annotations"] if row["iscrowd"])
    extra = [{key: crowd[key] for key in ("video_id", "category_id", "segmentations")}] * 5
    rows = as_predictions(truth) + [row | {"score": 1.0} for row in extra]
    assert evaluate(truth, rows).stats["AP"] == pytest.approx(1)


def test_only_the_best_hundred_of_a_video_and_class_count():
    truth = hand_made(GOOD)
    filler = GOOD | {"segmentations": [None], "score": 1.0}
    assert evaluate(truth, [filler] * 99 + [GOOD]).stats["AR100"] == 1
    assert evaluate(truth, [filler] * 100 + [GOOD]).stats["AR100"] == 0
    assert evaluate(truth, [filler] * 9 + [GOOD]).stats["AR10"] == 1
    assert evaluate(truth, [filler] * 10 + [GOOD]).stats["AR10"] == 0
    other_class = [filler | {"category_id": 2}] * 100
    assert evaluate(truth, [*other_class, GOOD]).stats["AR100"] == 1
    assert evaluate(truth, [*other_class, GOOD], class_agnostic=True).stats["AR100"] == 0


# Results beside the summary.


def test_without_predictions_or_objects():
    truth, _, _ = load_golden(GOLDEN[0])
    nothing = evaluate(truth, [])
    assert nothing.stats["AP"] == 0 and math.isnan(nothing.stats["AP_L"])
    assert nothing.per_video()["mean_best_iou"].eq(0).all()
    bare = evaluate(truth | {"annotations": []}, as_predictions(truth))
    assert all(math.isnan(value) for value in bare.stats.values())
    assert bare.per_class()["AP"].isna().all() and bare.per_video()["AP"].isna().all()
    assert math.isnan(
        metric.mean_iou(truth | {"annotations": []}, as_predictions(truth), progress=False)
    )


def test_tables_and_curves_agree_with_the_summary():
    truth, predicted, _ = load_golden(GOLDEN[3])
    result = evaluate(truth, predicted)
    assert dict(result.table().itertuples(index=False)) == pytest.approx(result.stats, nan_ok=True)
    assert result.precision.shape == (10, 101, 3, 4, 3) and result.recall.shape == (10, 3, 4, 3)
    steps = np.diff(result.precision[..., 0, :], axis=1)  # every class has objects
    assert (steps <= 0).all() and (steps < 0).any()
    per_class = result.per_class()
    assert per_class["AP"].mean() == pytest.approx(result.stats["AP"])
    assert per_class["AR10"].mean() == pytest.approx(result.stats["AR10"])
    assert per_class["objects"].sum() == len(truth["annotations"])


def test_a_video_row_is_the_evaluation_of_that_video_alone():
    truth, predicted, _ = load_golden(GOLDEN[2])
    table = evaluate(truth, predicted).per_video().set_index("video")
    for video in truth["videos"]:
        alone = truth | {
            "videos": [video],
            "annotations": [a for a in truth["annotations"] if a["video_id"] == video["id"]],
        }
        stats = evaluate(alone, [p for p in predicted if p["video_id"] == video["id"]]).stats
        assert table.loc[video["id"], "AP"] == pytest.approx(stats["AP"], nan_ok=True)
        assert table.loc[video["id"], "AR100"] == pytest.approx(stats["AR100"], nan_ok=True)


def row_of(*columns: slice, category: int = 1, score: float = 0.5, **more) -> dict:
    """A track in a one-row video of ten pixels, a slice of columns a frame."""
    track = [np.zeros((1, 10), dtype=bool) for _ in columns]
    for mask, part in zip(track, columns, strict=True):
        mask[0, part] = True
    track = encode_track(track)
    return {"video_id": 1, "category_id": category, "segmentations": track, "score": score} | more


def hand_made(*tracks: dict) -> dict:
    frames = len(tracks[0]["segmentations"])
    names = [f"a/{t}.jpg" for t in range(frames)]
    video = {"id": 1, "height": 1, "width": 10, "length": frames, "file_names": names}
    return {
        "videos": [video],
        "categories": [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}],
        "annotations": [{"id": n, "iscrowd": 0} | track for n, track in enumerate(tracks, 1)],
    }


def test_mean_iou_assigns_one_prediction_to_one_object():
    left, right = row_of(slice(0, 4), slice(0, 4)), row_of(slice(4, 8), slice(4, 8))
    crowd = row_of(slice(0, 10), slice(0, 10), iscrowd=1)
    truth = hand_made(left, right, crowd)
    # Against the left object 6/10, against the right one 2/12; then 4/8 and 0.
    wide = row_of(slice(0, 4), slice(0, 6), category=2)
    half = row_of(slice(0, 2), slice(0, 2))
    table = metric.object_ious(truth, [wide, half], progress=False)
    # 0.8 + 0 loses against 0.5 + 2/16.
    assert table["object"].tolist() == [1, 2]
    assert table["iou"].tolist() == pytest.approx([0.8, 0.0])
    assert metric.mean_iou(truth, [wide, half], progress=False) == pytest.approx(0.4)
    aware = metric.object_ious(truth, [wide, half], class_agnostic=False, progress=False)
    assert aware["iou"].tolist() == pytest.approx([0.5, 0.0])


def test_a_frame_seen_by_one_side_only_adds_to_the_union():
    truth = hand_made(row_of(slice(0, 4), slice(0, 4)))
    missing = row_of(slice(0, 4), slice(0, 4))
    missing["segmentations"][1] = None
    assert metric.mean_iou(truth, [missing], progress=False) == pytest.approx(4 / 8)


# Runs.


@settings(max_examples=80)
@given(st.lists(st.lists(one_mask(), min_size=2, max_size=2), min_size=1, max_size=4))
def test_runs_hold_the_masks(tracks):
    pixels = HEIGHT * WIDTH
    encoded = [encode_track(track) for track in tracks]
    runs = track_iou.take_apart(encoded, pixels)
    for n, track in enumerate(tracks):
        line = np.zeros(2 * pixels, dtype=bool)
        own = runs.between(n, 0, 2)
        for start, end in zip(runs.starts[own], runs.ends[own], strict=True):
            line[start:end] = True
        empty = np.zeros((HEIGHT, WIDTH), dtype=bool)
        frames = [empty if mask is None else mask for mask in track]
        expected = np.concatenate([np.asarray(frame).ravel(order="F") for frame in frames])
        assert (line == expected).all()
        assert runs.areas[n].tolist() == [frame.sum() for frame in frames]


def test_large_frames_and_more_masks_than_a_block():
    rng = np.random.default_rng(0)
    shape = (720, 1280)
    stack = np.zeros((2, 70, *shape), dtype=bool)
    for track in stack:
        for frame in track:
            y, x = rng.integers(0, 600), rng.integers(0, 1100)
            frame[y : y + rng.integers(1, 120), x : x + rng.integers(1, 180)] = True
            frame[rng.integers(0, 720), rng.integers(0, 1280)] = True
    video = Video(1, "a", *shape, tuple(map(str, range(70))))
    tracks = [encode_track(track) for track in stack]
    iou = track_iou.compare(tracks, tracks, np.ones((2, 2), dtype=bool), video).ious
    expected = (stack[0] & stack[1]).sum() / (stack[0] | stack[1]).sum()
    assert iou.tolist() == [[1, expected], [expected, 1]]


def test_a_long_video_goes_through_in_blocks(monkeypatch):
    """The sums over blocks are those over the whole, wherever blocks end."""
    rng = np.random.default_rng(0)
    stack = rng.random((5, 23, 6, 7)) < 0.4
    stack[1:] |= stack[0] & (rng.random((4, 23, 6, 7)) < 0.8)
    tracks = [encode_track(list(track)) for track in stack]
    tracks[2][3:9] = [None] * 6
    stack[2, 3:9] = False
    video = Video(1, "a", 6, 7, tuple(map(str, range(23))))
    wanted = np.ones((3, 2), dtype=bool)
    expected = [[(a & b).sum() / (a | b).sum() for b in stack[3:]] for a in stack[:3]]
    for block in (1, 5, 15, 100, 1000):
        monkeypatch.setattr(track_iou, "_BLOCK", block)
        overlap = track_iou.compare(tracks[:3], tracks[3:], wanted, video)
        assert overlap.ious.tolist() == expected
        assert (overlap.areas == stack[:3].sum((2, 3))).all()
        assert (overlap.object_areas == stack[3:].sum((2, 3))).all()


@pytest.mark.filterwarnings("error")
def test_runs_of_length_zero_change_nothing():
    plain = row_of(slice(2, 6))
    padded = row_of(slice(2, 6))
    padded["segmentations"] = [masks.from_runs([0, 0, 2, 1, 0, 3, 4, 0], 1, 10)]
    for one, other in ((plain, padded), (padded, plain), (padded, padded)):
        assert metric.mean_iou(hand_made(one), [other], progress=False) == 1


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [1, 10], "counts": [2, 4, 4]},
        masks.from_runs([2, 4, 4], 1, 10) | {"size": (1, 10)},
        [[2.0, 0.0, 6.0, 0.0, 6.0, 1.0, 2.0, 1.0]],
    ],
    ids=["plain runs", "size as a tuple", "polygon"],
)
def test_other_codes_are_taken_on_both_sides(segmentation):
    plain, other = row_of(slice(2, 6)), row_of(slice(2, 6), segmentations=[segmentation])
    assert metric.mean_iou(hand_made(other), [plain], progress=False) == 1
    assert metric.mean_iou(hand_made(plain), [other, plain | {"score": 0.1}], progress=False) == 1


# Bad input.

SHORT = row_of(slice(2, 6), slice(2, 6))
GOOD = row_of(slice(2, 6))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (SHORT, ["segmentations", "has 2 entries", "1 frames"]),
        ({"segmentations": [masks.encode(np.ones((10, 1), bool))]}, ["size", "frame 0"]),
        ({"segmentations": [{"size": [1, 10], "counts": "24"}]}, ["covers 6 pixels"]),
        ({"segmentations": [{"size": [1, 10], "counts": "Z"}]}, ["damaged"]),
        ({"segmentations": [{"size": [1, 10], "counts": "2é4"}]}, ["damaged"]),
        ({"segmentations": [{"size": [1, 10], "counts": ""}]}, ["covers 0 pixels"]),
        ({"segmentations": [{"size": [1, 10], "counts": "P" * 11 + "0"}]}, ["damaged"]),
        ({"segmentations": [{"size": [1, 10]}]}, ["should be an RLE"]),
        ({"segmentations": ["240"]}, ["should be an RLE"]),
        ({"segmentations": None}, ["should be a list"]),
        ({"score": math.nan}, ["score", "nan"]),
        ({"score": "high"}, ["score"]),
        ({"score": []}, ["score"]),
        ({"video_id": 9}, ["is 9", "video_id"]),
        ({"category_id": 9}, ["one of 1, 2, is 9"]),
        ({"category_id": None}, ["category_id"]),
    ],
)
def test_bad_predictions_are_named(change, said, tmp_path):
    rows = [GOOD, GOOD | change]
    with pytest.raises(DataError) as caught:
        evaluate(hand_made(GOOD), rows)
    message = str(caught.value)
    assert "predictions[1]" in message
    if "video_id" not in change or change is SHORT:
        assert "video a" in message
    for part in said:
        assert part in message

    file = tmp_path / "results.json"
    file.write_text(json.dumps(rows))
    with pytest.raises(DataError) as caught:
        evaluate(hand_made(GOOD), file)
    assert str(file) in str(caught.value)


def test_bad_predicted_tracks_are_named():
    rle = masks.encode(np.ones((10, 1), dtype=bool))
    with pytest.raises(DataError, match=r"video a, frame 0, field predictions\[0\].segmentations"):
        evaluate(hand_made(GOOD), [PredictedTrack(1, 1, 0.5, (rle,))])


def test_a_row_that_the_limit_drops_is_checked_too():
    bad = GOOD | {"segmentations": [], "score": 0.0}
    with pytest.raises(DataError, match=r"predictions\[100\]"):
        evaluate(hand_made(GOOD), [GOOD] * 100 + [bad])


def test_bad_files_are_named(tmp_path):
    for name, content in (("p.json", b"[{"), ("p.zip", b"no zip"), ("q.json", b"{}")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            evaluate(hand_made(GOOD), tmp_path / name)


def test_ground_truth_without_masks_is_refused(tmp_path):
    truth = hand_made(GOOD)
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    boxes = weaken(ytvis.read(tmp_path / "gt.json"), "box")
    del truth["annotations"]
    for source in (boxes, truth):
        with pytest.raises(DataError, match="holds no masks"):
            evaluate(source, [GOOD])


@pytest.mark.parametrize("counts", ["24", "é", "240"])
def test_a_broken_data_set_made_by_hand_is_named(counts, tmp_path):
    (tmp_path / "gt.json").write_text(json.dumps(hand_made(GOOD)))
    dataset = ytvis.read(tmp_path / "gt.json")
    size = [1, 10] if counts != "240" else [10, 1]
    broken = replace(dataset.tracks[0], masks=({"size": size, "counts": counts},))
    with pytest.raises(DataError, match="video a, field masks"):
        evaluate(replace(dataset, tracks=(broken,)), [GOOD])


# Made labels: their classes and videos are the truth's by name, whatever their ids.


def labels(truth: dict, names: tuple, tmp_path: Path, origin: str = "made by hand"):
    """The truth's tracks as made labels whose classes have these names, by the same ids."""
    categories = [{"id": n, "name": name} for n, name in enumerate(names, start=1)]
    file = tmp_path / "labels.json"
    info = {"origin": origin, "supervision": "none"}
    file.write_text(json.dumps(truth | {"categories": categories, "info": info}))
    return ytvis.read(file)


def test_classes_of_made_labels_are_told_by_their_names(tmp_path):
    truth = hand_made(row_of(slice(0, 5)), row_of(slice(5, 9), category=2))
    for names, expected in ((("one", "two"), 1), (("Two", "one"), 0), (("three", "two"), 0.5)):
        made = labels(truth, names, tmp_path)
        assert evaluate(truth, made).stats["AP"] == pytest.approx(expected), names
        assert evaluate(truth, made, class_agnostic=True).stats["AP"] == pytest.approx(1)
    objects = labels(truth, ("object", "thing"), tmp_path)
    with pytest.raises(DataError, match="no class of the labels .* one, two; .*--class-agnostic"):
        evaluate(truth, objects)
    assert evaluate(truth, objects, class_agnostic=True).stats["AP"] == pytest.approx(1)


def test_made_labels_of_other_videos_are_refused(tmp_path):
    truth = hand_made(row_of(slice(0, 5), slice(0, 5)))
    made = labels(truth, ("one", "two"), tmp_path)
    (video,) = made.videos
    elsewhere = replace(video, name="mine/a", frames=("mine/a/00.png", "mine/a/01.png"))
    flat = replace(video, name="root", frames=("root/a/0.jpg", "root/a/1.jpg"))
    for same_one in (video, elsewhere, flat):
        assert evaluate(truth, replace(made, videos=(same_one,))).stats["AP"] == pytest.approx(1)
    other = replace(video, name="b", frames=("b/0.jpg", "b/1.jpg"))
    for class_agnostic in (False, True):
        with pytest.raises(DataError, match="video b, field video_id 1: is no video of these"):
            evaluate(truth, replace(made, videos=(other,)), class_agnostic=class_agnostic)
    another = replace(video, id=7)
    moved = replace(made.tracks[0], video_id=7)
    with pytest.raises(DataError, match="field video_id 7: is no video of these annotations"):
        evaluate(truth, replace(made, videos=(video, another), tracks=(moved,)))
    assert evaluate(truth, replace(made, videos=(video, another))).stats["AP"] == pytest.approx(1)


def test_without_regard_to_classes_any_category_will_do():
    truth = hand_made(GOOD)
    for category in (0, 9):  # no class of the truth's, as detectors of objects have it
        row = GOOD | {"category_id": category}
        with pytest.raises(DataError, match=f"one of 1, 2, is {category}"):
            evaluate(truth, [row])
        for rows in ([row], [PredictedTrack(1, category, 0.5, tuple(GOOD["segmentations"]))]):
            assert evaluate(truth, rows, class_agnostic=True).stats["AP"] == pytest.approx(1)
    with pytest.raises(DataError, match="category_id: should be between"):
        evaluate(truth, [GOOD | {"category_id": 2**70}], class_agnostic=True)


def test_labels_without_masks_are_no_predictions(tmp_path):
    (tmp_path / "gt.json").write_text(json.dumps(hand_made(GOOD)))
    dataset = ytvis.read(tmp_path / "gt.json")
    for level in ("box", "point"):
        with pytest.raises(DataError, match="has tracks without any. Make them of its boxes"):
            evaluate(dataset, weaken(dataset, level))
    assert predictions.from_dataset(dataset.bare()) == ()
    crowd = replace(weaken(dataset, "box").tracks[0], is_crowd=True)
    assert predictions.from_dataset(replace(dataset, tracks=(crowd,))) == ()
