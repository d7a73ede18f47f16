"""A published size is asked for only where true masks themselves could show it."""

import pandas as pd
import pytest

from evis.companion import ceiling
from evis.companion.claims import Claim, Comparison, Side
from evis.companion.held_out import TEST

ABOVE = [2.1, 1.9, 2.0, 2.2, 1.8, 2.0]  # what true masks have over the baseline, by unit


def table(units=6):
    rows = {"masks": [30 + gain for gain in ABOVE], "boxes": [30.0] * 6, "ours": [30.5] * 6}
    lines = [
        {"row": name, "seed": seed, "first": seed, "AP": of_row[seed]}
        for name, of_row in rows.items()
        for seed in range(units)
    ]
    return lambda size, held_out: pd.DataFrame(lines)


def claim(left="ours", right="boxes", published="5 - 0"):
    sides = (Side(name, "AP", "tiny_s", TEST) for name in (left, right))
    return Claim("T1", "1", "is better", (Comparison(*sides, published),), note="told before")


@pytest.mark.parametrize("published", ["5 - 0", "2.5 - 0"])
def test_a_size_that_true_masks_do_not_reach_is_not_asked_for(published):
    found = ceiling.kept_below(claim(published=published), table(), "masks")
    assert found.tests[0].published is None
    words = "the published size is not asked for: masks − boxes is +2.00"
    assert found.note.startswith(f"told before; {words}")


@pytest.mark.parametrize(
    "asked",
    [
        claim(published="1.5 - 0"),  # true masks reach it
        claim(published=None),
        claim(left="masks"),
        claim(right="masks"),
    ],
)
def test_what_can_be_shown_is_asked_as_it_was(asked):
    assert ceiling.kept_below(asked, table(), "masks") == asked


def test_five_units_take_no_size_away():
    assert ceiling.kept_below(claim(), table(5), "masks") == claim()


def test_baseline_without_a_row_is_asked_as_it_was():
    assert ceiling.kept_below(claim(right="nothing"), table(), "masks") == claim(right="nothing")
