"""PointVIS's rows: what each learns from and is found by; a short run of all kinds of them."""

from dataclasses import replace

import pytest

from evis import papers
from evis.companion import measured, series
from evis.companion.held_out import LINKED, OF_SET, SEEN, TEST
from evis.companion.measured import Place
from evis.criterion.mask_loss import MaskLoss
from evis.criterion.point_loss import PointLoss
from evis.data import toy
from evis.data.supervision import P1N1, frames_of, weaken
from evis.inference import predict_dataset
from evis.papers.pointvis import experiments, recipes
from evis.papers.pointvis.experiments import BASELINES, GROUPS, SHARES, TESTS
from evis.papers.pointvis.pseudo import CLICKS, Clicked, Clicks, FewMasks, MostConfident


def rows(*groups):
    return {name: row for group in groups or GROUPS for name, row in GROUPS[group].items()}


def test_every_row_is_trained_on_its_own_set_and_found_apart():
    kept = [
        (str(measured.content(row.seeded(0))), str(TESTS.get(group, TEST)))
        for group, of_group in GROUPS.items()
        for row in of_group.values()
    ]
    assert len(set(kept)) == len(kept)
    for on, test in OF_SET.items():
        assert TESTS[f"pointvis {on}"] == test
        assert {row.sets.get("videos") for row in rows(f"pointvis {on}").values()} == {on}
    assert all(row.options == LINKED for row in rows().values())


def test_what_rows_learn_from_costs_what_they_say():
    trained_on_videos = {name: row for name, row in rows().items() if len(row.stages) > 1}
    for name, row in trained_on_videos.items():
        ((_, by),) = row.labels or ((None, None),)
        level = row.stages[-1].supervision
        wanted = {Clicked: "point", Clicks: "point", MostConfident: "none"}.get(type(by), "mask")
        assert level == wanted, name
        loss = papers.loss(row.stages[-1])
        assert isinstance(loss, PointLoss if "VISP" in name else MaskLoss)
        if isinstance(loss, PointLoss):
            assert loss.cross_instance == ("CINeg" in name)
        else:
            assert loss.points == 512, name


def test_one_size_goes_through_all_that_a_row_is_made_of():
    for name in GROUPS:
        small, large = (experiments.group(name, size) for size in experiments.SIZES)
        assert small == GROUPS[name]
        told = str([measured.content(row.seeded(0)) for row in large.values()])
        assert "tiny_l" in told and "tiny_s" not in told


def test_recipes_are_those_of_minvis_but_for_what_they_learn_from():
    wanted = papers.named("minvis").to_json()
    others = {"name", "title", "source", "unknown", "supervision", "cross_instance", "points"}
    for name in recipes.NAMES:
        recipe = papers.named(name)
        for key, value in recipe.to_json().items():
            assert key in others or key == "drop_iou" or value == wanted[key], (name, key)
        assert isinstance(papers.loss(recipe), PointLoss) == ("visp" in name)


def short(row):
    """A step a stage, on two videos; proposals are of the repository's weights."""
    stages = tuple(
        replace(stage, steps=1, batch=2, micro_batch=2, warm_up_steps=1) for stage in row.stages
    )
    return replace(row, stages=stages, videos=2, seeds=(0,))


@pytest.mark.slow
def test_all_kinds_of_rows_are_trained_and_tested(tmp_path):
    """In steps that teach nothing: labels are what they should be, and seen classes are scored."""
    place = Place(tmp_path, progress=False)
    visc, visp, few, clicked, alone = (
        short(row)
        for row in (
            experiments._visc(3),
            BASELINES["VISP+CINeg", "P5N5"],
            *rows("pointvis frames").values(),
            experiments.ALONE,
        )
        if "10%" not in row.name and "50%" not in row.name and "PF" not in row.name
    )
    of_seen = replace(SEEN, videos=2)
    for held_out in (of_seen, replace(TEST, videos=2)):
        table = series.measure(
            [visc, visp, few, clicked, alone], held_out=held_out, shelf=tmp_path, progress=False
        )
        assert list(table.columns) == ["row", "seed", "first", *held_out.scoring.metrics]
        assert len(table) == 5

    given = toy.sample("toy-ytvis19", 2)
    sets = {
        row.name: measured.training_sets(row.seeded(0), place)["videos"]
        for row in (visc, visp, few, clicked)
    }
    made = sets[visc.name]
    assert (made.supervision, made.origin) == ("none", "the 3 most confident proposals")
    assert made.categories == given.categories
    stills = toy.SPECS["toy-coco"].category_names
    proposals = predict_dataset(
        measured.committed(experiments.PROPOSES.seeded(0)),
        replace(given.bare(), categories=()),
        replace(LINKED, top=100, class_agnostic=True),
        progress=False,
    )
    expected = []
    for video in given.videos:
        own = sorted((p for p in proposals if p.video_id == video.id), key=lambda p: -p.score)
        expected += [
            (p.video_id, stills[p.category_id - 1], tuple(p.masks))
            for p in own[:3]
            if stills[p.category_id - 1] in given.category_names.values() and any(p.masks)
        ]
    names = made.category_names
    assert [(t.video_id, names[t.category_id], t.masks) for t in made.tracks] == expected

    clicks = weaken(given, "point", experiments.P5N5, CLICKS)
    assert sets[visp.name].kinds == {"points"} and sets[visp.name].tracks == clicks.tracks

    for name in (few.name, clicked.name):
        for video, whole in zip(sets[name].videos, given.videos, strict=True):
            frames = frames_of(video.id, whole.length, SHARES[0], CLICKS)
            assert video.frames == tuple(whole.frames[frame] for frame in frames)
    assert sets[few.name].supervision == "mask" and sets[clicked.name].supervision == "point"
    for video, whole in zip(sets[few.name].videos, given.videos, strict=True):
        (frame,) = frames_of(video.id, whole.length, SHARES[0], CLICKS)
        assert (sets[few.name].frame(video.id, 0) == given.frame(video.id, frame)).all()
        for track, true in zip(
            sets[few.name].tracks_of(video.id), given.tracks_of(video.id), strict=True
        ):
            assert track.masks == (true.masks[frame],)


def test_a_share_of_the_frames_is_the_same_for_masks_and_for_clicks():
    given, place = toy.sample("toy-ytvis19", 3), Place(progress=False)
    scheme = replace(P1N1, frame_share=0.4)
    masks = FewMasks(0.4).label(given, 0, place)
    clicks = Clicks(scheme).label(given, 5, place)
    assert masks.videos == clicks.videos and masks.videos != given.videos
    for with_masks, with_clicks in zip(masks.tracks, clicks.tracks, strict=True):
        for rle, points in zip(with_masks.masks, with_clicks.points, strict=True):
            assert (rle is None) == (points is None)
