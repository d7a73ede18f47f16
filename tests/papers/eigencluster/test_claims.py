"""The ledger's list against the paper, and its verdicts against rows whose truth is known."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evis.companion import claims, formulas, measured, paired, published, store
from evis.companion.measured import CROWDED, TEST, UNSEEN, Shelf
from evis.papers.eigencluster import claim_checks
from evis.papers.eigencluster.claim_checks import Outcome
from evis.papers.eigencluster.claims_list import ALONE, CLAIMS, Claim, Comparison, Side
from evis.papers.eigencluster.experiments import (
    BOTH,
    CONTROL,
    GROUPS,
    SEEDS,
    SIZES,
    TEL,
    TK,
    comparison,
)
from evis.papers.eigencluster.temporal import SCHEMES

TESTS = [(claim, test) for claim in CLAIMS for test in claim.tests]
NOISE = np.array([-0.3, 0.1, 0.25, -0.15, 0.05, 0.2, -0.05, -0.1])  # of 8 seeds


def rows_of(size: str) -> set[str]:
    return {name for group in GROUPS.values() for name in group(size)}


# The list


def test_ids_are_unique_and_every_claim_says_where_and_what():
    ids = [claim.id for claim in CLAIMS]
    assert len(ids) == len(set(ids))
    assert all(claim.place and claim.says for claim in CLAIMS)


def test_a_claim_is_compared_or_computed_or_says_why_neither():
    for claim in CLAIMS:
        ways = [bool(claim.tests), claim.check is not None, bool(claim.untestable)]
        assert sum(ways) == 1, claim.id


def test_every_side_is_an_experiment_and_a_metric_that_its_videos_are_scored_by():
    others = {"mIoU"} | {f"mIoU, {h} {s}" for h in ("low", "high") for s in measured.SPLITS}
    metrics = {TEST: {*measured.SCORES, "mIoU", "unsteadiness"}, UNSEEN: others, CROWDED: others}
    metrics[measured.CLIPS] = {"Q", "L_eig", "relative L_eig"}
    for _, test in TESTS:
        for side in (test.left, test.right):
            assert side.row in rows_of(side.size)
            assert side.metric in metrics[side.held_out]
        assert test.left != test.right


def test_what_is_claimed_is_what_is_printed():
    """A table's order: the published difference has the direction of the claim. Ties are not."""
    for claim, test in TESTS:
        if test.published is not None:
            value = formulas.evaluate(test.published, published.tables()).value
            assert value > 0 if test.direction == "higher" else value < 0, claim.id


PRINTED = """
T1-1 0.8 | T1-2 0.8 | T1-3 1.5 | T1-4 8.8 | T1-7 -0.4 | T1-8 -0.1 | T1-9 -3.6 | T2-1 5.4 | T2-7 1.5
T2-13 1.9 | T3-1 1.1 | T3-2 0.4 | T3-3 1.5 | T4-1 0.2 | T4-2 0.4 | T5-1 0.63 | T5-2 0.74
G6a-3 0.54 | G6a-4 0.85 | G6b-3 0.85 | G6b-4 0.51 | G6c-3 0.65 | G6c-4 0.82 | I2 1.5 | T1-14 -0.1
"""


# Of printed tables -> what is measured in its place.
MEASURED_AS = {
    1: {
        "Mask2Former": {"masks"},
        "Mask2Former + BoxInst": {"boxes"},
        "Mask2Former + Mask-free VIS": {TK},
        "Mask2Former + Eigen-Cluster VIS": {BOTH},
    },
    2: {name: {name} for name in SCHEMES}
    | {
        "Baseline (No Matching)": {"boxes"},
        "Temporal KNN-Matching (TK)": {TK, "Temporal KNN-Matching (TK)", TK + ALONE},
        "Temporal EigenValue + TK": {TEL, BOTH + ALONE},
    },
    3: {"neither": {TK}, "TEL": {TEL}, "TEL + QCC": {BOTH}},
    4: {"Y = 2": {"Y = 2"}, "Y = 3": {BOTH}, "Y = 4": {"Y = 4"}},
    5: {"MaskfreeVIS": {TK}, "Eigen-Cluster VIS": {BOTH}},
}
STANDS_FOR = {"R50": "tiny_s", "R101": "tiny", "Swin-L": "tiny_l"}
ON = {"YouTube-VIS 2021 new videos": UNSEEN, "OVIS": CROWDED}


