"""The steadiest of several kinds of masks: warped and counted by hand, planted blocks found."""

from dataclasses import replace

import numpy as np
import pytest

from evis.data import masks
from evis.data.errors import DataError
from evis.data.types import Category, Track, Video, VISDataset
from evis.labels import select, steady

SIZE, LENGTH = (24, 36), 5


def block(x0, y0, x1, y1):
    mask = np.zeros(SIZE, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_a_mask_is_carried_back_along_the_flow():
    """The object moves 3 right and 2 down, so that here it lies as far left and up."""
    flow = np.zeros((*SIZE, 2), dtype=np.float32)
    flow[..., 0], flow[..., 1] = 3, 2
    there = block(10, 8, 20, 14)
    assert np.array_equal(steady.carried(there, flow), block(7, 6, 17, 12))
    at_the_border = block(33, 20, 36, 24)
    assert steady.carried(at_the_border, -flow).sum() == 0, "it was outside of the picture"
    with pytest.raises(ValueError, match="needs a flow of its size"):
        steady.carried(there, flow[:10])


def slow(candidates, witnesses, box):
    scores = []
    for mask in candidates:
        ious = []
        for other in witnesses:
            both = [(a and b, a or b) for a, b in zip(mask.flat, other.flat, strict=True)]
            shared, union = (sum(values) for values in zip(*both, strict=True))
            ious.append(shared / union if union else 0)
        agreement = sum(ious) / len(ious) if ious else 1
        scores.append(agreement * select.box_iou(select.around(mask), box))
    return scores.index(max(scores))


@pytest.mark.parametrize("seed", range(8))
def test_the_choice_by_brute_force(seed):
    draw = np.random.default_rng(seed)

    def some(count):
        blocks = []
        for _ in range(count):
            x0, y0 = draw.integers(0, 20), draw.integers(0, 14)
            blocks.append(block(x0, y0, x0 + draw.integers(1, 14), y0 + draw.integers(1, 10)))
        return np.array(blocks, dtype=bool).reshape(-1, *SIZE)

    candidates, witnesses = some(3), some(draw.integers(0, 5))
    box = (5, 4, 22, 15)
    assert steady.steadiest(candidates, witnesses, box) == slow(candidates, witnesses, box)


def test_of_equals_the_first_and_nothing_of_nothing():
    same = np.stack([block(4, 4, 12, 12)] * 2)
    assert steady.steadiest(same, same, (4, 4, 12, 12)) == 0
    with pytest.raises(ValueError, match="no mask to choose from"):
        steady.steadiest(same[:0], same, (4, 4, 12, 12))


def true(frame):
    return block(4 + 2 * frame, 6, 14 + 2 * frame, 16)


def film(origin, *of_frames):
    """A bright block that moves 2 pixels a frame; its box, and one kind of masks."""
    video = Video(1, "block", *SIZE, tuple(f"{n}.png" for n in range(LENGTH)))
    boxes = tuple((4.0 + 2 * n, 6.0, 10.0, 10.0) for n in range(LENGTH))
    rles = [mask is not None and masks.encode(mask) or None for mask in of_frames]
    track = Track(1, 1, 1, boxes=boxes).with_masks(rles)

    def read(video, frame):
        picture = np.full((*SIZE, 3), 30, dtype=np.uint8)
        picture[true(frame)] = (230, 180, 40)
        return picture

    return VISDataset((video,), (track,), (Category(1, "block"),), read, "box", origin)


def moving(first, second):
    flow = np.zeros((*SIZE, 2), dtype=np.float32)
    flow[..., 0] = 2 * np.sign(np.argwhere(second)[:, 1].mean() - np.argwhere(first)[:, 1].mean())
    return flow


def test_what_flickers_loses_to_what_the_frames_around_bear_out():
    flickers = film("one", *(true(n) if n % 2 else block(4, 6, 24, 16) for n in range(LENGTH)))
    stays = film("other", *(true(n) for n in range(LENGTH)))
    for order in ((flickers, stays), (stays, flickers)):
        found = steady.steadiest_of(*order, estimator=moving)
        (track,) = found.tracks
        assert all(np.array_equal(track.mask(n), true(n)) for n in range(LENGTH))
        assert found.supervision == "box"
    assert found.origin == "the steadiest, with one, from other"


def test_a_kind_that_has_no_mask_is_not_asked():
    first = film("one", true(0), None, true(2), true(3), None)
    other = film("other", *(true(n) for n in range(LENGTH)))
    (track,) = steady.steadiest_of(first, other, estimator=moving).tracks
    assert [mask is not None for mask in track.masks] == [True, False, True, True, False]
    nothing = replace(other, tracks=())
    assert steady.steadiest_of(first, nothing, estimator=moving).tracks[0].masks == (
        first.tracks[0].masks
    )
    assert steady.steadiest_of(nothing, first).tracks == ()


def test_annotated_masks_are_no_pseudo_masks():
    annotated = replace(film("x", *map(true, range(LENGTH))), origin=None, supervision="mask")
    with pytest.raises(DataError, match="pseudo masks and their boxes are asked for"):
        steady.steadiest_of(annotated)


def test_a_kind_of_fewer_frames_is_refused():
    first, other = (film("x", *map(true, range(LENGTH))) for _ in range(2))
    (track,) = other.tracks
    cut = {kind: getattr(track, kind)[:-1] for kind in ("masks", "boxes", "areas")}
    with pytest.raises(DataError, match="different numbers of frames"):
        steady.steadiest_of(first, replace(other, tracks=(replace(track, **cut),)))
