"""A positive control: what a claim builds on, which has to be seen to work before it is judged."""

from dataclasses import dataclass

from evis.companion import paired
from evis.companion.claims import HOLDS, UNMEASURED, Comparison, Table, describe, difference


@dataclass(frozen=True)
class Control:
    compared: str
    difference: paired.Difference  # above 0 if it works

    @classmethod
    def of(cls, test: Comparison, table: Table) -> "Control":
        """A comparison of rows."""
        return cls(describe(test), difference(test, table))

    @property
    def verdict(self) -> str:
        return paired.verdict(self.difference) if self.difference.seeds else UNMEASURED

    @property
    def holds(self) -> bool:
        return self.verdict == HOLDS

    @property
    def fails(self) -> bool:
        """Whether it is not seen to work by units that could show it. Fewer withhold no claim: of
        that they tell no more either."""
        return self.difference.seeds >= paired.LEAST_SEEDS and not self.holds

    def __str__(self) -> str:
        found = f"{self.difference}, " if self.difference.seeds else ""
        return f"{self.compared}: {found}{self.verdict}"