def test_what_is_measured_is_what_the_cited_cells_are_about():
    """Row, metric, size and videos of each side, by the cell's own labels."""
    cells = published.tables()
    cited = [
        (claim.id, side, formulas.lookup(cells, reference))
        for claim, test in TESTS
        for side, reference in zip(
            (test.left, test.right), formulas.references(test.published or ""), strict=False
        )
    ]
    assert len(cited) > 200
    for name, side, cell in cited:
        label = re.sub(r" \[\d+\]", "", cell.row_label)
        assert side.row in MEASURED_AS[cell.table][label], name
        assert side.metric == cell.metric, name
        assert side.size == (STANDS_FOR[cell.backbone] if cell.table == 1 else "tiny_s"), name
        assert side.held_out == (ON[cell.dataset] if cell.table == 5 else TEST), name


LESS_IS_CLAIMED = {"unsteadiness", "Q", "L_eig"}


def test_claims_in_words_have_the_direction_of_their_metric():
    """Those without a printed cell; Fig. 6 is below."""
    for claim, test in TESTS:
        if not formulas.references(test.published or "") and not claim.id.startswith("G6"):
            lower = test.left.metric in LESS_IS_CLAIMED
            assert test.direction == ("lower" if lower else "higher"), claim.id


def test_figure_6_is_claimed_as_the_text_prints_it():
    claimed = {claim.id: claim for claim in CLAIMS}
    said = published.figure_six()
    for part, attribute in zip("abc", ("mbor", "instances", "keypoints"), strict=True):
        for number, (dataset, held_out) in enumerate(ON.items(), 1):
            (harder,) = claimed[f"G6{part}-{number}"].tests
            assert (harder.direction, harder.left.row, harder.right.row) == ("lower", BOTH, BOTH)
            assert harder.left.metric == f"mIoU, high {attribute}"
            assert harder.right.metric == f"mIoU, low {attribute}"
            (gain,) = claimed[f"G6{part}-{number + 2}"].tests
            (line,) = said[(said.dataset == dataset) & (said.attribute == attribute)].itertuples()
            assert (gain.direction, gain.left.row, gain.right.row) == ("higher", BOTH, TK)
            assert gain.left.metric == gain.right.metric == f"mIoU, {line.side} {attribute}"
            assert float(gain.published) == line.gain
            for side in (harder.left, harder.right, gain.left, gain.right):
                assert side.held_out == held_out


def test_published_differences_are_those_that_the_text_names():
    claimed = {claim.id: claim for claim in CLAIMS}
    for entry in PRINTED.replace("\n", "|").split("|"):
        if entry.strip():
            name, value = entry.split()
            (test,) = claimed[name].tests
            found = formulas.evaluate(test.published, published.tables()).value
            assert found == pytest.approx(float(value)), name


def test_the_gain_of_every_table_is_claimed_once():
    """Rows of Table II against the last, columns of Tables I to IV, halves of Fig. 6."""
    printed = {test.published for _, test in TESTS if test.published}
    assert {f"2/{row}/AP" for row in range(1, 8)} <= {
        formula.split("eigen-cluster-vis/")[2].rstrip("]")
        for formula in printed
        if "/2/8/AP]" in formula
    }
    ours = [claim for claim in CLAIMS if claim.id in ("T1-13", "T1-14", "T1-1", "T1-2", "T1-3")]
    assert sum(len(claim.tests) for claim in ours) == len(SIZES) * len(measured.SCORES)


def test_only_stage_three_against_tk_has_a_control():
    gain = Comparison(Side(TEL), Side(TK))
    assert gain.against_control == Comparison(Side(TEL), Side(CONTROL))
    alone = Comparison(Side(BOTH + ALONE), Side(TK + ALONE))
    assert alone.against_control.right.row == CONTROL + ALONE
    assert CONTROL + ALONE in rows_of("tiny_s")
    assert Comparison(Side("Temporal EigenValue + TK"), Side(TK)).against_control is None
    assert Comparison(Side(BOTH), Side("boxes")).against_control is None


# Verdicts


