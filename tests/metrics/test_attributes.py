"""MBOR equals counting on the pixel grid; keypoints, counts and median splits by example."""

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evis.data import masks
from evis.data.errors import DataError
from evis.data.supervision import weaken
from evis.data.types import Category, Track, Video, VISDataset
from evis.metrics import attributes

whole_box = st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(1, 12)] * 2)
video_of_boxes = st.lists(st.lists(st.none() | whole_box, max_size=6), max_size=5)


def mbor_on_the_grid(boxes):
    rates = []
    for frame in boxes:
        cover = np.zeros((40, 40), dtype=int)
        for x, y, width, height in filter(None, frame):
            cover[y : y + height, x : x + width] += 1
        if cover.any():
            rates.append((cover > 1).sum() / (cover > 0).sum())
    return np.mean(rates) if rates else 0.0


@given(video_of_boxes)
def test_mbor_equals_counting_pixels(boxes):
    assert attributes.mbor(boxes) == pytest.approx(mbor_on_the_grid(boxes), abs=1e-12)


@given(
    video_of_boxes,
    st.tuples(*[st.floats(-1e3, 1e3)] * 2),
    st.tuples(*[st.floats(0.01, 100)] * 2),
)
def test_mbor_does_not_change_with_place_and_scale(boxes, shift, scale):
    moved = [
        [
            box
            and (
                scale[0] * box[0] + shift[0],
                scale[1] * box[1] + shift[1],
                scale[0] * box[2],
                scale[1] * box[3],
            )
            for box in frame
        ]
        for frame in boxes
    ]
    assert attributes.mbor(moved) == pytest.approx(attributes.mbor(boxes), abs=1e-6)


def test_mbor_of_simple_scenes():
    box, apart, touching = (0.5, 0.5, 2.0, 4.0), (10.0, 0.0, 3.0, 3.0), (2.5, 0.5, 2.0, 4.0)
    assert attributes.mbor([[box]]) == 0
    assert attributes.mbor([[box, apart]]) == 0
    assert attributes.mbor([[box, touching]]) == 0
    assert attributes.mbor([[box, box]]) == 1
    assert attributes.mbor([[box, box, box]]) == 1  # the union of overlaps, not their sum
    assert attributes.mbor([[box, (1.5, 0.5, 2.0, 4.0)]]) == pytest.approx(1 / 3)
    assert attributes.mbor([[box, box], [box, None], [None, None]]) == 0.5
    assert attributes.mbor([]) == attributes.mbor([[], [None]]) == 0


def test_an_array_marks_absence_by_zeros_or_nan():
    boxes = np.zeros((4, 2, 4))  # (frames, objects, 4)
    boxes[:3] = 1, 2, 5, 6
    boxes[1, 1] = 0
    boxes[2, 1] = np.nan
    assert attributes.mbor(boxes) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "box", [(0, 0, 1), (0, 0, 1, "a"), (0, 0, -1, 1), (0, 0, np.inf, 1), (np.nan, 0, 1, 1), 3]
)
def test_a_bad_box_is_named_with_its_frame(box):
    with pytest.raises(DataError, match="frame 1, field boxes"):
        attributes.mbor([[(0, 0, 1, 1)], [box]])


# ---- data sets ----

DOTS = [(30, 30), (30, 90), (90, 30), (90, 90)]  # y, x


def picture(video, frame):
    """Four soft dots on one level: the only places where SIFT finds keypoints."""
    y, x = np.mgrid[:120, :120]
    dots = sum(np.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * 4.0**2)) for v, u in DOTS)
    return np.repeat((40 + 180 * dots).astype(np.uint8)[..., None], 3, axis=2)


def track(identifier, video_id, regions, is_crowd=False):
    """`regions`: a slice pair a frame, or None."""
    encoded = []
    for region in regions:
        mask = np.zeros((120, 120), dtype=bool)
        if region is not None:
            mask[region] = True
        encoded.append(None if region is None else masks.encode(mask))
    boxes = tuple(mask and masks.tight_box(mask) for mask in encoded)
    areas = tuple(mask and float(masks.area(mask)) for mask in encoded)
    return Track(identifier, video_id, 1, boxes, tuple(encoded), areas, is_crowd=is_crowd)


