"""Predicted tracks as a data set again, with what they cost and what made them."""

import os

import numpy as np
import pytest

from evis.data import DataError, annotations, masks, ytvis
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.data.types import Category, Point, Track, Video, VISDataset
from evis.labels import as_dataset

VIDEO = Video(4, "a", 8, 9, ("a/0.jpg", "a/1.jpg"))
SQUARE = np.zeros((8, 9), bool)
SQUARE[2:5, 3:7] = True
FOUND = (masks.encode(SQUARE), None)


@pytest.fixture
def boxes():
    track = Track(7, 4, 2, boxes=((0.0, 0.0, 9.0, 8.0),) * 2)
    return VISDataset((VIDEO,), (track,), (Category(2, "cat"),), supervision="box")


def test_predictions_become_tracks_with_boxes_and_areas(boxes):
    nowhere = PredictedTrack(4, 2, 0.9, (None, None))
    made = as_dataset(boxes, [nowhere, PredictedTrack(4, 2, 0.4, FOUND)], origin="a model")
    assert (made.supervision, made.origin, made.kinds) == ("box", "a model", {"boxes", "masks"})
    (track,) = made.tracks
    assert (track.id, track.video_id, track.category_id) == (1, 4, 2)
    assert track.masks == FOUND
    assert track.boxes == ((3.0, 2.0, 4.0, 3.0), None) and track.areas == (12.0, None)


def test_they_cost_what_they_were_made_from(boxes):
    found = [PredictedTrack(4, 2, 0.4, FOUND)]
    assert as_dataset(weaken(boxes, "none"), found, "maskcut").supervision == "none"
    twice = as_dataset(as_dataset(boxes, found, "grabcut"), found, "a model")
    assert (twice.supervision, twice.origin) == ("box", "a model, from grabcut")


def test_a_file_keeps_them_apart_from_annotations(boxes, tmp_path):
    made = as_dataset(boxes, [PredictedTrack(4, 2, 0.4, FOUND)], origin="a model")
    again = ytvis.read(ytvis.write(made, tmp_path / "made.json"))
    assert again == made
    with pytest.raises(DataError, match='"point" allows less'):
        weaken(again, "point")


def test_an_origin_that_names_a_file_whose_name_is_no_text_can_be_read_back(boxes, tmp_path):
    name = os.fsdecode(b"caf\xe9.pth")
    made = as_dataset(boxes, [PredictedTrack(4, 2, 0.4, FOUND)], origin=f"a model of {name}")
    read = annotations.read(annotations.write(made, tmp_path / "made.json"))
    assert read.origin == made.origin == r"a model of caf\xe9.pth"


def test_what_does_not_fit_is_named(boxes):
    for masks_of, category in ((FOUND[:1], 2), (FOUND, 3)):
        with pytest.raises(DataError, match="video a: prediction 0 has . masks and category ."):
            as_dataset(boxes, [PredictedTrack(4, category, 1.0, masks_of)], "a model")
    with pytest.raises(DataError, match="no such video"):
        as_dataset(boxes, [PredictedTrack(5, 2, 1.0, FOUND)], "a model")
    with pytest.raises(DataError, match="made labels need an origin"):
        as_dataset(boxes, [], "")


def test_masks_made_from_points_are_trained_on_without_the_points():
    track = Track(1, 4, 2, points=((Point(4, 3, True),), ()))
    videos = VISDataset((VIDEO,), (track,), (Category(2, "cat"),), supervision="point")
    labelled = as_dataset(videos, [PredictedTrack(4, 2, 1.0, FOUND)], "a model")
    assert (labelled.supervision, labelled.kinds) == ("point", {"boxes", "masks"})
