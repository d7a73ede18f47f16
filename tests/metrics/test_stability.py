"""IoU frame by frame and its changes: equal to dense masks and loops; hand-made cases."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Track, Video, VISDataset
from evis.metrics import stability, ytvis

SIDE, FRAMES = 6, 4
GONE = None


def encoded(dense):
    return tuple(mask if mask is None else masks.encode(mask) for mask in dense)


def dataset(*videos, crowds=()):
    """videos: a list of objects each, an object being a mask or None a frame."""
    made, tracks = [], []
    for number, objects in enumerate(videos, 1):
        length = max((len(dense) for dense in objects), default=FRAMES)
        made.append(Video(number, f"v{number}", SIDE, SIDE, ("frame.png",) * length))
        for dense in objects:
            boxes = tuple(mask if mask is None else (0.0, 0.0, 1.0, 1.0) for mask in dense)
            areas = tuple(mask if mask is None else float(mask.sum()) for mask in dense)
            identifier = len(tracks) + 1
            own = (number, 1, boxes, encoded(dense), areas)
            tracks.append(Track(identifier, *own, is_crowd=identifier in crowds))
    categories = (Category(1, "one"), Category(2, "other"))
    return VISDataset(tuple(made), tuple(tracks), categories, None)


def predicted(video, dense, score=0.5, category=1):
    return PredictedTrack(video, category, score, encoded(dense))


def block(rows):
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[:rows] = True
    return mask


def test_an_object_frame_by_frame():
    truth = dataset([[block(2), block(2), GONE, block(2)]])
    guess = predicted(1, [block(2), block(1), block(4), GONE], category=2)
    found = stability.frame_ious(truth, [guess])
    assert found.to_dict("list") == {
        "video": [1, 1, 1],
        "object": [1, 1, 1],
        "frame": [0, 1, 3],
        "iou": [1.0, 0.5, 0.0],
    }
    assert stability.unsteadiness(found) == 0.5  # frame 3 follows no frame with the object


def test_equally_bad_is_steady():
    truth = dataset([[block(4)] * 3], [[block(2)] * 3])
    found = stability.frame_ious(truth, [predicted(1, [block(1)] * 3)])
    assert found["iou"].tolist() == [0.25] * 3 + [0.0] * 3
    assert stability.unsteadiness(found) == 0


def test_flicker_is_unsteady():
    truth = dataset([[block(4)] * 4])
    found = stability.frame_ious(truth, [predicted(1, [block(4), GONE, block(4), GONE])])
    assert stability.unsteadiness(found) == 1


def test_crowds_and_empty_masks_are_left_out():
    truth = dataset([[block(3)] * 2, [block(0), block(2)]], crowds={1})
    found = stability.frame_ious(truth, [predicted(1, [block(2)] * 2)])
    assert found[["object", "frame", "iou"]].values.tolist() == [[2, 1, 1.0]]


def test_without_a_pair_of_frames_it_is_unknown():
    nothing = stability.frame_ious(dataset([]), [])
    assert list(nothing.columns) == ["video", "object", "frame", "iou"]
    alone = stability.frame_ious(dataset([[block(1), GONE, block(1)]]), [])
    assert len(alone) == 2
    assert np.isnan([stability.unsteadiness(nothing), stability.unsteadiness(alone)]).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_equals_dense_masks_and_loops(seed):
    random = np.random.default_rng(seed)
    videos = [[_dense(random) for _ in range(random.integers(0, 4))] for _ in range(2)]
    guesses = [(n, _dense(random)) for n in (1, 2) for _ in range(random.integers(0, 4))]
    random.shuffle(guesses)
    predictions = [predicted(n, dense, random.random()) for n, dense in guesses]
    truth = dataset(*videos)
    table = stability.frame_ious(truth, predictions)
    found = {(line.object, line.frame): line.iou for line in table.itertuples()}

    number, seen, changes = 0, {}, []
    for n, objects in enumerate(videos, 1):
        own = [dense for video, dense in guesses if video == n]
        for dense, guess in zip(objects, _best(objects, own), strict=True):
            number += 1
            ious = [
                _iou([mask], [guess[frame]]) if mask is not None and mask.any() else None
                for frame, mask in enumerate(dense)
            ]
            seen |= {(number, f): iou for f, iou in enumerate(ious) if iou is not None}
            pairs = zip(ious, ious[1:], strict=False)
            changes += [abs(b - a) for a, b in pairs if a is not None and b is not None]
    assert found == pytest.approx(seen)
    expected = np.mean(changes) if changes else np.nan
    assert stability.unsteadiness(table) == pytest.approx(expected, nan_ok=True)
    mean = ytvis.mean_iou(truth, predictions, progress=False)
    totals = [
        _iou(dense, guess)
        for n, objects in enumerate(videos, 1)
        for dense, guess in zip(
            objects, _best(objects, [d for v, d in guesses if v == n]), strict=True
        )
    ]
    assert mean == pytest.approx(np.mean(totals) if totals else np.nan, nan_ok=True)


def _dense(random):
    return [
        random.random((SIDE, SIDE)) < random.uniform(0, 1) if random.random() < 0.8 else GONE
        for _ in range(FRAMES)
    ]


def _iou(one, other):
    """Of two lists of masks, over all of their frames."""
    empty = np.zeros((SIDE, SIDE), dtype=bool)
    one, other = (np.array([empty if m is None else m for m in masks]) for masks in (one, other))
    union = (one | other).sum()
    return (one & other).sum() / union if union else 0.0


def _best(objects, guesses):
    """A guess for each object, one to one, for the highest sum of IoUs; every order is tried."""
    padded = guesses + [[GONE] * FRAMES] * len(objects)
    orders = permutations(range(len(padded)), len(objects))
    total = [[_iou(dense, guess) for guess in padded] for dense in objects]
    best = max(orders, key=lambda order: sum(total[n][g] for n, g in enumerate(order)))
    return [padded[g] for g in best]
