"""Rows that learn from made labels: what they are found by, and that labels are made once."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from evis import papers
from evis.companion import measured, series
from evis.companion.held_out import HeldOut
from evis.companion.labelled import Made
from evis.companion.measured import Experiment, Place
from evis.data import masks, toy
from evis.data.types import Track
from evis.inference import Options
from evis.labels.videos import Cuts

SMALL = HeldOut("smoke", 2, 3)
VIDEOS = 2
MEMORY = Options(window=1, shorter_side=None, tracker="memory")


@dataclass(frozen=True)
class Corner:
    """A labeller: an object of the first class in a corner; `calls` names a file that counts."""

    calls: str
    side: int = 20
    weights = ()
    origin = "corners"

    def seen(self, dataset):
        return dataset.bare()

    def __call__(self, dataset, progress=False):
        with Path(self.calls).open("a") as file:
            file.write("x")
        (video,) = dataset.videos
        mask = masks.encode(
            [
                [y < self.side and x < self.side for x in range(video.width)]
                for y in range(video.height)
            ]
        )
        bare = Track(1, video.id, dataset.categories[0].id)
        return [bare.with_masks([mask] * video.length)]


def row(calls, name="corners", options=MEMORY, **changes):
    stage = replace(papers.named("uvis", toy=True), steps=1, batch=2, micro_batch=2, init=None)
    labels = ((stage.name, Made(Corner(str(calls), **changes))),)
    return Experiment(name, (stage,), papers, (0, 1), videos=VIDEOS, labels=labels, options=options)


@pytest.mark.slow
def test_labels_are_made_once_for_all_units_and_rows(tmp_path):
    calls, shelf = tmp_path / "calls", tmp_path / "shelf"
    whole = row(calls, "whole", Options(window=None, shorter_side=None))
    table = series.measure([row(calls), whole], held_out=SMALL, shelf=shelf, progress=False)
    lines = [("corners", 0), ("corners", 1), ("whole", 0), ("whole", 1)]
    assert list(table[["row", "seed"]].itertuples(index=False, name=None)) == lines
    assert calls.read_text() == "x" * VIDEOS
    assert len(list((shelf / "runs").iterdir())) == 2  # both rows predict with the same weights
    given = measured.training_sets(row(calls).seeded(1), Place(shelf))["videos"]
    assert (given.supervision, given.origin) == ("none", "corners")
    assert len(given.tracks) == VIDEOS and given.frame(given.videos[0].id, 0).ndim == 3
    assert calls.read_text() == "x" * VIDEOS


def test_a_row_is_found_by_its_labels_and_by_how_it_predicts(tmp_path):
    rows = [
        row("a"),
        row("b"),
        row("a", side=21),
        row("a", options=replace(MEMORY, tracker="minvis")),
        replace(row("a"), labels=()),
        replace(row("a"), data=(("videos", "toy-ovis"),)),
    ]
    assert len({str(measured.content(each)) for each in rows}) == len(rows)
    assert "labels" not in measured.content(rows[-2]) and "options" in measured.content(rows[-2])
    assert measured.content(row("a", "another name")) == measured.content(row("a"))


def test_labels_by_weights_change_with_the_file(tmp_path):
    file = tmp_path / "dino.pth"
    made = Made(Cuts(str(file)))
    assert "weights" not in made.content()
    contents = []
    for content in (b"one", b"two"):
        file.write_bytes(content)
        contents.append(made.content())
    assert contents[0] != contents[1]
    assert Made(Cuts()).content() == Made(Cuts()).content() != Made(Cuts(tau=0.2)).content()


def test_a_stage_may_learn_from_another_toy_set():
    other = replace(row("a"), data=(("videos", "toy-ytvis21"),))
    assert row("a").sets == {"videos": "toy-ytvis19"} and other.sets == {"videos": "toy-ytvis21"}
    assert measured.content(other)["data"] == {"toy-ytvis21": toy.SPECS["toy-ytvis21"].hash}


def test_rows_of_other_data_share_no_training():
    here = replace(row("a"), seeds=(0,))
    rows = [here, replace(here, data=(("videos", "toy-ovis"),)), replace(here, videos=VIDEOS + 1)]
    (level,) = series._trainings([each.seeded(0) for each in rows])
    assert [ending for _, ending in level] == [[each.seeded(0)] for each in rows]
    same = replace(here, name="by another name", data=(("videos", "toy-ytvis19"),))
    (level,) = series._trainings([here.seeded(0), same.seeded(0)])
    assert [len(ending) for _, ending in level] == [2]
