"""Figs 1 and 5: what lies on top, how tracks are named, around what dashed lines are drawn."""

import numpy as np

from evis.companion.plots import qualitative
from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Video, VISDataset
from evis.inference import drawing

SIZE = 16, 24
GREY = np.full((*SIZE, 3), 90, np.uint8)
PICTURES = [[qualitative.Frame(GREY, {})] * qualitative.COLUMNS] * 2


def test_the_first_track_lies_on_top_and_is_outlined_to_the_edge():
    video = Video(1, "v", *SIZE, ("0.jpg",))
    dataset = VISDataset((video,), (), (Category(1, "disc"),), lambda video, t: GREY)
    whole = masks.encode(np.ones(SIZE, dtype=bool))
    tracks = [PredictedTrack(1, 1, 0.9, (whole,)), PredictedTrack(1, 1, 0.8, (whole,))]
    row = qualitative.frames(dataset, tracks, 1)
    assert len(row) == qualitative.COLUMNS and list(row[0].masks) == [0, 1]
    figure = qualitative.predictions([row], ["one"], [["disc", "disc"]])
    middle = figure.axes[0].images[0].get_array()[8, 12].astype(int)
    on_top, below = (np.array(drawing.colour(n)) for n in (0, 1))
    assert np.abs(middle - on_top).sum() < np.abs(middle - below).sum()
    last = figure.axes[0].collections[-1]  # drawn last, so it is seen
    assert np.allclose(last.get_edgecolor()[0][:3], on_top / 255)
    extent = last.get_paths()[0].get_extents()
    assert np.allclose([extent.min, extent.max], [(-0.5, -0.5), (23.5, 15.5)])


def test_a_track_that_is_not_seen_has_no_mask():
    video = Video(1, "v", *SIZE, ("0.jpg",))
    dataset = VISDataset((video,), (), (Category(1, "disc"),), lambda video, t: GREY)
    (first, *_) = qualitative.frames(dataset, [PredictedTrack(1, 1, 0.9, (None,))], 1)
    assert first.masks == {}


def test_tracks_are_named_beside_their_row_in_their_colours():
    figure = qualitative.predictions(PICTURES, ["one", "two"], [["disc 0.90", "star 0.80"], []])
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    names = [[text.get_text() for text in legend.get_texts()] for legend in legends]
    assert names == [["disc 0.90", "star 0.80"], []]
    first, second = (
        np.round(255 * np.array(p.get_facecolor()[:3])) for p in legends[0].get_patches()
    )
    assert tuple(first) == drawing.colour(0) and tuple(second) == drawing.colour(1)
    assert [axes.get_ylabel() for axes in figure.axes[:: qualitative.COLUMNS]] == ["one", "two"]


def test_dashes_surround_what_is_missed():
    missed = np.zeros(SIZE, dtype=bool)
    missed[1:4, 2:6] = True
    nothing = np.zeros(SIZE, dtype=bool)
    rows = [[missed, nothing, nothing, None], [nothing] * 4]
    figure = qualitative.comparison(PICTURES, ["TK", "ours"], rows)
    drawn = [len(axes.collections) > 0 for axes in figure.axes]
    assert drawn == [True] + [False] * 7
    (_, dashes) = figure.axes[0].collections
    corners = dashes.get_paths()[0].get_extents()
    assert np.allclose([corners.min, corners.max], [(1.5, 0.5), (5.5, 3.5)])
    assert dashes.get_linestyle()[0][1] is not None
