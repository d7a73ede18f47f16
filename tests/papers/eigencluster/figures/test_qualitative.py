"""Figs 1 and 5: what lies on top, how tracks are named, around what dashed lines are drawn."""

import numpy as np

from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Video, VISDataset
from evis.inference import drawing
from evis.papers.eigencluster.figures import qualitative

SIZE = 16, 24
GREY = np.full((*SIZE, 3), 90, np.uint8)
PICTURES = [[GREY] * qualitative.COLUMNS] * 2


def test_the_first_track_lies_on_top():
    video = Video(1, "v", *SIZE, ("0.jpg",))
    dataset = VISDataset((video,), (), (Category(1, "disc"),), lambda video, t: GREY)
    whole = masks.encode(np.ones(SIZE, dtype=bool))
    tracks = [PredictedTrack(1, 1, score, (whole,)) for score in (0.9, 0.8)]
    (first, *_) = qualitative.frames(dataset, tracks, 1)
    middle = first[24, 36]
    on_top, below = (np.array(drawing.colour(n)) for n in (1, 0))
    assert np.abs(middle - on_top).sum() < np.abs(middle - below).sum()


def test_tracks_are_named_beside_their_row_in_their_colours():
    figure = qualitative.figure_one(PICTURES, ["one", "two"], [["disc 0.90", "star 0.80"], []])
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    names = [[text.get_text() for text in legend.get_texts()] for legend in legends]
    assert names == [["disc 0.90", "star 0.80"], []]
    first, second = (
        np.round(255 * np.array(p.get_facecolor()[:3])) for p in legends[0].get_patches()
    )
    assert tuple(first) == drawing.colour(1) and tuple(second) == drawing.colour(0)
    assert [axes.get_ylabel() for axes in figure.axes[::5]] == ["one", "two"]


def test_dashes_surround_what_is_missed():
    missed = np.zeros(SIZE, dtype=bool)
    missed[1:4, 2:6] = True
    nothing = np.zeros(SIZE, dtype=bool)
    rows = [[missed, nothing, nothing, nothing, None], [nothing] * 5]
    figure = qualitative.figure_five(PICTURES, ["TK", "ours"], rows)
    drawn = [len(axes.collections) > 0 for axes in figure.axes]
    assert drawn == [True] + [False] * 9
    (line, _) = figure.axes[0].collections
    corners = line.get_paths()[0].get_extents()
    scale = qualitative.SCALE
    assert np.allclose(corners.min, (2 * scale - 0.5, scale - 0.5), atol=0.5)
    assert np.allclose(corners.max, (6 * scale - 0.5, 4 * scale - 0.5), atol=0.5)
