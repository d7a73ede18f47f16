"""The same experiments for several seeds, one after another or in parallel, as one table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import pandas as pd
from tqdm.auto import tqdm

from evis.companion import measured
from evis.companion.measured import AGAIN, STORED, TEST, HeldOut, Shelf
from evis.companion.store import ResultRow
from evis.papers.eigencluster.experiments import SEEDS, Experiment
from evis.training.recipes import Recipe


def at_scale(
    scale: str,
    experiments: Iterable[Experiment],
    held_out: HeldOut = TEST,
    recompute: bool = False,
    seeds: Sequence[int] = SEEDS,
) -> pd.DataFrame:
    """The rows that a notebook shows. "toy" and "full": what is stored, or measured again, apart.

    "smoke": a seed of every experiment, one step a stage and four test videos, each time anew. That
    says that everything runs, and nothing of what the rows are worth.
    """
    if scale == "smoke":
        few = replace(held_out, name="smoke", videos=4)
        with TemporaryDirectory() as folder:
            shelf = Shelf.below(lambda: Path(folder))
            return measure(map(_shortened, experiments), seeds[:1], few, shelf)
    if recompute:
        return measure(experiments, seeds, held_out, AGAIN)
    return table(experiments, seeds, held_out)


def _shortened(experiment: Experiment) -> Experiment:
    """But not stage one, where its weights are in the repository."""
    return replace(
        experiment,
        stages=tuple(
            stage
            if measured.committed([stage])
            else replace(stage, steps=1, batch=2, micro_batch=2, warm_up_steps=1)
            for stage in experiment.stages
        ),
    )


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
    lacking = _lacking(experiments, seeds, held_out, videos, shelf)
    for recipe in _shared(lacking):  # before, since two processes can't train into one folder
        measured.trained((recipe,), videos, shelf, progress)
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
    """What the shelf has: columns "row", "seed" and the metrics, scores in percent."""
    lines = []
    for experiment in experiments:
        for seed in seeds:
            row = measured.find(experiment.seeded(seed), held_out, videos, shelf)
            if row is not None:
                metrics = row.metrics if held_out.clips else _percent(row)
                lines.append({"row": experiment.name, "seed": row.seed} | metrics)
    columns = ["row", "seed", *measured.metrics(held_out)]
    found = pd.DataFrame(lines, columns=columns)
    return found.drop_duplicates(["row", "seed"], ignore_index=True)  # stage one has one seed


def _lacking(
    experiments: Sequence[Experiment],
    seeds: Sequence[int],
    held_out: HeldOut,
    videos: int | None,
    shelf: Shelf,
) -> list[list[tuple[Recipe, ...]]]:
    """A seed's chains that the shelf has no row of; one without a seed of its own comes once."""
    lacking, seen = [], set()
    for seed in seeds:
        chains = [experiment.seeded(seed) for experiment in experiments]
        new = [stages for stages in chains if stages not in seen]
        seen.update(new)
        absent = [c for c in new if measured.find(c, held_out, videos, shelf) is None]
        lacking += [absent] if absent else []
    return lacking


def _shared(lacking: Sequence[Sequence[tuple[Recipe, ...]]]) -> list[Recipe]:
    """First stages that the chains of more than one seed go on from."""
    firsts = Counter(first for chains in lacking for first in {stages[0] for stages in chains})
    return [first for first, seeds in firsts.items() if seeds > 1]


def _rows(
    chains: Sequence[tuple[Recipe, ...]], held_out: HeldOut, videos: int | None, shelf: Shelf
) -> int:
    for stages in chains:
        measured.row(stages, held_out, videos, shelf, progress=False)
    return len(chains)


def _percent(row: ResultRow) -> dict[str, float]:
    return {name: 100 * value for name, value in row.metrics.items()}
