"""Predictions given to the objects of boxes by SCM, frame by frame; the whole way as a labeller."""

from dataclasses import replace

import numpy as np
import pytest

from evis.data import masks, toy
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.data.types import Category, Track, Video, VISDataset
from evis.labels import assigned, from_boxes, select, tracking
from evis.labels.best import Best
from evis.labels.datasets import made
from evis.labels.videos import Boxes, carrier, make

SIZE = 20, 40


def block(x0, y0, x1, y1):
    mask = np.zeros(SIZE, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


LEFT, RIGHT = block(2, 2, 12, 12), block(22, 4, 36, 16)


def boxes():
    """Two objects, the second one in the last of two frames alone, under annotated masks."""
    video = Video(7, "v", *SIZE, ("0.png", "1.png"))
    own = {1: (LEFT, LEFT), 2: (None, RIGHT)}
    tracks = [
        Track(number, 7, 1).with_masks([m if m is None else masks.encode(m) for m in of_track])
        for number, of_track in own.items()
    ]
    return VISDataset((video,), tuple(tracks), (Category(1, "thing"),))


def predicted(*of_frames, score=0.5):
    rles = tuple(mask if mask is None else masks.encode(mask) for mask in of_frames)
    return PredictedTrack(7, 3, score, rles)


def prompted():
    few = weaken(boxes(), "box")
    return from_boxes.label(replace(few, read_frame=blank), from_boxes.fill, progress=False)


def blank(video, frame):
    return np.zeros((*SIZE, 3), dtype=np.uint8)


def test_each_object_takes_its_best_prediction_whatever_its_class():
    near, nearer = block(3, 2, 12, 12), block(2, 2, 12, 11)
    found = [
        predicted(near, near, score=0.9),
        predicted(nearer, None, score=0.1),
        predicted(block(20, 0, 22, 3), block(23, 4, 36, 16)),
    ]
    labelled = assigned.by_scm(boxes(), prompted(), found, "a model")
    one, two = sorted(labelled.tracks, key=lambda track: track.id)
    by_hand = [select.scm(mask, LEFT, (2, 2, 12, 12)) for mask in (near, nearer)]
    assert by_hand[0] == by_hand[1] == pytest.approx(0.9**2)  # of equals the first
    assert np.array_equal(one.mask(0), near) and np.array_equal(one.mask(1), near)
    assert two.masks[0] is None and np.array_equal(two.mask(1), block(23, 4, 36, 16))
    assert (one.category_id, labelled.supervision) == (1, "box")
    assert labelled.origin == "a model, assigned by SCM with fill from boxes"


def test_objects_that_nothing_was_predicted_of_are_missing():
    labelled = assigned.by_scm(boxes(), prompted(), [predicted(LEFT, None)], "a model")
    (track,) = labelled.tracks
    assert track.id == 1 and track.masks[1] is None and track.boxes[1] is None
    assert assigned.by_scm(boxes(), prompted(), [], "a model").tracks == ()


def test_no_annotated_mask_is_seen():
    truth = boxes()
    noise = np.random.default_rng(0)
    spoilt = [
        replace(t, masks=tuple(r and masks.encode(noise.random(SIZE) < 0.5) for r in t.masks))
        for t in truth.tracks
    ]
    found = [predicted(LEFT, LEFT), predicted(RIGHT, RIGHT)]
    one, other = (
        assigned.by_scm(given, prompted(), found, "a model")
        for given in (truth, replace(truth, tracks=tuple(spoilt)))
    )
    assert one.tracks == other.tracks


def test_labels_of_other_videos_are_refused():
    strange = replace(predicted(LEFT, LEFT), video_id=8)
    with pytest.raises(DataError, match="video_id 8: no such video"):
        assigned.by_scm(boxes(), prompted(), [strange], "a model")
    with pytest.raises(DataError, match="video v: a track has 1 entries for 2 frames"):
        assigned.by_scm(boxes(), prompted(), [predicted(LEFT)], "a model")
    masked = prompted()
    short = replace(masked.tracks[0], masks=masked.tracks[0].masks[:1])
    with pytest.raises(DataError, match="object 1's boxes and masks are of different numbers"):
        assigned.by_scm(boxes(), replace(masked, tracks=(short,)), [], "a model")


@pytest.mark.slow
def test_the_best_is_chosen_among_two_kinds_and_what_is_tracked_from_where_they_agree():
    few = toy.sample("toy-ytvis19", 1)
    labeller = Best("ellipse", "fill", every=4)
    assert labeller.weights == () and "K = 4" in labeller.origin
    labelled = make(few, labeller, progress=False)
    bare = weaken(few, "box")
    kinds = [make(bare, Boxes(by, tidy=True), progress=False) for by in ("ellipse", "fill")]
    first = [made(bare, kind.tracks, "x") for kind in kinds]
    tracked = tracking.label(bare, first[0], carrier("colour"), "x", 4, first[1], progress=False)
    wanted = select.best_of(tracked, *first)
    assert [t.masks for t in labelled.tracks] == [t.masks for t in wanted.tracks]
    assert labelled.supervision == "box"
    assert len(Best().weights) == 1, "toy_sam's"
