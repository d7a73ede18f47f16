"""Each error does what it says, and only that; a few move the score by a known amount."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.companion import perturb
from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Track, Video, VISDataset
from evis.metrics import ytvis

HEIGHT, WIDTH, LENGTH = 24, 30, 6


def wandering(start: int, side: int, gone: tuple[int, ...] = ()):
    """A square that moves right by a pixel a frame: one mask a frame."""
    track = []
    for t in range(LENGTH):
        mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
        mask[start : start + side, start + t : start + t + side] = True
        track.append(None if t in gone else masks.encode(mask))
    return tuple(track)


@pytest.fixture
def dataset():
    videos = tuple(
        Video(n, f"v{n}", HEIGHT, WIDTH, tuple(f"{t}.jpg" for t in range(LENGTH))) for n in (1, 2)
    )
    tracks = (
        Track(1, 1, 1, masks=wandering(1, 7)),
        Track(2, 1, 2, masks=wandering(12, 9, gone=(0, 5))),
        Track(3, 2, 2, masks=wandering(5, 8)),
        Track(4, 2, 1, masks=wandering(15, 4), is_crowd=True),
    )
    return VISDataset(videos, tracks, (Category(1, "a"), Category(2, "b")))


@pytest.fixture
def perfect(dataset):
    return perturb.perfect(dataset)


def pictures(track: PredictedTrack) -> list[np.ndarray]:
    empty = np.zeros((HEIGHT, WIDTH), dtype=bool)
    return [empty if rle is None else masks.decode(rle) for rle in track.masks]


def score(dataset, predictions, class_agnostic=False):
    return ytvis.evaluate(dataset, predictions, class_agnostic, progress=False).stats["AP"]


def single(mask: np.ndarray) -> perturb.Tracks:
    return (PredictedTrack(1, 1, 1.0, (masks.encode(mask),)),)


def test_perfect_predictions_are_the_objects_but_crowds(dataset, perfect):
    assert [(t.video_id, t.category_id, t.masks) for t in perfect] == [
        (t.video_id, t.category_id, t.masks) for t in dataset.tracks[:3]
    ]
    assert len({t.score for t in perfect}) == 3 and all(0.6 <= t.score <= 1 for t in perfect)
    assert score(dataset, perfect) == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_growing_and_shrinking_follow_the_distance(seed, pixels):
    mask = np.random.default_rng(seed).random((9, 12)) < 0.2
    if not mask.any():
        mask[4, 4] = True
    y, x = np.mgrid[:9, :12]
    apart = np.hypot(y[..., None, None] - y, x[..., None, None] - x)  # (h, w, h, w)
    grown = pictures_of(perturb.grow(single(mask), pixels))
    assert (grown == (np.where(mask, apart, np.inf).min((2, 3)) <= pixels)).all()
    solid = ~mask
    shrunk = pictures_of(perturb.grow(single(solid), -pixels)) if pixels else solid
    expected = solid & (np.where(solid, np.inf, apart).min((2, 3)) > pixels)
    assert (shrunk == expected).all()


def pictures_of(predictions: perturb.Tracks) -> np.ndarray:
    rle = predictions[0].masks[0]
    return np.zeros((9, 12), dtype=bool) if rle is None else masks.decode(rle)


@pytest.mark.parametrize("right, down", [(0, 0), (3, 0), (-2, 5), (0, -24), (40, 1)])
def test_shifted_masks_lose_what_leaves_the_frame(perfect, right, down):
    for before, after in zip(perfect, perturb.shift(perfect, right, down), strict=True):
        for mask, moved in zip(pictures(before), pictures(after), strict=True):
            y, x = np.nonzero(mask)
            y, x = y + down, x + right
            inside = (y >= 0) & (y < HEIGHT) & (x >= 0) & (x < WIDTH)
            expected = np.zeros_like(mask)
            expected[y[inside], x[inside]] = True
            assert (moved == expected).all()


def test_boxes_are_filled_and_blocks_are_the_majority():
    mask = np.zeros((8, 12), dtype=bool)
    mask[2, 3] = mask[5, 8] = True
    box = masks.decode(perturb.fill_boxes(single(mask))[0].masks[0])
    assert box.sum() == 4 * 6 and box[2:6, 3:9].all()
    mask[:4, :3] = True
    coarse = masks.decode(perturb.coarsen(single(mask), 4)[0].masks[0])
    assert coarse[:4, :4].all() and coarse.sum() == 16
    assert (masks.decode(perturb.coarsen(single(mask), 1)[0].masks[0]) == mask).all()


def test_switched_tracks_change_places_and_back(perfect):
    switched = perturb.switch_identities(perfect)
    assert switched[0].masks == perfect[0].masks[:3] + perfect[1].masks[3:]
    assert switched[1].masks == perfect[1].masks[:3] + perfect[0].masks[3:]
    assert switched[2] == perfect[2]
    assert perturb.switch_identities(switched) == perfect


def test_a_split_track_is_two_that_share_its_frames(perfect):
    parts = perturb.split(perfect)
    assert len(parts) == 2 * len(perfect)
    for track, first, second in zip(perfect, parts[::2], parts[1::2], strict=True):
        assert first.masks[:3] == track.masks[:3] and set(first.masks[3:]) == {None}
        assert second.masks[3:] == track.masks[3:] and set(second.masks[:3]) == {None}


def test_frames_and_tracks_are_dropped_by_share(dataset, perfect):
    seen = [sum(mask is not None for mask in track.masks) for track in perfect]
    thinned = perturb.drop_frames(perfect, 0.5)
    left = [sum(mask is not None for mask in track.masks) for track in thinned]
    assert left == [n - round(n / 2) for n in seen]
    assert all(
        kept in (None, mask)
        for before, after in zip(perfect, thinned, strict=True)
        for mask, kept in zip(before.masks, after.masks, strict=True)
    )
    assert len(perturb.drop(perfect, 1 / 3)) == 2
    assert all(track in perfect for track in perturb.drop(perfect, 1 / 3))
    assert perturb.drop(perfect, 0) == perfect and perturb.drop(perfect, 1) == ()


def test_only_the_rank_of_what_is_wrong_counts(dataset, perfect):
    assert score(dataset, perturb.rescore(perfect, lambda s: s**9)) == pytest.approx(1)
    assert score(dataset, perturb.clutter(perfect, score=0.1)) == pytest.approx(1)
    assert score(dataset, perturb.duplicate(perfect, 0.5)) == pytest.approx(1)
    # A false one above the only object of class 1, and two above the two of class 2.
    assert score(dataset, perturb.clutter(perfect, score=2)) == pytest.approx(0.5, abs=0.01)


def test_what_is_nowhere_gets_no_clutter(perfect):
    nowhere = replace(perfect[0], masks=(None,) * len(perfect[0].masks))
    cluttered = perturb.clutter((nowhere, *perfect[1:]), score=0.1)
    assert len(cluttered) == 2 * len(perfect) - 1


def test_another_class_is_wrong_unless_classes_do_not_count(dataset, perfect):
    wrong = perturb.relabel(perfect, [1, 2])
    assert [t.category_id for t in wrong] == [2, 1, 1]
    assert score(dataset, wrong) == 0
    assert score(dataset, wrong, class_agnostic=True) == pytest.approx(1)