@pytest.fixture
def dataset():
    """Video 3: a left half and the whole, then nothing. Video 7: one dot. Video 8: only a crowd."""
    left, whole, dot = np.s_[:, :60], np.s_[:, :], np.s_[15:45, 15:45]
    videos = tuple(Video(n, str(n), 120, 120, ("a", "b")) for n in (3, 7, 8))
    tracks = (
        track(1, 3, [left, None]),
        track(2, 3, [whole, None]),
        track(3, 7, [dot, dot]),
        track(4, 8, [whole, whole], is_crowd=True),
        track(5, 7, [whole, whole], is_crowd=True),
    )
    return VISDataset(videos, tracks, (Category(1, "dot"),), picture)


def keypoints_on_a_dot():
    """A round dot has no direction, so SIFT gives it several keypoints of different directions."""
    grey = cv2.cvtColor(picture(None, 0), cv2.COLOR_RGB2GRAY)
    found = [(round(k.pt[1]), round(k.pt[0])) for k in cv2.SIFT_create().detect(grey, None)]
    assert set(found) == set(DOTS)
    assert len({found.count(dot) for dot in DOTS}) == 1
    return found.count(DOTS[0])


def test_table_has_a_row_a_video(dataset):
    dot = keypoints_on_a_dot()
    expected = pd.DataFrame(
        {
            "video": [3, 7, 8],
            "instances": [2, 1, 0],
            "mbor": [0.5, 0.0, 0.0],
            "keypoints": [2.0 * dot, 1.0 * dot, 0.0],  # 4 dots and 0; 1 and 1; a crowd is none
        }
    )
    pd.testing.assert_frame_equal(attributes.table(dataset, progress=False), expected)
    assert attributes.dataset_mbor(dataset) == pytest.approx(0.5 / 3)
    assert attributes.instance_count(dataset).to_dict() == {3: 2, 7: 1, 8: 0}


def test_keypoints_outside_the_mask_do_not_count(dataset):
    elsewhere = VISDataset(
        dataset.videos[:1], (track(1, 3, [np.s_[50:70, 50:70], None]),), (), picture
    )
    assert attributes.foreground_keypoints(elsewhere, progress=False).to_dict() == {3: 0.0}


def test_weaker_supervision_gives_what_it_can(dataset):
    boxes = weaken(dataset, "box")
    assert attributes.dataset_mbor(boxes) == attributes.dataset_mbor(dataset)
    with pytest.raises(DataError, match="video 3.*carries no masks"):
        attributes.foreground_keypoints(boxes, progress=False)
    points = weaken(dataset, "point")
    assert attributes.instance_count(points).sum() == 3
    with pytest.raises(DataError, match="video 3.*carries no boxes"):
        attributes.dataset_mbor(points)
    with pytest.raises(DataError, match="no annotations"):
        attributes.instance_count(weaken(dataset, "none"))


# ---- median split ----


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([3, 1, 2, 4], "high low low high"),
        ([5, 1, 3], "high low low"),
        ([1, 1, 1, 2], "low low low high"),
        ([1, 2, 2, 2], "low high high high"),
        ([0, 1, 1, 1, 2, 3], "low low low low high high"),
        ([0, 0, 1, 1, 1, 2], "low low high high high high"),
        ([2, 2], "low low"),
    ],
)
def test_median_split(values, labels):
    assert attributes.median_split(values).tolist() == labels.split()


@given(st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_a_split_keeps_equal_values_together_and_uses_both_sides(values):
    labels = attributes.median_split(values)
    low = {v for v, label in zip(values, labels, strict=True) if label == "low"}
    high = {v for v, label in zip(values, labels, strict=True) if label == "high"}
    assert not low & high
    assert not high or max(low) < min(high)
    assert bool(high) == (len(set(values)) > 1)


def test_a_split_keeps_the_index_and_refuses_gaps():
    split = attributes.median_split(pd.Series([1.0, 9.0], index=["a", "b"]))
    assert split.to_dict() == {"a": "low", "b": "high"}
    with pytest.raises(DataError, match="without gaps"):
        attributes.median_split([1.0, np.nan])
    with pytest.raises(DataError, match="field values"):
        attributes.median_split([])
