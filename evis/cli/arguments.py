"""What the subcommands share: how one is made of a function, and numbers with a least value."""

import argparse
import inspect
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def add_command(
    commands, name: str, function: Callable[[argparse.Namespace], int | None], *aliases: str
) -> Callable[..., None]:
    """A subcommand that calls the function with its arguments; the docstring is its help.

    What comes back adds an argument: its name and what stands for its value, the help, and all else
    that argparse knows. The function gets the parser too, as `parser`, for arguments that do not go
    together.
    """
    description, _, examples = inspect.getdoc(function).partition("\n\nexamples:\n")
    parser = commands.add_parser(
        name,
        aliases=aliases,
        help=description.splitlines()[0].rstrip("."),
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(function=function, parser=parser)

    def add(spelt: str, explained: str, **settings) -> None:
        name, _, metavar = spelt.partition(" ")
        if metavar:
            settings["metavar"] = metavar
        if settings.get("default"):
            explained += "; default: %(default)s"
        parser.add_argument(name, help=explained, **settings)

    return add


MOST = 2**31 - 1  # more does not fit what counts in 32 bits


def whole(least: int, *words: str, most: int = MOST) -> Callable[[str], int | str]:
    """What reads a whole number from `least` to `most`, or one of the words."""

    def read(text: str) -> int | str:
        if text in words:
            return text
        if not text.isdecimal() or len(text) > len(str(most)) or not least <= int(text) <= most:
            wanted = f"from {least} on" if most == MOST else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {wanted}")
        return int(text)

    return read


count = whole(1)
processes = whole(1, most=1024)


def share(text: str) -> float:
    """What reads a number from 0 to 1."""
    with suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")


def is_one_file(one: str | Path, other: str | Path) -> bool:
    """Whether both are there, and are the same file or folder."""
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def chosen_device(asked: str) -> str:
    """What `--device` comes to: "auto" is a GPU, where torch sees one."""
    import torch

    from evis.data.errors import DataError

    has_gpu = torch.cuda.is_available()
    if asked == "cuda" and not has_gpu:
        remedy = "Give cpu, or cuda where torch sees a GPU"
        raise DataError(f"there is no device {asked!r} here", remedy=remedy)
    return ("cuda" if has_gpu else "cpu") if asked == "auto" else asked
