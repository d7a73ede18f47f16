"""What became of every tensor when weights were loaded."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evis.data.errors import DataError

_SHOWN = 10


@dataclass(frozen=True)
class Mismatch:
    name: str
    there: tuple[int, ...]
    here: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.there} there, {self.here} here"


@dataclass(frozen=True)
class Report:
    """Every tensor of the file is in `loaded`, `set_aside`, `unexpected` or `mismatched`, by its
    name there; every tensor of the model that `loaded` or `mismatched` doesn't fill is in `missing`
    or `kept`, by its name here."""

    loaded: Mapping[str, tuple[str, ...]]  # name there -> names here
    set_aside: Mapping[str, str]  # name there -> why it has no place here
    kept: Mapping[str, str]  # name here -> why it needs no tensor of the file
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[Mismatch, ...] = ()

    @property
    def fits(self) -> bool:
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        lines = [f"{len(self.loaded)} tensors loaded"]
        for reason, count in Counter(self.set_aside.values()).items():
            lines.append(f"{count} set aside: {reason}")
        for reason, count in Counter(self.kept.values()).items():
            lines.append(f"{count} kept as they were: {reason}")
        for title, names in self._troubles():
            lines.append(f"{len(names)} {title}")
            lines += [f"    {name}" for name in names[:_SHOWN]]
            if len(names) > _SHOWN:
                lines.append(f"    and {len(names) - _SHOWN} more")
        return "\n".join(lines)

    def demand_fit(self, file: object) -> None:
        if self.fits:
            return
        troubles = [f"{len(names)} {title} ({_few(names)})" for title, names in self._troubles()]
        raise DataError(
            f"the weights do not fit the model: {'; '.join(troubles)}",
            file=file,
            remedy="Is it a checkpoint of this model, at this size? strict=False loads what fits "
            "and leaves the rest as it is",
        )

    def _troubles(self) -> list[tuple[str, tuple]]:
        found = [
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("of another shape", self.mismatched),
        ]
        return [(title, names) for title, names in found if names]


def _few(names: Iterable[object], most: int = 3) -> str:
    first = [str(name) for name in names]
    return ", ".join(first[:most]) + (", ..." if len(first) > most else "")
