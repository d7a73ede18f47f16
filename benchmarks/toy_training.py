"""What toy training reaches on held-out videos: the rows that set the toy sets' difficulty.

    python benchmarks/toy_training.py --seeds 0 1 2            # rows with and without masks
    python benchmarks/toy_training.py --rows "stage three"     # only these
    python benchmarks/toy_training.py --validation --seeds 0   # on the videos for choosing

Every row starts from data/weights/toy_stage1.safetensors, or from nothing where its name says so.
Rows that data/results holds are not measured again, unless --recompute asks for it. Two processes
work on rows of different seeds, each with one thread; a row takes about four minutes.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import joblib
import pandas as pd

from evis import paths
from evis.results.store import ResultRow
from evis.training import measured
from evis.training.recipes import Recipe, named, toy

DIFFICULTY = ("stage one only", "boxes", "boxes, no stage one", "masks")
STAGES = ("stage two", "stage three")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=DIFFICULTY + STAGES, default=DIFFICULTY)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--recompute", action="store_true")
    options = parser.parse_args()
    held_out = measured.VALIDATION if options.validation else measured.TEST
    held_out.dataset()  # drawn once, before the processes start
    names = set(options.rows)
    if options.recompute and "stage three" in names:
        names.add("stage two")  # which it goes on from
    alone = [[(name, seed)] for seed in options.seeds for name in DIFFICULTY if name in names]
    chains = [[(name, seed) for name in STAGES if name in names] for seed in options.seeds]
    measure = joblib.delayed(_rows)
    found = joblib.Parallel(2)(
        measure(group, held_out, options.recompute) for group in [*chains, *alone] if group
    )
    print(summary({job: row for group in found for job, row in group.items()}).to_string())


def _rows(
    jobs: list[tuple[str, int]], held_out: measured.HeldOut, recompute: bool
) -> dict[tuple[str, int], ResultRow]:
    """One after the other: stage three goes on from what stage two trained."""
    return {(name, seed): row(name, seed, held_out, recompute) for name, seed in jobs}


def row(name: str, seed: int, held_out: measured.HeldOut, recompute: bool) -> ResultRow:
    stage1 = paths.data() / "weights" / "toy_stage1.safetensors"
    if name == "stage one only":
        return measured.start_row(stage1, held_out, recompute, progress=False)
    recipe, weights = _recipe(name), stage1
    if name == "boxes, no stage one":
        weights = None
    if name == "stage three":
        weights = _after_stage_two(stage1, seed)
    return measured.row(name, recipe, seed, weights, held_out, recompute=recompute, progress=False)


def _recipe(name: str) -> Recipe:
    recipes = {
        "boxes": "boxinst",
        "boxes, no stage one": "boxinst",
        "masks": "mask2former",
        "stage two": "eigencluster.stage2",
        "stage three": "eigencluster.stage3",
    }
    return toy(named(recipes[name]))


def _after_stage_two(stage1: Path, seed: int) -> Path:
    recipe = _recipe("stage two")
    return measured.trained(replace(recipe, seed=seed), stage1, progress=False)


def summary(rows: dict[tuple[str, int], ResultRow]) -> pd.DataFrame:
    """Mean and spread over seeds, in percent."""
    table = pd.DataFrame({job: r.metrics for job, r in rows.items()}).T * 100
    table.index.names = ["row", "seed"]
    return table.groupby("row", sort=False).agg(["mean", "std"]).round(1)


if __name__ == "__main__":
    main()
