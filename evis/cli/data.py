"""`evis data toy` and `evis data check`."""

import argparse
from pathlib import Path

from evis.cli.arguments import add_command, whole

MOST_VIDEOS = 1_000_000  # which are planned before the first is drawn


def register(commands) -> None:
    group = commands.add_parser("data", help="make toy sets, check real ones and your own")
    places = group.add_subparsers(metavar="COMMAND", required=True)

    add = add_command(places, "toy", toy)
    add("name NAME", "e.g. toy-ytvis19")
    add("--root DIR", "where to write it", type=Path, required=True)
    add("--videos N", "how many; default: the set's own", type=whole(1, most=MOST_VIDEOS))
    add("--seed S", "fixes every byte; default: 0", type=whole(0), default=0)

    add = add_command(places, "check", check)
    add("name NAME|JSON", "a set of the list, or the annotation json of your own", nargs="?")
    add("--root DIR", "the folder that holds a set of the list", type=Path)
    add("--frames DIR", "the frames of a json, where they are not beside it", type=Path)


def toy(options: argparse.Namespace) -> None:
    """Write a toy set in its real format.

    examples:
      evis data toy toy-ytvis19 --root /tmp/toy --videos 20 --seed 1
    """
    from evis.data import toy as toy_sets

    dataset = toy_sets.build(options.name, options.root, options.videos, options.seed)
    print(f"{options.name}: {len(dataset.videos)} videos in {options.root}")


def check(options: argparse.Namespace) -> int:
    """Say what is there of a data set, and what is missing.

    Without NAME, list the sets evis knows.

    examples:
      evis data check
      evis data check youtube-vis-2019 --root /data/youtube-vis-2019
      evis data check cats.json --frames cats
    """
    from evis.data import catalog, own

    name = options.name
    is_listed = name is None or name in catalog.SETS  # or asks for the list
    is_own = not is_listed and (name.endswith(".json") or Path(name).exists())
    if options.frames and not is_own:
        options.parser.error("--frames goes with the annotation json of your own")
    if options.root and (is_own or name is None):
        options.parser.error("--root goes with the name of a set of the list")
    if name is None:
        print("\n".join(catalog.SETS))
        return 0
    if not is_own and options.root is None:
        print(catalog.describe(name))
        options.parser.error("--root DIR, the folder that holds it, is needed to check it")
    report = own.check(name, options.frames) if is_own else catalog.check(name, options.root)
    print("\n".join(report.lines))
    return int(not report.complete)
