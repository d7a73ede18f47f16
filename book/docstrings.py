"""Docstrings of this project as reStructuredText, for Sphinx's autodoc.

They are plain text: paragraphs, lists with dashes, what is indented as it stands, and what each
name means in lines with a hanging indent. So little of it is markup that the rest is escaped.
"""

import re
from itertools import groupby

_ITEM = re.compile(r"- |[\w*.,`/\"' ]{1,60}: ")


def restructured(lines: list[str]) -> list[str]:
    """One docstring, line by line, without its common indent."""
    written = []
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        paragraph = list(group)
        if blank:
            continue
        if all(line.startswith("    ") for line in paragraph):
            written += ["::", "", *paragraph]
        elif any(line.startswith(" ") for line in paragraph):
            written += _items(paragraph)
        else:
            written += [_escaped(line) for line in paragraph]
        written.append("")
    return written


def _items(paragraph: list[str]) -> list[str]:
    """Lines with a hanging indent, as a list; a sentence may come before it."""
    written, listed = [], False
    for line in paragraph:
        text = _escaped(line.strip())
        if line[0] != " " and _ITEM.match(line):
            written += [""] * (not listed) + ["- " + text.removeprefix("- ")]
            listed = True
        else:
            written.append("  " * listed + text)
    return written


def _escaped(line: str) -> str:
    line = re.sub(r"(?<=\w)_(?!\w)|\|", r"\\\g<0>", line)
    return line if re.search(r"\*[^*\s]([^*]*[^*\s])?\*(?!\w)", line) else line.replace("*", r"\*")


def process(app, what, name, thing, options, lines) -> None:
    """For Sphinx's event `autodoc-process-docstring`, which wants the list itself changed."""
    lines[:] = restructured(lines)
