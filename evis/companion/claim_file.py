"""A paper's claims as it keeps them, in a claims.toml: who edits it needs no Python.

    [[claim]]
    id = "T3-1"                   # and place, says; quote and note where one is due
    tests = [{ left = "TEL", right = "TK", table = 3 }]

A claim has `tests`, or `check`, a function's name in the paper's checks, or `untestable`, a reason.
A test compares two rows; `metric` ("AP" unless said), `size` and `set` (of held-out videos) may be
lists, which make a comparison of each; with `pooled = true`, one test is made over the units of all
sizes, each pair within its size, and the published difference is the mean over sizes. Where the
sides differ in them, a side is a table with its own: `left = { row = "TK", size = "tiny" }`.
`direction` is "higher" unless "lower" is said. `share = 0.87`: above that share of the right side.
`published` is a formula over printed cells; `table` makes one, of the rows that the file names in
`[printed.TABLE.SIZE]`. A claim with `each = [{ n = 1 }, ...]` is one for each: "{n}" is filled in.
`[groups]` says how the ids begin that stand together, the longest beginning counts, and `[written]`
when comparisons were written, by the ids. `headline` has the ids of claims on what the paper's own
parts bring, which a summary counts apart. `[guessed]` has rows whose definition is a guess, and
why: claims that compare one of them are not testable here. A `[[question]]` is written as a claim
is, and is none of the paper's.
"""

import itertools
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from evis.companion.claims import Claim, Comparison, Side
from evis.companion.held_out import HeldOut
from evis.data.errors import DataError

_TEST = {"left", "right", "metric", "size", "set", "direction", "table", "published", "pooled"}
_TEST |= {"share"}
_CLAIM = {"id", "place", "says", "quote", "tests", "check", "untestable", "note"}
_DECIDES = ("tests", "check", "untestable")


@dataclass(frozen=True)
class Terms:
    """What a paper's file may name."""

    paper: str  # as in references to printed cells
    checks: ModuleType
    held_out: Mapping[str, HeldOut]  # the first is meant where none is named
    sizes: tuple[str, ...]  # likewise
    stands_for: Mapping[str, str] = field(default_factory=dict)  # a name in the file -> a row's own


