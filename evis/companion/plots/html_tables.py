"""Published tables and audit findings as html, for reading, searching and copying."""

import html
import re

import pandas as pd

from evis.companion import published
from evis.companion.plots import atlas


def folded(paper: str) -> str:
    """The atlas's tables as html text that can be searched and copied; each opens at a click."""
    return "".join(
        f"<details><summary>{published.PAPERS[paper][0]}, {published.title(paper, table)}</summary>"
        f"{_html(atlas.grid(paper, table))}</details>"
        for table in published.tables(paper).table.unique()
    )


def _html(shown: atlas.Grid) -> str:
    names = [": ".join(filter(None, column)) for column in shown.columns]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ["", "labels", *names])
    body = []
    for row, label in enumerate(shown.labels):
        first = f"{label} ({shown.groups[row]})" if shown.headed else label
        texts = [html.escape(re.sub(r"</?u>", "", text)) for text in shown.text[row]]
        cells = "".join(
            f"<td>{text}</td>" for text in [html.escape(first), shown.levels[row], *texts]
        )
        body.append(f"<tr>{cells}</tr>")
    return f"<table><tr>{head}</tr>{''.join(body)}</table>"


def findings_table(findings: pd.DataFrame) -> str:
    """The findings as an html table."""
    heads = ("Paper", "Place", "What is compared", "Printed", "From the other numbers", "Note")
    rows = []
    for found in findings.itertuples():
        paper = published.PAPERS.get(found.paper, (found.paper, 0))[0]
        place, printed, expected = (
            html.escape(several).replace("; ", "<br>")
            for several in (found.place, found.printed, found.expected)
        )
        says, note = html.escape(found.says), html.escape(found.note)
        texts = [paper, place, says, printed, expected, note]
        rows.append("".join(f'<td style="text-align:left">{text}</td>' for text in texts))
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in heads)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
