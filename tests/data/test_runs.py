"""Runs read for many masks at once: they are those of one mask at a time, and so are the faults."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evis.data import masks, runs

PIXELS = 12


def one_by_one(counts: list[str]) -> list[int] | None:
    """Areas by `masks.run_lengths`; None where a code is damaged or has another size."""
    found = []
    for code in counts:
        try:
            lengths = masks.run_lengths(code)
        except ValueError:
            return None
        if lengths.sum() != PIXELS:
            return None
        found.append(int(lengths[1::2].sum()))
    return found


def sound(lengths: list[int]) -> str:
    """The code of these run lengths, brought to 12 pixels."""
    lengths = np.minimum(np.cumsum(lengths), PIXELS)
    return masks.from_runs([int(n) for n in np.diff([0, *lengths, PIXELS])], 3, 4)["counts"]


CODES = st.one_of(
    st.lists(st.integers(0, 5), max_size=8).map(sound),
    st.text(st.characters(min_codepoint=47, max_codepoint=112), max_size=6),
)


@settings(max_examples=150)
@given(st.lists(CODES, min_size=1, max_size=5))
@example(["<"])  # all background
@example(["0<"])  # all foreground
@example(["P" * 6 + "0", "<"])  # 7 characters for a 0
@example(["<", "P"])  # a number that goes on into what stands after it
@example(["P" * 7 + "0<"])  # 8 characters, which one at a time refuses
@example(["5N9"])  # runs of 5, -2 and 9: foreground below nothing
@example(["<", "35O0", "<"])  # 3, 5, -1 and 5: background below nothing
@example(["M?2"])  # -3, 15, ...
@example(["O0530"])  # -1, 0, 5, 3 and 5: only the first is wrong, and all cover the frame
@example(["\\PPPPP4"])  # 2 ** 32 + 12: 12 in 32 bits
def test_areas_and_faults_are_those_of_one_mask_at_a_time(counts):
    expected = one_by_one(counts)
    if expected is None:
        with pytest.raises(ValueError):
            runs.areas(counts, PIXELS)
    else:
        assert runs.areas(counts, PIXELS).tolist() == expected


def test_large_pictures_have_long_numbers():
    side = 2**15
    half = side * side // 2
    code = masks.from_runs([half - 5, 7, half - 2], side, side)["counts"]
    starts, ends, pairs = runs.edges([code], np.zeros(1, dtype=np.int64), side * side)
    assert starts.tolist() == [half - 5, side * side] and ends.tolist() == [half + 2, side * side]
    assert pairs.tolist() == [2]
    with pytest.raises(ValueError, match="too large"):
        runs.areas([code], side * side + 1)


def test_no_masks_have_no_areas():
    assert runs.areas([], PIXELS).tolist() == []
