"""What the subcommands share: how one is made of a function, and numbers with a least value."""

import argparse
import inspect
from collections.abc import Callable


def add_command(
    commands, name: str, function: Callable[[argparse.Namespace], int | None]
) -> Callable[..., None]:
    """A subcommand that calls the function with its arguments; the docstring is its help.

    What comes back adds an argument: its name and what stands for its value, the help, and all else
    that argparse knows. The function gets the parser too, as `parser`, for arguments that do not go
    together.
    """
    description, _, examples = inspect.getdoc(function).partition("\n\nexamples:\n")
    parser = commands.add_parser(
        name,
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


def whole(least: int, *words: str) -> Callable[[str], int | str]:
    """What reads a whole number from `least` on, or one of the words."""

    def read(text: str) -> int | str:
        if text in words:
            return text
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
        return int(text)

    return read


count = whole(1)
