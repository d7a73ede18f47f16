"""`evis reproduce`, `evis measure` and `evis results`."""

import textwrap
from typing import Literal

from evis.cli.arguments import Count, FromZero, UsageError


def reproduce(
    *,
    scale: Literal["smoke", "toy", "full"] = "toy",
    only: tuple[str, ...] = (),
    recompute: bool = False,
    store: bool = False,
) -> int:
    """Run the notebooks in order and write their figures.

    scale: smoke: seconds; toy: every table and figure on generated data (the default); full: the
      real data sets, on GPUs
    only NOTEBOOK: numbers or names of notebooks, such as 01 or 09_published_numbers
    recompute: measure again what data/results already holds
    store: put the outputs into notebooks/, as they are committed; run at the default scale

    examples:
      evis reproduce
      evis reproduce --scale smoke --only 01 09 --recompute
    """
    from evis.companion import reproduce as notebooks

    runs = notebooks.reproduce(scale, only, recompute, store)
    print(notebooks.report(runs))
    return int(any(run.failure for run in runs))


def measure(
    groups: tuple[str, ...] = (),
    *,
    size: str = "tiny_s",
    rows: tuple[str, ...] = (),
    seeds: tuple[FromZero, ...] | None = None,
    jobs: Count = 1,
    validation: bool = False,
    generalisation: bool = False,
    clips: bool = False,
    terms: bool = False,
    again: bool = False,
) -> None:
    """Train and test the toy rows of a group of experiments.

    A stored row is not measured again; an interrupted one goes on.

    groups GROUP: without one, list the groups
    size SIZE: tiny_s, tiny or tiny_l
    rows ROW: of the groups, these alone
    seeds N: 0 to 7 unless given
    jobs N: seeds at a time
    validation: test on the videos that choices are made on
    generalisation: test on toy-ytvis21 and toy-ovis
    clips: what TEL and QCC say of clips of the test videos
    terms: also keep how large the terms of the loss were
    again: leave stored rows alone and measure below build/again

    examples:
      evis measure comparison --size tiny_s --seeds 0 1
      evis measure components eigenvalues --size tiny_s --jobs 2
      evis measure comparison --rows boxes --again     # apart, below build/again
    """
    from evis.companion import held_out as sets
    from evis.companion import measured, series
    from evis.data.errors import DataError
    from evis.papers.eigencluster import clip_terms, training_terms
    from evis.papers.eigencluster.experiments import GROUPS, SEEDS, group

    if validation + generalisation + clips > 1:
        raise UsageError("--validation, --generalisation and --clips exclude each other")
    if not groups:
        if rows:
            raise DataError("--rows needs a group", remedy=f"There are {', '.join(GROUPS)}")
        print("Groups: " + ", ".join(GROUPS))
        return
    experiments = {}
    for name in groups:
        experiments |= group(name, size)
    if unknown := set(rows) - set(experiments):
        problem = f"these groups have no row {'; '.join(sorted(unknown))}"
        raise DataError(problem, remedy=f"They have {'; '.join(experiments)}")
    chosen = [row for name, row in experiments.items() if not rows or name in rows]
    held_out = [sets.VALIDATION] if validation else [sets.TEST]
    if generalisation or clips:
        held_out = [sets.UNSEEN, sets.CROWDED] if generalisation else [clip_terms.CLIPS]
    shelf = measured.again() if again else None
    seeds = SEEDS if seeds is None else seeds
    for videos in held_out:
        print(_means(series.measure(chosen, seeds, videos, shelf, jobs=jobs), videos))
    for run in (row.seeded(seed) for row in chosen for seed in seeds):
        if terms and not measured.committed(run):  # which leaves no log
            training_terms.row(run, shelf)


def _means(table, videos) -> str:
    """Means over seeds, of as many metrics as fit a terminal's width."""
    hidden = ("row", "seed", "agnostic", "mIoU, ")
    rows, percent = table.groupby("row", sort=False), videos.scoring.in_percent
    means = rows.mean()[[name for name in table.columns if not name.startswith(hidden)]]
    means = means.round(1 if percent else 3)
    means.insert(0, "seeds", rows.size())
    return f"{videos}: means over seeds{', percent' if percent else ''}\n{means.to_string()}"


def results(*, json: bool = False) -> None:
    """List the measured results.

    A line each; … stands for numbers left out.

    json: whole rows, with every number and setting

    examples:
      evis results
      evis results --json
    """
    from json import dumps

    from evis.companion import store

    rows = store.rows()
    if json:
        print(dumps([{"key": row.key, **store.to_json(row)} for row in rows], indent=1))
    elif rows:
        print("\n".join(map(_listed, rows)))
    else:
        print("No measured results yet: notebooks write them to data/results.")


def _listed(row, width: int = 160) -> str:
    """Where a row comes from, what it is of, and as many of its numbers as the line has room for.

    Of stages the last one's name and model: rows that end alike are told apart by their keys.
    """
    recipe, device = dict(row.recipe), row.machine["device"]
    words = recipe.pop("name")
    if stages := recipe.pop("stages", None):
        words += f": {stages[-1]['name']} {stages[-1]['model']}"
    else:
        words = " ".join([words, *(f"{name}={value}" for name, value in recipe.items())])
    commit = (row.commit[:8] if row.commit else "no commit") + "+" * bool(row.dirty)
    device = _short(row.machine["cpu"] if device == "cpu" else device, 24)
    origin = [row.key, row.date[:10], commit, device, row.dataset, f"seed {row.seed}"]
    line = "  ".join([*origin, _short(words, 48)])
    for name, value in row.metrics.items():
        longer = f"{line}  {name} {value:.4g}"
        if len(longer) > width - 3:
            return f"{line}  …"
        line = longer
    return line


def _short(text: str, width: int) -> str:
    return textwrap.shorten(text, width, placeholder=" …")
