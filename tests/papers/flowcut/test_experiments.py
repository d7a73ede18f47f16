"""FlowCut's rows: what each learns from and is found by; its labels; a short run of all stages."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from evis import papers
from evis.companion import measured, series
from evis.companion.held_out import DAVIS, LINKED, OF_SURE, SURE
from evis.companion.labelled import Made
from evis.companion.measured import Experiment, Place
from evis.data import masks, toy
from evis.data.errors import DataError
from evis.labels import curate
from evis.labels.videos import Cuts
from evis.models import load
from evis.papers.flowcut import experiments
from evis.papers.flowcut.pseudo import ByKind, Pairs, Uncurated

OF_SCAN = "toy-ytvis19 validation, objects (100 videos, seed 1)"
ROUGH = Made(Cuts(alpha=0.5, outlined=False))
ROUGH_STILLS = Made(Cuts(count=1, outlined=False))
ROWS = [row for group in experiments.GROUPS.values() for row in group.values()]


def test_recipes_have_the_papers_numbers():
    plain, stills, on_pictures = map(papers.named, ("flowcut", "flowcut.stills", "videocutler"))
    assert [(r.batch, r.learning_rate, r.dropout, r.frames) for r in (plain, stills)] == [
        (4, 1e-6, 0.3, 2)
    ] * 2
    assert [r.steps for r in (plain, stills, on_pictures)] == [5_000, 80_000, 80_000]
    assert (plain.shorter_sides, plain.longest_side) == ((360,), 640)
    assert plain.mixture == (("videos", 1.0),)
    assert dict(stills.mixture) == {"videos": 167_365, "stills": 50_000}
    assert {r.init for r in (plain, stills, on_pictures)} == {"cutler.round2"}
    assert {r.supervision for r in (plain, stills, on_pictures)} == {"none"}
    assert (on_pictures.still_frames, on_pictures.copy_paste) == (3, (0.8, 1.0))
    assert papers.named("flowcut", toy=True).init == "toy.cutler.round2"


def test_no_row_is_another_but_where_one_is_tested_on_several_sets():
    contents = [str(measured.content(row.seeded(0))) for row in ROWS]
    # Six are tested on the videos of 2019 and of 2021, and three of them on DAVIS too; alpha 1,
    # ALPHA and 0 of the scan are rows of the tables, on other units.
    assert len(set(contents)) == len(contents) - 6 - 3 - 3
    assert all({stage.supervision for stage in row.stages} == {"none"} for row in ROWS)
    assert set(experiments.TESTS) == set(experiments.GROUPS)


def test_alpha_is_the_best_of_the_scan_that_lets_flow_in():
    scan = experiments.GROUPS["flowcut alpha"]
    found = series.table(scan.values(), held_out=experiments.TESTS["flowcut alpha"])
    assert set(found["seed"]) == set(experiments.SEARCH_SEEDS)
    means = found.groupby("row")["AP"].mean().drop("alpha = 1")
    assert len(means) == len(experiments.ALPHAS) - 1
    assert means.idxmax() == f"alpha = {experiments.ALPHA:g}"


def test_all_go_on_from_what_cutlers_rows_train():
    cutler = papers.experiments("cutler")
    best, number = cutler.rounds()[cutler.BEST], cutler.BEST + 1
    for row in ROWS:
        assert row.stages[:number] == best.stages and row.labels[:number] == best.labels
        first = row.of(*row.stages[:number]).seeded(2)
        assert measured._of_training(first) == measured._of_training(best.seeded(2))
        assert {stage.seed for stage in row.seeded(2).stages} == {2}


def test_rows_learn_from_the_sets_and_labels_that_their_names_say():
    of_2019 = experiments.GROUPS["flowcut toy-ytvis19"]
    for name, on, alpha in (
        ("FlowCut, 2019", "toy-ytvis19", experiments.ALPHA),
        ("FlowCut, 2021, no flow", "toy-ytvis21", 1.0),
    ):
        row = of_2019[name]
        assert row.sets["videos"] == on
        assert dict(row.labels)["toy.flowcut"].cuts.by == Cuts(alpha=alpha)
    parts = {
        n: dict(r.labels)["toy.flowcut"] for n, r in experiments.group("flowcut parts").items()
    }
    assert parts["flow alone"].cuts.by.alpha == 0 and parts["one-to-one"].matching == "one-to-one"
    assert (parts["gap 1 alone"].gaps, parts["gap 4 alone"].gaps) == ((1,), (4,))
    dropping = [r.stages[-1].dropout for r in experiments.group("flowcut parts").values()]
    assert dropping == [0.3, 0.3, 0.3, 0.0, 0.3, 0.3]
    stills = dict(experiments.group("flowcut davis")["FlowCut, stills"].labels)
    assert stills["toy.flowcut.stills"].stills == papers.experiments("cutler").CUTS
    assert experiments.TESTS["flowcut davis"] is DAVIS
    assert experiments.TESTS["flowcut alpha"].scoring is OF_SURE
    assert str(experiments.TESTS["flowcut alpha"]) == OF_SCAN
    for scanned in experiments.group("flowcut alpha").values():
        assert not set(scanned.seeds) & set(experiments.SEEDS)
    with pytest.raises(DataError, match="no experiment is made at size 'tiny'"):
        experiments.group("flowcut alpha", "tiny")


@pytest.fixture(scope="module")
def few():
    """Two toy videos of five frames."""
    whole = toy.sample("toy-ytvis19", 2).bare()
    shortened = [replace(video, frames=video.frames[:5]) for video in whole.videos]
    return replace(whole, videos=tuple(shortened))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("shelf"), progress=False)


def test_labels_are_the_curated_pairs_of_the_cuts(few, place):
    cut = ROUGH.label(few, 0, place)
    for matching, matcher in (("paper", curate.by_rows), ("one-to-one", curate.by_assignment)):
        maker = Pairs(ROUGH, matching, gaps=(1, 4))
        wanted, counts = curate.pairs(cut, (1, 4), matcher=matcher)
        made = maker.label(few, 0, place)
        assert made.tracks == wanted.tracks and made.videos == wanted.videos
        assert {video.length for video in made.videos} == {2} and made.supervision == "none"
        table = maker.counts(few, place)
        assert table.loc[1].tolist() == [8, counts[0].kept_pairs, counts[0].kept, counts[0].dropped]
        assert table.index.tolist() == [1, 4] and table.loc[4, "pairs"] == 2
    told = Pairs(ROUGH).content()
    assert told["pairs of"]["alpha"] == 0.5 and told["gaps"] == (1, 2, 3, 4)


def test_uncurated_masks_keep_their_numbers_and_nothing_is_dropped(few, place):
    made = Made(Uncurated(alpha=0.5, outlined=False)).label(few, 0, place)
    linked = ROUGH.label(few, 0, place)
    for video in few.videos:
        alone = few.subset([video.id])
        for frame in range(video.length):
            own = [mask for mask in ROUGH.by.masks(alone, frame) if mask.any()]
            tracks = [t.mask(frame) for t in made.tracks_of(video.id)]
            assert np.array_equal([mask for mask in tracks if mask is not None], own)
            count = sum(t.masks[frame] is not None for t in linked.tracks_of(video.id))
            assert count == len(own)
    assert Made(Uncurated()).content() != Made(Cuts()).content(), "rows are told apart"
    assert Uncurated().tracked([]) == [] == Uncurated().tracked([[], []])
    small, other = (masks.encode(np.eye(4, dtype=bool)[:n]) for n in (2, 3))
    assert Uncurated().tracked([[small], [other, small]]) == [[small, other], [None, small]]


def test_no_pairs_are_no_labels(few, place):
    with pytest.raises(DataError, match="there are no pairs. Try another alpha"):
        Pairs(ROUGH, gaps=(5,)).label(few, 0, place)


def test_noise_in_place_of_true_masks_changes_no_bit(monkeypatch, tmp_path):
    """Of labels and weights: cuts, pairs that agree and a training on them, as rows have it."""
    whole, noise = toy.sample("toy-ytvis19", 2), np.random.default_rng(0)
    videos = tuple(replace(video, frames=video.frames[:5]) for video in whole.videos)
    sets = {"truth": [], "noise": []}
    for track in whole.tracks:
        own, bare = track.masks[:5], replace(track, boxes=None, areas=None)
        sets["truth"].append(bare.with_masks(own))
        spoilt = [m and masks.encode(noise.random(m["size"]) < 0.5) for m in own]
        sets["noise"].append(bare.with_masks(spoilt))
    stage = replace(experiments.FLOWCUT, init=None, steps=2, batch=2, micro_batch=2)
    row = experiments.ROWS["FlowCut, 2019"].of(stage).seeded(0)
    row = replace(row, labels=((stage.name, Pairs(ROUGH)),))
    labels, weights = [], []
    for name, tracks in sets.items():
        given, place = replace(whole, videos=videos, tracks=tuple(tracks)), Place(tmp_path / name)
        monkeypatch.setattr(measured, "_training_set", lambda *which, given=given: given)
        weights.append(load(measured.trained(row, place)).state_dict())
        labels.append(measured.training_sets(row, place)["videos"].tracks)
    assert whole.supervision == "mask" and sets["truth"] != sets["noise"]
    assert labels[0] and labels[0] == labels[1]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_pictures_and_videos_have_a_maker_each(few, place):
    stills = toy.sample("toy-coco", 2).bare()
    both = ByKind(Pairs(ROUGH), ROUGH_STILLS)
    assert {video.length for video in both.label(few, 0, place).videos} == {2}
    assert {video.length for video in both.label(stills, 0, place).videos} == {1}
    assert set(both.content(0)) == {"videos", "stills"}


@pytest.fixture
def brief(monkeypatch):
    """Rows whose stages are a step each, on two pictures and two videos."""

    def short(recipe):
        return replace(recipe, steps=1, batch=2, micro_batch=2, warm_up_steps=1)

    cutler = papers.experiments("cutler")
    rounds, toy_of = cutler.rounds, cutler.toy
    monkeypatch.setattr(cutler, "toy", lambda recipe: short(toy_of(recipe)))
    monkeypatch.setattr(cutler, "Experiment", partial(Experiment, videos=2))
    monkeypatch.setattr(cutler, "rounds", lambda: rounds(ROUGH_STILLS))
    both = ByKind(Pairs(ROUGH, gaps=(1,)), ROUGH_STILLS)
    rows = [
        experiments._row("CutLER", options=LINKED),
        experiments._row("VideoCutLER", short(experiments.VIDEOCUTLER), labels=ROUGH_STILLS),
        experiments._row("FlowCut, stills", short(experiments.WITH_STILLS), labels=both),
    ]
    return [replace(row, seeds=(0,)) for row in rows]


@pytest.mark.slow
def test_a_row_is_trained_through_all_its_stages_and_tested(brief, tmp_path):
    """In steps that teach nothing."""
    few = replace(DAVIS, videos=2)
    table = series.measure(brief, held_out=few, shelf=tmp_path, progress=False)
    assert table["row"].tolist() == ["CutLER", "VideoCutLER", "FlowCut, stills"]
    assert list(table.columns) == ["row", "seed", "first", *DAVIS.scoring.metrics]
    assert len(list((tmp_path / "runs").iterdir())) == 4, "both rounds are shared"
    few = replace(SURE["toy-ytvis19"], videos=2)
    again = series.measure(brief[:1], held_out=few, shelf=tmp_path, progress=False)
    assert again.loc[0, "AP, any score"] >= again.loc[0, "AP"] >= 0
