import numpy as np
import pytest

from evis.data import masks
from evis.data.errors import DataError
from evis.data.predictions import PredictedTrack
from evis.inference import edit

MASK = masks.encode(np.ones((2, 3), bool))
TRACKS = tuple(PredictedTrack(1, category, score, (MASK,) * 4) for category, score in
               ((5, 0.9), (6, 0.5), (7, 0.1)))  # fmt: skip


def test_keep_takes_scores_from_the_least_on():
    assert edit.keep(TRACKS, 0.5) == TRACKS[:2]
    assert edit.keep(TRACKS, 0.95) == ()


def test_rename_changes_one_track_and_nothing_else():
    renamed = edit.rename(TRACKS, 2, 9)
    assert [track.category_id for track in renamed] == [5, 9, 7]
    assert TRACKS[1].category_id == 6
    assert renamed[1].masks == TRACKS[1].masks and renamed[1].score == 0.5


def test_trim_empties_frames_outside():
    trimmed = edit.trim(TRACKS, 3, first=1, last=2)
    assert trimmed[2].masks == (None, MASK, MASK, None)
    assert trimmed[:2] == TRACKS[:2]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: edit.rename(TRACKS, 4, 1),
        lambda: edit.rename(TRACKS, 0, 1),
        lambda: edit.trim(TRACKS, -1, 0, 1),
    ],
)
def test_a_track_that_is_not_there_is_named(wrong):
    with pytest.raises(DataError, match="counted from 1 to 3"):
        wrong()
