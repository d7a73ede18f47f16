"""Two models compared right in small cases: which is better where, and what only one misses."""

import numpy as np
import pytest

from evis.companion import two_models
from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Track, Video, VISDataset

SIZE = 16, 24


def rle(*sides):
    """Of the box y0, y1, x0, x1."""
    y0, y1, x0, x1 = sides
    mask = np.zeros(SIZE, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return masks.encode(mask)


def dataset(videos):
    """By video id, the object's masks; each has one object."""
    tracks = tuple(
        Track(
            id=10 * number,
            video_id=number,
            category_id=1,
            masks=own,
            boxes=tuple(mask and masks.tight_box(mask) for mask in own),
        )
        for number, own in videos.items()
    )
    named = tuple(
        Video(number, f"v{number}", *SIZE, tuple(f"{t}.jpg" for t in range(len(own))))
        for number, own in videos.items()
    )
    grey = np.full((*SIZE, 3), 90, np.uint8)
    return VISDataset(named, tracks, (Category(1, "disc"),), lambda video, t: grey)


def found(video, *own, score=0.9):
    return PredictedTrack(video, 1, score, own)


WHOLE, LEFT, RIGHT = rle(0, 8, 0, 16), rle(0, 8, 0, 8), rle(0, 8, 8, 16)


@pytest.fixture
def three():
    """Video 1: ours is better; 2: both alike; 3: the baseline is better."""
    truth = dataset({1: (WHOLE, WHOLE), 2: (WHOLE, WHOLE), 3: (WHOLE, WHOLE)})
    baseline = (found(1, LEFT, LEFT), found(2, LEFT, LEFT), found(3, WHOLE, WHOLE))
    ours = (found(1, WHOLE, LEFT), found(2, LEFT, LEFT), found(3, RIGHT, RIGHT))
    return truth, baseline, ours


def test_videos_are_compared_by_the_mean_of_their_objects(three):
    table = two_models.by_video(*three)
    assert table.baseline.tolist() == pytest.approx([50, 50, 100])
    assert table.difference.tolist() == pytest.approx([25, 0, -50])


def test_only_one_models_misses_are_counted(three):
    table = two_models.by_frame(*three).set_index(["video", "frame"])
    assert (table.pixels == 128).all()
    assert table["only baseline misses"].tolist() == [64, 0, 0, 0, 0, 0]
    assert table["only ours misses"].tolist() == [0, 0, 0, 0, 64, 64]


def test_pixels_that_both_miss_are_no_difference():
    truth = dataset({1: (WHOLE,)})
    table = two_models.by_frame(truth, (found(1, LEFT),), ())  # the other model finds nothing
    assert table["only ours misses"].tolist() == [64]
    assert table["only baseline misses"].tolist() == [0]


def test_speed_is_in_sizes_of_the_box():
    moved = rle(0, 8, 4, 20)
    table = two_models.by_frame(dataset({1: (WHOLE, moved, None, WHOLE)}), (), ())
    assert table.frame.tolist() == [0, 1, 3]
    assert table.speed[1] == pytest.approx(4 / np.sqrt(8 * 16))
    assert np.isnan(table.speed[0]) and np.isnan(table.speed[2])


def test_the_mask_of_an_object_is_the_best_fit_whatever_its_score():
    truth = dataset({1: (WHOLE,)})
    tracks = (found(1, RIGHT, score=0.9), found(1, WHOLE, score=0.1))
    assert two_models.held_against(truth, tracks) == {10: tracks[1]}
    (nothing,) = two_models.held_against(truth, ()).values()
    assert nothing.video_id == 1 and not any(nothing.masks)


def test_doubles_unsure_and_empty_tracks_are_not_shown():
    truth = dataset({1: (WHOLE, WHOLE)})
    best, double = found(1, WHOLE, None), found(1, rle(0, 8, 0, 15), None, score=0.8)
    other, unsure = found(1, LEFT, None, score=0.7), found(1, RIGHT, None, score=0.4)
    empty = found(1, None, None, score=0.99)
    tracks = (unsure, other, double, best, empty)
    assert two_models.confident(truth, tracks, 1, 0.5) == [best, other]  # half is not over half
    assert two_models.confident(truth, tracks, 1, 0.3) == [best, other, unsure]


def test_what_only_one_misses_is_told_apart_for_either(three):
    dataset, *models = three
    baseline, ours = (two_models.held_against(dataset, tracks) for tracks in models)
    theirs = two_models.only_missed_by(dataset, baseline, ours)
    mine = two_models.only_missed_by(dataset, ours, baseline)
    assert [key for key, missed in theirs.items() if missed.any()] == [(1, 0)]
    assert (theirs[1, 0] == masks.decode(RIGHT)).all()
    assert [key for key, missed in mine.items() if missed.any()] == [(3, 0), (3, 1)]


def test_missed_regions_count_from_a_size_on():
    whole = np.zeros(SIZE, dtype=bool)
    whole[1:4, 2:6] = True  # 12 pixels
    whole[10, 1:12] = True  # 11 pixels
    truth = dataset({1: (masks.encode(whole),)})
    nothing = two_models.held_against(truth, ())
    everything = two_models.held_against(truth, (found(1, masks.encode(whole)),))
    (missed,) = two_models.only_missed_by(truth, nothing, everything).values()
    assert missed.sum() == two_models.SMALLEST == 12 and missed[1:4, 2:6].all()
