"""DeepSORT: the reference's ids, states, boxes and Kalman numbers; and each rule alone, planted."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import DataError
from evis.trackers import deepsort

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = ["deepsort_0", "deepsort_1"]


class Run:
    """The tracker over a golden case, and what it held after each frame."""

    def __init__(self, name: str):
        with np.load(GOLDEN / f"{name}.npz") as arrays:
            self.case = case = dict(arrays)
        budget = int(case["nn_budget"])
        tracker = deepsort.DeepSort(
            min_confidence=float(case["min_confidence"]),
            budget=None if budget < 0 else budget,
            max_overlap=float(case["nms_max_overlap"]),
            min_height=float(case["min_height"]),
            max_distance=float(case["max_cosine_distance"]),
            max_age=int(case["max_age"]),
        )
        columns = [case[key] for key in ("boxes_tlwh", "confidence", "features")]
        last = case["frame"].max()
        self.frames = [
            tuple(column[case["frame"] == frame] for column in columns)
            for frame in range(1, last + 1)
        ]
        self.ids, self.states, self.shown, self.kalman = [], [], [], []
        for number, frame in enumerate(self.frames, 1):
            self.ids += tracker.step(*frame).tolist()
            for known in tracker.tracks:
                state = 2 if known.confirmed else 1
                row = [number, known.number, state, known.missed, known.hits, known.age]
                self.states.append(row)
                if known.confirmed and known.missed <= 1:
                    self.shown.append((number, known.number, *known.box))
                if known.number == case["kalman_track_id"]:
                    self.kalman.append((known.mean, known.covariance))


@pytest.fixture(scope="module", params=NAMES)
def run(request) -> Run:
    return Run(request.param)


def test_every_detection_has_the_reference_id(run):
    assert run.ids == run.case["detection_track_id"].tolist()


def test_tracks_are_in_the_reference_states_after_every_frame(run):
    assert run.states == run.case["track_states"].tolist()


def test_confirmed_tracks_have_the_reference_boxes(run):
    frames, numbers, *boxes = zip(*run.shown, strict=True)
    assert list(frames) == run.case["output_frame"].tolist()
    assert list(numbers) == run.case["output_track_id"].tolist()
    np.testing.assert_allclose(np.transpose(boxes), run.case["output_tlwh"], rtol=0, atol=1e-9)


def test_the_filter_holds_the_reference_numbers_over_a_life(run):
    means, covariances = zip(*run.kalman, strict=True)
    np.testing.assert_allclose(means, run.case["kalman_mean"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(covariances, run.case["kalman_covariance"], rtol=1e-9, atol=1e-9)
    known = deepsort.Track(1, np.ones(4), np.ones(2))
    for t in range(1, len(means)):
        known.mean, known.covariance = means[t - 1], covariances[t - 1]
        known.predict()
        for key, found in (("mean", known.mean), ("covariance", known.covariance)):
            expected = run.case[f"kalman_predicted_{key}"][t]
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_track_is_the_released_program_with_these_settings():
    run = Run("deepsort_0")
    found = deepsort.track(run.frames, min_confidence=0.3)
    assert [len(of_frame) for of_frame in found] == [len(boxes) for boxes, *_ in run.frames]
    assert np.concatenate(found).tolist() == run.case["detection_track_id"].tolist()


LOOKS = np.eye(4)


def seen(*objects: tuple[float, int]) -> deepsort.Frame:
    """(left side, look) each -> a frame of boxes 40 wide and 80 high."""
    boxes = [[x, 10, 40, 80] for x, _ in objects]
    return np.array(boxes).reshape(-1, 4), np.ones(len(objects)), LOOKS[[k for _, k in objects]]


def ids(*frames: deepsort.Frame, **settings) -> list[list[int]]:
    tracker = deepsort.DeepSort(**settings)
    return [tracker.step(*frame).tolist() for frame in frames]


def test_what_crosses_is_told_apart_by_its_looks():
    steps = [seen((100 + 6 * t, 0), (220 - 6 * t, 1)) for t in range(21)]
    assert ids(*steps)[0] == [2, 1]  # of equally sure detections, the last goes first
    assert ids(*steps)[3:] == [[2, 1]] * 18


def test_a_confirmed_track_survives_a_gap_that_a_new_one_does_not():
    away = [seen()] * 5
    assert ids(*[seen((100, 0))] * 3, *away, seen((100, 0)))[-1] == [1]
    assert ids(*[seen((100, 0))] * 2, *away, seen((100, 0)))[-1] == [2]
    assert ids(*[seen((100, 0))] * 3, *away, seen((100, 0)), max_age=4)[-1] == [2]


def test_after_a_gap_neither_looks_nor_place_alone_are_enough():
    before = [seen((100, 0))] * 4 + [seen()] * 2
    assert ids(*before, seen((100, 0)))[-1] == [1]
    assert ids(*before, seen((100, 1)))[-1] == [2]
    assert ids(*before, seen((400, 0)))[-1] == [2]


@pytest.mark.parametrize(("left", "expected"), [(119, 1), (124, 2)])  # IoU 0.36 and 0.25
def test_without_a_gap_the_place_alone_is_enough(left, expected):
    assert ids(*[seen((100, 0))] * 4, seen((left, 1)))[-1] == [expected]


def test_what_is_too_far_anyway_is_worth_no_worse_pair():
    """IoU costs 0.1 and 0.97, the other way round 0.64 and 0.6: the sum would be lower that way."""
    before = [seen((100, 0), (119, 1))] * 4
    assert ids(*before, seen((102, 2), (81, 3)))[-2:] == [[2, 1], [2, 3]]


def test_what_was_missed_before_does_not_join_by_its_place():
    steps = [seen((100, 0))] * 4 + [seen(), seen((100, 1))]
    assert ids(*steps)[-1] == [2]


def test_the_gallery_is_as_long_as_the_budget():
    """Turned away for two frames, joined by its place; then it looks as it did at first."""
    turning = [seen((100, 0))] * 3 + [seen((100, 1))] * 2 + [seen()] * 2 + [seen((100, 0))]
    assert ids(*turning)[-1] == [1]
    assert ids(*turning, budget=2)[-1] == [2]


def test_unsure_small_and_covered_detections_are_not_used():
    boxes = np.array([[0, 0, 40, 80], [2, 0, 40, 80], [100, 0, 40, 80], [200, 0, 40, 10]])
    confidence = np.array([0.9, 0.8, 0.2, 0.7])
    settings = {"max_overlap": 0.5, "min_height": 20}
    assert ids((boxes, confidence, LOOKS), **settings) == [[1, -1, -1, -1]]
    assert ids((boxes, confidence, LOOKS)) == [[1, 2, -1, 3]]


@settings(max_examples=30)
@given(st.integers(0, 2**16))
def test_a_frame_has_an_id_once_and_ids_never_depend_on_later_frames(seed):
    random = np.random.default_rng(seed)
    frames = []
    for count in random.integers(0, 5, 8):
        boxes = np.column_stack(
            [random.uniform(0, 60, (count, 2)), random.uniform(20, 60, (count, 2))]
        )
        frames.append((boxes, random.uniform(size=count), random.normal(size=(count, 3))))
    found = deepsort.track(frames)
    for of_frame, (_, confidence, _) in zip(found, frames, strict=True):
        used = of_frame[of_frame != -1]
        assert len(set(used)) == len(used) and (used >= 1).all()
        assert ((confidence >= 0.3) == (of_frame != -1)).all()
    first = deepsort.track(frames[:5])
    assert all(np.array_equal(a, b) for a, b in zip(first, found, strict=False))


def test_lengths_of_features_do_not_count():
    run = Run("deepsort_0")
    longer = [(boxes, sure, 7.0 * features) for boxes, sure, features in run.frames]
    assert np.concatenate(deepsort.track(longer)).tolist() == run.ids


def test_empty_frames_give_empty_ids():
    assert deepsort.track([]) == []
    found = deepsort.track(
        [([], [], []), seen(), (np.zeros((0, 4)), np.zeros(0), np.zeros((0, 9)))]
    )
    assert [of_frame.shape for of_frame in found] == [(0,)] * 3
    assert found[0].dtype == int


@pytest.mark.parametrize(
    ("boxes", "features", "message"),
    [
        (np.ones((1, 4)), np.ones((2, 3)), r"are \(1, 4\), \(2,\), \(2, 3\)"),
        (np.ones((2, 4)), np.ones((1, 3)), r"are \(2, 4\), \(2,\), \(1, 3\)"),
        (np.array([[0, 0, 1, 0], [0, 0, 1, 1]]), np.ones((2, 3)), "a width and a height"),
        (np.array([[0, 0, 1, np.nan], [0, 0, 1, 1]]), np.ones((2, 3)), "finite"),
        (np.ones((2, 4)), np.zeros((2, 3)), "a direction"),
    ],
)
def test_bad_detections_are_refused_with_their_frame(boxes, features, message):
    with pytest.raises(DataError, match=message) as error:
        deepsort.track([seen((0, 0)), (boxes, np.ones(2), features)])
    assert error.value.frame == 1


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        deepsort.track([], budget=0)
