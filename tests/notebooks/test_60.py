"""Notebook 60: solutions to the exercises give what their text says, whatever rows there are."""

import re

import matplotlib
import nbformat
import pytest

from evis.companion import claims as ledgers
from evis.companion.plots import style
from evis.data import paths

matplotlib.use("agg")


@pytest.mark.slow
def test_solutions_and_the_sentences_that_rows_decide(monkeypatch, capsys):
    """At the smallest scale."""
    book = nbformat.read(paths.notebooks() / "60_what_is_a_label_worth.ipynb", as_version=4)
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, name: drawn.append(name))
    defined = {}
    for cell in book.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), defined)
            if "parameters" in cell.metadata.get("tags", []):
                defined["scale"] = "smoke"
    matplotlib.pyplot.close("all")
    assert drawn == [
        f"60_{name}"
        for name in ("costs", "worth", "shares", "equal_seconds", "added", "any_class", "ledgers")
    ]
    said = capsys.readouterr().out
    for question in (r"1: .* nine tenths: ([^;]+);", r"3: .* one click: ([^.]+)\."):
        (answer,) = re.findall(question, said)
        assert answer in ("yes", "no", "can't tell yet", "not measured yet")
    assert defined["counts"].loc["UVIS"].sum() == len(defined["pages"]["UVIS"])
    assert list(defined["counts"]) == list(ledgers.VERDICTS)

    (exercises,) = (cell.source for cell in book.cells if "## Exercises" in cell.source)
    cheaper, price = re.findall(r"```python\n(.*?)```", exercises, flags=re.DOTALL)
    exec(cheaper, defined)
    assert capsys.readouterr().out == "masks\n"
    exec(price, defined)
    seconds = int(capsys.readouterr().out.removesuffix(" seconds\n"))
    assert 45 <= seconds <= 55  # "about 50"; of other videos than the notebook's own forty
