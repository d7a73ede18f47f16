"""UVIS's rows: what each learns from and is found by; its DeepSORT baseline."""

import numpy as np
import pytest

from evis import papers
from evis.companion import measured, paired, store
from evis.companion.held_out import OF_SET
from evis.data import masks, toy
from evis.data.predictions import PredictedTrack
from evis.labels.naming import Least, Named
from evis.papers.uvis import baseline, claims, experiments


def test_every_row_of_the_tables_is_trained_on_its_own_set_and_found_apart():
    rows = [row for group in experiments.GROUPS.values() for row in group.values()]
    keys = {str(measured.content(row.seeded(0))) for row in rows}
    assert len(keys) == len(rows) - 1  # A5 of Table 2 is UVIS without its memory
    a5 = experiments.GROUPS["uvis filters"]["A5: objectness, name, prototypes"]
    same = experiments.GROUPS["uvis toy-ytvis19"]["UVIS"]
    assert measured.content(a5) == measured.content(same)
    for on in OF_SET:
        for row in experiments.GROUPS[f"uvis {on}"].values():
            assert row.sets["videos"] == on


def test_the_memories_are_of_one_training_and_the_papers_rows_keep_their_keys():
    for group in (experiments.GROUPS[f"uvis {on}"] for on in OF_SET):
        for name in ("MinVIS, COCO", "MinVIS", "UVIS"):
            linked = [
                group[f"{name}{by}"].seeded(0) for by in ("", ", memory", ", weighted memory")
            ]
            contents = [measured.content(run) for run in linked]
            trackers = [content.pop("options")["tracker"] for content in contents]
            assert trackers == ["auto", "memory", "memory-weighted"]
            assert contents[0] == contents[1] == contents[2]
    stored = [
        row for row in store.rows() if row.recipe.get("options", {}).get("tracker") == "memory"
    ]
    own = {str(test): experiments.rows_of(test).values() for test in OF_SET.values()}
    keys = {
        store.key(measured.content(run.seeded(row.seed)), row.dataset, row.seed)
        for row in stored
        for run in own.get(row.dataset, ())
    }
    found = [row for row in stored if row.dataset in own]
    assert found and {store.key(row.recipe, row.dataset, row.seed) for row in found} <= keys


def test_rows_that_claims_hang_on_have_as_many_units_as_decide_something():
    """Six of every row of every set; three of the one that no claim compares."""
    planned = {
        (on, name): len(row.seeds)
        for on, test in OF_SET.items()
        for name, row in experiments.rows_of(test).items()
    }
    few = {row for row, units in planned.items() if units < paired.LEAST_SEEDS}
    assert few == {("toy-ytvis19", "thresholds as printed")}
    compared = {
        (side.held_out.toy_set, side.row)
        for claim in claims.CLAIMS
        for test in claim.tests
        for side in (test.left, test.right)
    }
    assert compared and not compared & few


def test_deepsort_links_all_pseudo_labels():
    recipe, _, _ = baseline._key(OF_SET["toy-ovis"])
    filters = recipe["labels"]["least"]
    assert [filters[name] for name in ("objectness", "name", "prototype")] == [None] * 3
    assert recipe["labels"]["masks"] == experiments.DETECTOR.content(0)


def test_only_uvis_learns_without_annotation():
    for group in experiments.GROUPS.values():
        for name, row in group.items():
            levels = {stage.supervision for stage in row.stages}
            assert levels == ({"mask"} if "MinVIS" in name else {"none"}), name
            assert bool(row.labels) == ("MinVIS" not in name)


def test_deepsort_gives_tracks_the_name_that_they_are_surest_of():
    """Two squares, one of which moves a pixel a frame, once under a wrong name; the other is there,
    however unsure its detections are.
    """
    dataset = toy.sample("toy-ytvis19", 1)
    (video,) = dataset.videos
    detections, classes = [], []
    for frame in range(5):
        for left, score in ((10 + frame, 0.9), (60, 0.2)):
            mask = np.zeros((video.height, video.width), dtype=bool)
            mask[20:40, left : left + 20] = True
            of_frames = [masks.encode(mask) if t == frame else None for t in range(video.length)]
            detections.append(PredictedTrack(video.id, 1, score, tuple(of_frames)))
            classes.append(3 if frame == 2 else 5)
    named = Named(
        detections=np.arange(10),
        frames=np.repeat(np.arange(5), 2),
        objectness=np.array([track.score for track in detections]),
        embeddings=np.tile(np.eye(2), (5, 1)),
        classes=np.array(classes),
        certainty=np.full(10, 0.8),
    )
    track, unsure = baseline.linked(dataset, detections, named)
    assert unsure.score == pytest.approx(0.2 * 0.8 * 4 / 5)
    assert track.category_id == dataset.categories[5].id
    assert track.score == pytest.approx(0.9 * 0.8 * 4 / 5)
    assert [rle is not None for rle in track.masks] == [t < 5 for t in range(video.length)]


def test_nothing_detected_is_no_track():
    dataset = toy.sample("toy-ytvis19", 1)
    empty = np.zeros(0, dtype=int)
    named = Named(empty, empty, np.zeros(0), np.zeros((0, 2)), empty, np.zeros(0))
    assert baseline.linked(dataset, [], named) == []
    assert named.stay(Least(prototype=None))["name"].shape == (0,)


def test_recipes_have_the_papers_numbers():
    numbers = {name: papers.named(name) for name in ("minvis", "minvis.alone", "uvis")}
    assert {n: r.steps for n, r in numbers.items()} == {
        "minvis": 6_000,
        "minvis.alone": 6_000,
        "uvis": 320_000,
    }
    assert {(r.batch, r.learning_rate, r.frames) for r in numbers.values()} == {(32, 1e-4, 1)}
    assert [r.init for r in numbers.values()] == ["eigencluster.stage1", "imagenet", "imagenet"]
