"""The `evis` command. Each subcommand imports what it needs, so that `--help` is instant."""

import argparse
import os
import sys
from collections.abc import Sequence

from evis import __version__
from evis.cli import companion, data, predict, train
from evis.cli.arguments import UsageError, add_command

COMMANDS = {
    "reproduce": companion.reproduce,
    "train": train.train,
    "predict": predict.predict,
    "evaluate": predict.evaluate,
    "measure": companion.measure,
    "data": {"toy": data.toy, "check": data.check},
    "results": companion.results,
}
GROUPS = {"data": "make toy sets, check real ones and your own"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 fine, 1 something checked or run is not in order, 2 bad input or usage."""
    given = vars(parser().parse_args(arguments))
    function, command = given.pop("function"), given.pop("parser")
    try:
        return function(**given) or 0
    except UsageError as error:
        command.error(str(error))
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
        told = str(error)
        if isinstance(error, OSError) and error.filename is not None:
            told = f"{error.strerror}: {str(error.filename)!r}"
        print(f"evis: {told}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="evis", description="Reproduce five papers on video instance segmentation."
    )
    whole.add_argument("--version", action="version", version=f"evis {__version__}")
    _add(whole, COMMANDS)
    return whole


def _add(whole: argparse.ArgumentParser, commands: dict) -> None:
    places = whole.add_subparsers(metavar="COMMAND", required=True)
    for name, command in commands.items():
        if isinstance(command, dict):
            _add(places.add_parser(name, help=GROUPS[name]), command)
        else:
            add_command(places, name, command)
