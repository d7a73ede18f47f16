"""The `evis` command. Each subcommand imports what it needs, so that `--help` is instant."""

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from evis import __version__
from evis.cli import measure as cli_measure
from evis.cli import predict as cli_predict
from evis.cli import train as cli_train
from evis.cli.arguments import add_command, count


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 fine, 1 something checked or run is not in order, 2 bad input or usage."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("evis: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `evis results | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor an error at exit
        return 141  # as for other commands
    except Exception as error:
        from evis.data.errors import DataError

        if not isinstance(error, DataError | OSError):
            raise
        print(f"evis: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evis", description="Reproduce five papers on video instance segmentation."
    )
    parser.add_argument("--version", action="version", version=f"evis {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_reproduce(commands)
    cli_train.add(commands)
    cli_predict.add(commands)
    cli_measure.add(commands)
    _add_data(commands)
    _add_results(commands)
    return parser


def _add_reproduce(commands) -> None:
    parser = add_command(
        commands,
        "reproduce",
        _reproduce,
        help="run the notebooks in order and write their figures",
        examples="  evis reproduce\n  evis reproduce --scale smoke --only 01 09 --recompute",
    )
    parser.add_argument(
        "--scale",
        choices=("smoke", "toy", "full"),
        default="toy",
        help="smoke: seconds; toy: every table and figure on generated data (the default); "
        "full: the real data sets, on GPUs",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NOTEBOOK",
        default=(),
        help="numbers or names of notebooks, such as 01 or 09_published_numbers",
    )
    parser.add_argument(
        "--recompute", action="store_true", help="measure again what data/results already holds"
    )
    parser.add_argument(
        "--store",
        action="store_true",
        help="put the outputs into notebooks/, as they are committed; run at the default scale",
    )


def _add_data(commands) -> None:
    parser = commands.add_parser("data", help="make toy sets, check real ones")
    kinds = parser.add_subparsers(metavar="COMMAND", required=True)
    toy = add_command(
        kinds,
        "toy",
        _data_toy,
        help="write a toy set in its real format",
        examples="  evis data toy toy-ytvis19 --root /tmp/toy --videos 20 --seed 1",
    )
    toy.add_argument("name", metavar="NAME", help="e.g. toy-ytvis19")
    toy.add_argument("--root", type=Path, required=True, metavar="DIR", help="where to write it")
    toy.add_argument("--videos", type=count, metavar="N", help="how many; default: the set's own")
    toy.add_argument(
        "--seed", type=int, default=0, metavar="S", help="fixes every byte; default: 0"
    )
    check = add_command(
        kinds,
        "check",
        _data_check,
        help="say what is there of a data set, and what is missing",
        description="Say what is there of a data set under --root, and what is missing.\n"
        "Without NAME, list the sets evis knows.",
        examples="  evis data check\n  evis data check youtube-vis-2019 --root /data/ytvis19",
    )
    check.add_argument("name", metavar="NAME", nargs="?", help="the set; see the list")
    check.add_argument("--root", type=Path, metavar="DIR", help="the folder that holds it")
    check.set_defaults(usage_error=check.error)


def _add_results(commands) -> None:
    parser = add_command(
        commands,
        "results",
        _results,
        help="list the measured results",
        description="List the measured results, a line each; … stands for numbers left out.",
        examples="  evis results\n  evis results --json",
    )
    parser.add_argument(
        "--json", action="store_true", help="whole rows, with every number and setting"
    )


def _reproduce(options: argparse.Namespace) -> int:
    from evis.companion import reproduce

    outcomes = reproduce.reproduce(options.scale, options.only, options.recompute, options.store)
    print(reproduce.report(outcomes))
    return int(any(outcome.failure for outcome in outcomes))


def _data_toy(options: argparse.Namespace) -> int:
    from evis.data import toy

    dataset = toy.build(options.name, options.root, videos=options.videos, seed=options.seed)
    print(f"{options.name}: {len(dataset.videos)} videos in {options.root}")
    return 0


def _data_check(options: argparse.Namespace) -> int:
    from evis.data import catalog

    if options.name is None:
        print("\n".join(catalog.names()))
        return 0
    if options.root is None:
        options.usage_error("--root DIR is needed to check a set")
    found = catalog.check(options.name, options.root)
    print("\n".join(found.lines))
    return 0 if found.complete else 1


def _results(options: argparse.Namespace) -> int:
    from evis.companion import store

    rows = store.rows()
    if options.json:
        print(json.dumps([{"key": row.key, **store.to_json(row)} for row in rows], indent=1))
    elif rows:
        print("\n".join(map(_listed, rows)))
    else:
        print("No measured results yet: notebooks write them to data/results.")
    return 0


_WIDTH = 160  # of a listed row


def _listed(row) -> str:
    """A line: where a row comes from, what it is of, and the first of its numbers, as room is."""
    commit = row.commit[:8] if row.commit else "no commit"
    device = row.machine["device"]
    parts = [
        row.key,
        row.date[:10],
        f"{commit}{'+' if row.dirty else ''}",
        _short(row.machine["cpu"] if device == "cpu" else device, 24),
        row.dataset,
        f"seed {row.seed}",
        _short(_in_words(row.recipe), 48),
        *(f"{name} {value:.4g}" for name, value in row.metrics.items()),
    ]
    whole = "  ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)
    (line,) = textwrap.wrap(whole, _WIDTH, max_lines=1, placeholder="  …", break_on_hyphens=False)
    return line.replace("\N{NO-BREAK SPACE}", " ")


def _in_words(recipe) -> str:
    """Name and settings; of stages the last one's name and model, since whole they fill pages.

    Rows whose stages end alike are told apart by their keys.
    """
    if "stages" in recipe:
        last = recipe["stages"][-1]
        return f"{recipe['name']}: {last['name']} {last['model']}"
    settings = (f"{name}={value}" for name, value in recipe.items() if name != "name")
    return " ".join((recipe["name"], *settings))


def _short(text: str, width: int) -> str:
    return textwrap.shorten(text, width, placeholder=" …")
