import numpy as np
import pytest

from evis.companion.plots import tracks
from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Video, VISDataset

GREY = np.full((4, 6, 3), 100, np.uint8)
DATA = VISDataset(
    (Video(1, "v", 4, 6, ("a", "b")),), (), (Category(1, "cat"),), lambda video, frame: GREY
)
HALF = masks.encode(np.arange(24).reshape(4, 6) < 12)
FOUND = (PredictedTrack(1, 1, 0.75, (HALF, None)),)


def test_box_iou():
    assert tracks.box_iou((0, 0, 4, 2), (2, 0, 4, 2)) == pytest.approx(4 / 12)
    assert tracks.box_iou((0, 0, 1, 1), (5, 5, 1, 1)) == 0
    assert tracks.box_iou((1, 2, 3, 4), (1, 2, 3, 4)) == 1


def test_a_timeline_shows_the_share_of_the_frame():
    (axis,) = tracks.timeline(DATA, FOUND).axes
    (line,) = axis.lines
    assert line.get_ydata() == pytest.approx([50, 0])
    assert line.get_label() == "1 cat 0.75"


def test_a_filmstrip_has_a_row_a_set_of_tracks_and_draws_boxes():
    figure = tracks.filmstrip(
        DATA, {"film": None, "found": FOUND}, [0, 1], scale=2, boxes={1: (0, 0, 3, 2)}
    )
    pictures = [axis.images[0].get_array() for axis in figure.axes]
    assert len(pictures) == 4
    plain, boxed, masked, _ = pictures
    assert (plain == 100).all() and (boxed[0, 0] == 255).all() and not (masked == 100).all()
