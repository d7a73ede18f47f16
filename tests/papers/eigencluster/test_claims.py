"""The claims in claims.toml against the paper, and the checks that decide some of them."""

import re
from collections import Counter
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from evis.companion import claims as ledger
from evis.companion import formulas, published, store
from evis.companion.claims import Comparison, Finding, Side
from evis.companion.held_out import CROWDED, SCORES, TEST, UNSEEN
from evis.papers.eigencluster import checks
from evis.papers.eigencluster.claims import ALONE, CLAIMS, QUESTIONS, control, verdicts
from evis.papers.eigencluster.experiments import (
    BOTH,
    CONTROL,
    GROUPS,
    PLACEBOS,
    Q_PLACEBO,
    QCC,
    SIZES,
    TEL,
    TK,
)
from evis.papers.eigencluster.temporal import SCHEMES

UNITS = {name: row.seeds for group in GROUPS.values() for name, row in group("tiny_s").items()}
TESTS = [(claim, test) for claim in CLAIMS for test in claim.tests]


@cache
def rows_of(size: str) -> set[str]:
    return {name for group in GROUPS.values() for name in group(size)}


# The list


def test_every_claim_is_there():
    """110 claims, 159 comparisons; `claim_file` refuses an id that comes twice."""
    assert len(CLAIMS) == 110
    assert Counter(claim.kind for claim in CLAIMS) == {
        ledger.HEADLINE: 11,
        ledger.OTHER: 52,
        ledger.COMPUTED: 16,
        ledger.UNTESTABLE: 31,
    }
    assert sum(bool(claim.tests) for claim in CLAIMS) == 74
    assert len(TESTS) == 159
    assert all(claim.place and claim.says for claim in CLAIMS)


def test_what_is_claimed_in_words_is_quoted_and_what_a_table_says_is_not():
    """R1 is of whole sections."""
    tables = {claim.id for claim in CLAIMS if re.match("(IV-D; )?Table", claim.place)}
    without = {claim.id for claim in CLAIMS if not claim.quote}
    assert without - {"R1"} <= tables
    assert len(CLAIMS) - len(without) == 76


def test_every_claim_and_question_has_a_group():
    groups = {claim.id: claim.group for claim in CLAIMS}
    assert "" not in groups.values() and len(set(groups.values())) == 6
    assert groups["G6a-1"] == groups["T5-1"] != groups["S1"] == groups["B3"]
    assert groups["G1"] == groups["T3-1"] == "Tables III and IV, Fig. 5"
    assert [question.group for question in QUESTIONS].count("What the paper adds") == 7
    assert QUESTIONS[0].group == "What the method builds on"


def test_claims_that_rows_decide_say_when_they_were_written():
    for claim in CLAIMS:
        assert bool(claim.written) == bool(claim.tests and not claim.untestable), claim.id
    before = [claim for claim in CLAIMS if "before any of its rows" in claim.written]
    assert Counter(claim.kind for claim in before) == {ledger.HEADLINE: 3, ledger.OTHER: 21}


def test_no_comparison_of_rows_that_were_stored_then_counts_as_written_before():
    """What 7de2f09 had of the test videos, and 1eb4692 of the unseen sets, when A8 got its form."""
    stored = {
        ("tiny_s", TEST): {"stage one only", "masks", "boxes", TK, CONTROL, BOTH, TEL, QCC},
        ("tiny", TEST): {"stage one only", "masks", "boxes", TK, BOTH},
    }
    later = dict.fromkeys([("tiny_s", UNSEEN), ("tiny_s", CROWDED)], {TK, CONTROL, BOTH})
    for claim, test in TESTS:
        seen = stored | later if claim.id == "A8" else stored
        sides = [(each.row, (each.size, each.held_out)) for each in (test.left, test.right)]
        if any(row in seen.get(where, ()) for row, where in sides) and not claim.untestable:
            assert "before any" not in claim.written, claim.id


@pytest.mark.slow
def test_every_side_is_an_experiment_and_a_metric_that_its_videos_are_scored_by():
    for test in [test for _, test in TESTS] + [test for q in QUESTIONS for test in q.tests]:
        for side in (test.left, test.right):
            assert side.row in rows_of(side.size)
            assert side.metric in side.held_out.scoring.metrics
        assert test.left != test.right


def test_headline_claims_are_few_and_of_a_gain_by_tel_or_qcc():
    """Over a row without, no two of them by the same comparisons, and of rows with enough units."""
    headline = [claim for claim in CLAIMS if claim.headline]
    for test in (test for claim in headline for test in claim.tests):
        assert test.left.row in {TEL, QCC, BOTH} and test.right.row in {TK, TEL}
        for side in (test.left, test.right):
            assert 2 / 2 ** len(UNITS[side.row]) <= ledger.ALPHA / len(headline)
    compared = {tuple(replace(test, published=None) for test in claim.tests) for claim in headline}
    assert len(compared) == len(headline) == 11


