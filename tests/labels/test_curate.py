"""FlowCut's curation: Algorithm 1 by plain loops, one to one by brute force, whole data sets."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import DataError, masks
from evis.data.types import Category, Track, Video, VISDataset
from evis.labels import curate


def bars(*spans, width=20):
    """(N, 4, width) bool: of each mask the first and the last column."""
    stack = np.zeros((len(spans), 4, width), bool)
    for mask, (low, high) in zip(stack, spans, strict=True):
        mask[:, low:high] = True
    return stack


def iou(a, b):
    union = (a | b).sum()
    return (a & b).sum() / union if union else 0.0


def algorithm_1(first, second, threshold):
    found = []
    for n, mask in enumerate(first):
        best, at = -1.0, None
        for m, other in enumerate(second):
            if iou(mask, other) > best:
                best, at = iou(mask, other), m
        if best > threshold:
            found.append((n, at))
    return found


def random_bars(generator, count):
    spans = np.sort(generator.integers(0, 21, (count, 2)), 1)
    return bars(*spans)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**16), st.integers(0, 4), st.integers(0, 4), st.sampled_from([0.2, 0.5]))
def test_match_is_algorithm_1_and_one_to_one_is_the_best_sum(seed, count, other_count, threshold):
    generator = np.random.default_rng(seed)
    first, second = random_bars(generator, count), random_bars(generator, other_count)
    assert curate.match(first, second, threshold) == algorithm_1(first, second, threshold)
    ious = curate.mask_ious(first, second)
    wanted = [[iou(a, b) for b in second] for a in first]
    np.testing.assert_allclose(ious, np.array(wanted).reshape(ious.shape), atol=1e-12)
    pairs = curate.match_one_to_one(first, second, threshold)
    assert all(ious[pair] > threshold for pair in pairs)
    assert all(len(set(ends)) == len(pairs) for ends in zip(*pairs, strict=True))
    counted = np.pad(np.where(ious > threshold, ious, 0), (0, 4))[:4]
    best = max(sum(counted[range(4), order]) for order in permutations(range(counted.shape[1]), 4))
    assert sum(ious[pair] for pair in pairs) == pytest.approx(best, abs=1e-9)


def test_a_mask_can_be_taken_twice_unless_one_to_one():
    first, second = bars((0, 10), (1, 10)), bars((0, 9), (12, 20))
    assert curate.match(first, second) == [(0, 0), (1, 0)]
    assert curate.match_one_to_one(first, second) == [(0, 0)]
    assert curate.match(second, first) == [(0, 0)]


def test_half_is_not_enough_and_the_first_of_equals_wins():
    assert curate.match(bars((0, 4)), bars((0, 8))) == []
    assert curate.match(bars((0, 4)), bars((0, 8)), threshold=0.49) == [(0, 0)]
    assert curate.match(bars((0, 4)), bars((0, 3), (1, 4))) == [(0, 0)]


def made_of(*frames, origin="maskcut"):
    """A video of frames of masks, each in a track of its own, as MaskCut leaves them."""
    video = Video(7, "zebra", 4, 20, tuple(f"{t}.png" for t in range(len(frames))))
    tracks = []
    for t, stack in enumerate(frames):
        for number, mask in enumerate(stack):
            alone = [None] * len(frames)
            alone[t] = masks.encode(mask)
            tracks.append(Track(len(tracks) + 1, 7, number % 2 + 1).with_masks(alone))
    categories = Category(1, "thing"), Category(2, "other")

    def read(video, t):
        return np.full((4, 20, 3), int(video.frames[t][0]), np.uint8)

    return VISDataset((video,), tuple(tracks), categories, read, "none", origin)


FRAMES = (bars((0, 10), (12, 20)), bars((12, 20), (1, 10)), bars(), bars((0, 4), (1, 10), (1, 9)))


def test_pairs_of_a_data_set():
    clips, counts = curate.pairs(made_of(*FRAMES), gaps=(1, 2, 3))
    assert [video.frames for video in clips.videos] == [
        ("0.png", "1.png"),
        ("1.png", "3.png"),
        ("0.png", "3.png"),
    ]
    assert [video.id for video in clips.videos] == [1, 2, 3] and clips.videos[0].name == "zebra 0-1"
    first, second = clips.tracks_of(1)
    assert np.array_equal(first.mask(0), FRAMES[0][0]) and np.array_equal(
        first.mask(1), FRAMES[1][1]
    )
    assert np.array_equal(second.mask(1), FRAMES[1][0])
    assert (first.category_id, second.category_id) == (1, 2)
    assert clips.frame(2, 1).max() == 3
    assert counts == (
        curate.Count(1, pairs=3, kept_pairs=1, kept=4, dropped=2 + 3),
        curate.Count(2, pairs=2, kept_pairs=1, kept=2, dropped=2 + 3),
        curate.Count(3, pairs=1, kept_pairs=1, kept=2, dropped=3),
    )
    assert clips.supervision == "none"
    assert clips.origin == "pairs of frames 1, 2, 3 apart, IoU above 0.5, from maskcut"


def test_one_to_one_pairs_keep_less():
    twice = made_of(bars((0, 10), (1, 10)), bars((0, 9)))
    rows, (by_rows,) = curate.pairs(twice, gaps=(1,))
    one, (by_assignment,) = curate.pairs(twice, gaps=(1,), matcher=curate.by_assignment)
    assert (len(rows.tracks), len(one.tracks)) == (2, 1)
    assert (by_rows.kept, by_rows.dropped) == (3, 0)
    assert (by_assignment.kept, by_assignment.dropped) == (2, 1)


def test_the_papers_gaps_and_videos_that_are_too_short():
    clips, counts = curate.pairs(made_of(*[bars((0, 9))] * 3))
    assert [(count.gap, count.pairs) for count in counts] == [(1, 2), (2, 1), (3, 0), (4, 0)]
    assert len(clips) == 3
    assert curate.pairs(made_of(bars(), bars()))[0].videos == ()
    empty, counts = curate.pairs(made_of(bars(), bars((0, 3))), gaps=(1,))
    assert len(empty) == 0 and counts[0].dropped == 1


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="bool"):
        curate.match(bars((0, 1)).astype(float), bars((0, 1)))
    with pytest.raises(ValueError, match="bool"):
        curate.match(bars((0, 1)), bars((0, 1), width=21))
    with pytest.raises(DataError, match="pseudo masks"):
        curate.pairs(made_of(*FRAMES, origin=None))
    with pytest.raises(ValueError, match="at least 1"):
        curate.pairs(made_of(*FRAMES), gaps=(0, 1))
