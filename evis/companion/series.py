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
from evis.companion.held_out import TEST, HeldOut
from evis.companion.measured import AGAIN, SEEDS, STORED, Experiment, Shelf
from evis.training import Recipe


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
    first, *others = experiment.stages
    if not measured.committed(replace(experiment, stages=(first,))):
        first = _short(first)
    return replace(experiment, stages=(first, *map(_short, others)))


def _short(stage: Recipe) -> Recipe:
    return replace(stage, steps=1, batch=2, micro_batch=2, warm_up_steps=1)


def measure(
    experiments: Iterable[Experiment],
    seeds: Sequence[int],
    held_out: HeldOut = TEST,
    shelf: Shelf = STORED,
    jobs: int = 1,
    device: str = "cpu",
    progress: bool = True,
) -> pd.DataFrame:
    """Every row of these, as `table`; what the shelf lacks is trained and tested.

    jobs: seeds at a time, a process each: rows of one seed share the stages that they begin with.
    """
    experiments = list(experiments)
    held_out.dataset()  # drawn once, before the processes start
    lacking = _lacking(experiments, seeds, held_out, shelf)
    for first in _shared(lacking):  # before, since two processes can't train into one folder
        measured.trained(first, shelf, device, progress)
    bar = tqdm(total=sum(map(len, lacking)), desc="rows", disable=not progress or not lacking)
    work = [joblib.delayed(_rows)(runs, held_out, shelf, device) for runs in lacking]
    with bar:
        for number in joblib.Parallel(jobs, return_as="generator_unordered")(work):
            bar.update(number)
    return table(experiments, seeds, held_out, shelf)


def table(
    experiments: Iterable[Experiment],
    seeds: Sequence[int],
    held_out: HeldOut = TEST,
    shelf: Shelf = STORED,
) -> pd.DataFrame:
    """What the shelf has: columns "row", "seed" and the metrics, scores in percent."""
    unit = 100 if held_out.scoring.in_percent else 1
    lines = []
    for experiment in experiments:
        for seed in seeds:
            row = measured.find(experiment.seeded(seed), held_out, shelf)
            if row is not None:
                values = {name: unit * value for name, value in row.metrics.items()}
                lines.append({"row": experiment.name, "seed": row.seed} | values)
    lines = pd.DataFrame(lines, columns=["row", "seed", *held_out.scoring.metrics])
    return lines.drop_duplicates(["row", "seed"], ignore_index=True)  # stage one has one seed


def _lacking(
    experiments: Sequence[Experiment], seeds: Sequence[int], held_out: HeldOut, shelf: Shelf
) -> list[list[Experiment]]:
    """A seed's runs that the shelf has no row of; one without a seed of its own comes once."""
    lacking, seen = [], set()
    for seed in seeds:
        runs = [experiment.seeded(seed) for experiment in experiments]
        new = [run for run in runs if run.stages not in seen]
        seen.update(run.stages for run in new)
        absent = [run for run in new if measured.find(run, held_out, shelf) is None]
        lacking += [absent] if absent else []
    return lacking


def _shared(lacking: Sequence[Sequence[Experiment]]) -> list[Experiment]:
    """First stages that the runs of more than one seed go on from."""
    firsts = [{run.stages[0]: run for run in runs} for runs in lacking]
    seeds = Counter(stage for of_seed in firsts for stage in of_seed)
    by_stage = {stage: run for of_seed in firsts for stage, run in of_seed.items()}
    return [replace(run, stages=(stage,)) for stage, run in by_stage.items() if seeds[stage] > 1]


def _rows(runs: Sequence[Experiment], held_out: HeldOut, shelf: Shelf, device: str) -> int:
    for run in runs:
        measured.row(run, held_out, shelf, device, progress=False)
    return len(runs)