def test_questions_are_fair():
    """Against as many steps, or a constant of the term's mean; all but TK's, which no step adds."""
    fair = {CONTROL, CONTROL + ALONE, PLACEBOS[TEL], Q_PLACEBO}
    sides = {q.id: (q.tests[0].left.row, q.tests[0].right.row) for q in QUESTIONS}
    assert sides.pop("Q1") == (TK, "boxes") and sides.pop("Q4") == (BOTH, TEL)
    assert {right for _, right in sides.values()} == fair
    assert all(len(question.tests) == 1 for question in QUESTIONS)
    for question in QUESTIONS:
        value = formulas.evaluate(question.tests[0].published, published.tables()).value
        printed = {"Q1": 3.9, "Q4": 0.4, "Q5": 0.4, "Q6": 3.1 / 3, "Q7": 1.5}
        assert value == pytest.approx(printed.get(question.id, 1.1)), question.id


def test_claims_on_schemes_that_are_known_by_name_alone_are_not_testable():
    compare_a_scheme = {
        claim.id
        for claim, test in TESTS
        if {test.left.row, test.right.row} & (set(SCHEMES) - {"Temporal KNN-Matching (TK)"})
    }
    assert compare_a_scheme == {f"T2-{n}" for n in (*range(2, 7), *range(8, 14))}
    assert {c.id for c in CLAIMS if c.tests and c.untestable} == compare_a_scheme


def test_what_is_claimed_is_what_is_printed():
    """A table's order: the published difference has the direction of the claim. Ties are not."""
    for claim, test in TESTS:
        if test.published is not None:
            value = formulas.evaluate(test.published, published.tables()).value
            assert value > 0 if test.direction == "higher" else value < 0, claim.id


