"""`evis measure`."""

import argparse
from collections.abc import Iterable

from evis.cli.arguments import add_command, count


def add(commands) -> None:
    parser = add_command(
        commands,
        "measure",
        _measure,
        help="train and test the toy rows of a group of experiments",
        description="Train and test the toy rows of a group of experiments.\n"
        "A stored row is not measured again; an interrupted one goes on.",
        examples="  evis measure comparison --size tiny_s --seeds 0 1\n"
        "  evis measure components eigenvalues --size tiny_s --jobs 2\n"
        "  evis measure comparison --rows boxes --again     # apart, below build/again",
    )
    parser.add_argument("groups", metavar="GROUP", nargs="*", help="without one, list the groups")
    parser.add_argument("--size", default="tiny_s", help="tiny_s (the default), tiny or tiny_l")
    parser.add_argument("--rows", nargs="+", default=(), help="of the groups, these alone")
    parser.add_argument("--seeds", type=_seed, nargs="+", metavar="N", help="0 to 7 unless given")
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="seeds at a time")
    tested = parser.add_mutually_exclusive_group()
    tested.add_argument(
        "--validation", action="store_true", help="test on the videos that choices are made on"
    )
    tested.add_argument(
        "--generalisation", action="store_true", help="test on toy-ytvis21 and toy-ovis"
    )
    tested.add_argument(
        "--clips", action="store_true", help="what TEL and QCC say of clips of the test videos"
    )
    parser.add_argument(
        "--terms", action="store_true", help="also keep how large the terms of the loss were"
    )
    parser.add_argument(
        "--again", action="store_true", help="leave stored rows alone and measure below build/again"
    )


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def _shown(columns: Iterable[str]) -> list[str]:
    """Metrics, as many as fit a terminal's width."""
    hidden = ("row", "seed", "agnostic", "mIoU, ")
    return [name for name in columns if not name.startswith(hidden)]


def _measure(options) -> int:
    from evis.companion import held_out as sets_of
    from evis.companion import measured, series
    from evis.data.errors import DataError
    from evis.papers.eigencluster import clip_terms
    from evis.papers.eigencluster.experiments import GROUPS, SEEDS, group

    if not options.groups:
        if options.rows:
            raise DataError("--rows needs a group", remedy=f"There are {', '.join(GROUPS)}")
        print("Groups: " + ", ".join(GROUPS))
        return 0
    experiments = {}
    for name in options.groups:
        experiments |= group(name, options.size)
    if unknown := set(options.rows) - set(experiments):
        raise DataError(
            f"these groups have no row {'; '.join(sorted(unknown))}",
            remedy=f"They have {'; '.join(experiments)}",
        )
    chosen = [e for name, e in experiments.items() if not options.rows or name in options.rows]
    sets = [sets_of.VALIDATION if options.validation else sets_of.TEST]
    if options.generalisation:
        sets = [sets_of.UNSEEN, sets_of.CROWDED]
    if options.clips:
        sets = [clip_terms.CLIPS]
    shelf = measured.AGAIN if options.again else measured.STORED
    seeds = SEEDS if options.seeds is None else options.seeds
    for held_out in sets:
        found = series.measure(chosen, seeds, held_out, shelf, jobs=options.jobs)
        rows = found.groupby("row", sort=False)
        means = rows.mean()[_shown(found.columns)]
        percent = held_out.scoring.in_percent
        means = means.round(1 if percent else 3)
        means.insert(0, "seeds", rows.size())
        unit = ", percent" if percent else ""
        print(f"{held_out}: means over seeds{unit}")
        print(means.to_string())
    if options.terms:
        for run in [each.seeded(seed) for each in chosen for seed in seeds]:
            if not measured.committed(run):  # which leaves no log
                clip_terms.in_training(run, shelf)
    return 0
