"""Changes are what they say, motion is compensated, and the terms are those of a fit."""

import numpy as np
import pandas as pd
import pytest
import torch

from evis.companion import fit
from evis.losses import tel, tk
from evis.losses.qcc import quality_cluster_coefficient
from evis.papers.eigencluster import evidence, term_effects
from evis.papers.eigencluster.settings import Settings


@pytest.fixture(scope="module")
def arrow():
    """A field of a shape without symmetry, in the middle of the frame."""
    mask = np.zeros((64, 96), bool)
    mask[26:34, 34:62] = mask[18:44, 34:42] = True
    return evidence.field(mask)


def test_a_field_is_positive_inside_and_counts_pixels(arrow):
    assert (arrow[28:32, 36:60] > 0).all() and (arrow[:16] < 0).all()
    np.testing.assert_allclose(arrow[10, 38], -8, atol=0.6)


@pytest.mark.parametrize(
    ("what", "amount", "shift"), [("shift", 6, 6), ("turn", 24, 0), ("growth", 1.3, 0)]
)
def test_a_moved_mask_is_a_compensated_one(arrow, what, amount, shift):
    after = evidence.CHANGES[what][1](arrow, amount, np.random.default_rng(0))
    moved, rest = evidence.motion(arrow, after)
    assert abs(moved - shift) < 0.6
    assert rest < 0.08 and evidence.one_less_iou(arrow, after) > 4 * rest


@pytest.mark.parametrize("what", ["deformation", "flicker"])
def test_what_is_no_motion_stays(arrow, what):
    amounts, change = evidence.CHANGES[what]
    rests = [
        evidence.motion(arrow, change(arrow, amount, np.random.default_rng(1)))[1]
        for amount in amounts
    ]
    assert rests == sorted(rests) and rests[-1] > 0.15


def test_erosion_takes_pixels_from_the_outline_alone(arrow):
    less = evidence.CHANGES["erosion"][1](arrow, 2, np.random.default_rng(0)) > 0
    assert less.sum() < (arrow > 0).sum() and (arrow[less] > 2).all()


def test_l_eig_is_the_sum_over_objects(arrow):
    larger = arrow + 1
    assert evidence.l_eig(arrow, arrow) == 0
    each = evidence.l_eig(arrow, larger), evidence.l_eig(larger, arrow - 2)
    both = evidence.l_eig(np.stack((arrow, larger)), np.stack((larger, arrow - 2)))
    assert min(each) > 0
    np.testing.assert_allclose(both, sum(each), rtol=1e-5)


