"""SCM, SHQM and DOOB by brute force; predictions to objects; whole data sets of pseudo masks."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evis.data import DataError, masks
from evis.data.supervision import weaken
from evis.data.types import Category, Track, Video, VISDataset
from evis.labels import select

HEIGHT, WIDTH = 12, 15


def block(x0, y0, x1, y1):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def frame(seed, count=3):
    """Ragged masks around boxes that overlap, (N, h, w) and (N, 4)."""
    generator = np.random.default_rng(seed)
    low = generator.integers(0, 7, (count, 2))
    boxes = np.concatenate([low, low + generator.integers(2, 6, (count, 2))], 1)
    shift = generator.integers(-1, 2, boxes.shape)
    ragged = generator.random((count, HEIGHT, WIDTH)) < 0.8
    drawn = [block(*np.maximum(row, 0)) for row in boxes + shift]
    return np.array(drawn, bool).reshape(ragged.shape) & ragged, boxes


def pixels(mask):
    return set(zip(*map(list, mask.nonzero()), strict=True))


def rectangle(of_pixels):
    """The pixels of the smallest rectangle around some."""
    rows, columns = zip(*of_pixels, strict=True)
    return set(product(range(min(rows), max(rows) + 1), range(min(columns), max(columns) + 1)))


def inside(box):
    x0, y0, x1, y1 = box
    return set(product(range(y0, y1), range(x0, x1)))


def iou(a, b):
    return len(a & b) / len(a | b) if a | b else 0.0


def slow_scm(a, b, box):
    """Eqs. 4-5 on sets of pixels."""
    a, b = pixels(a), pixels(b)
    if not a or not b:
        return 0.0
    return iou(a, b) * iou(rectangle(a), inside(box)) * iou(rectangle(b), inside(box))


def slow_doob(of_frame, boxes):
    tidy = [pixels(mask) for mask in of_frame]
    for i in range(len(tidy)):
        for j in range(i + 1, len(tidy)):
            overlap = tidy[i] & tidy[j]
            if overlap:
                fits = [iou(rectangle(overlap), inside(boxes[n])) for n in (i, j)]
                tidy[j if fits[0] >= fits[1] else i] -= overlap
    return [mask & inside(box) for mask, box in zip(tidy, boxes, strict=True)]


def test_scm_and_shqm_by_brute_force():
    picked = set()
    for seed in range(60):
        of_frame, boxes = frame(seed)
        found = select.scm(of_frame[0], of_frame[1], boxes[2])
        assert found == pytest.approx(slow_scm(of_frame[0], of_frame[1], boxes[2]), abs=1e-12)
        three = of_frame & block(*boxes[0]) | frame(seed + 1000)[0] & block(*boxes[0])
        sums = [
            sum(slow_scm(three[i], three[j], boxes[0]) for j in range(3) if j != i)
            for i in range(3)
        ]
        best = select.shqm(three, boxes[0])
        assert sums[best] == pytest.approx(max(sums), abs=1e-12)
        picked.add(best)
    assert picked == {0, 1, 2}


def test_scm_by_hand():
    whole, half = block(0, 0, 4, 4), block(0, 0, 4, 2)
    assert select.scm(whole, whole, (0, 0, 4, 4)) == 1
    assert select.scm(whole, half, (0, 0, 4, 4)) == select.scm(half, whole, (0, 0, 4, 4)) == 0.25
    assert select.scm(whole, half, (0, 0, 4, 2)) == 0.25
    assert select.scm(whole, half, (4.5, 0, 9, 2)) == 0
    for empty in (whole & False, half & False):
        assert select.scm(whole, empty, (0, 0, 4, 4)) == select.scm(empty, empty, (0, 0, 4, 4)) == 0


def test_shqm_takes_the_first_of_equals():
    whole, half = block(0, 0, 4, 4), block(0, 0, 4, 2)
    assert select.shqm(np.stack([half, whole, whole]), (0, 0, 4, 4)) == 1
    assert select.shqm(np.stack([half & False] * 3), (0, 0, 4, 4)) == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**16), st.integers(0, 4))
def test_doob_by_brute_force(seed, count):
    of_frame, boxes = frame(seed, count)
    before = of_frame.copy()
    tidy = select.doob(of_frame, boxes)
    assert [pixels(mask) for mask in tidy] == slow_doob(of_frame, boxes.tolist())
    assert np.array_equal(of_frame, before)
    assert (tidy.sum(0) <= 1).all() and not (tidy & ~of_frame).any()
    assert np.array_equal(select.doob(tidy, boxes), tidy)


def test_masks_and_boxes_may_be_given_by_name():
    of_frame, boxes = frame(0)
    assert select.shqm(masks=of_frame, box=boxes[0]) == select.shqm(of_frame, boxes[0])
    tidy = select.doob(masks=of_frame, boxes=boxes)
    assert np.array_equal(tidy, select.doob(of_frame, boxes))


def test_an_overlap_goes_to_the_box_that_it_fits():
    """A long mask covers a small object: the overlap is the small one's."""
    long, small = block(0, 0, 12, 4), block(4, 0, 8, 4)
    boxes = np.array([[0, 0, 12, 4], [4, 0, 8, 4]])
    tidy = select.doob(np.stack([long, small]), boxes)
    assert np.array_equal(tidy, [long & ~small, small])
    turned = select.doob(np.stack([small, long]), boxes[::-1])
    assert np.array_equal(turned, tidy[::-1])
    # A mask keeps every pixel that its box touches, and no other.
    cut = select.doob(block(0, 0, 12, 9)[None], np.array([[1.5, 2.0, 4.2, 5.0]]))[0]
    assert np.array_equal(cut, block(1, 2, 5, 5))


