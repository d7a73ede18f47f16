"""The most that a claim can show: what full supervision has over the claim's baseline.

Where true masks are above a baseline by less than was published, no method can show the published
size there. Which of the claim's two rows is higher can still be asked.
"""

from dataclasses import replace

from evis.companion import paired
from evis.companion.claims import Claim, Comparison, Result, Table, difference


def kept_below(claim: Claim, table: Table, best: str) -> Claim:
    """The claim without the published sizes that the row `best`, of true masks, does not reach.

    By the test that a published size is held against, once there are units enough for it; the note
    says what is left out.
    """
    notes = [claim.note] if claim.note else []
    tests = []
    for test in claim.tests:
        if (room := _room(test, table, best)) and _is_short(room):
            words = f"{best} − {test.right.row} is {room.difference}"
            notes.append(f"the published size is not asked for: {words}")
            test = replace(test, published=None)
        tests.append(test)
    return replace(claim, tests=tuple(tests), note="; ".join(notes))


def _room(test: Comparison, table: Table, best: str) -> Result | None:
    """`best` in the left side's place; None where it is one of the sides, or less is claimed."""
    if test.direction == "lower" or best in (test.left.row, test.right.row):
        return None
    above = replace(test, left=replace(test.left, row=best))
    return Result(above, difference(above, table))


def _is_short(room: Result) -> bool:
    return room.difference.seeds >= paired.LEAST_SEEDS and room.p_of_size <= paired.ALPHA
