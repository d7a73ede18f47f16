"""What the benchmarks' command lines have in common: `--store`."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any


def parser_of(doc: str) -> argparse.ArgumentParser:
    """doc: the benchmark's text, whose first paragraph says what it is for."""
    parser = argparse.ArgumentParser(description=doc.partition("\n\n")[0])
    parser.add_argument("--store", action="store_true", help="keep the numbers in data/results")
    return parser


def finish(
    options: argparse.Namespace,
    recipe: Mapping[str, Any],
    dataset: str,
    run: Callable[[], Mapping[str, Any]],
) -> None:
    """Run it; with --store its numbers become a row."""
    if not options.store:
        run()
        return
    from evis.companion import store  # here: some start processes that import an older evis

    store.measure(recipe, dataset, 0, run, recompute=True)
