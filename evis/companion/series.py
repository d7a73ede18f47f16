"""The same experiments for several seeds, one after another or in parallel, as one table."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import pandas as pd
from tqdm.auto import tqdm

from evis.companion import measured, scales
from evis.companion.held_out import TEST, HeldOut
from evis.companion.measured import SEEDS, Experiment
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
    scales.check(scale)
    if scale == "smoke":
        few = replace(held_out, name="smoke", videos=4)
        with TemporaryDirectory() as shelf:
            return measure(map(_shortened, experiments), seeds[:1], few, Path(shelf))
    if recompute:
        return measure(experiments, seeds, held_out, measured.again())
    return table(experiments, seeds, held_out)


def _shortened(experiment: Experiment) -> Experiment:
    """But not stage one, where its weights are in the repository."""
    first, *others = experiment.stages
    ready = measured.committed(experiment.of(first))
    return experiment.of(first if ready else _short(first), *map(_short, others))


def _short(stage: Recipe) -> Recipe:
    return replace(stage, steps=1, batch=2, micro_batch=2, warm_up_steps=1)


def measure(
    experiments: Iterable[Experiment],
    seeds: Sequence[int],
    held_out: HeldOut = TEST,
    shelf: Path | None = None,
    jobs: int = 1,
    device: str = "cpu",
    progress: bool = True,
) -> pd.DataFrame:
    """Every row of these, as `table`; what the shelf lacks is trained and tested.

    jobs: seeds at a time, a process each: rows of one seed share the stages that they begin with.
    """
    experiments = list(experiments)
    held_out.dataset()  # drawn once, before the processes start
    lacking: dict[int, list[Experiment]] = {}  # by seed
    for run in _runs(experiments, seeds):
        if measured.find(run, held_out, shelf) is None:
            lacking.setdefault(run.seed, []).append(run)
    shared = {run.stages[: run.shared]: run for runs in lacking.values() for run in runs}
    for stages, run in shared.items():  # before, since two processes can't train into one folder
        if stages:
            measured.trained(run.of(*stages), shelf, device, progress)

    def rows(runs: Sequence[Experiment]) -> int:
        for run in runs:
            measured.row(run, held_out, shelf, device, progress=False)
        return len(runs)

    work = [joblib.delayed(rows)(runs) for runs in lacking.values()]
    with tqdm(
        total=sum(map(len, lacking.values())), desc="rows", disable=not progress or not lacking
    ) as bar:
        for number in joblib.Parallel(jobs, return_as="generator_unordered")(work):
            bar.update(number)
    return table(experiments, seeds, held_out, shelf)


def table(
    experiments: Iterable[Experiment],
    seeds: Sequence[int],
    held_out: HeldOut = TEST,
    shelf: Path | None = None,
) -> pd.DataFrame:
    """What the shelf has: columns "row", "seed" and the metrics, scores in percent."""
    unit = 100 if held_out.scoring.in_percent else 1
    lines = []
    for run in _runs(experiments, seeds):
        if row := measured.find(run, held_out, shelf):
            values = {name: unit * value for name, value in row.metrics.items()}
            lines.append({"row": run.name, "seed": row.seed} | values)
    return pd.DataFrame(lines, columns=["row", "seed", *held_out.scoring.metrics])


def _runs(experiments: Iterable[Experiment], seeds: Sequence[int]) -> list[Experiment]:
    """All seeds of each experiment; one without a seed of its own comes once."""
    runs = (experiment.seeded(seed) for experiment in experiments for seed in seeds)
    return list({(run.name, run.stages): run for run in runs}.values())