def shelf_with(folder: Path, size: str = "tiny_s", seeds=SEEDS, held_out=TEST, **rows) -> Shelf:
    """AP of these rows: a mean each, and one noise for all seeds but a little of their own."""
    for place, (name, mean) in enumerate(rows.items()):
        experiment = comparison(size)[name.replace("_", " ").replace("both", BOTH)]
        for seed in seeds:
            value = mean + 5 * NOISE[seed] + 0.4 * NOISE[(seed + 3 * place) % 8]
            recipe = measured.content(experiment.seeded(seed))
            metrics = {name: value / 100 for name in ("AP", "mIoU")}
            row = store.ResultRow(recipe, str(held_out), seed, metrics, None, None, {}, {}, 0.0, "")
            store.save(row, folder)
    return Shelf(lambda: folder, lambda: folder / "runs")


GAIN = Claim("X1", "nowhere", "both beat TK", (Comparison(Side(BOTH), Side(TK)),))
LOSS = Claim("X2", "nowhere", "both below TK", (replace(GAIN.tests[0], direction="lower"),))
BOXES = Claim("X3", "nowhere", "TK beats boxes", (Comparison(Side(TK), Side("boxes")),))
JOINT = Claim("X4", "nowhere", "both", GAIN.tests + BOXES.tests)


def test_verdicts_follow_the_rows(tmp_path):
    shelf = shelf_with(tmp_path, both=34.0, TK=32.0, more_steps=34.0, boxes=32.0)
    ledger = claims.verdicts(shelf, [GAIN, LOSS, BOXES, JOINT]).set_index("id")
    assert ledger["verdict"].to_dict() == {
        "X1": "holds",
        "X2": "contradicted",
        "X3": "can't tell",
        "X4": "can't tell",
    }
    line = ledger.loc["X1"]
    assert line["measured"] == pytest.approx(2.0, abs=0.1)
    assert line["low"] < 2.0 < line["high"] and line["seeds"] == 8
    assert line["control"] == "can't tell" and abs(line["against control"]) < 0.2
    assert line["control low"] < line["against control"] < line["control high"]
    assert ledger.loc["X3", "control"] == ""


def test_a_difference_is_the_paired_one_of_the_stored_rows(tmp_path):
    shelf = shelf_with(tmp_path, both=34.0, TK=32.0)
    table = claims.Rows(shelf)
    found = table.difference(GAIN.tests[0])
    own = {side.row: table.values(side) for side in (GAIN.tests[0].left, GAIN.tests[0].right)}
    assert found.values == pytest.approx(tuple(own[BOTH] - own[TK]))
    line = claims.verdicts(shelf, [GAIN]).iloc[0]
    assert (line["low"], line["high"]) == found.bootstrap()
    assert line["resolvable"] == found.smallest


def test_rows_that_are_lacking_make_no_verdict(tmp_path):
    few = shelf_with(tmp_path, seeds=SEEDS[: paired.LEAST_SEEDS - 1], both=34.0, TK=32.0)
    ledger = claims.verdicts(few, [GAIN, BOXES, JOINT])
    assert set(ledger["verdict"]) == {"not measured yet"}
    assert ledger[["low", "high", "p", "p, Holm"]].isna().all(axis=None)


def test_a_joint_claim_is_contradicted_by_one_sure_comparison(tmp_path):
    shelf = shelf_with(tmp_path, both=34.0, TK=32.0, more_steps=32.0, boxes=35.0)
    (line,) = claims.verdicts(shelf, [JOINT]).to_dict("records")
    assert line["verdict"] == "contradicted"
    assert line["measured"] == pytest.approx(-3.0, abs=0.1)  # the weakest is shown
    assert line["compared"].startswith("TK − boxes") and "weakest of 2" in line["compared"]
    assert line["control"] == "contradicted" and np.isnan(line["against control"])  # has none


def test_a_contradicted_claim_shows_what_contradicts_it():
    """Not a comparison with a larger p and an interval across 0."""
    results = [result(-0.3), claims.Result(GAIN.tests[0], paired.Difference((-5.0, -5, -5, 1)))]
    assert [each.verdict for each in results] == ["contradicted", "can't tell"]
    assert results[1].p() > results[0].p(alternative=True)
    assert claims.weakest(results) is claims.weakest(results[::-1]) is results[0]


