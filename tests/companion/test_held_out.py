"""What objects are scored by: the scores that count, DAVIS's labels, those of moving objects."""

from dataclasses import replace

import numpy as np
import pytest

from evis.companion import held_out
from evis.companion.held_out import AT_ANY_SCORE, DAVIS, DAVIS_SCORES, LEAST_SCORE, SURE
from evis.data import masks
from evis.data.predictions import PredictedTrack
from evis.metrics import davis, motion

FEW = {name: replace(test, videos=4) for name, test in SURE.items()}
FEW_OF_DAVIS = replace(DAVIS, videos=4, seed=1)


def answers(monkeypatch, dataset, scores):
    """A model that finds all objects, with these scores in turn."""
    found = [
        PredictedTrack(track.video_id, 1, scores[n % len(scores)], track.masks)
        for n, track in enumerate(dataset.tracks)
    ]
    monkeypatch.setattr(held_out, "predict_dataset", lambda *inputs, **how: found)
    return found


def test_what_is_not_sure_is_not_found(monkeypatch):
    test = FEW["toy-ytvis19"]
    answers(monkeypatch, test.dataset(), [LEAST_SCORE])
    sure = test.score(None, progress=False)
    assert sure["AP"] == sure[AT_ANY_SCORE] == sure["mIoU"] == 1
    answers(monkeypatch, test.dataset(), [0.79])
    unsure = test.score(None, progress=False)
    assert unsure["AP"] == unsure["mIoU"] == 0 and unsure[AT_ANY_SCORE] == 1
    assert set(test.scoring.metrics) == set(sure) - {"per_video"}


def test_davis_scores_are_the_metrics_of_what_scores_enough(monkeypatch):
    dataset = FEW_OF_DAVIS.dataset()
    answers(monkeypatch, dataset, [0.3, 0.29])
    scores = FEW_OF_DAVIS.score(None, progress=False)
    stacks = {video.id: dataset.mask_stack(video.id) for video in dataset.videos}
    tracks = [number for video in dataset.videos for number in dataset.tracks_of(video.id)]
    counted = {track.id: n % 2 == 0 for n, track in enumerate(dataset.tracks)}
    assert len(tracks) == len(dataset.tracks)
    found = [
        stacks[video.id][[counted[t.id] for t in dataset.tracks_of(video.id)]]
        for video in dataset.videos
    ]
    wanted = davis.evaluate(list(stacks.values()), found, progress=False)
    assert [scores[name] for name in DAVIS_SCORES] == [wanted[name] for name in DAVIS_SCORES]
    assert 0 < scores["J&F"] < 1
    labels = motion.moving(dataset)
    moved = [v.id for v in labels.videos if labels.tracks_of(v.id)]
    assert 0 < len(labels.tracks) < len(dataset.tracks)
    places = [n for n, video in enumerate(dataset.videos) if video.id in moved]
    wanted = davis.evaluate(
        [labels.mask_stack(number) for number in moved],
        [found[n] for n in places],
        progress=False,
    )
    assert [scores[f"motion {n}"] for n in DAVIS_SCORES] == [wanted[n] for n in DAVIS_SCORES]
    assert set(FEW_OF_DAVIS.scoring.metrics) == set(scores) - {"per_video"}
    assert len(scores["per_video"]) == 4


def test_a_pixel_belongs_to_the_surest(monkeypatch):
    dataset = FEW_OF_DAVIS.dataset()
    first = dataset.videos[0]
    whole = np.ones((first.height, first.width), dtype=bool)
    half = whole.copy()
    half[:, : first.width // 2] = False
    found = [
        PredictedTrack(first.id, 1, score, (masks.encode(mask), *[None] * (first.length - 1)))
        for score, mask in ((0.5, whole), (0.9, half), (0.1, whole))
    ]
    stack = held_out._apart(found, dataset, first.id)
    assert np.array_equal(stack[:, 0], [half, whole & ~half]) and not stack[:, 1:].any()
    assert held_out._apart([], dataset, first.id).shape == (0, first.length, *whole.shape)


def test_sets_are_known_apart_by_name():
    """A row is found by its set's name: what is scored in other ways is not the same."""
    names = [str(test) for test in (*held_out.OF_SET.values(), *SURE.values(), DAVIS)]
    assert len(set(names)) == len(names)


def test_validation_videos_of_every_scoring_have_a_name_of_their_own():
    tests = (*held_out.OF_SET.values(), held_out.SEEN, *SURE.values(), DAVIS)
    assert len({str(held_out.validation(test)) for test in tests}) == len(tests)
    assert held_out.validation(held_out.TEST) == held_out.VALIDATION
    for test in tests:
        own = held_out.validation(test)
        assert (own.toy_set, own.scoring) == (test.toy_set, test.scoring)
        assert own.seed == held_out.VALIDATION.seed != test.seed
        assert held_out.validation(own) == own


@pytest.mark.parametrize("on", list(SURE))
def test_objects_are_tested_on_the_videos_that_classes_are(on):
    mine, others = FEW[on].dataset(), replace(held_out.OF_SET[on], videos=4).dataset()
    assert [video.name for video in mine.videos] == [video.name for video in others.videos]