def test_a_correlation_draws_units():
    table = pd.DataFrame({"unit": np.arange(30) // 3, "amount": np.arange(30.0)})
    table["square"] = table["amount"] ** 2
    table["nothing"] = np.random.default_rng(0).permutation(30)
    np.testing.assert_allclose(list(evidence.correlation(table, "amount", "square").values()), 1)
    none = evidence.correlation(table, "amount", "nothing")
    assert none["low"] < 0 < none["high"] and none["low"] < none["mean"] < none["high"]
    table.loc[table["unit"] < 5, "square"] = np.nan  # units without an answer
    np.testing.assert_allclose(evidence.correlation(table, "amount", "square")["low"], 1)


@pytest.fixture(scope="module")
def clips():
    videos = evidence.videos()
    return [videos[number] for number in range(2)]


def test_terms_are_those_of_a_fit(clips):
    clip = clips[0]
    known = fit.boxed(clip, 4)
    wanted, logits = fit.BoxLoss(known)(known.start()), known.start()
    spatial, cost, change = term_effects.batched([known])(logits)
    torch.testing.assert_close(spatial, wanted["projection"] + wanted["pairwise"])
    of_tk = tk.tk_loss(logits, known.patches, known.boxes, known.pairs)
    l_eig = tel.eigenvalue_loss(tel.eigenvalues(logits), known.pairs)
    for name, times in (("TK", 1.0), ("TEL, sum", 1 + Settings.beta * l_eig)):
        found = term_effects.TERMS[name](cost, change)
        torch.testing.assert_close(found, (of_tk * times).sum())


def test_a_batch_adds_up_what_its_clips_change(clips):
    known = [fit.boxed(clip, 4) for clip in clips]
    each = [term_effects.batched([one])(one.start()) for one in known]
    _, cost, change = term_effects.batched(known)(torch.cat([one.start() for one in known]))
    torch.testing.assert_close(change(), sum(of_clip() for _, _, of_clip in each))
    found = [  # of each clip, a pair each: the costs of all matches, and their number
        tk.matched_sum(
            one.start(),
            torch.cat([tk.matches(of_pair) for of_pair in one.patches]).expand(
                len(one.boxes), -1, -1, -1, -1
            ),
            one.boxes,
            one.pairs,
            "released",
        )
        for one in known
    ]
    costs, numbers = map(sum, zip(*found, strict=True))
    torch.testing.assert_close(cost(), costs / numbers)


@pytest.mark.parametrize("model", [term_effects.free_logits, term_effects.Networks])
def test_models_have_a_mask_an_object(clips, model):
    known = [fit.boxed(clip, 4) for clip in clips]
    wanted = torch.cat([one.boxes for one in known]).shape
    assert model(known)().shape == wanted and model(known).rate > 0
    torch.testing.assert_close(model(known)(), model(known)(), rtol=0, atol=0)


def test_each_tel_has_a_placebo_of_its_own_size():
    """TK times a number: with the mean as with the sum of the same L_eig."""
    logits = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)

    def change(how="paper"):
        return 3 * logits if how == "paper" else logits / 2

    terms = {name: term(logits.square, change) for name, term in term_effects.TERMS.items()}
    assert terms.pop("no TK") == 0
    slopes = {n: torch.autograd.grad(value, logits)[0] for n, value in terms.items()}
    beta, mean = Settings.beta, 7 / 3
    for what, times in (("mean", mean / 2), ("sum", 3 * mean)):
        of_tk = slopes["TK"] * (1 + beta * times)
        torch.testing.assert_close(slopes[f"placebo of the {what}"], of_tk)
    torch.testing.assert_close(slopes["TEL, sum"], 2 * logits + beta * 9 * logits**2)
    torch.testing.assert_close(slopes["TEL, mean"], 2 * logits + beta * 1.5 * logits**2)
    for name in ("TK", "TEL, mean"):
        torch.testing.assert_close(
            slopes[f"{name}{',' * (name != 'TK')} x 100"], 100 * slopes[name]
        )


def test_within_clips_a_clips_own_level_does_not_count():
    """L_eig rises with the amount in every clip, Q falls in two of three; levels are far apart."""
    lines = [
        {"what": "shift", "unit": unit, "amount": n, "L_eig": level + n, "Q": level + sign * n}
        for unit, (level, sign) in enumerate([(0, -1), (100, -1), (-50, 1)])
        for n in range(1, 5)
    ]
    found = evidence.within_clips(pd.DataFrame(lines))
    np.testing.assert_allclose(found.loc["shift", ["L_eig", "Q"]], [1, -1 / 3])


@pytest.mark.slow
def test_tables_hold_what_they_say():
    found = evidence.controlled(2)
    assert len(found) == 2 * sum(len(amounts) for amounts, _ in evidence.CHANGES.values())
    assert (found.L_eig >= 0).all() and (found.Q > 1).all() and found["1 - IoU"].between(0, 1).all()
    moved = evidence.moving()
    assert set(moved["where"]) == {"toy", "real"}
    assert 3 * 12 * 5 - 20 < len(moved.query("where == 'real'")) <= 3 * 12 * 5
    assert moved.notna().all(axis=None) and moved.deformation.between(0, 1).all()
    fitted = term_effects.fitted(term_effects.free_logits, 2, steps=2)
    assert list(fitted) == list(term_effects.TERMS) and len(fitted) == 2
    placebos = ["TK", "TK x 100", "placebo of the mean", "placebo of the sum"]
    cosines = term_effects.cosines(2).groupby("term").mean()
    np.testing.assert_allclose(cosines["with TK"][placebos], 1, atol=1e-5)
    assert abs(cosines["with TK"]["TEL alone"]) < 0.9


def test_q_is_asked_of_two_objects_that_move_together(monkeypatch):
    """Both regions go down by 3 pixels, which is motion and no deformation."""
    flow = np.zeros((64, 96, 2), np.float32)
    flow[..., 1] = -3
    monkeypatch.setattr(evidence, "_real", lambda number: [("planted", [flow])])
    table = evidence.moving_together(1)
    assert set(table["where"]) == {"toy", "real"} and table.notna().all(axis=None)
    planted = table.query("where == 'real'").squeeze()
    assert planted["unit"] == "planted" and abs(planted["motion"] - 3) < 0.2
    assert planted["deformation"] < 0.05
    (two,) = evidence.two_objects(1)
    clip = np.stack((two, [evidence._carried(one, flow) for one in two]), 1)
    q = quality_cluster_coefficient(torch.from_numpy(clip[None]).clamp(-8, 8), [2])
    np.testing.assert_allclose(planted["Q"], float(q), rtol=1e-6)


@pytest.mark.slow
def test_predictions_are_of_matched_objects():
    clip = evidence.videos()[1]
    logits, q = evidence.matched(clip)
    assert len(logits) == len(clip.labels) and bool(q.isnan()) == (len(clip.labels) < 2)
    found = evidence.predicted()
    assert found["mask error"].between(0, 1).all() and found["mask error"].median() < 0.5
    assert (found.Q.dropna() >= 1).all() and found.L_eig.min() >= 0


def test_l_eig_of_fields_is_that_of_the_loss(arrow):
    logits = torch.from_numpy(np.stack((arrow, arrow - 1))[None]).clamp(-8, 8)
    wanted = tel.eigenvalue_loss(tel.eigenvalues(logits), [(0, 1)])
    np.testing.assert_allclose(evidence.l_eig(arrow, arrow - 1), float(wanted), rtol=1e-6)
