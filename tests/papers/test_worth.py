"""What labels cost an object, which rows may be compared, and what of full masks they keep."""

import numpy as np
import pandas as pd
import pytest

from evis.companion import formulas, paired, published
from evis.data import toy
from evis.data.supervision import P1N1, frames_of
from evis.papers import worth
from evis.papers.worth import FULL, LEVELS, SHARES, STEPS, Level

LABELLED = {level.label: level for level in LEVELS}
PAID = {"masks": "mask", "boxes": "box", "names": "none", "nothing": "none"}  # others: points


@pytest.fixture(scope="module")
def dataset():
    return toy.sample("toy-ytvis19", 4)


def test_every_source_is_named_and_one_of_each_kind_is_counted_with():
    costs = published.label_costs()
    assert (costs["seconds"] > 0).all() and costs["link"].str.startswith("https://").all()
    assert not costs.drop(columns="seconds").isna().any(axis=None)
    assert set(costs["measured_on"]) <= {"pictures", "videos", "not said"}
    assert (costs.groupby("label")["used"].sum() == 1).all()
    price = worth.prices()
    assert set(price) == {*worth.LABELS.values(), "name"}
    assert price["click"] < price["box"] < price["mask"]


def test_a_level_is_called_by_what_its_recipe_may_learn_from():
    assert len(LABELLED) == len(LEVELS)
    for level in LEVELS:
        what = level.label.partition(":")[0].partition(",")[0]
        assert level.supervision == PAID.get(what, "point"), level.label


def test_labels_of_an_object_are_those_that_a_data_set_of_this_level_holds(dataset):
    seen = {
        track.id: {frame for frame, mask in enumerate(track.masks) if mask is not None}
        for track in dataset.tracks
    }
    frames = sum(map(len, seen.values())) / len(seen)
    given = {name: worth.annotated(level, dataset) for name, level in LABELLED.items()}
    for name in ("masks: MinVIS", "boxes: TK", "boxes: PM-VIS", "P1: self-trained"):
        assert given[name] == pytest.approx(frames)
    assert given["P1N1: PointVIS"] == pytest.approx(2 * frames)
    assert 9 * frames < given["P10: PointVIS"] <= 10 * frames  # fewer in the smallest objects
    for share in SHARES:
        few = sum(
            len(
                seen[track.id]
                & set(frames_of(track.video_id, dataset.video(track.video_id).length, share, 0))
            )
            for track in dataset.tracks
        ) / len(seen)
        assert given[f"masks, {share:.0%}: MinVIS"] == pytest.approx(few)
        assert given[f"P1N1, {share:.0%}: PointVIS"] == pytest.approx(2 * few)
    assert {given[name] for name in given if LABELLED[name].supervision == "none"} == {0}


def test_an_object_costs_its_labels_and_its_name_once():
    price = {"mask": 80.0, "box": 7.0, "click": 1.0, "name": 5.0}
    assert worth.seconds("masks", 10, price) == 805
    assert worth.seconds("boxes", 10, price) == 75
    assert worth.seconds("points", 2.5, price) == 7.5
    assert worth.seconds("none", 0, price) == 0


def test_rows_are_trained_as_their_row_from_masks_but_where_it_is_said():
    apart = {level.label: worth.unlike(level) for level in LEVELS}
    assert {label: set(what) for label, what in apart.items() if what} == {
        "boxes: TK, TEL, QCC": {"steps on videos"},
        "nothing: stills alone": {"frames a clip", "steps on videos"},
    }
    steps, masks = apart["boxes: TK, TEL, QCC"]["steps on videos"]
    assert steps > masks
    networks = {}
    for paper, row in FULL.items():
        run = worth.runs(paper)[row]
        name = type(run.method.build(run.stages[-1], ["a class"])).__name__
        networks[paper] = f"{name.removeprefix('Video')} {run.stages[-1].model}"
    assert len(set(networks.values())) == 2 and networks["pmvis"] == "IDOL tiny"
    for level in LEVELS:
        facts = worth.training(level)
        assert facts["network"] == networks[level.paper]
        assert facts["masks of stills"] == (level.paper != "uvis")


def test_paired_rows_of_two_papers_go_on_from_the_same_first_network():
    """Else their units would have nothing in common but a number."""
    first = {
        paper: worth.runs(paper)["masks"].seeded(3).stages[0]
        for paper in ("eigencluster", "pointvis")
    }
    assert first["pointvis"] == first["eigencluster"]


def test_shares_in_print_are_those_that_pointvis_prints():
    for label, row in (("P1: self-trained", 4), ("P1N1: self-trained", 5)):
        place = f"pointvis/1/{row}/AP retention %"
        printed = formulas.lookup(published.tables(), place).value
        assert worth._printed(LABELLED[label].printed) == pytest.approx(printed, abs=0.06)
    assert np.isnan(worth._printed(""))


