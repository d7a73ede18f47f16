"""Clicks and what the matcher makes of them: costs by hand, the picture, the widget."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from evis.companion.plots import clicking
from evis.data import clicks as click_files
from evis.data import masks
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.data.types import Category, Video, VISDataset
from evis.inference import drawing
from evis.labels import points

HEIGHT, WIDTH, LENGTH = 12, 20, 3
LEFT, RIGHT, ALL = (slice(0, 10), slice(10, 20), slice(0, 20))


def video(*names):
    of = Video(1, "walk", HEIGHT, WIDTH, ("0.png", "1.png", "2.png"))
    categories = tuple(Category(n, name) for n, name in enumerate(names, 3))
    black = lambda video, frame: np.zeros((HEIGHT, WIDTH, 3), np.uint8)  # noqa: E731
    return VISDataset((of,), (), categories, black, supervision="none")


def proposal(columns, score, frames=range(LENGTH)):
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[:, columns] = True
    rles = tuple(masks.encode(mask) if t in frames else None for t in range(LENGTH))
    return PredictedTrack(1, 0, score, rles)


PROPOSALS = [proposal(ALL, 0.9), proposal(LEFT, 0.5), proposal(RIGHT, 0.6)]
CLICKS = [[(0, 2, 3, True), (1, 2, 3, True), (1, 12, 3, False)], [(0, 15, 3, True)]]


def test_costs_are_each_term_of_eq_4_the_cheapest_first():
    table = clicking.costs(video(), PROPOSALS, CLICKS)
    assert list(table.columns) == [
        "5 x own clicks that it gets wrong",
        "5 x others' clicks that it covers",
        "-2 x maskness",
        "cost",
        "goes to",
    ]
    assert table.index.tolist() == [1, 0, 2]
    wanted = [[0, 0, -1.0, -1.0], [5, 5, -1.8, 8.2], [15, 5, -1.2, 18.8]]
    np.testing.assert_allclose(table.iloc[:, :4].to_numpy(dtype=float), wanted)
    assert table["goes to"].tolist() == ["object 0", "", "object 1"]
    other = clicking.costs(video(), PROPOSALS, CLICKS, shown=1)
    np.testing.assert_allclose(other["cost"], [-1.2, 3.2, 9.0])  # its own click, the other's one


def test_it_is_the_matchers_choice_and_objects_without_clicks_get_nothing():
    stack = np.stack([[masks.decode(rle) for rle in p.masks] for p in PROPOSALS])
    scores = np.array([p.score for p in PROPOSALS])
    terms, chosen = clicking.matched(video(), PROPOSALS, CLICKS)
    for ours, theirs in zip(terms, points.terms(stack > 0, scores, CLICKS), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert chosen.tolist() == points.assign(stack > 0, scores, CLICKS).tolist()
    _, chosen = clicking.matched(video(), PROPOSALS, [[], CLICKS[1], []])
    assert chosen.tolist() == [-1, 0, -1], "alone, it takes the surest that holds its click"
    more = [[(0, 2, 3, True)], [(0, 3, 3, True)]]
    assert sorted(clicking.matched(video(), PROPOSALS[:1], more)[1].tolist()) == [-1, 0]
    assert clicking.matched(video(), [], CLICKS)[1].tolist() == [-1, -1]
    assert clicking.matched(video(), PROPOSALS, [])[1].tolist() == []


def test_the_picture_shows_masks_pale_where_their_object_has_no_click():
    here, later = (clicking.picture(video(), PROPOSALS, CLICKS, t) for t in (0, 2))
    scale = clicking.WIDE // WIDTH
    assert here.shape == later.shape == (HEIGHT * scale, WIDTH * scale, 3)
    far = 10 * scale, 5 * scale  # in the left mask, away from clicks and outlines
    for shown, opacity in ((here, 0.6), (later, 0.15)):
        np.testing.assert_allclose(shown[far], np.multiply(drawing.colour(0), opacity), atol=1)
    assert (here[3 * scale + scale // 2, 2 * scale + scale // 2] == drawing.colour(0)).all()
    absent = [proposal(LEFT, 0.5, frames=(0,)), PROPOSALS[2]]
    assert (clicking.picture(video(), absent, CLICKS, 2)[far] == 0).all()
    assert (clicking.picture(video(), PROPOSALS, [[]], 0) == 0).all()


def test_a_figure_names_what_the_object_gets():
    figure = clicking.explained(video(), PROPOSALS, CLICKS, frame=1, shown=1)
    (table,) = figure.axes[1].tables
    text = {place: cell.get_text() for place, cell in table.get_celld().items()}
    first = [text[1, n].get_text() for n in range(6)]
    assert first == ["2", "0.00", "0.00", "-1.20", "-1.20", "object 1"]
    assert text[1, 0].get_weight() == "bold" != text[2, 0].get_weight()
    assert (text[0, 0].get_text(), text[0, 4].get_text()) == ("proposal", "cost")
    assert "object 1" in figure.axes[1].get_title() and "frame 1" in figure.axes[0].get_title()
    for known in (([], CLICKS), (PROPOSALS, [[]])):
        clicking.explained(video(), *known, frame=0)
    plt.close("all")


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="there is no object 2, but 2 from 0 on"):
        clicking.costs(video(), PROPOSALS, CLICKS, shown=2)
    with pytest.raises(DataError, match="lies outside the video"):
        clicking.costs(video(), PROPOSALS, [[(0, 20, 0, True)]])
    with pytest.raises(DataError, match="proposal 0 has 1 masks"):
        clicking.costs(video(), [replace(PROPOSALS[0], masks=PROPOSALS[0].masks[:1])], CLICKS)
    with pytest.raises(DataError, match="there is no such frame"):
        clicking.picture(video(), PROPOSALS, CLICKS, 3)


def test_clicks_in_the_browser_are_matched_at_once():
    board = clicking.Clicking(video("dog", "cat"), PROPOSALS)
    assert "Click on object 0" in board._said.value and "<img" in board._frame.value
    before = board._frame.value
    board._place.value = "0.11 0.3"
    assert board.clicks == [[(0, 2, 3, True)]] and board._place.value == ""
    assert board._frame.value != before and "object 0" in board._why.value
    board._place.value = "0.11 0.3"
    assert len(board.clicks[0]) == 2, "the same place again is another click"
    board.take_back()
    board.object.value, board.frame.value, board.name.value = 1, 2, "cat"
    board._place.value = "1.0 -0.01"
    board.positive.value = False
    board._place.value = "0.0 1.0"
    assert board.clicks == [[(0, 2, 3, True)], [(2, 19, 0, True), (2, 0, 11, False)]]
    board.object.value = 0
    assert board.name.value == "dog"
    board.take_back()
    board.take_back()
    assert board.clicks[0] == [], "there is nothing more to take back"


def test_what_was_clicked_is_saved_as_the_command_reads_it(tmp_path):
    board = clicking.Clicking(video("dog", "cat"), PROPOSALS, CLICKS, tmp_path / "clicks.json")
    board.object.value, board.name.value = 1, "cat"
    board.object.value = 4  # begun, never clicked
    path = board.save()
    assert "clicks: 4" in board._said.value
    back = click_files.read(path, video("dog", "cat"))
    assert points.clicks_of(back, 1) == CLICKS and back.supervision == "point"
    assert [track.category_id for track in back.tracks] == [3, 4]
    labelled = points.label(board.labelled(), PROPOSALS, "clicks")
    assert [t for t, rle in enumerate(labelled.tracks[0].masks) if rle] == [0, 1]


def test_a_video_of_no_known_classes_gets_those_that_were_typed(tmp_path):
    board = clicking.Clicking(video(), PROPOSALS, (), tmp_path / "c.json")
    assert board.name.value == "object" and board.labelled().tracks == ()
    board.name.value = "zebra"
    board.click(2, 3)
    board.object.value, board.name.value = 1, "ant"
    board.click(15, 3)
    back = click_files.read(board.save(), video())
    assert [c.name for c in back.categories] == ["ant", "zebra"]
    assert [back.category_names[t.category_id] for t in back.tracks] == ["zebra", "ant"]
