"""A subcommand is a function: its signature gives the arguments, its docstring the help.

Parameters before the * are positional, the others flags: `shorter_side` is --shorter-side. A bool
is a switch, a Literal a choice, a tuple takes several values, a list may be repeated. The docstring
has a line for each, `threads N: CPU threads a process`, longer ones indented, and ends in examples.
"""

import argparse
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin


class UsageError(Exception):
    """Arguments that do not go together."""


def whole(least: int, *words: str) -> Callable[[str], int | str]:
    """What reads a whole number from `least` on, or one of the words."""

    def read(text: str) -> int | str:
        if text in words:
            return text
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
        return int(text)

    return read


Count = Annotated[int, whole(1)]
FromZero = Annotated[int, whole(0)]
_LINE = re.compile(r"^(\w+)(?: (\S+))?: (.*(?:\n  .*)*)", re.MULTILINE)


def add_command(commands, name: str, function: Callable[..., int | None]) -> None:
    """A subcommand that calls the function with what was given."""
    text, _, examples = inspect.getdoc(function).partition("\n\nexamples:\n")
    parameters = inspect.signature(function).parameters
    lines = {line[1]: line for line in _LINE.finditer(text) if line[1] in parameters}
    description = text[: min(line.start() for line in lines.values())].strip()
    parser = commands.add_parser(
        name,
        help=description.splitlines()[0].rstrip("."),
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(function=function, parser=parser)
    for parameter in parameters.values():
        _, metavar, explained = lines[parameter.name].groups()
        settings = _settings(parameter) | {"help": re.sub(r"\s+", " ", explained)}
        if type(parameter.default) in (int, float, str) and "default" not in explained:
            settings["help"] += f"; default: {parameter.default}"
        if metavar:
            settings["metavar"] = metavar
        is_flag = parameter.kind is parameter.KEYWORD_ONLY
        spelt = f"--{parameter.name.replace('_', '-')}" if is_flag else parameter.name
        parser.add_argument(spelt, **settings)


def _settings(parameter: inspect.Parameter) -> dict[str, Any]:
    """How many values of which kind, and what stands for none."""
    kind, is_flag = parameter.annotation, parameter.kind is parameter.KEYWORD_ONLY
    settings: dict[str, Any] = {}
    if parameter.default is not parameter.empty:
        settings["default"] = parameter.default
        if not is_flag:
            settings["nargs"] = "?"
    elif is_flag:
        settings["required"] = True
    if type(None) in get_args(kind):
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        kind, settings["nargs"] = get_args(kind)[0], "+" if is_flag else "*"
    elif get_origin(kind) is list:
        kind = get_args(kind)[0]
        settings |= {"action": "append", "default": []}
    if kind is bool:
        return settings | {"action": "store_true"}
    if get_origin(kind) is Literal:
        return settings | {"choices": get_args(kind)}
    return settings | {"type": get_args(kind)[1] if get_origin(kind) is Annotated else kind}
