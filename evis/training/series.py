"""The same experiments for several seeds, one after another or in parallel, as one table."""

from collections.abc import Iterable, Sequence

import joblib
import pandas as pd
from tqdm.auto import tqdm

from evis.results.store import ResultRow
from evis.training import measured
from evis.training.experiments import Experiment
from evis.training.measured import STORED, TEST, HeldOut, Shelf
from evis.training.recipes import Recipe


def measure(
    experiments: Iterable[Experiment],
    seeds: Sequence[int],
    held_out: HeldOut = TEST,
    shelf: Shelf = STORED,
    videos: int | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Every row of these, as `table`; what the shelf lacks is trained and tested.

    jobs: seeds at a time, a process each: rows of one seed share the stages that they begin with.
    """
    experiments = list(experiments)
    held_out.dataset()  # drawn once, before the processes start
    lacking = []
    for seed in seeds:
        chains = [experiment.seeded(seed) for experiment in experiments]
        absent = [c for c in chains if measured.find(c, held_out, videos, shelf) is None]
        lacking += [absent] if absent else []
    bar = tqdm(total=sum(map(len, lacking)), desc="rows", disable=not progress or not lacking)
    work = [joblib.delayed(_rows)(rows, held_out, videos, shelf) for rows in lacking]
    with bar:
        for number in joblib.Parallel(jobs, return_as="generator_unordered")(work):
            bar.update(number)
    return table(experiments, seeds, held_out, shelf, videos)


def table(
    experiments: Iterable[Experiment],
    seeds: Sequence[int],
    held_out: HeldOut = TEST,
    shelf: Shelf = STORED,
    videos: int | None = None,
) -> pd.DataFrame:
    """What the shelf has: columns "row", "seed" and the metrics, in percent."""
    lines = []
    for experiment in experiments:
        for seed in seeds:
            row = measured.find(experiment.seeded(seed), held_out, videos, shelf)
            if row is not None:
                lines.append({"row": experiment.name, "seed": row.seed} | _percent(row))
    found = pd.DataFrame(lines, columns=None if lines else ["row", "seed"])
    return found.drop_duplicates(["row", "seed"], ignore_index=True)  # stage one has one seed


def _rows(
    chains: Sequence[tuple[Recipe, ...]], held_out: HeldOut, videos: int | None, shelf: Shelf
) -> int:
    for stages in chains:
        measured.row(stages, held_out, videos, shelf, progress=False)
    return len(chains)


def _percent(row: ResultRow) -> dict[str, float]:
    return {name: 100 * value for name, value in row.metrics.items()}
