"""PM-VIS's ledger: claims compare rows that there are, as the paper prints them."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evis import cli
from evis.companion import claims as ledger
from evis.companion import formulas, measured, paired, published
from evis.companion.held_out import OF_SET, TEST, VIDEOS
from evis.companion.labelled import Made
from evis.data import masks, toy
from evis.labels.datasets import made
from evis.papers.pmvis import checks, quality
from evis.papers.pmvis.claims import CLAIMS, QUESTIONS, judged, verdicts
from evis.papers.pmvis.experiments import GROUPS, TESTS

TESTED = [(claim, test) for claim in CLAIMS for test in claim.tests]


def test_every_side_is_a_row_of_the_videos_that_it_is_tested_on():
    asked = [(question, test) for question in QUESTIONS for test in question.tests]
    for claim, test in TESTED + asked:
        for side in (test.left, test.right):
            groups = [g for name, g in GROUPS.items() if TESTS.get(name, TEST) == side.held_out]
            assert side.row in {name for group in groups for name in group}, claim.id
            assert side.metric in side.held_out.scoring.metrics


def test_what_is_claimed_is_what_is_printed():
    assert {claim.id for claim, test in TESTED if not test.published} == {"T5-3", "T5-4"}
    for claim, test in TESTED:
        if not test.published:
            assert "in DeAOT's place: no published size" in claim.note
            continue
        assert formulas.evaluate(test.published, published.tables()).value > 0, claim.id


def test_every_row_of_a_table_stands_for_a_printed_one():
    """By what the printed row says of itself."""
    cells = published.tables("pm-vis")
    wanted = {
        3: {"W1 = 0": "W1 = 0", "PM-VIS": "W1 = 1"},
        4: {"IDOL-BoxInst, Missing-Data": "W2 = 0", "PM-VIS": "W2 = 0.5"},
        5: {"toy_sam": "HQ-SAM-masks", "IBM, DOOB": "IBM+SCM+DOOB", "Track, SHQM": "+SHQM"},
        8: {"tau = 0": "PM-VIS | Missing-Data", "PM-VIS, masks": "PM-VIS | neither"},
        9: {"tau = 0": "τ = 0", "PM-VIS, filtered masks": "τ = 0.6"},
    }
    for claim, test in ((claim, test) for claim, test in TESTED if test.published):
        parts = formulas.references(test.published)
        for side, reference in zip((test.left, test.right), parts, strict=True):
            cell = formulas.lookup(cells, reference)
            label = wanted.get(cell.table, {}).get(side.row, cell.row_label)
            assert cell.row_label == label, claim.id


def test_every_claim_has_a_group_and_what_rows_decide_says_when_it_was_written():
    for claim in CLAIMS:
        assert claim.group and bool(claim.written) == bool(claim.tests), claim.id
    assert sum(claim.headline for claim in CLAIMS) == 7


def test_questions_on_rows_of_three_units_are_scans_and_say_so_and_no_claim_is_on_one():
    rows = {name: row for of_group in GROUPS.values() for name, row in of_group.items()}
    assert all(len(rows[side.row].seeds) == 6 for _, t in TESTED for side in (t.left, t.right))
    for claim in QUESTIONS:
        sides = [side.row for test in claim.tests for side in (test.left, test.right)]
        few = any(len(rows[name].seeds) < paired.LEAST_SEEDS for name in sides)
        assert few == ("three units each" in claim.note), claim.id
    few = {name for name, row in rows.items() if len(row.seeds) < paired.LEAST_SEEDS}
    assert all(name.startswith(("W1 =", "W2 =", "tau =", "threshold =")) for name in few)


def planted(masks, guessed):
    """Table of IDOL and PM-VIS that are so far above IDOL-BoxInst, six units each."""
    gains = {"IDOL-BoxInst": np.zeros(6), "IDOL": np.array(masks), "PM-VIS": np.array(guessed)}
    lines = [
        {"row": name, "seed": seed, "first": seed, "AP": 30 + gain[seed]}
        for name, gain in gains.items()
        for seed in range(6)
    ]
    return lambda size, held_out: pd.DataFrame(lines)


def test_claims_on_boxes_wait_for_true_masks_to_teach_more():
    claims_by_id = {claim.id: claim for claim in CLAIMS}
    gain, filtered = claims_by_id["T10-1"], claims_by_id["T10-7"]  # published: 4.8
    unseen = planted([0.5, -0.6, 0.4, -0.5, 0.6, -0.4], [1.0] * 6)
    words = judged(gain, unseen).untestable
    assert "not judged for its control: IDOL − IDOL-BoxInst" in words and "can't tell" in words
    assert judged(filtered, unseen) == filtered  # from masks: boxes are not its baseline
    little = judged(gain, planted([0.7, 0.9, 0.8, 1.0, 0.6, 0.8], [0.5] * 6))
    assert not little.untestable and little.tests[0].published is None
    assert "the published size is not asked for: IDOL − IDOL-BoxInst is +0.80" in little.note
    much = judged(gain, planted([5.2, 4.4, 5.0, 4.9, 5.6, 4.7], [0.5] * 6))
    assert much == gain


def test_few_units_of_the_control_withhold_nothing():
    (claim,) = (claim for claim in CLAIMS if claim.id == "T10-1")
    rows = planted([-1.0] * 6, [0.5] * 6)
    assert judged(claim, lambda *which: rows(*which).query("seed < 5")) == claim


def test_claims_on_swin_l_are_of_the_larger_size():
    sizes = {c.id.split("-")[0]: t.left.size for c in CLAIMS for t in c.tests}
    assert sizes.pop("T11") == "tiny_l" and set(sizes.values()) == {"tiny"}


def test_what_needs_no_row_is_decided():
    table = verdicts().set_index("id")
    for name in ("M1", "M4", "M5"):
        assert table.loc[name, "verdict"] == ledger.HOLDS
    untestable = {claim.id for claim in CLAIMS if claim.untestable}
    assert set(table.index[table["verdict"] == ledger.UNTESTABLE]) == untestable


def test_masks_are_counted_by_hand():
    """Of one object half a mask, a whole one and no more; of any other nothing."""
    truth = toy.sample(VIDEOS, 1)
    first = truth.tracks[0]
    frames = [n for n, rle in enumerate(first.masks) if rle]
    half = first.mask(frames[0])
    half[np.cumsum(half).reshape(half.shape) > half.sum() // 2] = False
    chosen = [None] * len(first.masks)
    chosen[frames[0]], chosen[frames[1]] = masks.encode(half), first.masks[frames[1]]
    pseudo = made(truth, [first.with_masks(chosen)], "planted")
    found = quality.scores(truth, pseudo)
    annotations = sum(rle is not None for track in truth.tracks for rle in track.masks)
    share = half.sum() / first.mask(frames[0]).sum()
    assert found["missing"] == pytest.approx((annotations - 2) / annotations)
    assert found["mIoU"] == pytest.approx((1 + share) / 2)
    assert found["0.9 to 1"] == 0.5 and found["0.4 to 0.5"] + found["0.5 to 0.6"] == 0.5
    nothing = quality.scores(truth, made(truth, [], "planted"))
    assert nothing["missing"] == 1 and np.isnan(nothing["mIoU"])


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ((1, 2, 3, 4, 5, 6, 7), ledger.HOLDS),
        ((2, 1, 3, 5, 4, 7, 6), ledger.HOLDS),
        ((3, 1, 2, 6, 4, 7, 5), ledger.CANNOT_TELL),  # 0.71: p 0.088
        ((4, 2, 6, 1, 7, 3, 5), ledger.CANNOT_TELL),
        ((7, 6, 5, 4, 3, 2, 1), ledger.CONTRADICTED),
    ],
)
def test_ranks_decide_whether_nearer_masks_train_better(scores, verdict):
    """By scipy's coefficient, and its p over all orders."""
    ious = 0.5 + 0.05 * np.arange(7)
    found = checks.ranked({str(n): pair for n, pair in enumerate(zip(ious, scores, strict=True))})

    def coefficient(order):
        return stats.spearmanr(ious, order).statistic

    orders = np.array(list(itertools.permutations(scores)))
    every = [coefficient(order) for order in orders[::40]]  # a fortieth of them, in turn
    p = float(found.words.rpartition(" ")[2])
    assert f"by {coefficient(scores):.2f}," in found.words and found.verdict == verdict
    assert p == pytest.approx(np.mean(np.abs(every) >= abs(coefficient(scores)) - 1e-9), abs=0.05)
    assert (verdict == ledger.CANNOT_TELL) == (p > paired.ALPHA)


