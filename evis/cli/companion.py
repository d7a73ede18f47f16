"""`evis reproduce`, `evis measure` and `evis results`."""

import argparse
import json

from evis.cli.arguments import add_command, processes, whole


def register(commands) -> None:
    add = add_command(commands, "reproduce", reproduce)
    scale = (
        "smoke: seconds; toy: every table and figure on generated data; full: real sets, on GPUs"
    )
    add("--scale", scale, choices=("smoke", "toy", "full"), default="toy")
    only = "numbers or names of notebooks, such as 01 or 09_published_numbers"
    add("--only NOTEBOOK", only, nargs="+", default=())
    add("--recompute", "measure again what data/results already holds", action="store_true")
    store = "put the outputs into notebooks/, as they are committed; run at the default scale"
    add("--store", store, action="store_true")

    add = add_command(commands, "measure", measure)
    add("groups GROUP", "without one, list the groups", nargs="*")
    add("--size SIZE", "tiny_s, tiny or tiny_l; the paper's first unless given")
    add("--rows ROW", "of the groups, these alone", nargs="+", default=())
    add("--seeds N", "each row's own unless given", type=whole(0), nargs="+")
    add("--jobs N", "stages trained at a time", type=processes, default=1)
    add("--validation", "test on the videos that choices are made on", action="store_true")
    add("--generalisation", "test on toy-ytvis21 and toy-ovis", action="store_true")
    add("--clips", "what TEL and QCC say of clips of the test videos", action="store_true")
    add("--terms", "also keep how large the terms of the loss were", action="store_true")
    add("--again", "leave stored rows alone, measure below build/again", action="store_true")

    add = add_command(commands, "results", results)
    add("--json", "whole rows, with every number and setting", action="store_true")


def reproduce(options: argparse.Namespace) -> int:
    """Run the notebooks in order and write their figures.

    examples:
      evis reproduce
      evis reproduce --scale smoke --only 01 09 --recompute
    """
    from evis.companion import reproduce as notebooks

    runs = notebooks.reproduce(options.scale, options.only, options.recompute, options.store)
    print(notebooks.report(runs))
    return int(any(run.failure for run in runs))


def measure(options: argparse.Namespace) -> None:
    """Train and test the toy rows of a group of experiments.

    A stored row is not measured again; an interrupted one goes on. Some groups are of labels, which
    are made and counted: of these options they take --rows, --jobs and --again.

    examples:
      evis measure comparison --size tiny_s --seeds 0 1
      evis measure components eigenvalues --size tiny_s --jobs 2
      evis measure comparison --rows boxes --again     # apart, below build/again
    """
    from evis import papers
    from evis.companion import held_out, measured, series
    from evis.data.errors import DataError
    from evis.papers.eigencluster import clip_terms, training_terms

    if options.validation + options.generalisation + options.clips > 1:
        options.parser.error("--validation, --generalisation and --clips exclude each other")
    if not options.groups:
        known = ", ".join(papers.group_names())
        if options.rows:
            raise DataError("--rows needs a group", remedy=f"There are {known}")
        print(f"Groups: {known}")
        return
    experiments: dict = {}  # the rows of those groups that are tested on the same videos
    counts = [found for name in options.groups if (found := papers.counts(name))]
    for name in options.groups:
        if papers.counts(name):
            continue
        paper = papers.measures(name)
        if (options.clips or options.terms) and paper is not papers.experiments("eigencluster"):
            options.parser.error("--clips and --terms ask what TEL and QCC do: not of this paper")
        test = getattr(paper, "TESTS", {}).get(name, held_out.TEST)
        size = (options.size,) if options.size else ()
        known, group = experiments.setdefault(test, {}), paper.group(name, *size)
        if twice := [row for row in group if known.get(row, group[row]) != group[row]]:
            problem = f"these groups have different rows of one name: {'; '.join(twice)}"
            raise DataError(problem, remedy="Measure them one after another")
        known.update(group)
    if len(counts) == len(options.groups):
        for name in ("size", "seeds", "validation", "generalisation", "clips", "terms"):
            if getattr(options, name):
                groups = ", ".join(map(repr, options.groups))
                options.parser.error(f"--{name} goes with what is trained, not with {groups}")
    of_labels = [name for paper in counts for name in paper.ROWS]
    names = dict.fromkeys([*of_labels, *(name for rows in experiments.values() for name in rows)])
    if unknown := set(options.rows) - set(names):
        problem = f"these groups have no row {'; '.join(sorted(unknown))}"
        raise DataError(problem, remedy=f"They have {'; '.join(names)}")
    shelf = measured.again() if options.again else None
    for paper in counts:
        if chosen := [name for name in paper.ROWS if name in (options.rows or names)]:
            table = paper.measure(chosen, measured.Place(shelf), options.jobs)
            print(table.round(3).to_string())
    for test, rows in experiments.items():
        chosen = [row for name, row in rows.items() if name in (options.rows or names)]
        if not chosen:  # --rows are of other groups
            continue
        sets = [held_out.validation(test)] if options.validation else [test]
        if options.generalisation or options.clips:
            unseen = [held_out.UNSEEN, held_out.CROWDED]
            sets = unseen if options.generalisation else [clip_terms.CLIPS]
        for videos in sets:
            table = series.measure(chosen, options.seeds, videos, shelf, jobs=options.jobs)
            print(_means(table, videos))
        for run in (row.seeded(seed) for row in chosen for seed in options.seeds or row.seeds):
            if options.terms and not measured.committed(run):  # which leaves no log
                training_terms.row(run, shelf)


def _means(table, videos) -> str:
    """Means over seeds, of as many metrics as fit a terminal's width."""
    hidden = ("row", "seed", "first", "agnostic", "mIoU, ")
    rows, percent = table.groupby("row", sort=False), videos.scoring.in_percent
    means = rows.mean()[[name for name in table.columns if not name.startswith(hidden)]]
    means = means.round(1 if percent else 3)
    means.insert(0, "seeds", rows.size())
    return f"{videos}: means over seeds{', percent' if percent else ''}\n{means.to_string()}"


def results(options: argparse.Namespace) -> None:
    """List the measured results.

    A line each; … stands for what is left out.

    examples:
      evis results
      evis results --json
    """
    from evis.companion import store

    rows = store.rows()
    if options.json:
        print(json.dumps([{"key": row.key, **store.to_json(row)} for row in rows], indent=1))
    elif rows:
        print("\n".join(map(_listed, rows)))
    else:
        print("No measured results yet: notebooks write them to data/results.")


def _listed(row) -> str:
    """Where a row comes from, what it is of, and numbers as far as the line has room for them.

    Of stages the last one's name and model: rows that end alike are told apart by their keys.
    """
    recipe, device = dict(row.recipe), row.machine.get("device", "")
    words = recipe.pop("name")
    if stages := recipe.pop("stages", None):
        words += f": {stages[-1]['name']} {stages[-1]['model']}"
    else:
        words = " ".join([words, *(f"{name}={value}" for name, value in recipe.items())])
    commit = (row.commit[:8] if row.commit else "no commit") + "+" * bool(row.dirty)
    device = _short(row.machine.get("cpu", "") if device == "cpu" else device, 24)
    origin = [row.key, row.date[:10], commit, device, row.dataset, f"seed {row.seed}"]
    numbers = [f"{name} {value:.4g}" for name, value in row.metrics.items()]
    return _short("  ".join([*origin, _short(words, 48), *numbers]), 160)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
