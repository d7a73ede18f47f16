"""Missing-Data and RIA: which annotations stay, and what the result says of itself."""

from dataclasses import replace

import numpy as np
import pytest

from evis.data import DataError, masks, ytvis
from evis.data.supervision import weaken
from evis.data.types import Category, Track, Video, VISDataset
from evis.labels import filtering

VIDEO = Video(4, "a", 8, 10, tuple(f"a/{t}.jpg" for t in range(4)))


def columns(count):
    """A mask of the first columns: 10 of them are the whole object."""
    mask = np.zeros((8, 10), bool)
    mask[:, :count] = True
    return masks.encode(mask)


def dataset(tracks, origin=None, supervision="mask"):
    made = tuple(Track(number, 4, 1).with_masks(rles) for number, rles in tracks.items())
    return VISDataset((VIDEO,), made, (Category(1, "cat"),), None, supervision, origin)


TRUTH = dataset(
    {1: [columns(10)] * 4, 2: [columns(10), columns(5), None, None], 3: [columns(1)] * 4}
)
PSEUDO = dataset(
    {1: [columns(10), columns(6), columns(5), None], 2: [None, None, columns(5), columns(5)]},
    origin="track from boxes",
    supervision="box",
)


def seen(found):
    """Frames in which each track is left."""
    return {
        track.id: [t for t, rle in enumerate(track.masks) if rle is not None]
        for track in found.tracks
    }


def test_missing_data_leaves_what_has_a_pseudo_mask():
    found = filtering.missing_data(TRUTH, PSEUDO)
    assert seen(found) == {1: [0, 1, 2]}  # tracks 2 and 3 have no frame in common
    (track,) = found.tracks
    truth = TRUTH.tracks[0]
    for kind in ("masks", "boxes", "areas"):
        assert getattr(track, kind) == (*getattr(truth, kind)[:3], None), kind
    assert found.videos == TRUTH.videos


@pytest.mark.parametrize(
    ("threshold", "frames"),
    [(0, [0, 1, 2]), (0.5, [0, 1, 2]), (0.6, [0, 1]), (0.61, [0]), (1, [0])],
)
def test_ria_removes_what_is_below_the_threshold(threshold, frames):
    found = filtering.ria(TRUTH, PSEUDO, threshold)
    assert seen(found) == {1: frames}


def test_at_zero_ria_is_missing_data_and_more_goes_at_every_step():
    assert filtering.ria(TRUTH, PSEUDO, 0).tracks == filtering.missing_data(TRUTH, PSEUDO).tracks
    left = [
        sum(map(len, seen(filtering.ria(TRUTH, PSEUDO, tau)).values()))
        for tau in np.linspace(0, 0.8, 9)
    ]
    assert left == sorted(left, reverse=True) and left[0] > left[-1]


def test_the_result_costs_masks_and_says_what_made_it(tmp_path):
    found = filtering.ria(TRUTH, PSEUDO)
    assert found.supervision == "mask"
    assert found.origin == "Missing-Data and RIA below 0.6 by masks of track from boxes"
    with pytest.raises(DataError, match="allows less"):
        weaken(found, "box")
    assert ytvis.read(ytvis.write(found, tmp_path / "filtered.json")) == found


def test_boxes_alone_are_filtered_too_and_cost_boxes():
    found = filtering.missing_data(weaken(TRUTH, "box"), PSEUDO)
    assert (found.supervision, found.kinds) == ("box", {"boxes"})
    assert found.tracks[0].boxes[3] is None and found.tracks[0].masks is None
    costly = replace(PSEUDO, supervision="mask")
    assert filtering.missing_data(weaken(TRUTH, "box"), costly).supervision == "mask"
    with pytest.raises(DataError, match="RIA compares annotated masks"):
        filtering.ria(weaken(TRUTH, "box"), PSEUDO)


def test_mask_iou():
    assert filtering.mask_iou(columns(10), columns(6)) == pytest.approx(0.6, abs=1e-12)
    assert filtering.mask_iou(columns(0), columns(0)) == filtering.mask_iou(None, columns(3)) == 0


def test_nothing_left_is_an_empty_data_set():
    assert filtering.missing_data(TRUTH, replace(PSEUDO, tracks=PSEUDO.tracks[1:])).tracks == ()
    assert filtering.missing_data(replace(TRUTH, tracks=()), PSEUDO).tracks == ()


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="by pseudo masks"):
        filtering.missing_data(TRUTH, TRUTH)
    with pytest.raises(DataError, match="not told apart"):
        filtering.missing_data(weaken(TRUTH, "none"), PSEUDO)
    with pytest.raises(ValueError, match="IoU threshold"):
        filtering.ria(TRUTH, PSEUDO, 60)
    high = replace(PSEUDO.tracks[0], masks=(masks.encode(np.ones((10, 8), bool)),) * 4)
    with pytest.raises(DataError, match="can't be compared"):
        filtering.ria(TRUTH, replace(PSEUDO, tracks=(high,)), 0)
    short = replace(PSEUDO.tracks[0], masks=(columns(3),), boxes=None, areas=None)
    with pytest.raises(DataError, match="different numbers of frames"):
        filtering.missing_data(TRUTH, replace(PSEUDO, tracks=(short,)))
