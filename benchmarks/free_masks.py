"""What each temporal term does to masks that nothing but the loss shapes, on stored units of clips.

    python benchmarks/free_masks.py [--search] [--store]

A unit is kept as soon as it is measured, and one that is stored is not measured again, so that it
can be interrupted and goes on. `--search`: the units on which beta is chosen.
"""

import argparse

import pandas as pd
from tqdm.auto import tqdm

from evis.companion import store
from evis.papers.eigencluster import free_masks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--search", action="store_true", help="scan beta, on units of its own")
    parser.add_argument("--store", action="store_true", help="keep the numbers in data/results")
    given = parser.parse_args()
    terms = free_masks.SEARCH if given.search else free_masks.TERMS
    units = free_masks.SEARCH_UNITS if given.search else free_masks.UNITS
    if given.store:
        for unit in tqdm(units, desc="units"):
            recipe = free_masks.recipe(terms)
            store.measure(
                recipe, free_masks.DATASET, unit, lambda u=unit: free_masks.rows(u, terms)
            )
        for regime in free_masks.REGIMES:
            print(regime, free_masks.measured(regime, units, terms).mean().round(2), sep="\n")
    else:
        print(pd.Series(free_masks.rows(units[0], terms)).round(2).to_string())


if __name__ == "__main__":
    main()