def test_what_papers_print_is_at_the_seconds_of_our_row_and_beside_its_masks():
    own = pd.DataFrame(
        {"label": own.label, "labels": "x", "seconds": n} for n, own in enumerate(LEVELS)
    )
    printed = worth.in_print(own).set_index(["network", "label"])["AP"]
    assert printed["Eigen-Cluster VIS, R50", "boxes: TK, TEL, QCC"] == 47.4
    assert printed["Eigen-Cluster VIS, R50", "masks: Mask2Former"] == 47.8
    assert printed["PointVIS, Swin-L", "P1: self-trained"] == 53.9
    assert printed["PointVIS, Swin-B, dev", "P1: loss at clicks"] == 9.7
    assert printed["PointVIS, Swin-B, dev", "masks: MinVIS"] == 55.3
    assert printed["PointVIS, Table 6", "masks, 1%: MinVIS"] == 59.0
    assert printed["UVIS, R50", "masks: MinVIS, no stills"] == 30.3
    with_print = {own.label for own in LEVELS if own.printed}
    assert with_print <= {label for _, label in printed.index}
    seconds = worth.in_print(own).set_index("label")["seconds"]
    assert (seconds == own.set_index("label")["seconds"].reindex(seconds.index)).all()


def planted(scores):
    """In place of `worth.table`: {row: {seed: AP}}."""

    def table(paper, rows, shelf=None):
        lines = [
            {"row": row, "seed": seed, "first": seed, "AP": value}
            for row in dict.fromkeys(rows)
            for seed, value in scores.get(row, {}).items()
        ]
        return pd.DataFrame(lines, columns=["row", "seed", "first", "AP"])

    return table


def test_shares_are_taken_unit_by_unit(monkeypatch, dataset):
    scores = {
        "masks": {0: 50.0, 1: 40.0, 2: 50.0, 3: 40.0},
        "PointVIS (P1)": {0: 40.0, 1: 36.0, 2: 45.0, 3: 38.0, 7: 10.0},
    }
    monkeypatch.setattr(worth, "table", planted(scores))
    levels = [LABELLED[n] for n in ("masks: MinVIS", "P1: PointVIS", "P10: PointVIS")]
    units = worth.by_unit(levels)
    clicks = units[units["row"] == "P1: PointVIS"].set_index("seed")["share"]
    assert clicks.loc[[0, 1, 2, 3]].tolist() == pytest.approx([80, 90, 90, 95])
    assert np.isnan(clicks.loc[7])  # no such unit has masks
    masks, one, ten = worth.measured(dataset, levels).to_dict("records")
    assert masks["share"] == 100 and masks["units"] == 4
    assert (one["AP"], one["units"]) == (pytest.approx(33.8), 5)
    assert one["share"] == pytest.approx(88.75)
    ends = paired.interval(pd.Series([80.0, 90.0, 90.0, 95.0]))
    assert (one["share low"], one["share high"]) == pytest.approx(ends)
    assert ten["units"] == 0 and np.isnan([ten["AP"], ten["share"], ten["low"]]).all()


def test_every_row_that_is_compared_is_one_of_its_paper(monkeypatch):
    for paper, row, metric in worth.ANY_CLASS_ROWS.values():
        assert row in worth.runs(paper) and metric in worth.test_of(paper).scoring.metrics
    for step in STEPS:
        assert {step.row, step.without} <= set(worth.runs(step.paper))
        assert step.metric in worth.test_of(step.paper).scoring.metrics
    assert all(FULL[level.paper] in worth.runs(level.paper) for level in LEVELS)
    few = tuple(step for step in STEPS if step.metric == "AP")
    monkeypatch.setattr(worth, "STEPS", few)
    rows = {step.row: {0: 3.0} for step in few} | {step.without: {0: 1.0} for step in few[:1]}
    monkeypatch.setattr(worth, "table", planted(rows))
    gains = worth.steps()
    assert len(gains) == len(few) and gains["mean"].iloc[0] == 2
    assert gains["level"].tolist() == [step.level for step in few]


def test_hours_buy_what_they_suffice_for_and_the_best_of_it_comes_first():
    names = ["dear", "good", "fair", "unmeasured", "free"]
    levels = pd.DataFrame(
        {
            "label": names,
            "labels": "points",
            "seconds": [360.0, 36.0, 18.0, 3.6, 0.0],
            "AP": [60.0, 50.0, 40.0, np.nan, 30.0],
            "low": np.nan,
            "high": np.nan,
            "units": [6, 6, 1, 0, 6],
        }
    )
    bought = worth.affordable(levels, hours=1, objects=100)
    assert bought["label"].tolist() == ["good", "fair", "free", "unmeasured", "dear"]
    assert bought["paid"].tolist() == [True, True, True, True, False]
    assert bought["hours"].tolist() == pytest.approx([1.0, 0.5, 0.0, 0.1, 10.0])
    assert worth.affordable(levels, hours=0, objects=100)["paid"].sum() == 1


def test_a_row_that_no_paper_has_is_no_level():
    with pytest.raises(KeyError):
        worth.training(Level("", "pointvis", "nowhere"))
    assert LABELLED["P1N1: PointVIS"].run.labels[0][1].scheme == P1N1
