"""J, F and J&F equal the golden numbers and what plain loops over pixels and permutations give."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evis.data import davis as reader
from evis.data.errors import DataError
from evis.metrics import davis

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("davis_*.npz"))
EXACT = {"rtol": 0, "atol": 1e-9}


def blobs(seed: int, objects: int, frames: int = 5, height: int = 40, width: int = 50):
    """(objects, frames, height, width) bool: boxes that wander, some of them out of the frame."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((objects, frames, height, width), dtype=bool)
    for track in masks:
        y, x = rng.integers(0, height), rng.integers(0, width)
        tall, wide = rng.integers(4, 25, 2)
        for frame in track:
            frame[max(y, 0) : max(y + tall, 0), max(x, 0) : max(x + wide, 0)] = True
            y, x = y + rng.integers(-6, 7), x + rng.integers(-6, 7)
    return masks


def slow_boundary(mask):
    height, width = mask.shape
    found = set()
    for y in range(height):
        for x in range(width):
            block = mask[y : y + 2, x : x + 2]
            if block.any() and not block.all():
                found.add((y, x))
    return found


def slow_f(truth, prediction):
    """The F-measure, point by point."""
    radius = np.ceil(0.008 * np.hypot(*truth.shape))
    a, b = slow_boundary(truth), slow_boundary(prediction)

    def matched(points, others):
        near = [min(np.hypot(y - v, x - u) for v, u in others) <= radius for y, x in points]
        return np.mean(near)

    if not a and not b:
        return 1.0
    if not a or not b:
        return 0.0
    precision, recall = matched(b, a), matched(a, b)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


# ---- golden ----


def test_there_are_golden_cases():
    assert len(GOLDEN) == 2


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_pairs_equal_the_golden_numbers(path):
    case = np.load(path)
    j, f = davis.pairwise(case["ground_truth"], case["predictions"])
    np.testing.assert_allclose(j, case["pair_J"], **EXACT)
    np.testing.assert_allclose(f, case["pair_F"], **EXACT)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_scores_and_assignment_equal_the_golden_numbers(path):
    case = np.load(path)
    scores = davis.evaluate([case["ground_truth"]], [case["predictions"]], progress=False)
    assert scores["J"] == pytest.approx(float(case["J"]), abs=1e-9)
    assert scores["F"] == pytest.approx(float(case["F"]), abs=1e-9)
    assert scores["J&F"] == pytest.approx(float(case["J"] + case["F"]) / 2, abs=1e-9)
    table = scores["objects"]
    assert table["object"].tolist() == list(range(len(case["ground_truth"])))
    real = [row if row < len(case["predictions"]) else None for row in case["rows"]]
    assert dict(zip(case["cols"], real, strict=True)) == {
        row.object: None if row.prediction is pd.NA else row.prediction
        for row in table.itertuples()
    }
    for name in ("J", "F"):
        columns = [f"{name}_mean", f"{name}_recall", f"{name}_decay"]
        golden = case[f"{name}_mean_recall_decay"]  # in the order of rows
        np.testing.assert_allclose(table[columns].to_numpy()[case["cols"]], golden, **EXACT)
        assert scores[f"{name}_recall"] == pytest.approx(golden[:, 1].mean(), abs=1e-9)
        assert scores[f"{name}_decay"] == pytest.approx(golden[:, 2].mean(), abs=1e-9)


# ---- against plain loops ----


@pytest.mark.parametrize("size", [(20, 26), (100, 130), (30, 300)])  # radius 1, 2 and 3
def test_pairs_equal_plain_loops(size):
    truth = blobs(3, 2, 2, *size)
    near, far = np.roll(truth[0], 1, axis=1), np.roll(truth[0], 4, axis=1)
    prediction = np.stack([near, far, blobs(4, 1, 2, *size)[0]])
    truth[1, 0] = False
    j, f = davis.pairwise(truth, prediction)
    for p, n, t in np.ndindex(j.shape):
        a, b = truth[n, t], prediction[p, t]
        assert j[p, n, t] == pytest.approx((a & b).sum() / max((a | b).sum(), 1))
        assert f[p, n, t] == pytest.approx(slow_f(a, b))
        assert davis.j_measure(a, b) == j[p, n, t]
        assert davis.f_measure(a, b) == f[p, n, t]
    assert ((f[:2, 0] > 0) & (f[:2, 0] < 1)).any()  # the case is not a trivial one