def test_predictions_go_to_the_object_that_they_agree_with():
    boxes = np.array([[0, 0, 4, 4], [6, 0, 12, 6], [0, 6, 4, 10]])
    prompted = np.stack([block(*box) for box in boxes])
    predicted = np.stack(
        [
            block(6, 0, 12, 5),  # good for the second
            block(0, 0, 4, 3),  # for the first
            block(6, 0, 12, 6),  # better for the second
            block(13, 10, 15, 12),  # for nobody
        ]
    )
    which, scores = select.assign(predicted, prompted, boxes)
    assert which.tolist() == [1, 2, -1]
    assert scores.tolist() == pytest.approx([0.75**2, 1, 0])
    which, scores = select.assign(predicted[:0], prompted, boxes)
    assert which.tolist() == [-1] * 3 and scores.tolist() == [0] * 3
    which, _ = select.assign(predicted, prompted[:0], boxes[:0])
    assert which.shape == (0,)


def test_one_prediction_is_never_two_objects():
    """Two objects whose boxes are nearly one: the prediction is the nearer one's alone."""
    boxes = np.array([[0, 0, 4, 4], [0, 0, 5, 4]])
    prompted = np.stack([block(*box) for box in boxes])
    which, _ = select.assign(prompted[:1], prompted, boxes)
    assert which.tolist() == [0, -1]


def test_keyframes_are_the_best_and_as_many_as_the_length_gives():
    scores = np.zeros(30)
    scores[[3, 11, 12, 29]] = 0.5, 0.9, 0.7, 0.6
    assert select.keyframes(scores) == [11, 12, 29]
    assert select.keyframes(scores, every=100) == [11]
    assert select.keyframes(scores[:9]) == [3]
    assert select.keyframes(scores[:3]) == select.keyframes([]) == []
    assert select.keyframes([0.5] * 20) == [0, 1]


VIDEO = Video(4, "a", HEIGHT, WIDTH, ("a/0.jpg", "a/1.jpg", "a/2.jpg"))
BOXES = ((0.0, 0.0, 12.0, 4.0), (4.0, 0.0, 4.0, 4.0))


