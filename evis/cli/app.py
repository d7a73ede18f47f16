"""The `evis` command. Each subcommand imports what it needs, so that `--help` is instant."""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from evis import __version__
from evis.cli import companion, data, label, predict, train


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="evis", description="Reproduce five papers on video instance segmentation."
    )
    whole.add_argument("--version", action="version", version=f"evis {__version__}")
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for module in (companion, train, predict, label, data):
        module.register(commands)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 fine, 1 something checked or run is not in order, 2 bad input or usage."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal without a letter gets its number
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            options = parser().parse_args(arguments)  # whose types look at the disk
            return options.function(options) or 0
        finally:
            print(end="", flush=True)  # what fails here is told below, at exit by a traceback
    except KeyboardInterrupt:
        print("evis: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `evis results | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor an error at exit
        return 141  # as for other commands
    except Exception as error:
        from evis.data.errors import DataError

        if isinstance(error, ImportError) and not (error.name or "").startswith("evis"):
            print(f"evis: {error}. pip install 'evis[train]' brings the rest", file=sys.stderr)
            return 2
        if not isinstance(error, DataError | OSError):
            raise
        is_of_file = isinstance(error, OSError) and error.filename is not None
        print(f"evis: {_of_file(error) if is_of_file else error}", file=sys.stderr)
        return 2


def _of_file(error: OSError) -> str:
    """What the system says of a file or folder, what was tried there, and what to do."""
    tried = "used" if os.path.lexists(error.filename) else "opened or made"
    remedy = "Check the path, what you may do there, and the room on its disk, or name another"
    return f"{str(error.filename)!r} can't be {tried}: {error.strerror}. {remedy}"
