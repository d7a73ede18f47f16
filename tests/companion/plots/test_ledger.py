"""Pictures and table of a ledger show every claim once, where it stands, with its verdict."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from evis.companion import claims as ledgers
from evis.companion.claims import Claim, Comparison, Finding, Side
from evis.companion.held_out import TEST
from evis.companion.plots import ledger as views

LEVELS = {"ours": 34.0, "base": 32.0, "longer": 33.99, "boxes": 32.02, "worse": 30.0}
NOISE = np.array([-0.3, 0.1, 0.25, -0.15, 0.05, 0.2, -0.05, -0.1, 0.02])


def compared(left: str, right: str, **how) -> tuple[Comparison, ...]:
    metric = how.pop("metric", "AP")
    sides = (Side(row, metric, "small", TEST) for row in (left, right))
    return (Comparison(*sides, **how),)


CLAIMS = [
    Claim("A1", "1", "ours above base", compared("ours", "base", published="1.5"), headline=True),
    Claim("A2", "1", "worse below base", compared("worse", "base", direction="lower")),
    Claim("A3", "1", "worse above base", compared("worse", "base"), quote="to the letter"),
    Claim("A4", "1", "boxes above base", compared("boxes", "base", metric="mIoU", published="3.0")),
    Claim("A5", "1", "boxes above base", compared("boxes", "base")),
    Claim("A6", "1", "no row is there", compared("absent", "base")),
    Claim("B1", "2", "it is so", check=lambda: Finding("holds", "a fact")),
    Claim("B2", "2", "who knows", untestable="nobody does"),
]
VERDICTS = {
    "A1": "holds",
    "A2": "holds",
    "A3": "contradicted",
    "A4": "no effect of the published size",
    "A5": "can't tell",
    "A6": "not measured yet",
    "B1": "holds",
    "B2": "not testable here",
}
DECIDED = list(VERDICTS)[:6]


@pytest.fixture(scope="module")
def ledger() -> pd.DataFrame:
    claims = [replace(claim, group=f"part {claim.place}") for claim in CLAIMS]
    lines = [
        {"row": row, "seed": n, "first": n, "AP": mean + shift, "mIoU": mean + shift}
        for at, (row, mean) in enumerate(LEVELS.items())
        for n, shift in enumerate(np.roll(NOISE, at))
    ]
    rows = pd.DataFrame(lines)

    def control(test: Comparison) -> Comparison | None:
        against = replace(test, right=replace(test.right, row="longer"))
        return against if test.left.row == "ours" else None

    found = ledgers.verdicts(claims, lambda size, held_out: rows, control)
    assert dict(zip(found["id"], found["verdict"], strict=True)) == VERDICTS
    return found


def test_forest_has_a_line_for_each_claim_that_rows_decide(ledger):
    figure = views.forest(ledger)
    assert [axes.get_title() for axes in figure.axes] == ["AP", "mIoU"]
    labels = [
        [tick.get_text().splitlines() for tick in axes.get_yticklabels()] for axes in figure.axes
    ]
    assert [len(of) for of in labels] == [5, 1]
    assert labels[0][0] == ["ours above base", "ours − base: 9 units"]
    assert labels[0][-1] == ["no row is there", "absent − base"]
    by_group = views.forest(ledger, "group")
    assert [axes.get_title() for axes in by_group.axes] == ["part 1"]


def test_what_is_claimed_is_to_the_right_whatever_its_sign(ledger):
    data = views.intervals(ledger, {})
    of_control, data = data[data["marker"] == "v"], data[data["marker"] == "o"]
    data = data.set_index(pd.Index(DECIDED))
    assert (data.loc[["A1", "A2"], "low"] > 0).all() and data.loc["A3", "high"] < 0
    measured = data.drop("A6")
    assert (measured["low"] <= measured["mean"]).all()
    assert (measured["mean"] <= measured["high"]).all()
    assert data.loc["A2", "mean"] == -data.loc["A3", "mean"] > 0
    assert data["published"].dropna().to_dict() == {"A1": 1.5, "A4": 3.0}
    (line,) = of_control.to_dict("records")
    assert line["label"] == data.loc["A1", "label"] and abs(line["mean"]) < 0.1


def test_the_verdict_stands_beside_it_in_words(ledger):
    """Of nine units all stand, if p after Holm's correction is not put up by hand."""
    data = views.intervals(ledger, views.SHORT | {"holds": "yes"})
    texts = dict(zip(DECIDED, data["text"], strict=False))
    assert texts["A1"] == "yes\ncontrol: below the published size"
    assert texts["A3"] == "contradicted"
    assert texts["A4"] == "below the published size"
    assert texts["A5"] == "can't tell" and texts["A6"] == "not measured yet"
    fallen = ledger.assign(**{"p, Holm": 0.06, "p of size, Holm": 0.06})
    texts = dict(zip(DECIDED, views.intervals(fallen, {})["text"], strict=False))
    assert (
        texts["A1"].startswith("holds, falls\ncontrol: ") and texts["A3"] == "contradicted, falls"
    )
    assert texts["A5"] == "can't tell"


def test_every_claim_is_a_tile_in_its_verdicts_colour(ledger):
    figure = views.tiles(ledger)
    (axes,) = figure.axes
    tiles = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    names = {text.get_text().partition("$")[0]: text for text in axes.texts}
    assert len(tiles) == len(names) == len(CLAIMS) and set(names) == set(VERDICTS)
    for name, text in names.items():
        (tile,) = (
            t for t in tiles if t.contains_point(axes.transData.transform(text.get_position()))
        )
        assert tile.get_facecolor()[:3] == to_rgb(views.COLOURS[VERDICTS[name]]), name
        framed = tile.get_edgecolor()[:3] == (0, 0, 0)
        assert framed == (name == "A1")
        assert (text.get_style() == "italic") == (name == "B1")
        starred = "*" in text.get_text()
        stands = ledgers.stands(ledger.set_index("id").loc[name])
        assert starred == bool(stands), name
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["part 1", "part 2"]
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told[:3] == ["holds: 3", "no effect of the published size: 1", "contradicted: 1"]


def test_tiles_of_one_verdict_stand_together(ledger):
    figure = views.tiles(ledger)
    order = [text.get_text().partition("$")[0] for text in figure.axes[0].texts]
    assert order == ["A1", "A2", "A4", "A3", "A5", "A6", "B1", "B2"]


def test_table_says_what_stands_and_of_the_control_too(ledger):
    text = views.table(ledger)
    for of_control in (False, True):
        found = [ledgers.stands(line, of_control) for line in ledger.to_dict("records")]
        words = [", stands<" if of_control else ">stands<", ", falls<" if of_control else ">falls<"]
        assert [text.count(word) for word in words] == [found.count(True), found.count(False)]
    assert "no effect of the published size" in text


def test_table_has_a_line_for_each_claim_and_marks_what_is_quoted(ledger):
    text = views.table(ledger)
    ids = re.findall(r'<td[^>]*col0"\s*>([^<]+)</td>', text)
    assert sorted(ids) == sorted(ledger["id"])
    assert text.count("“") == 1 and "“to the letter”" in text