@given(seed=st.integers(0, 2**32 - 1), shape=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_boundary_equals_its_definition(seed, shape):
    mask = np.random.default_rng(seed).random(shape) < 0.5
    assert set(zip(*np.nonzero(davis.boundary(mask)), strict=True)) == slow_boundary(mask)


@given(
    seed=st.integers(0, 2**32 - 1),
    objects=st.integers(1, 4),
    predictions=st.integers(0, 5),
    frames=st.integers(1, 6),
)
@settings(max_examples=40)
def test_assignment_is_the_best_of_all_permutations(seed, objects, predictions, frames):
    truth = blobs(seed, objects, frames)
    prediction = blobs(seed + 1, predictions, frames)
    scores = davis.evaluate([truth], [prediction], progress=False)
    j, f = davis.pairwise(truth, prediction)
    quality = (j + f).mean(-1) / 2
    best = max(
        np.mean([quality[p, n] for n, p in enumerate(chosen)])
        for chosen in permutations(range(max(objects, predictions)), objects)
    )
    assert scores["J&F"] == pytest.approx(best)
    used = scores["objects"]["prediction"].dropna()
    assert used.is_unique and used.between(0, predictions - 1).all()
    assert len(used) == min(objects, predictions)


# ---- what must hold ----


@given(seed=st.integers(0, 2**32 - 1), shift=st.integers(-9, 9))
@settings(max_examples=40)
def test_measures_are_symmetric_bounded_and_1_for_the_same_mask(seed, shift):
    a = blobs(seed, 1, 1)[0, 0]
    b = np.roll(a, shift, axis=1)
    for measure in (davis.j_measure, davis.f_measure):
        assert measure(a, a) == 1
        assert 0 <= measure(a, b) <= 1
        assert measure(a, b) == pytest.approx(measure(b, a))


def test_empty_masks():
    empty = np.zeros((30, 40), dtype=bool)
    some = empty.copy()
    some[5:10, 5:10] = True
    for measure in (davis.j_measure, davis.f_measure):
        assert measure(empty, empty) == 1
        assert measure(empty, some) == measure(some, empty) == 0
    assert davis.j_measure(~empty, empty) == 0
    assert davis.f_measure(~empty, empty) == 1  # a mask that fills the frame has no boundary


def test_a_shift_within_the_tolerance_costs_j_but_no_f():
    mask = np.zeros((480, 854), dtype=bool)
    mask[100:200, 300:400] = True  # tolerance: 0.008 * 979.6, rounded up, 8 pixels
    assert davis.f_measure(mask, np.roll(mask, 8, axis=1)) == 1
    assert davis.f_measure(mask, np.roll(mask, 9, axis=1)) < 1
    assert davis.j_measure(mask, np.roll(mask, 8, axis=1)) == pytest.approx(92 / 108)


def test_the_order_of_predictions_does_not_matter():
    truth = blobs(1, 3)
    prediction = np.concatenate([blobs(2, 1), np.roll(truth, 3, axis=2)])
    table = davis.evaluate([truth], [prediction], progress=False)["objects"]
    turned = davis.evaluate([truth], [prediction[::-1]], progress=False)["objects"]
    assert table["prediction"].tolist() == [1, 2, 3]
    assert (turned["prediction"] == 3 - table["prediction"]).all()
    measures = [column for column in table if column[:2] in ("J_", "F_")]
    pd.testing.assert_frame_equal(table[measures], turned[measures])


def test_means_are_over_objects_not_videos():
    one, three = blobs(1, 1), blobs(2, 3, frames=7)
    nothing = np.zeros((0, *three.shape[1:]), dtype=bool)
    scores = davis.evaluate([one, three], [one, nothing], progress=False)
    assert scores["objects"]["video"].tolist() == [0, 1, 1, 1]
    hidden = [(~track.any((1, 2))).mean() for track in three]  # empty and nothing predicted: 1
    assert scores["J"] == pytest.approx((1 + sum(hidden)) / 4)
    assert scores["objects"]["prediction"].isna().tolist() == [False, True, True, True]


def test_a_video_without_objects_adds_no_row():
    truth = blobs(1, 2)
    scores = davis.evaluate([truth[:0], truth], [truth, truth], progress=False)
    assert scores["objects"]["video"].tolist() == [1, 1]
    assert scores["J&F"] == 1


def test_recall_counts_values_above_half_and_decay_compares_outer_quarters():
    values = np.array([1.0, 0.9, 0.8, 0.5, 0.6, 0.5, 0.4, 0.3, 0.2])  # quarters share their ends
    mean, recall, decay = davis.mean_recall_decay(values)
    assert mean == pytest.approx(5.2 / 9)
    assert recall == pytest.approx(4 / 9)
    assert decay == pytest.approx(0.9 - 0.3)
    assert davis.mean_recall_decay(np.array([0.7])) == (0.7, 1.0, 0.0)
    # Three frames: the quarters end at 0, 0.5, 1, 1.5, 2, and halves are rounded up.
    assert davis.mean_recall_decay(np.array([1.0, 0.5, 0.25]))[2] == 0.5
    long = np.linspace(1, 0, 1001)  # more frames than a byte counts
    assert davis.mean_recall_decay(long)[2] == pytest.approx(0.75)


def test_folders_of_label_pictures_are_scored(tmp_path):
    """Ground truth and results as folders in DAVIS's layout, objects under other numbers."""
    truth = np.zeros((2, 3, 20, 30), dtype=bool)
    truth[0, :, 2:8, 2:9], truth[1, :, 10:18, 12:20] = True, True
    listed = tmp_path / "ImageSets" / "2017" / "val.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("bear\n")
    for folder, order in (("Annotations_unsupervised", (1, 2)), ("results", (7, 3))):
        for frame in range(3):
            labels = sum(number * mask[frame] for number, mask in zip(order, truth, strict=True))
            picture = tmp_path / folder / "480p" / "bear" / f"{frame:05}.png"
            shown = tmp_path / "JPEGImages" / "480p" / "bear" / f"{frame:05}.jpg"
            for path, pixels in ((picture, labels.astype(np.uint8)), (shown, labels * 9.0)):
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    stacks = [
        reader.read(tmp_path, annotations=folder).mask_stack(1)
        for folder in ("Annotations_unsupervised", tmp_path / "results")
    ]
    scores = davis.evaluate(stacks[:1], stacks[1:], progress=False)
    assert scores["J&F"] == 1
    assert scores["objects"]["prediction"].tolist() == [1, 0]


# ---- bad input ----


def test_bad_input_is_named():
    truth = blobs(1, 2)

    def refused(truths, predictions, match):
        with pytest.raises(DataError, match=match):
            davis.evaluate(truths, predictions, progress=False)

    refused([truth, truth], [truth], "field predictions: 1 videos, but 2")
    refused([truth, truth], [truth, truth[:, 1:]], "video 1, field predictions: is .4, 40, 50.")
    refused([truth], [truth[..., :-1]], "video 0, field predictions")
    refused([truth.astype(np.uint8)], [truth], "video 0, field ground_truths.*uint8")
    refused([truth], [truth.astype(float)], "video 0, field predictions.*float64")
    refused([truth], [truth[0]], "video 0, field predictions")
    refused([truth], [truth.tolist()], "video 0, field predictions.*list")
    refused([truth[:, :0]], [truth[:, :0]], "video 0, field ground_truths: has no frame")
    refused([truth], [np.repeat(truth, 11, axis=0)], "video 0.*22 predictions.*allows 20")
    refused([truth[:0]], [truth], "no video has an object")
    refused([], [], "no video has an object")
