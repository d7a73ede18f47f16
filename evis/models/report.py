"""What became of every tensor when weights were loaded."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evis.data.errors import DataError

_SHOWN = 10


class Mismatch(NamedTuple):
    name: str
    there: tuple[int, ...]
    here: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.there} there, {self.here} here"


@dataclass
class Report:
    """Every tensor of the file is in `loaded`, `set_aside`, `unexpected` or `mismatched`, by its
    name there; every tensor of the model that `loaded` or `mismatched` doesn't name is in `missing`
    or `kept`, by its name here."""

    loaded: dict[str, tuple[str, ...]] = field(default_factory=dict)  # name there -> names here
    set_aside: dict[str, str] = field(default_factory=dict)  # name there -> why it has no place
    kept: dict[str, str] = field(default_factory=dict)  # name here -> why it needs no tensor
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[Mismatch] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return not self._troubles()

    def __str__(self) -> str:
        lines = [f"{len(self.loaded)} tensors loaded"]
        for reason, count in Counter(self.set_aside.values()).items():
            lines.append(f"{count} set aside: {reason}")
        for reason, count in Counter(self.kept.values()).items():
            lines.append(f"{count} kept as they were: {reason}")
        for title, names in self._troubles().items():
            lines.append(f"{len(names)} {title}")
            lines += [f"    {name}" for name in names[:_SHOWN]]
            if len(names) > _SHOWN:
                lines.append(f"    and {len(names) - _SHOWN} more")
        return "\n".join(lines)

    def demand_fit(self, file: object) -> None:
        if self.fits:
            return
        troubles = [
            f"{len(names)} {title} ({', '.join(map(str, names[:3]))}{', ...' * (len(names) > 3)})"
            for title, names in self._troubles().items()
        ]
        raise DataError(
            f"the weights do not fit the model: {'; '.join(troubles)}",
            file=file,
            remedy="Is it a checkpoint of this model, at this size? strict=False loads what fits "
            "and leaves the rest as it is",
        )

    def _troubles(self) -> dict[str, Sequence[object]]:
        """By what is wrong: the names, where there are any."""
        troubles = {
            "missing": self.missing,
            "unexpected": self.unexpected,
            "of another shape": self.mismatched,
        }
        return {title: names for title, names in troubles.items() if names}