def test_labels_are_counted_by_the_rows_that_learn_from_them():
    assert list(quality.KINDS) == [*GROUPS["pmvis masks"], "PM-VIS"]
    assert len({str(by.content(0)) for by in quality.KINDS.values()}) == 7
    assert [on for _, on in quality.ROWS.values()] == 7 * [VIDEOS] + 2 * list(OF_SET)


def test_what_was_counted_is_not_counted_again(tmp_path, monkeypatch, capsys):
    """`evis measure` asks for rows by name, and goes on after those that are stored."""
    truth, asked = toy.sample(VIDEOS, 1), []

    def label(self, dataset, seed, place, jobs=None):
        asked.append((len(dataset.videos), seed, jobs))
        return made(truth, truth.tracks, "planted")

    monkeypatch.setattr(toy, "sample", lambda on: truth)
    monkeypatch.setattr(Made, "label", label)
    monkeypatch.setattr(measured, "again", lambda: tmp_path)
    command = ["measure", "pmvis quality", "--again", "--jobs", "2", "--rows", "toy_sam"]
    for rows in ([], [], ["toy_sam, DOOB"]):
        assert cli.main([*command, *rows]) == 0
    header, *lines = capsys.readouterr().out.splitlines()[-3:]
    assert header.split()[:2] == ["missing", "mIoU"]
    assert lines[0].split()[:3] == ["toy_sam", "0.0", "1.0"] and lines[1].startswith(
        "toy_sam, DOOB"
    )
    assert asked == [(1, 0, 2)] * 2 and len(list((tmp_path / "results").iterdir())) == 2
    assert cli.main([*command, "nonsense"]) == 2
    assert "these groups have no row nonsense" in capsys.readouterr().err
