"""PM-VIS's rows: what each learns from and is found by; each kind of labels made of two videos."""

from dataclasses import replace

import numpy as np
import pytest

from evis import papers
from evis.companion import labelled, measured
from evis.companion.held_out import OF_SET, VIDEOS
from evis.companion.measured import Place
from evis.data import masks, toy
from evis.data.predictions import PredictedTrack
from evis.data.supervision import weaken
from evis.labels import filtering, from_boxes, select, steady
from evis.labels.videos import Boxes, make
from evis.papers.pmvis import experiments
from evis.papers.pmvis.experiments import (
    FINAL,
    GROUPS,
    IBM_TIDY,
    SAM_TIDY,
    TRACK_ONE,
    WITH_GAPS,
)
from evis.papers.pmvis.pseudo import Chosen, Filtered

ROWS = {name: row for group in GROUPS.values() for name, row in group.items()}
TRUE_MASKS = {"IDOL", "PM-VIS, masks"}
FILTERED = {"PM-VIS, filtered masks", "IDOL, W2 = 0.5, filtered masks", "by IBM, tau = 0.6"}
FILTERED |= {"gaps tracked, tau = 0.6"}
OF_BOXES = {"IDOL-BoxInst, Missing-Data"}


def test_every_row_is_found_apart_and_trained_on_its_own_set():
    rows = [row for group in GROUPS.values() for row in group.values()]
    keys = {str(measured.content(row.seeded(0))) for row in rows}
    assert len(keys) == len(rows) == 12 + 6 + 7 + 8 + 2 + 1
    for on in OF_SET:
        for row in GROUPS[f"pmvis {on}"].values():
            assert row.sets["videos"] == on
            assert row.options.tracker == ("idol-ovis" if on == "toy-ovis" else "idol")
    assert papers.measures("pmvis weights") is experiments


def test_only_rows_that_say_so_learn_from_masks_of_videos():
    for name, row in ROWS.items():
        stills, stage = row.stages
        under_masks = name in TRUE_MASKS | FILTERED or name.startswith("tau")
        assert stills.supervision == "mask" and stills.mixture == (("stills", 1.0),)
        assert stage.supervision == ("mask" if under_masks else "box"), name
        labels = dict(row.labels).get(stage.name)
        filtered_by = labels.level if isinstance(labels, Filtered) else None
        if name in OF_BOXES:
            assert filtered_by == "box"
        else:
            assert filtered_by == ("mask" if under_masks and name not in TRUE_MASKS else None)
        assert bool(labels) == (name not in TRUE_MASKS | {"IDOL-BoxInst"}), name
        assert stage.settings.mask_weight > 0 or name in OF_BOXES | {"IDOL-BoxInst"}


def test_what_idol_boxinst_s_masks_lack_is_out_but_where_the_row_says_so():
    for name, row in ROWS.items():
        for _, labels in row.labels:
            (_, on), *_ = row.data
            by = labels.by if isinstance(labels, Filtered) else labels
            if isinstance(labels, Filtered) and name == "by IBM, tau = 0.6":
                assert by == IBM_TIDY[on]
            elif isinstance(labels, Filtered) or name.startswith("PM-VIS"):
                assert by == (WITH_GAPS if "gaps" in name else FINAL)[on], name
            told = str(labels.content())
            tracked = "'through': 'colour'" in told
            assert ("without" in told) == (tracked and "gaps" not in name), name


def test_the_larger_size_learns_from_the_same_masks():
    small, large = (experiments.group("pmvis toy-ovis", size) for size in experiments.SIZES)
    assert small == GROUPS["pmvis toy-ovis"]
    for name, row in large.items():
        assert {stage.model for stage in row.stages} == {"tiny_l"}
        assert row.labels == small[name].labels and row.seeds == small[name].seeds == tuple(
            range(6)
        )
    told = str(large["PM-VIS"].labels[0][1].content())
    assert "'model': 'tiny'" in told and "tiny_l" not in told


def test_weights_are_those_of_the_tables():
    weights = {name: row.stages[1].settings for name, row in ROWS.items()}
    assert (weights["PM-VIS"].box_weight, weights["PM-VIS"].mask_weight) == (1.0, 0.5)
    for name, value in (("W1 = 0", 0.0), ("W1 = 0.5", 0.5), ("W1 = 1.5", 1.5)):
        assert (weights[name].box_weight, weights[name].mask_weight) == (value, 0.5)
    for name, value in (("W2 = 0.3", 0.3), ("W2 = 0.8", 0.8), ("W2 = 1", 1.0)):
        assert (weights[name].box_weight, weights[name].mask_weight) == (1.0, value)
    dagger = weights["IDOL, W2 = 0.5, filtered masks"]
    assert (dagger.box_weight, dagger.mask_weight) == (0.0, 0.5)
    zero = weights["IDOL-BoxInst, Missing-Data"]
    assert (zero.box_weight, zero.mask_weight) == (1.0, 0.0)
    assert weights["threshold = 0.3"].threshold == 0.3 != weights["PM-VIS"].threshold


