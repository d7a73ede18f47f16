"""Long tables as html that opens at a click, a part at a time, for reading and searching."""

import html
from collections.abc import Mapping

import pandas as pd

_LEFT = [{"selector": "td, th", "props": "text-align: left; vertical-align: top"}]


def table(texts: pd.DataFrame, by: str, colours: Mapping[str, str] | None = None) -> str:
    """A part a value of the column `by`, closed, with its name and number of lines.

    colours: text -> the colour that a cell of this text has.
    """
    parts = []
    for number, (name, part) in enumerate(texts.groupby(by, sort=False)):
        look = part.drop(columns=by).style.hide(axis="index").format(escape="html")
        look = look.map(lambda text: f"color: {colours[text]}" if text in (colours or ()) else "")
        shown = look.set_table_styles(_LEFT).to_html(table_uuid=f"part{number}")
        summary = f"<summary>{html.escape(str(name))}: {len(part)}</summary>"
        parts.append(f"<details>{summary}{shown}</details>")
    return "".join(parts)
