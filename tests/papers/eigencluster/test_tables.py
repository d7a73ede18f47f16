"""Measured rows beside published ones: each number on its own line, gaps left as gaps."""

import datetime

import numpy as np
import pandas as pd
import pytest

from evis.papers.eigencluster import experiments, tables

METHODS = list(tables.METHODS.values())
ATTRIBUTES = {"mbor": "occlusion", "instances": "objects", "keypoints": "keypoints"}


def test_table_one_has_every_published_row_and_says_what_is_not_measured():
    empty = pd.DataFrame(columns=["row", "seed", "AP"])
    own = pd.DataFrame([("masks", s, 40.0 + s) for s in range(4)], columns=["row", "seed", "AP"])
    shown = tables.table_one({"R50": own, "R101": empty, "Swin-L": empty}, ["AP"])
    assert len(shown) == 32
    cells = shown["AP, measured"]
    assert cells["R50", "Mask2Former [9]"].startswith("41.5 ±")
    few = tables.table_one({"R50": own[:3], "R101": empty, "Swin-L": empty}, ["AP"])
    assert few["AP, measured"]["R50", "Mask2Former [9]"] == "41.0"  # too few for an interval
    assert cells["R101", "Mask2Former [9]"] == "not measured"
    assert cells["R50", "PCAN [78]"] == "published only"
    seen = shown["Mask ann."]["R50"]
    assert seen["Mask2Former [9]"] == "I+V" and seen["Mask2Former + BoxInst [24]"] == "-"
    assert seen["Mask2Former + Eigen-Cluster VIS"] == "I"


def test_halves_hold_each_score_once_under_its_set_row_seed_and_side():
    metrics = [f"mIoU, {side} {name}" for name in ATTRIBUTES for side in ("low", "high")]
    rows = [("TK", 0), ("TK", 1), ("other", 0)]
    scores = np.arange(18.0).reshape(3, 6)
    table = pd.DataFrame(scores, columns=metrics).assign(
        row=[row for row, _ in rows], seed=[seed for _, seed in rows]
    )
    found = tables.halves({"new": table}, ["TK"], ATTRIBUTES)
    assert len(found) == 12 and set(found["row"]) == {"TK"}
    line = found.query("seed == 1 and attribute == 'objects' and side == 'high'").iloc[0]
    assert line["mIoU"] == table.loc[1, "mIoU, high instances"] and line["set"] == "new"


def test_gains_on_the_sides_that_the_paper_names_by_hand():
    by_seed = {
        "mbor": (1.0, 1.1, 1.2, 0.9, 1.3, 0.8),
        "instances": (-2.0, -2.2, -2.1, -1.9, -2.3, -1.8),
        "keypoints": (0.1, -0.1, 0.2, -0.2, 0.3, -0.3),
    }
    lines = []
    for seed in range(6):
        high = 60 + 0.1 * seed
        ours, theirs = {"row": "ours", "seed": seed}, {"row": "TK", "seed": seed}
        for name, gains in by_seed.items():
            ours |= {f"mIoU, low {name}": high + 3, f"mIoU, high {name}": high}
            theirs |= {f"mIoU, low {name}": 0.0, f"mIoU, high {name}": high - gains[seed]}
        lines += [ours, theirs]
    new = pd.DataFrame(lines)
    measured = {"new": new, "crowded": new[new["row"] == "TK"]}
    stands_for = {"YouTube-VIS 2021 new videos": "new", "OVIS": "crowded"}
    found = tables.gains_on_sides(measured, stands_for, ATTRIBUTES, [("ours", "TK")])
    said = [(name, f"high {title}") for title in ATTRIBUTES.values() for name in measured]
    assert list(zip(found["set"], found["side"], strict=True)) == said
    assert found["published"].tolist() == [0.54, 0.85, 0.85, 0.51, 0.65, 0.82]
    absent, whole = found[found["set"] == "crowded"], found[found["set"] == "new"]
    assert (absent["outcome"] == "not measured").all() and absent["mean"].isna().all()
    assert whole["mean"].tolist() == pytest.approx([1.05, -2.05, 0.0])
    assert whole["outcome"].tolist() == ["higher", "lower", "not resolved"]
    assert whole["low - high"].tolist() == pytest.approx([3.0] * 3)
    edges = [(min(by_seed[name]), max(by_seed[name])) for name in ATTRIBUTES]
    assert whole[["low", "high"]].to_numpy() == pytest.approx(np.array(edges))


def test_the_search_is_told_in_full():
    """How many trainings of each regime there were, by seed, as they were noted down."""
    tried = tables.regimes()
    count = tried.groupby(["world", "regime", "seed"], sort=False).size()
    assert count.to_dict() == {
        ("A", "as planned", 100): 6,
        ("A", "stage one of 400 steps", 100): 5,
        ("A", "stage one of 400 steps", 101): 4,
        ("A", "stage one of 400 steps", 102): 2,
        ("A", "no stage one, 600 steps", 100): 4,
        ("B", "as planned", 101): 3,
        ("B", "as planned", 102): 3,
        ("B", "stage one of 400 steps", 102): 3,
        ("B", "stage one of 400 steps, weights x 5", 101): 2,
        ("B", "stage one of 400 steps, weights x 5", 102): 2,
        ("B", "stage one of 400 steps, then 1,200", 101): 1,
        ("B", "stage one of 400 steps, then 1,200", 102): 2,
        ("B", "no stage one, 600 steps, no pairwise in any row", 101): 2,
        ("B, typical 0.25", "stage one of 1,000 steps", 101): 3,
        ("B, typical 0.5", "stage one of 400 steps", 101): 1,
    }
    sums = tried.groupby("world")[["AP", "mIoU"]].sum().round(1)  # added up from the notes
    assert sums.loc["A"].tolist() == [1064.3, 1593.0]
    assert sums.loc["B"].tolist() == [818.8, 1291.7]
    assert len(tables.SEARCH["trial"]["gains"]) == 8


def test_the_search_is_well_formed_and_took_no_seed_that_is_reported():
    tried, search = tables.regimes(), tables.SEARCH
    assert list(tried) == ["world", "regime", "seed", "row", "AP", "mIoU", "date"]
    assert not tried.duplicated(["world", "regime", "seed", "row"]).any()
    assert set(tried["world"]) == set(search["worlds"]) == set(search["commits"])
    assert set(tried["row"]) == set(search["readings"])
    assert tried[["AP", "mIoU"]].stack().between(0, 100).all()
    assert (tried["AP"] < tried["mIoU"]).all()  # columns that changed places would show
    assert set(tried["date"]) == {datetime.date(2026, 11, 27)}
    for size in experiments.SIZES.values():
        assert not set(tried["seed"]) & set(experiments.seeds("comparison", size))


def test_in_no_regime_tried_was_tk_clearly_above_boxes():
    """What notebook 10 says of the search: where there are two seeds, they differ in sign."""
    wide = tables.regimes().pivot(index=["world", "regime", "seed"], columns="row", values="AP")
    gains = (wide["TK"] - wide["boxes"]).dropna()
    several = [own for _, own in gains.groupby(["world", "regime"]) if len(own) > 1]
    assert len(gains) == 13 and len(several) == 3
    assert all(own.min() < 0 < own.max() for own in several)
    assert gains.max() < 2 and gains.mean() < 0