def read(path: Path, terms: Terms, kind: str = "claim") -> tuple[Claim, ...]:
    """The claims, or those of another kind of entry, in the file's order."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        claims = tuple(parse(content, terms, kind))
    except ValueError as error:  # of toml too
        raise DataError(str(error), file=path) from error
    if twice := [name for name, n in Counter(claim.id for claim in claims).items() if n > 1]:
        raise DataError(f"claim {twice[0]}: there are two of this id", file=path)
    listed = {"headline": content.get("headline", ()), **content.get("written", {})}
    for name, ids in listed.items() if kind == "claim" else ():
        if lacking := set(ids) - {claim.id for claim in claims}:
            raise DataError(f"{name}: there is no claim {min(lacking)}", file=path)
    return claims


def parse(content: Mapping[str, Any], terms: Terms, kind: str = "claim") -> Iterator[Claim]:
    """The claims in the content of a file; ValueError that names the claim."""
    if kind not in content:
        raise ValueError(f"it has no [[{kind}]]")
    for entry in content[kind]:
        template = {name: value for name, value in entry.items() if name != "each"}
        for names in entry.get("each", ({},)):
            filled = template
            try:
                filled = _filled(template, names) if names else template
                yield _claim(filled, content, terms)
            except (ValueError, LookupError) as error:
                said = f"there is no {error}" if isinstance(error, KeyError) else error.args[0]
                raise ValueError(f"claim {filled.get('id', '?')}: {said}") from error


def _filled(value: Any, names: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, names) for key, item in value.items()}
    return value


def _claim(entry: Mapping[str, Any], content: Mapping, terms: Terms) -> Claim:
    _known(entry, _CLAIM)
    if sum(name in entry for name in _DECIDES) != 1:
        raise ValueError(f"it needs one of {', '.join(_DECIDES)}")
    check = entry.get("check")
    if check and not hasattr(terms.checks, check):
        raise ValueError(f"{terms.checks.__name__} has no function {check!r}")
    texts = {name: entry[name] for name in ("id", "place", "says")}
    texts |= {name: entry.get(name, "") for name in ("quote", "untestable", "note")}
    printed = content.get("printed", {})
    tests = tuple(c for test in entry.get("tests", ()) for c in _tests(test, printed, terms))
    starts = {start: name for name, of in content.get("groups", {}).items() for start in of}
    own = [start for start in starts if texts["id"].startswith(start)]
    texts["group"] = starts[max(own, key=len)] if own else ""
    days = {name: day for day, ids in content.get("written", {}).items() for name in ids}
    texts["written"] = days.get(texts["id"], "")
    guessed = content.get("guessed", {"rows": (), "why": ""})
    if any(side.row in guessed["rows"] for test in tests for side in (test.left, test.right)):
        texts["untestable"] = guessed["why"]
    check = check and getattr(terms.checks, check)
    headline = texts["id"] in content.get("headline", ())
    return Claim(**texts, tests=tests, check=check, headline=headline)


def _tests(test: dict[str, Any], printed: Mapping, terms: Terms) -> Iterable[Comparison]:
    _known(test, _TEST)
    direction = test.get("direction", "higher")
    if direction not in ("higher", "lower"):
        raise ValueError(f'the direction is "higher" or "lower", not {direction!r}')
    unless_said = {"size": terms.sizes[0], "metric": "AP", "set": next(iter(terms.held_out))}
    share = float(test.get("share", 1))
    lists = [_list(test.get(name, value)) for name, value in unless_said.items()]
    comparisons = []
    for values in itertools.product(*lists):
        shared = dict(zip(unless_said, values, strict=True))
        left, right = (_side(test[name], shared, terms) for name in ("left", "right"))
        formula = test.get("published")
        if table := test.get("table"):
            rows, place = printed[str(table)], f"{terms.paper}/{table}"
            cells = (f"[{place}/{rows[s.size][s.row]}/{s.metric}]" for s in (left, right))
            formula = (" - " if share == 1 else f" - {share:g} * ").join(cells)
        comparisons.append(Comparison(left, right, formula, direction, share=share))
    return _pooled(comparisons, tuple(lists[0])) if test.get("pooled") else comparisons


def _pooled(comparisons: Sequence[Comparison], sizes: tuple[str, ...]) -> Iterator[Comparison]:
    """One a metric and set for all sizes, which vary slowest."""
    if any(test.left.size != test.right.size for test in comparisons):
        raise ValueError("units of two sizes have no pairs to be pooled")
    each = len(comparisons) // len(sizes)
    for of_sizes in (comparisons[first::each] for first in range(each)):
        formulas = [f"({test.published})" for test in of_sizes if test.published]
        mean = f"({' + '.join(formulas)}) / {len(sizes)}" if formulas else None
        yield replace(of_sizes[0], published=mean, pooled=sizes)


def _side(said: str | dict[str, str], shared: dict[str, str], terms: Terms) -> Side:
    own = shared | (said if isinstance(said, dict) else {"row": said})
    _known(own, {"row", *shared})
    if own["size"] not in terms.sizes:
        raise ValueError(f"no size is called {own['size']!r}: there are {', '.join(terms.sizes)}")
    row = terms.stands_for.get(own["row"], own["row"])
    return Side(row, own["metric"], own["size"], terms.held_out[own["set"]])


def _known(entry: Mapping[str, Any], names: set[str]) -> None:
    if unknown := sorted(set(entry) - names):
        raise ValueError(f"it knows no {unknown[0]!r}, only {', '.join(sorted(names))}")


def _list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