def test_sizes_sets_and_metrics_are_kept_apart(tmp_path):
    shelf = shelf_with(tmp_path, both=34.0)
    shelf_with(tmp_path, "tiny", both=40.0)
    shelf_with(tmp_path, held_out=UNSEEN, both=20.0)
    larger = Comparison(Side(BOTH, size="tiny"), Side(BOTH))
    harder = Comparison(Side(BOTH, "mIoU", held_out=UNSEEN), Side(BOTH, "mIoU"))
    rows = claims.Rows(shelf)
    assert rows.difference(larger).mean == pytest.approx(6.0)
    assert rows.difference(harder).mean == pytest.approx(-14.0)
    assert claims.describe(larger) == "TEL + QCC (tiny) − TEL + QCC (tiny_s), AP, toy-ytvis19"
    assert "unsteadiness" not in claims._traits(larger.left)
    absent = Comparison(Side(BOTH, "unsteadiness"), Side(TK, "unsteadiness"))
    assert rows.difference(absent).seeds == 0


def test_a_computed_claim_takes_the_outcome_as_it_is():
    computed = Claim("X5", "p", "s", check=lambda: Outcome("contradicted", "a fact"), note="more")
    (line,) = claims.verdicts(claims=[computed]).to_dict("records")
    assert (line["verdict"], line["note"]) == ("contradicted", "a fact; more")
    untold = Claim("X6", "p", "s", untestable="no way")
    (line,) = claims.verdicts(claims=[untold]).to_dict("records")
    assert (line["verdict"], line["note"]) == ("not testable here", "no way")


def test_a_claim_in_a_sentence(tmp_path):
    shelf = shelf_with(tmp_path, both=34.0, TK=32.0, more_steps=34.0, boxes=32.0)
    printed = replace(GAIN, tests=(replace(GAIN.tests[0], published="1.5"),))
    absent = Claim("X8", "nowhere", "TEL beats TK", (Comparison(Side(TEL), Side(TK)),))
    ledger = claims.verdicts(shelf, [printed, BOXES, absent])
    numbers = {}
    for claim in (GAIN, BOXES):
        found = claims.Rows(shelf).difference(claim.tests[0])
        low, high = found.bootstrap()
        numbers[claim.id] = (
            f"measured {found.mean:+.2f} [{low:+.2f}, {high:+.2f}]; "
            f"resolvable {found.smallest:.2f} with 8 seeds"
        )
    assert claims.sentence(ledger, "X1") == (
        f"X1, both beat TK: holds; {numbers['X1']}; published +1.50; "
        "against the control: can't tell"
    )
    assert claims.sentence(ledger, "X3") == f"X3, TK beats boxes: can't tell; {numbers['X3']}"
    assert claims.sentence(ledger, "X8") == (
        "X8, TEL beats TK: not measured yet; against the control: not measured yet"
    )


# Many verdicts