def test_a_unit_has_stills_and_pseudo_masks_of_its_own():
    row = GROUPS["pmvis toy-ytvis19"]["PM-VIS"]
    first, other = row.seeded(0), row.seeded(5)
    assert [[stage.seed for stage in of.stages] for of in (first, other)] == [[0, 0], [5, 5]]
    (_, labels), stage = row.labels[0], row.stages[1]
    for seed in (0, 5):
        tracked, ibm, sam = labels.content(seed)["of"]
        own = measured.content(GROUPS["pmvis toy-ytvis19"]["IDOL-BoxInst"].seeded(seed))
        assert tracked["tracked"]["predicted by"] == ibm["predicted by"] == own
        assert [stage["seed"] for stage in own["stages"]] == [seed, seed]
        assert sam == labels.content(0)["of"][2]  # a segmenter that all ask
    assert stage.name == "toy.pmvis"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A place whose models predict ellipses of the boxes, those of the first two frames a little
    too low, and of a video's first object nothing in the fifth."""
    shown = {}

    def predicted(weights, dataset, options, *rest, **others):
        assert not dataset.tracks and options.class_agnostic and options.tracker == "idol"
        found = []
        for video in dataset.videos:
            for number, track in enumerate(shown[video.id]):
                rles = [
                    rle and masks.encode(np.roll(masks.decode(rle), frame < 2, axis=0))
                    for frame, rle in enumerate(track.masks)
                ]
                if not number:
                    rles[4] = None
                found.append(PredictedTrack(video.id, 1, 0.9, tuple(rles)))
        return tuple(found)

    few = weaken(toy.sample(VIDEOS, 2), "box")
    ellipses = from_boxes.label(few, from_boxes.ellipse, progress=False)
    for video in few.videos:
        shown[video.id] = ellipses.tracks_of(video.id)
    monkeypatch.setattr(labelled, "predict_dataset", predicted)
    monkeypatch.setattr(measured, "trained", lambda run, place: f"weights of {run.name}")
    return Place(tmp_path, progress=False)


def shown_in(dataset):
    """Every (object, frame) that is annotated."""
    return {(t.id, n) for t in dataset.tracks for n, box in enumerate(t.boxes) if box}


def same(one, other):
    assert [(t.id, t.boxes, t.masks) for t in one.tracks] == [
        (t.id, t.boxes, t.masks) for t in other.tracks
    ]


@pytest.mark.slow
def test_each_kind_is_made_of_those_before_it(place):
    truth = toy.sample(VIDEOS, 2)
    sam = make(truth, Boxes("toy_sam", tidy=True), progress=False)
    ibm, track, final, filtered = (
        by.label(truth, 0, place)
        for by in (IBM_TIDY[VIDEOS], TRACK_ONE, FINAL[VIDEOS], Filtered(FINAL[VIDEOS], 0.6))
    )
    assert shown_in(filtered) <= shown_in(final) <= shown_in(ibm) < shown_in(truth)
    wider = WITH_GAPS[VIDEOS].label(truth, 0, place)
    assert shown_in(final) < shown_in(wider) <= shown_in(truth)
    found = {(t.id, n): m for t in wider.tracks for n, m in enumerate(t.masks) if m}
    assert all(found[t.id, n] == m for t in final.tracks for n, m in enumerate(t.masks) if m)
    assert {made.supervision for made in (sam, ibm, track, final)} == {"box"}
    assert ibm.origin.startswith("DOOB, from IDOL-BoxInst's masks, assigned by SCM with toy_sam")
    assert "from tracked by colour from DOOB, from IDOL-BoxInst's masks" in track.origin
    several = FINAL[VIDEOS].first.label(truth, 0, place)
    same(final, select.best_of(several, ibm, sam))
    same(filtered, filtering.ria(truth, final, 0.6))
    assert (filtered.supervision, filtered.tracks[0].masks) != ("box", final.tracks[0].masks)
    of_boxes = Filtered(FINAL[VIDEOS], 0, "box").label(truth, 0, place)
    assert of_boxes.supervision == "box" and of_boxes.tracks[0].masks is None
    shown = {t.id: [mask is not None for mask in t.masks] for t in final.tracks}
    assert {t.id: [b is not None for b in t.boxes] for t in of_boxes.tracks} == shown
    two = Chosen(IBM_TIDY[VIDEOS], (SAM_TIDY,), "steadiest").label(truth, 0, place)
    same(two, steady.steadiest_of(ibm, sam))


@pytest.mark.slow
def test_no_true_mask_is_seen_and_what_was_made_is_kept(place, monkeypatch):
    truth, noise = toy.sample(VIDEOS, 2), np.random.default_rng(0)
    spoilt = [
        replace(t, masks=tuple(r and masks.encode(noise.random(r["size"]) < 0.5) for r in t.masks))
        for t in truth.tracks
    ]
    first = FINAL[VIDEOS].label(truth, 0, place)
    monkeypatch.setattr(labelled, "predict_dataset", None)  # nothing is predicted again
    same(first, FINAL[VIDEOS].label(replace(truth, tracks=tuple(spoilt)), 0, place))
