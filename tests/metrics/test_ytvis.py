"""The YouTube-VIS evaluator: the official numbers, a brute-force twin on dense masks, bad input."""

import json
import math
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import DataError, masks, predictions, ytvis
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.metrics import track_iou
from evis.metrics import ytvis as metric

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("ytvis_*.npz"))
STATS = "AP AP50 AP75 AP_S AP_M AP_L AR1 AR10 AR100 AR_S AR_M AR_L".split()


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


def twin(truth: dict, predicted: list, class_agnostic: bool) -> dict[str, float]:
    shape = truth["videos"][0]["height"], truth["videos"][0]["width"]
    groups = [0] if class_agnostic else sorted(c["id"] for c in truth["categories"])
    curves: dict[str, list] = {name: [] for name in STATS}
    for group in groups:
        for name, (low, high) in metric.AREA_RANGES.items():
            for most in (1, 10, 100):
                for number, threshold in enumerate(metric.IOU_THRESHOLDS):
                    listed, count = [], 0
                    for video in sorted(truth["videos"], key=lambda video: video["id"]):
                        outcome = match_video(
                            [a for a in truth["annotations"] if in_group(a, video, group)],
                            [p for p in predicted if in_group(p, video, group)][:],
                            (threshold, low, high, most, shape),
                        )
                        count += outcome[0]
                        listed += outcome[1]
                    if count:
                        collect(curves, average_precision(listed, count), name, most, number)
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
    threshold, low, high, most, shape = setting
    objects = sorted(objects, key=lambda row: row["category_id"])
    found = sorted(found, key=lambda row: (-row["score"], row["category_id"]))[:most]
    mean = lambda areas: np.mean([a for a in areas if a]) if any(areas) else 0  # noqa: E731
    ignored = [bool(o["iscrowd"]) or not low <= mean(o["areas"]) <= high for o in objects]
    taken, listed = set(), []
    for row in found:
        mask = dense(row["segmentations"], shape)
        fits = []
        for n, other in enumerate(objects):
            other_mask = dense(other["segmentations"], shape)
            union = (mask | other_mask).sum()
            iou = (mask & other_mask).sum() / union if union else 0.0
            if iou >= threshold and (n not in taken or other["iscrowd"]):
                fits.append((not ignored[n], iou, n))
        if fits:
            chosen = max(fits)[2]
            taken.add(chosen)
            right = None if ignored[chosen] else True
        else:
            area = mean(mask.sum(axis=(1, 2)))
            right = False if low <= area <= high else None
        listed.append((row["score"], right))
    return len(objects) - sum(ignored), listed


def average_precision(listed: list, count: int) -> tuple[float, float]:
    points, right, wrong = [], 0, 0
    for _, outcome in sorted(listed, key=lambda entry: -entry[0]):
        right += outcome is True
        wrong += outcome is False
        points.append((right / count, right / (right + wrong) if right else 0.0))
    best = [
        max((precision for recall, precision in points if recall >= level), default=0.0)
        for level in metric.RECALL_LEVELS
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
        v["id"]: draw(st.lists(st.lists(one_mask(), min_size=n, max_size=n), min_size=1, max_size=3))
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


@settings(max_examples=60)
@given(cases())
def test_equals_the_twin_on_dense_masks(case):
    truth, predicted = case
    for class_agnostic in (False, True):
        found = evaluate(truth, predicted, class_agnostic=class_agnostic).stats
        same(found, twin(truth, predicted, class_agnostic))


def test_the_twin_equals_the_official_evaluator_where_it_is_quick():
    truth, predicted, official = load_golden(GOLDEN[0])
    small = {"videos": [{"height": 60, "width": 80}], **truth}
    expected = twin(small, predicted, class_agnostic=False)
    for name, value in official["stats"].items():
        assert expected[name] == pytest.approx(value, abs=1e-9), name
