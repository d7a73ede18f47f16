"""Notebook 60: solutions to the exercises give what their text says, whatever rows there are."""

import re

import pytest

from evis.companion import claims as ledgers
from evis.companion.plots import style


@pytest.mark.slow
def test_solutions_and_the_sentences_that_rows_decide(solved, monkeypatch, capsys):
    """At the smallest scale."""
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, name: drawn.append(name))
    defined, (cheaper, price) = solved("60_what_is_a_label_worth")
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

    exec(cheaper, defined)
    assert capsys.readouterr().out == "masks\n"
    exec(price, defined)
    seconds = int(capsys.readouterr().out.removesuffix(" seconds\n"))
    assert 45 <= seconds <= 55  # "about 50"; of other videos than the notebook's own forty
