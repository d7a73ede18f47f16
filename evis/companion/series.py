"""The same experiments for several units, one after another or in parallel, as one table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from evis.companion import measured, scales
from evis.companion.held_out import TEST, HeldOut
from evis.companion.measured import Experiment
from evis.training import Recipe


def at_scale(
    scale: str,
    experiments: Iterable[Experiment],
    held_out: HeldOut = TEST,
    recompute: bool = False,
    seeds: Sequence[int] | None = None,
) -> pd.DataFrame:
    """The rows that a notebook shows. "toy" and "full": what is stored, or measured again, apart.

    "smoke": seed 0 of every experiment, one step a stage and four test videos, each time anew. That
    says that everything runs, and nothing of what the rows are worth.
    """
    scales.check(scale)
    if scale == "smoke":
        few = replace(held_out, name="smoke", videos=4)
        with TemporaryDirectory() as shelf:
            return measure(map(_shortened, experiments), [0], few, Path(shelf))
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
    seeds: Sequence[int] | None = None,
    held_out: HeldOut = TEST,
    shelf: Path | None = None,
    jobs: int = 1,
    device: str = "cpu",
    progress: bool = True,
) -> pd.DataFrame:
    """Every row of these, as `table`; what the shelf lacks is trained and tested.

    seeds: None stands for each experiment's own. jobs: how many stages are trained at a time, a
    process each: first all first stages, then all second ones, and so on, so that rows share those
    that they begin with and no two processes train the same. A row is tested and stored as soon as
    its last stage is trained; what was interrupted goes on.
    """
    experiments = list(experiments)
    held_out.dataset()  # drawn once, before the processes start
    lacking = [
        run for run in _runs(experiments, seeds) if measured.find(run, held_out, shelf) is None
    ]
    place = measured.Place(shelf, device, progress=False)

    def make(run: Experiment, rows: Sequence[Experiment]) -> None:
        for row in rows:
            measured.row(row, held_out, shelf, device, progress=False)
        if not rows:
            measured.trained(run, place)

    levels = list(_trainings(lacking))
    total = sum(map(len, levels))
    with tqdm(total=total, desc="stages", disable=not progress or not total) as bar:
        for level in levels:
            for run, _ in level:  # before the processes start, so that no two make the same
                if run.labels:
                    measured.training_sets(run, place, jobs)
            tasks = (joblib.delayed(make)(run, rows) for run, rows in level)
            for _ in joblib.Parallel(jobs, return_as="generator_unordered")(tasks):
                bar.update()
    return table(experiments, seeds, held_out, shelf)


def table(
    experiments: Iterable[Experiment],
    seeds: Sequence[int] | None = None,
    held_out: HeldOut = TEST,
    shelf: Path | None = None,
) -> pd.DataFrame:
    """What the shelf has: columns "row", "seed", "first" and the metrics, scores in percent.

    "seed" is the unit; units whose "first" is the same go on from one first stage.
    """
    unit, lines = 100 if held_out.scoring.in_percent else 1, []
    for run, seed in _runs(experiments, seeds).items():
        if row := measured.find(run, held_out, shelf):
            values = {name: unit * value for name, value in row.metrics.items()}
            lines.append({"row": run.name, "seed": seed, "first": run.stages[0].seed} | values)
    return pd.DataFrame(lines, columns=["row", "seed", "first", *held_out.scoring.metrics])


def per_video(
    experiments: Iterable[Experiment],
    seeds: Sequence[int] | None = None,
    held_out: HeldOut = TEST,
    shelf: Path | None = None,
) -> pd.DataFrame:
    """Every held-out video's mIoU, in percent: a line a row and seed, which are the index, a column
    a video, in the set's order. Rows that were stored without are left out.
    """
    scores = {}
    for run, seed in _runs(experiments, seeds).items():
        row = measured.find(run, held_out, shelf)
        if row and row.per_video:
            scores[run.name, seed] = 100 * np.array(row.per_video, dtype=float)
    index = pd.MultiIndex.from_tuples(scores, names=["row", "seed"]) if scores else None
    return pd.DataFrame(list(scores.values()), index)


def _trainings(
    runs: Sequence[Experiment],
) -> Iterator[list[tuple[Experiment, list[Experiment]]]]:
    """What is trained after one another: of each stage every training once, whatever runs share it,
    and with it the runs that end there.
    """
    for length in range(1, max((len(run.stages) for run in runs), default=0) + 1):
        level: dict[tuple, tuple[Experiment, list[Experiment]]] = {}
        for run in runs:
            if len(run.stages) >= length:
                first = run.of(*run.stages[:length])
                data = tuple(first.sets.items())
                same = first.stages, first.labels, data, first.videos
                _, ending = level.setdefault(same, (first, []))
                ending.extend([run] * (len(run.stages) == length))
        yield list(level.values())


def _runs(experiments: Iterable[Experiment], seeds: Sequence[int] | None) -> dict[Experiment, int]:
    """Each experiment's units, and their seeds; one that several units share is the first's."""
    runs: dict[Experiment, int] = {}
    for experiment in experiments:
        for seed in experiment.seeds if seeds is None else seeds:
            runs.setdefault(experiment.seeded(seed), seed)
    return runs