def dataset(*tracks_of_masks, origin="sam from boxes", supervision="box"):
    """One video, a track for each list of masks, under the boxes above."""
    tracks = [
        Track(number + 1, 4, 1, boxes=(BOXES[number],) * 3).with_masks(
            [mask if mask is None else masks.encode(mask) for mask in of_track]
        )
        for number, of_track in enumerate(tracks_of_masks)
    ]
    return VISDataset((VIDEO,), tuple(tracks), (Category(1, "cat"),), None, supervision, origin)


LONG, SMALL = block(0, 0, 12, 4), block(4, 0, 8, 4)


def test_a_data_set_is_tidied_frame_by_frame():
    out = block(0, 8, 3, 9)
    found = select.tidied(dataset([LONG, LONG, out], [SMALL, None, SMALL]))
    first, second = found.tracks
    assert np.array_equal(first.mask(0), LONG & ~SMALL) and np.array_equal(first.mask(1), LONG)
    assert first.masks[2] is None and first.boxes == (BOXES[0], BOXES[0], None)
    assert first.areas == (32.0, 48.0, None)
    assert second.masks == dataset([LONG] * 3, [SMALL, None, SMALL]).tracks[1].masks
    assert (found.origin, found.supervision) == ("DOOB, from sam from boxes", "box")
    assert select.tidied(replace(found, tracks=())).tracks == ()


def test_the_best_of_three_data_sets():
    nearly = LONG.copy()
    nearly[0, 5] = False
    track = dataset([SMALL, SMALL, None], [SMALL] * 3, origin="track")
    sam = dataset([LONG, None, LONG], origin="sam")
    idol = dataset([nearly, None, LONG], [SMALL] * 3, origin="idol")
    best = select.best_of(track, sam, idol)
    first, second = best.tracks
    assert np.array_equal(first.mask(0), LONG)  # agrees with `nearly`, and its box is right
    assert np.array_equal(first.mask(1), SMALL)  # alone
    assert first.masks[2] is None  # what Track-masks miss stays missing
    assert second.masks == track.tracks[1].masks
    assert (best.origin, best.supervision) == ("SHQM with sam and idol, from track", "box")
    costly = replace(sam, supervision="mask")
    assert select.best_of(track, costly).supervision == "mask"


def test_annotated_masks_are_no_pseudo_masks():
    annotated = dataset([LONG] * 3, origin=None, supervision="mask")
    for bad in (annotated, weaken(annotated, "box"), weaken(annotated, "none")):
        with pytest.raises(DataError, match="pseudo masks"):
            select.tidied(bad)
        with pytest.raises(DataError, match="pseudo masks"):
            select.best_of(dataset([LONG] * 3), bad)


@pytest.mark.parametrize("frames", [2, 4])
def test_a_kind_of_other_numbers_of_frames_is_refused(frames):
    other = dataset([LONG] * 3, origin="other")
    (track,) = other.tracks
    cut = {kind: (getattr(track, kind) * 2)[:frames] for kind in ("masks", "boxes", "areas")}
    with pytest.raises(DataError, match="video 4: object 1's boxes and masks are of different num"):
        select.best_of(dataset([SMALL] * 3), replace(other, tracks=(replace(track, **cut),)))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="one size"):
        select.scm(LONG, LONG[:5], (0, 0, 1, 1))
    with pytest.raises(ValueError, match="bool"):
        select.shqm(np.zeros((3, 4, 4)), (0, 0, 1, 1))
    with pytest.raises(ValueError, match="one box"):
        select.doob(np.stack([LONG, SMALL]), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="no mask"):
        select.shqm(np.zeros((0, 4, 4), bool), (0, 0, 1, 1))


def test_boxes_that_are_not_finite_are_refused():
    masks, lost = np.ones((3, 4, 5), bool), (0.0, float("nan"), 2.0, 2.0)
    for choose in (
        lambda: select.scm(masks[0], masks[1], lost),
        lambda: select.shqm(masks, lost),
        lambda: select.doob(masks, np.array([lost] * 3)),
    ):
        with pytest.raises(ValueError, match="a box holds NaN or infinity"):
            choose()
