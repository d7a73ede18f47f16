"""Agreement of frames: its values by hand, and what it makes the point matcher choose."""

import numpy as np
import pytest

from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.labels import points
from evis.labels.agreement import agreement, by_agreement


def row(*covered):
    return masks.encode(np.isin(np.arange(8), covered)[None]) if covered else None


@pytest.mark.parametrize(
    ("of_frames", "expected"),
    [
        ([row(0, 1)] * 3, 1),
        ([row(0, 1), row(1, 2)], 1 / 3),
        ([row(0, 1), row(0, 1), row(0)], (1 + 1 / 2) / 2),
        ([row(0), row(1), row(1)], 1 / 2),
        ([row(0), None, None, row(0), row(0)], 1 / 3),  # goes, comes, stays; nothing in between
        ([None, row(3, 4), row(3, 4)], 1 / 2),
        ([row(0)], 0),
        ([None, None], 0),
        ([], 0),
    ],
)
def test_it_is_the_mean_iou_of_neighbouring_frames(of_frames, expected):
    assert agreement(of_frames) == pytest.approx(expected)


def test_it_does_not_depend_on_time_s_direction_or_on_size():
    noise = np.random.default_rng(0).random((5, 7, 9)) < 0.5
    encoded, twice = ([masks.encode(mask) for mask in x] for x in (noise, noise.repeat(2, 1)))
    expected = np.mean([(a & b).sum() / (a | b).sum() for a, b in zip(noise, noise[1:])])  # noqa: B905
    for of_frames in (encoded, encoded[::-1], twice):
        assert agreement(of_frames) == pytest.approx(expected)


def test_of_two_proposals_under_a_click_the_steadier_one_is_chosen():
    steady = PredictedTrack(1, 0, 0.1, (row(0, 1, 2),) * 3)
    jumping = PredictedTrack(1, 0, 0.9, (row(0), row(0, 1, 2, 3, 4), row(0)))
    scored = by_agreement([jumping, steady])
    assert [track.masks for track in scored] == [jumping.masks, steady.masks]
    assert [track.score for track in scored] == pytest.approx([1 / 5, 1])
    pixels = np.array([[masks.decode(rle) for rle in track.masks] for track in scored])
    click = [[(0, 0, 0, True)]]
    for tracks, choice in ((scored, 1), ((jumping, steady), 0)):
        assert points.assign(pixels, [track.score for track in tracks], click).tolist() == [choice]
