"""What TEL and QCC do to a training step, where theory says what has to come out."""

from dataclasses import replace

import pytest
import torch

from evis.papers.eigencluster import claim_reasons


@pytest.fixture(scope="module")
def clips():
    """Two batches, of which two clips are enough."""
    batches = claim_reasons.batches(2, videos=16)
    return [replace(batch, clips=batch.clips[:2], frames=batch.frames[:2]) for batch in batches]


def test_without_beta_tel_has_no_factor(clips):
    found = claim_reasons.factors(clips[:1], beta=0.0)
    assert len(found) > 1 and found["factor"].to_numpy() == pytest.approx(1, rel=1e-5)
    assert found["TK"].to_numpy() == pytest.approx(found["with TEL"], rel=1e-5)


def test_with_it_the_factor_grows_and_the_loss_has_its_parts(clips):
    found = claim_reasons.factors(clips[:1])
    assert (found["factor"] >= 1).all() and found["factor"].max() > 2
    assert found["with TEL"].to_numpy() == pytest.approx(found["factor"] * found["TK"])
    assert (found["spatial"] > 0).all() and (found["Q"] >= 1).all()
    with torch.no_grad():
        terms = claim_reasons._terms(claim_reasons.stage_two(), clips[0], {})
    classes = claim_reasons.RECIPE.settings.class_weight * sum(
        value for name, value in terms.items() if name.startswith("class")
    )
    of_boxes = found["Q"][0] * (found["spatial"] + found["with TEL"]).sum()
    assert float(classes) + of_boxes == pytest.approx(float(terms["total"]), rel=1e-5)


def test_gradients_are_held_against_tk_s(clips):
    found = claim_reasons.gradients(clips).set_index("loss")
    constant = found.loc["TK × 1.02"]
    assert (constant["degrees"] < 1).all()
    assert constant["length"].to_numpy() == pytest.approx(1, abs=0.01)
    assert (found.loc["next batch", "degrees"] > 10).all()
    first, second = found.loc["next batch", "length"]
    assert first * second == pytest.approx(1)  # of two batches, each against the other
    assert (found.loc["QCC", "length"] > 0.99).all()  # Q is 1 or more


def test_gradient_descent_goes_a_scale_further_and_adam_does_not(clips):
    found = claim_reasons.scaled_steps(clips[:1], 1.5)
    assert claim_reasons.scaled_steps(clips[:1], 1.0).to_numpy() == pytest.approx(0, abs=1e-12)
    assert found["gradient descent"] == pytest.approx(0.5, abs=0.01)
    assert found["AdamW, clipped"] < 0.01


def test_at_threshold_0_all_pairs_are_kept_and_fewer_above(clips):
    kept = claim_reasons.pairs_kept(clips[:1], [0.0, 0.001, 0.05, 1.1])
    assert kept[0.0] == 1 and kept[1.1] == 0
    assert kept.is_monotonic_decreasing and 0 < kept[0.05] < kept[0.001] < 1
