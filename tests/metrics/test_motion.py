"""Which objects move: planted motions, and the toy world's own speeds."""

import numpy as np
import pytest

from evis.data import masks, toy
from evis.data.types import Category, Track, Video, VISDataset
from evis.metrics import motion

HEIGHT, WIDTH, LENGTH = 40, 200, 12


def square(step, left=5, top=10, hidden=(), crowd=False, number=1):
    """A square that goes `step` pixels right a frame; None where hidden."""
    of_frames = []
    for t in range(LENGTH):
        mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
        at = round(left + step * t)
        mask[top : top + 8, at : at + 8] = True
        of_frames.append(None if t in hidden else masks.encode(mask))
    return Track(number, 1, 1, is_crowd=crowd).with_masks(of_frames)


def dataset(*tracks):
    video = Video(1, "squares", HEIGHT, WIDTH, tuple(map(str, range(LENGTH))))
    return VISDataset((video,), tracks, (Category(1, "object"),), lambda video, frame: None)


def test_velocity_is_in_frame_heights_a_frame():
    assert motion.velocity(square(2)) == pytest.approx([2 / HEIGHT, 0])
    assert motion.velocity(square(-1, left=100)) == pytest.approx([-1 / HEIGHT, 0])
    assert motion.velocity(square(0)).tolist() == [0, 0]


def test_an_object_that_is_hidden_for_a_while_or_too_short_is_not_faster():
    assert motion.velocity(square(2, hidden=(3, 4, 9))) == pytest.approx([2 / HEIGHT, 0])
    assert motion.velocity(square(2, hidden=range(3, LENGTH))).tolist() == [0, 0]
    assert motion.velocity(square(2, hidden=range(LENGTH))).tolist() == [0, 0]
    half = square(0)
    cut = masks.decode(half.masks[0])
    cut[:, :10] = False  # for two frames, only its right part is seen
    seen = [masks.encode(cut) if t in (5, 6) else rle for t, rle in enumerate(half.masks)]
    assert motion.velocity(Track(1, 1, 1).with_masks(seen)).tolist() == [0, 0]


def test_what_rests_goes_and_what_moves_together_is_one():
    fast, slower = square(2, number=3), square(1, top=20, number=4)
    rests, crowd = square(0, left=150, number=1), square(2, top=30, crowd=True, number=6)
    with_fast = square(2, left=30, number=2, hidden=(0,))
    found = motion.moving(dataset(rests, with_fast, fast, slower, crowd)).tracks
    assert [track.id for track in found] == [2, 4]
    assert np.array_equal(found[0].mask(1), with_fast.mask(1) | fast.mask(1))
    assert np.array_equal(found[0].mask(0), fast.mask(0))
    assert found[1] == slower
    assert found[0].boxes[1] == (7.0, 10.0, 33.0, 8.0) and found[0].areas[1] == 128


def test_together_is_passed_on_from_one_to_the_next():
    between = [square(step, left=60 * n, number=n) for n, step in enumerate((1, 1.1, 1.2), 1)]
    far = motion.velocity(between[2])[0] - motion.velocity(between[0])[0]
    least = 0.75 * far
    assert len(motion.moving(dataset(between[0], between[2]), least).tracks) == 2
    assert len(motion.moving(dataset(*between), least).tracks) == 1


def test_a_slower_least_keeps_more_and_nothing_is_found_in_nothing():
    crawls = square(0.125)
    assert motion.moving(dataset(crawls)).tracks == ()
    assert motion.moving(dataset(crawls), least=0.003).tracks == (crawls,)
    assert motion.moving(dataset()).tracks == ()


@pytest.mark.slow  # scenes are drawn
def test_toy_objects_that_move_are_told_from_those_that_rest():
    """Of other videos than the threshold was chosen on: by twice as fast, nine in ten are told."""
    which = {"videos": 8, "seed": 9, "split": "valid"}
    own, right = toy.speeds("toy-davis", **which), []
    for track in toy.sample("toy-davis", **which).tracks:
        if own[track.id] == 0 or own[track.id] > 2 * motion.MOVES:
            told = np.linalg.norm(motion.velocity(track)) > motion.MOVES
            right.append(told == (own[track.id] > 0))
    assert len(own) == track.id
    assert len(right) > 10 and np.mean(right) >= 0.9