def test_holm_by_hand():
    assert claims.holm([0.01, 0.04, np.nan, 0.03]).tolist() == pytest.approx(
        [0.03, 0.06, np.nan, 0.06], nan_ok=True
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_raw_and_bonferroni_and_keeps_the_order(p):
    adjusted, raw = claims.holm(p), np.array(p)
    assert (adjusted >= raw - 1e-12).all()
    assert (adjusted <= np.minimum(len(p) * raw, 1) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0).all()


def test_a_comparison_that_several_claims_share_counts_once(tmp_path):
    shelf = shelf_with(tmp_path, both=32.2, TK=32.0, more_steps=34.0, boxes=31.9)
    one = claims.verdicts(shelf, [GAIN, BOXES])
    printed = replace(GAIN.tests[0], published="[eigen-cluster-vis/3/3/AP]")
    twice = claims.verdicts(shelf, [GAIN, BOXES, replace(GAIN, id="X7", tests=(printed,))])
    assert twice["p, Holm"].tolist()[:2] == one["p, Holm"].tolist()
    assert twice["p, Holm"].iloc[2] == one["p, Holm"].iloc[0]


def test_p_agrees_with_the_t_interval():
    """p below 5% where Student's 95% interval leaves 0 out."""
    for shift in (0.1, 0.18, 0.3):
        found = paired.Difference(tuple(NOISE + shift))
        result = claims.Result(GAIN.tests[0], found)
        assert (claims.joint_p([result]) < 0.05) == (abs(found.mean) > found.half)


def result(shift: float, direction="higher") -> claims.Result:
    test = replace(GAIN.tests[0], direction=direction)
    return claims.Result(test, paired.Difference(tuple(NOISE + shift)))


def test_one_of_several_must_stand_bonferroni_to_contradict():
    assert result(-0.18).verdict == "contradicted"
    assert claims.joint_verdict([result(-0.18)]) == "contradicted"
    assert claims.joint_verdict([result(-0.18), result(0)]) == "can't tell"
    assert claims.joint_verdict([result(-0.3), result(0)]) == "contradicted"


def test_p_of_several_is_that_of_the_weakest_in_the_claims_direction():
    two = [result(-0.3, "lower"), result(-0.1, "lower")]
    by_hand = [stats.ttest_1samp(NOISE + s, 0, alternative="less").pvalue for s in (-0.3, -0.1)]
    assert [each.p() for each in two] == pytest.approx(by_hand)
    assert claims.joint_p(two) == pytest.approx(2 * max(by_hand))
    assert claims.weakest(two) is two[1]


# Computed facts that do not depend on weights or stored rows

FACTS = {
    "no_mask_at_all": "contradicted",
    "no_video_mask": "holds",
    "no_parameters": "holds",
    "spectrum_sees_space": "contradicted",
    "fiedler_value_sees_pieces": "contradicted",
    "closeness_is_coherence": "contradicted",
    "psi_grows_with_tel": "holds",
    "q_tells_clusters_apart": "holds",
}


@pytest.mark.parametrize(("name", "expected"), FACTS.items())
def test_facts(name, expected):
    assert getattr(claim_checks, name)().verdict == expected


def test_a_spectrum_that_knew_places_would_be_noticed(monkeypatch):
    """The check can come out the other way: weights that fall to the right betray the place."""
    eigenvalues = claim_checks.tel.eigenvalues
    ramp = lambda logits: logits * (1 + 0.01 * claim_checks.torch.arange(logits.shape[-1]))  # noqa: E731
    monkeypatch.setattr(
        claim_checks.tel, "eigenvalues", lambda logits, *a, **k: eigenvalues(ramp(logits), *a, **k)
    )
    assert claim_checks.spectrum_sees_space().verdict == "holds"


def test_a_learned_part_would_be_counted(monkeypatch):
    learned = SCHEMES["Learnable Pixel Matching"]
    monkeypatch.setitem(claim_checks.SCHEMES, "Temporal EigenValue + TK", learned)
    assert claim_checks.no_parameters().verdict == "contradicted"


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.05, "holds"), (0.2, "contradicted"), (None, "not measured yet")]
)
def test_a_cost_is_judged_by_the_stored_benchmark(monkeypatch, share, verdict):
    metrics = None if share is None else {"added by TEL": share, "added by TEL + QCC": 0.01}
    row = metrics and store.ResultRow({"name": "cost"}, "", 0, metrics, None, None, {}, {}, 0.0, "")
    monkeypatch.setattr(claim_checks.store, "find", lambda *_: row)
    assert claim_checks.tel_is_no_burden().verdict == verdict


def test_pairs_that_clusters_part_are_counted_by_hand():
    """Two objects side by side; the logits of one query tell their pixels apart but for one row."""
    masks = torch.zeros(2, 1, 32, 64, dtype=torch.bool)
    masks[0, :, :, :32], masks[1, :, :, 32:] = True, True
    logits = torch.zeros(1, 2, 1, 8, 16)
    logits[0, :, :, :, 8:] = 9.0
    logits[0, :, :, 4:, 8:] = 0.0  # the lower half of the right object looks like the left one
    frames = torch.zeros(1, 3, 32, 64, dtype=torch.uint8)
    clip = SimpleNamespace(masks=masks, labels=torch.tensor([0, 1]), frames=frames)
    of = claim_checks.Predicted(clip, logits, torch.tensor([0, 1]), stride=4)
    # 2 x 2 pixels of the resized clip an object: all of the left, two of the right in one cluster
    assert claim_checks._parted(of) == pytest.approx(0.5)
    alone = replace(
        of, clip=SimpleNamespace(masks=masks[:1], labels=clip.labels[:1], frames=frames)
    )
    assert claim_checks._parted(alone) is None


def test_the_whole_ledger_has_a_line_a_claim(tmp_path, monkeypatch):
    """Without any row: all is there, and no comparison has a verdict."""
    short = [
        c if c.check is None else replace(c, check=lambda: Outcome("holds", "")) for c in CLAIMS
    ]
    ledger = claims.verdicts(Shelf(lambda: tmp_path, lambda: tmp_path), short)
    assert ledger["id"].tolist() == [claim.id for claim in CLAIMS]
    assert set(ledger["verdict"]) <= set(claims.VERDICTS)
    assert set(ledger["verdict"][ledger["tests"].map(len) > 0]) == {"not measured yet"}
    assert isinstance(ledger, pd.DataFrame)