PRINTED = """
T1-1 0.8 | T1-2 0.8 | T1-3 1.5 | T1-4 5.4 | T1-7 -0.4 | T1-8 -0.1 | T1-9 -3.6 | T2-1 5.0 | T2-7 1.1
T2-13 1.9 | T3-1 1.1 | T3-2 0.4 | T3-3 1.5 | T4-1 0.2 | T4-2 0.4 | T5-1 0.63 | T5-2 0.74
G6a-3 0.54 | G6a-4 0.85 | G6b-3 0.85 | G6b-4 0.51 | G6c-3 0.65 | G6c-4 0.82 | I2 1.5 | T1-14 -0.1
A11 1.0333
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
        "Temporal KNN-Matching (TK)": {TK, TK + ALONE},
        "Temporal EigenValue + TK": {BOTH, BOTH + ALONE},
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
    assert len(cited) == 186
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
            assert found == pytest.approx(float(value), abs=1e-4), name


def test_the_gain_of_every_table_is_claimed_once():
    """Rows of Table II against the last, columns of Tables I to IV, halves of Fig. 6."""
    printed = {test.published for _, test in TESTS if test.published}
    assert {f"2/{row}/AP" for row in range(1, 8)} <= {
        formula.split("eigen-cluster-vis/")[2].rstrip("]")
        for formula in printed
        if formula.startswith("[eigen-cluster-vis/3/2/AP]")
    }
    ours = [claim for claim in CLAIMS if claim.id in ("T1-13", "T1-14", "T1-1", "T1-2", "T1-3")]
    assert sum(len(claim.tests) for claim in ours) == len(SIZES) * len(SCORES)


def side(row: str) -> Side:
    return Side(row, "AP", "tiny_s", TEST)


def test_only_stage_three_against_tk_has_a_control():
    assert control(Comparison(side(TEL), side(TK))) == Comparison(side(TEL), side(CONTROL))
    alone = Comparison(side(BOTH + ALONE), side(TK + ALONE))
    assert control(alone).right.row == CONTROL + ALONE
    assert CONTROL + ALONE in rows_of("tiny_s")
    assert control(Comparison(side("Temporal EigenValue + TK"), side(TK))) is None
    assert control(Comparison(side(BOTH), side("boxes"))) is None


# Computed facts that do not depend on weights or stored rows

FACTS = {
    "no_mask_at_all": "contradicted",
    "no_video_mask": "holds",
    "no_parameters": "holds",
    "spectrum_sees_space": "contradicted",
    "fiedler_value_is_connectivity": "holds",
    "fiedler_value_sees_pieces": "contradicted",
    "coherence_needs_closeness": "contradicted",
    "closeness_is_coherence": "contradicted",
    "psi_grows_with_tel": "holds",
    "q_tells_clusters_apart": "holds",
}


@pytest.mark.parametrize(("name", "expected"), FACTS.items())
def test_facts(name, expected):
    assert getattr(checks, name)().verdict == expected


def test_a_spectrum_that_knew_places_would_be_noticed(monkeypatch):
    """The check can come out the other way: weights that fall to the right betray the place."""
    eigenvalues = checks.tel.eigenvalues
    ramp = lambda logits: logits * (1 + 0.01 * checks.torch.arange(logits.shape[-1]))  # noqa: E731
    monkeypatch.setattr(
        checks.tel, "eigenvalues", lambda logits, *a, **k: eigenvalues(ramp(logits), *a, **k)
    )
    assert checks.spectrum_sees_space().verdict == "holds"


def test_a_learned_part_would_be_counted(monkeypatch):
    learned = SCHEMES["Learnable Pixel Matching"]
    monkeypatch.setitem(checks.SCHEMES, "Temporal EigenValue + TK", learned)
    assert checks.no_parameters().verdict == "contradicted"


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.05, "holds"), (0.2, "contradicted"), (None, "not measured yet")]
)
def test_a_cost_is_judged_by_the_stored_benchmark(monkeypatch, share, verdict):
    metrics = None if share is None else {"added by TEL": share, "added by TEL + QCC": 0.01}
    row = metrics and store.ResultRow({"name": "cost"}, "", 0, metrics, None, None, {}, {}, 0.0, "")
    monkeypatch.setattr(checks.store, "find", lambda *_: row)
    assert checks.tel_is_no_burden().verdict == verdict


@pytest.mark.parametrize(
    ("real", "toy", "verdict"),
    [
        ((0.4, 0.8), (0.35, 0.9), "holds"),
        ((0.4, 0.8), (-0.1, 0.2), "can't tell"),
        ((0.0, 0.29), (-0.3, 0.1), "contradicted"),
        ((0.0, 0.31), (-0.3, 0.1), "can't tell"),
    ],
)
def test_a_measure_of_change_must_rank_as_changes_do(monkeypatch, real, toy, verdict):
    pairs = pd.DataFrame({"where": ["real", "toy"]})
    monkeypatch.setattr(checks.evidence, "moving", lambda: pairs)

    def correlation(own, cause, answer):
        assert (cause, answer) == ("deformation", "L_eig")
        low, high = real if own["where"].iloc[0] == "real" else toy
        return {"mean": (low + high) / 2, "low": low, "high": high}

    monkeypatch.setattr(checks.evidence, "correlation", correlation)
    found = checks.l_eig_measures_change()
    assert found.verdict == verdict and "on real clips, " in found.words


def test_pairs_that_clusters_part_are_counted_by_hand():
    """Two objects side by side; the logits of one query tell their pixels apart but for one row."""
    masks = torch.zeros(2, 1, 32, 64, dtype=torch.bool)
    masks[0, :, :, :32], masks[1, :, :, 32:] = True, True
    logits = torch.zeros(1, 2, 1, 8, 16)
    logits[0, :, :, :, 8:] = 9.0
    logits[0, :, :, 4:, 8:] = 0.0  # the lower half of the right object looks like the left one
    frames = torch.zeros(1, 3, 32, 64, dtype=torch.uint8)
    clip = SimpleNamespace(masks=masks, labels=torch.tensor([0, 1]), frames=frames)
    of = checks.Predicted(clip, logits, torch.tensor([0, 1]), stride=4)
    # 2 x 2 pixels of the resized clip an object: all of the left, two of the right in one cluster
    assert checks._parted(of) == pytest.approx(0.5)
    alone = replace(
        of, clip=SimpleNamespace(masks=masks[:1], labels=clip.labels[:1], frames=frames)
    )
    assert checks._parted(alone) is None


@pytest.mark.slow
def test_the_ledger_of_the_stored_rows_has_a_line_a_claim():
    """What checks find is above and in notebook 14; here they find nothing."""
    short = [c if c.check is None else replace(c, check=lambda: NOTHING) for c in CLAIMS]
    found = verdicts(claims=short)
    assert found["id"].tolist() == [claim.id for claim in CLAIMS]
    untestable = [bool(claim.untestable) for claim in CLAIMS]
    assert (found["verdict"] == ledger.UNTESTABLE).tolist() == untestable


NOTHING = Finding(ledger.UNMEASURED, "")


@pytest.mark.slow
def test_without_rows_no_comparison_has_a_verdict(tmp_path):
    compared = [claim for claim in CLAIMS if claim.tests and not claim.untestable]
    found = verdicts(tmp_path, compared)
    assert set(found["verdict"]) == {"not measured yet"}
