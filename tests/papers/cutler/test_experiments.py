"""CutLER's rounds: what each learns from and is found by; a short run of all of them."""

from dataclasses import replace
from functools import partial

import pytest

from evis.companion import measured, series
from evis.companion.held_out import STILLS
from evis.companion.labelled import Made, apart
from evis.companion.measured import Experiment, Place
from evis.data import toy
from evis.labels.videos import Cuts
from evis.papers.cutler import experiments
from evis.papers.cutler.experiments import rounds

ROUGH = Made(Cuts(count=1, outlined=False))


@pytest.fixture
def last(monkeypatch):
    """The last round of a detector whose rounds are a step each, on two stills."""

    def short(recipe):
        return replace(toy(recipe), steps=1, batch=2, micro_batch=2, warm_up_steps=1)

    toy = experiments.toy
    monkeypatch.setattr(experiments, "toy", short)
    monkeypatch.setattr(experiments, "Experiment", partial(Experiment, videos=2))
    return replace(experiments.rounds(ROUGH)[-1], seeds=(0,))


@pytest.mark.slow
def test_a_detector_goes_from_cuts_through_two_rounds(last, tmp_path):
    """In steps that teach nothing: every round has the labels and the weights that it should."""
    few, place = replace(STILLS, videos=2), Place(tmp_path, progress=False)
    table = series.measure([last], held_out=few, shelf=tmp_path, progress=False)
    assert list(table.columns) == ["row", "seed", "first", *few.scoring.metrics]
    names = sorted(path.name.rsplit("-", 2)[0] for path in (tmp_path / "runs").iterdir())
    assert names == ["toy.cutler", "toy.cutler.round1", "toy.cutler.round2"]
    for count in (1, 2, 3):
        made = measured.training_sets(last.of(*last.stages[:count]).seeded(0), place)["stills"]
        assert made.supervision == "none" and made.category_names == {1: "object"}


def test_a_round_learns_from_what_the_one_before_made():
    first, second, third = rounds()
    assert [len(run.stages) for run in (first, second, third)] == [1, 2, 3]
    assert third.of(*third.stages[:2]) == replace(second, name="round 2")
    contents = [dict(run.labels)[run.stages[-1].name].content(1) for run in (first, second, third)]
    assert contents[1]["before"] == contents[0]
    assert (contents[1]["least"], contents[2]["least"]) == (0.7, 0.65)
    told = contents[2]["next labels by"]
    assert [stage["seed"] for stage in told["stages"]] == [1, 1]
    assert contents[2]["before"] == contents[1]
    assert [run.stages[-1].drop_iou for run in (first, second, third)] == [0.01, None, None]


def test_frames_apart_are_videos_of_one_frame_without_labels():
    given = toy.sample("toy-ytvis19", 2)
    stills, origins = apart(given)
    assert len(stills.videos) == sum(video.length for video in given.videos)
    assert not stills.tracks and stills.supervision == "none"
    for still in stills.videos[:: len(stills.videos) // 5]:
        video, frame = origins[still.id]
        assert (stills.frame(still.id, 0) == given.frame(video, frame)).all()
