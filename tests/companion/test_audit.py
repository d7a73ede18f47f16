"""The audit finds what is wrong in the papers, and its rules fire on wrong numbers only."""

import itertools
import math
from collections.abc import Iterable

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evis.companion import audit, formulas, published
from evis.data.errors import DataError

CONTRADICTION, OPEN, LAST_DIGIT = audit.CONTRADICTION, audit.OPEN, audit.LAST_DIGIT

# paper | place | as printed
FOUND = {
    CONTRADICTION: """
eigen-cluster-vis | II-C, first paragraph | [60]
eigen-cluster-vis | Fig. 2, caption | [48]
eigen-cluster-vis | III-C, step 4 | sum
eigen-cluster-vis | Eq. (14) | (t + 1, 0) at t = T - 1
eigen-cluster-vis | III-E, first sentence | [48]
eigen-cluster-vis | IV-A | 3032
eigen-cluster-vis | IV-D, first sentence | [48]
eigen-cluster-vis | IV-D, second paragraph | [48]
eigen-cluster-vis | IV-D, Table V | 2
eigen-cluster-vis | Table I, R101 group, row citing [8] | SegFormer
eigen-cluster-vis | Table I, R101 group, row citing [81] | VMAT
eigen-cluster-vis | Table I, Swin-L group, row citing [81] | VMAT
eigen-cluster-vis | Table II, last row, AP | 44.0
eigen-cluster-vis | Table II, last row, AP50 | 68.9
eigen-cluster-vis | Table II, last row, AP75 | 48.0
eigen-cluster-vis | Table II, last row, AR1 | 41.9
eigen-cluster-vis | Table II, last row, AR10 | 52.0
flowcut | 1 | 50% or higher
flowcut | 3.4, first sentence | 3.2 and 3.2
flowcut | Algorithm 1, line 10 | M
flowcut | Table 1, FlowCut, DAVIS-2017-Motion | 58.3
pm-vis | IV-A (4483 objects in 2883 videos) | 1.56
pm-vis | Table XI, YouTube-VIS 2019 val, AR1, boxes | 49.7 (IDOL-BoxInst)
pm-vis | Table XI, YouTube-VIS 2019 val, AR10, boxes | 61.3 (IDOL-BoxInst)
pointvis | 1, observation 3 | more than 0
pointvis | 3.2, maskness score | "x, y, z"
pointvis | Table 6, MinVIS | [19]
uvis | Abstract | 21.1
uvis | 4.3, tracking memory | 0.4
uvis | Table 4, C0 | 0.4
uvis | Table 4, caption | YouTube-VIS 2019 val
""",
    OPEN: """
eigen-cluster-vis | Abstract | 0
eigen-cluster-vis | Eq. (10) | sum (L1 norm)
eigen-cluster-vis | IV-D, components | TEL and QCC
eigen-cluster-vis | Table I, DVIS [51], Swin-L, AP50 | 78.2
eigen-cluster-vis | Table I, Mask2Former + BoxInst, R50, AP50 | 64.2
eigen-cluster-vis | Table I, Mask2Former + BoxInst, R50, AP75 | 38.5
eigen-cluster-vis | Table I, Mask2Former + BoxInst, R50, AR1 | 38.0
eigen-cluster-vis | Table I, Mask2Former + BoxInst, R50, AR10 | 46.8
flowcut | 4.3 | more than 0
flowcut | Table 4, caption | more than 0
flowcut | Table 4, caption | more than 0
pm-vis | I, last contribution | more than 0
pm-vis | I, last contribution | more than 0
pm-vis | I, last contribution | more than 0
pm-vis | IV-C 3 | 0.5
uvis | References [36] and [37] | 2
uvis | Table 4, C2 | 47.3
uvis | Table 4, C3 | 26.7
""",
    LAST_DIGIT: """
pointvis | 4.2, YouTube-VIS 2019 | 96.7
pointvis | 4.3.1 | 5.7
pointvis | 4.3.1 | 85.6
pointvis | Table 1, PointVIS (P1N1) | YouTube-VIS-2019, AP, YouTube-VIS 2019 val | 96.7%
""",
}


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return audit.run()


def cell(row: int, metric: str, printed: str, **other) -> dict:
    """One line of a made-up table; its value is the first number in the printed cell."""
    number = printed.strip("<u>/").lstrip("+").split(" ")[0]
    line = dict.fromkeys(published.COLUMNS, "") | {
        "paper": "made-up",
        "table": 1,
        "row": row,
        "row_label": f"row {row}",
        "method": f"method {row}",
        "backbone": "R50",
        "supervision": "masks",
        "dataset": "set",
        "metric": metric,
        "value": float("nan") if printed == "-" else float(number),
        "as_printed": printed,
        "kind": "result",
    }
    return line | other


def column(checks: Iterable[audit.Check], name: str) -> list[str]:
    """Of the checks that failed."""
    return [getattr(check, name) for check in checks if check.severity]


def severities(checks: Iterable[audit.Check]) -> list[str]:
    return column(checks, "severity")


# What is found in the papers ---------------------------------------------------------------------


@pytest.mark.parametrize("severity", FOUND)
def test_what_is_found_in_the_papers(found, severity):
    lines = found[found.severity == severity]
    keys = [f"{line.paper} | {line.place} | {line.printed}" for line in lines.itertuples()]
    assert sorted(keys) == sorted(FOUND[severity].strip().splitlines())


def test_worse_findings_come_first_in_the_promised_columns(found):
    assert tuple(found.columns) == audit.COLUMNS
    order = [name for name, _ in itertools.groupby(found.severity)]
    assert order == [CONTRADICTION, OPEN, LAST_DIGIT]
    assert list(found.index) == list(range(len(found)))
    assert (found[["kind", "paper", "place", "says", "printed", "expected"]] != "").all(axis=None)


@pytest.mark.slow
def test_findings_for_reading_are_the_same_ones_in_fewer_rows(found):
    grouped = audit.findings()
    assert tuple(grouped.columns) == audit.COLUMNS
    assert len(grouped) < len(found)
    assert sum(len(row.split("; ")) for row in grouped.place) == len(found)


@pytest.mark.parametrize(
    ("paper", "place", "expected"),
    [
        ("flowcut", "Table 1, FlowCut, DAVIS-2017-Motion", "55.4 = "),
        ("uvis", "Abstract", "21.4 = "),
        ("uvis", "Table 4, C0", "0.7 = "),
        ("pm-vis", "Table XI, YouTube-VIS 2019 val, AR1, boxes", "50.7 (MaskFreeVIS)"),
        ("pm-vis", "Table XI, YouTube-VIS 2019 val, AR10, boxes", "62.2 (MaskFreeVIS)"),
        ("eigen-cluster-vis", "Table II, last row, AP", "43.6 = "),
        ("eigen-cluster-vis", "IV-A", "2985 "),
        ("pointvis", "1, observation 3", "-0.5 = "),
    ],
)
def test_the_number_that_should_stand_there(found, paper, place, expected):
    line = found[(found.paper == paper) & (found.place == place)]
    assert len(line) == 1
    assert line.expected.item().startswith(expected)


def test_a_number_that_stands_for_two_differences_is_not_reported(found):
    """UVIS's 8.9 AP is 21.4 - 12.5 as well as 30.3 - 21.4."""
    assert not (found.printed == "8.9").any()


@pytest.mark.slow
def test_the_number_of_checks_is_told(found):
    counts, cells = audit.checks(), published.tables()
    checks = counts.checks
    assert checks["J&F means"] == ((cells.metric == "J&F") & cells.value.notna()).sum() == 8
    assert checks["retention percentages"] == 20 + 10 + 8  # Tables 1 (P1, P1N1 on 3 sets) and 6
    assert checks["gain cells"] == 2 * 7 + 2 * 2 * 7  # FlowCut's Tables 2, 3 and 4, 5
    assert checks["second-best marks"] == 2 * 2 * 3 * 5  # 2 tables, 2 supervisions, 3 sets
    assert (checks > 0).all()
    assert counts[list(audit.SEVERITIES)].to_numpy().sum() == len(found)
    assert (counts.drop(columns="checks").sum(axis=1) == checks).all()


# Rounding ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "severity"),
    [
        ("58.2", None),  # 58.25 may be rounded either way
        ("58.3", None),
        ("58.25", None),
        ("58", None),
        ("58.1", CONTRADICTION),
        ("58.4", CONTRADICTION),
        ("58.24", LAST_DIGIT),
        ("59", CONTRADICTION),
    ],
)
def test_half_a_digit_may_be_rounded_either_way(printed, severity):
    cells = pd.DataFrame([cell(1, "J", "58.0"), cell(1, "F", "58.5")])
    outcome = formulas.evaluate("([made-up/1/1/J] + [made-up/1/1/F]) / 2", cells)
    assert (outcome.value, outcome.lowest, outcome.highest) == pytest.approx((58.25, 58.2, 58.3))
    assert audit.judge(printed, outcome) == severity


@given(
    st.floats(1, 100),
    st.floats(1, 100),
    st.sampled_from(["{0} - {1}", "({0} + {1}) / 2", "100 * {0} / {1}", "{0} * {1} - {1}"]),
)
def test_numbers_rounded_after_the_sum_are_never_contradictions(first, second, form):
    """Whoever computes on unrounded numbers and rounds all for print is at worst a digit off."""
    exact = eval(form.format(first, second))
    assume(exact >= 0)
    cells = pd.DataFrame([cell(1, "AP", f"{first:.1f}"), cell(2, "AP", f"{second:.1f}")])
    outcome = formulas.evaluate(form.format("[made-up/1/1/AP]", "[made-up/1/2/AP]"), cells)
    assert outcome.lowest <= exact <= outcome.highest
    assert audit.judge(f"{exact:.1f}", outcome) in (None, LAST_DIGIT)


@given(st.integers(0, 999), st.integers(0, 999))
def test_differences_of_printed_numbers_are_right_whatever_their_binary_form(first, second):
    first, second = max(first, second), min(first, second)
    cells = pd.DataFrame([cell(1, "AP", f"{first / 10}"), cell(2, "AP", f"{second / 10}")])
    outcome = formulas.evaluate("[made-up/1/1/AP] - [made-up/1/2/AP]", cells)
    assert audit.judge(f"{(first - second) / 10:.1f}", outcome) is None
    assert audit.judge(f"{(first - second + 2) / 10:.1f}", outcome) == CONTRADICTION


# Formulas ----------------------------------------------------------------------------------------

OPERANDS = pd.DataFrame(
    [
        cell(1, "AP", "40.0"),
        cell(2, "AP", "10"),
        cell(3, "AP (1% frames)", "55.0 (93.2%)"),
        cell(4, "AP", "1.0", dataset="one"),
        cell(4, "AP", "2.0", dataset="two"),
        cell(5, "AP", "-"),
    ]
)


@pytest.mark.parametrize(
    ("formula", "value", "lowest", "highest"),
    [
        ("[made-up/1/1/AP]", 40, 39.95, 40.05),
        ("[made-up/1/2/AP]", 10, 9.5, 10.5),
        ("[made-up/1/1/AP] - [made-up/1/2/AP]", 30, 29.45, 30.55),
        ("100 * [made-up/1/2/AP] / [made-up/1/1/AP]", 25, 950 / 40.05, 1050 / 39.95),
        ("-([made-up/1/1/AP] + 1.5) * 2", -83, -83.1, -82.9),
        ("[made-up/1/3/AP (1% frames)]", 55, 54.95, 55.05),
        ("[made-up/1/4/AP@two] - [made-up/1/4/AP@one]", 1, 0.9, 1.1),
        ("3 - 2 - 1", 0, 0, 0),
        ("12 / 2 / 3", 2, 2, 2),
    ],
)
def test_formulas_are_worked_out_with_their_range(formula, value, lowest, highest):
    outcome = formulas.evaluate(formula, OPERANDS)
    assert (outcome.value, outcome.lowest, outcome.highest) == pytest.approx(
        (value, lowest, highest)
    )


@pytest.mark.parametrize(
    ("formula", "complaint"),
    [
        ("[made-up/1/9/AP]", "'made-up/1/9/AP' names 0 printed cells"),
        ("[made-up/1/4/AP]", "'made-up/1/4/AP' names 2 printed cells"),
        ("[made-up/1/4/AP@three]", "names 0 printed cells"),
        ("[made-up/1/AP]", "'made-up/1/AP' names no cell"),
        ("[made-up/I/1/AP]", "'made-up/I/1/AP' names no cell"),
        ("[made-up/1/1/AP] ** 2", "only . - . / are understood"),
        ("max([made-up/1/1/AP], 1)", "only . - . / are understood"),
        ("[made-up/1/1/AP] > 1", "only . - . / are understood"),
        ("AP - 1", "only . - . / are understood.*'AP'"),
        ("[made-up/1/5/AP] - 1", "made-up/1/5/AP.*no number"),
    ],
)
def test_a_formula_that_makes_no_sense_is_refused(formula, complaint):
    with pytest.raises(DataError, match=complaint):
        formulas.evaluate(formula, OPERANDS)


@pytest.mark.parametrize("formula", ["[made-up/1/1/AP] -", "", "(1", "[made-up/1/1/AP] / 0"])
def test_a_broken_formula_is_named(formula):
    with pytest.raises(DataError):
        formulas.evaluate(formula, OPERANDS)


@pytest.mark.parametrize(
    ("printed", "digits"),
    [("58.25", 2), ("47.4", 1), ("10", 0), ("+0.9", 1), ("53.9 (87.5%)", 1), ("<u>46.6</u>", 1)],
)
def test_decimals_are_those_of_the_first_number(printed, digits):
    assert formulas.decimals(printed) == digits


# The rules over tables ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "boundary", "mean", "severity"),
    [
        ("53.3", "57.5", "58.3", [CONTRADICTION]),
        ("53.3", "57.5", "55.4", []),
        ("44.9", "34.2", "39.5", []),
        ("44.9", "34.2", "39.6", []),
        ("58.0", "58.4", "58.3", [LAST_DIGIT]),
        ("58.0", "58.4", "58.4", [CONTRADICTION]),
        ("-", "-", "-", []),
    ],
)
def test_a_mean_of_j_and_f(region, boundary, mean, severity):
    cells = pd.DataFrame([cell(1, "J&F", mean), cell(1, "J", region), cell(1, "F", boundary)])
    rows = audit.judged(cells, audit.means_of_j_and_f(cells))
    assert severities(rows) == severity
    if severity:
        assert column(rows, "printed") == [mean]
        assert column(rows, "place") == ["Table 1, row 1, set"]


@pytest.mark.parametrize(
    ("printed", "severity"),
    [("96.8", []), ("97", []), ("96.7", [LAST_DIGIT]), ("95.0", [CONTRADICTION])],
)
def test_a_retention_percentage(printed, severity):
    both = f"59.6 ({printed}%)"
    share = {"as_printed": both, "kind": "derived"}
    cells = pd.DataFrame(
        [
            cell(1, "AP", "61.6", method="MinVIS"),
            cell(2, "AP", both),
            cell(2, "AP retention %", printed, **share),
            cell(3, "AP", "10.0", method="MinVIS", dataset="another set"),
        ]
    )
    rows = audit.judged(cells, audit.retention(cells))
    assert severities(rows) == severity
    assert column(rows, "printed") == [f"{printed}%"] * len(severity)


def gain_table(gain: str, label: str) -> pd.DataFrame:
    """Three methods and a row of gains: the last of them over the better or the nearer before."""
    numbers = "20.0", "30.0", "25.0"
    lines = [cell(row, "AP", number) for row, number in enumerate(numbers, start=1)]
    return pd.DataFrame([*lines, cell(4, "AP gain", gain, row_label=label, kind="derived")])


@pytest.mark.parametrize(
    ("gain", "label", "severity"),
    [
        ("-5.0", "vs. prev. SOTA", []),  # over row 2, the best before
        ("+5.0", "vs. prev. SOTA", [CONTRADICTION]),  # over row 1
        ("-5.1", "vs. prev. SOTA", [LAST_DIGIT]),
        ("-5.0", "2021 | Improvement", []),  # over row 2, the one above
        ("+5.0", "2021 | Improvement", [CONTRADICTION]),
    ],
)
def test_a_row_of_gains(gain, label, severity):
    assert severities(gains(gain_table(gain, label))) == severity


def gains(cells: pd.DataFrame) -> list[audit.Check]:
    return audit.judged(cells, audit.gain_rows(cells))


def test_a_row_of_improvements_looks_at_its_own_block_only():
    cells = gain_table("-5.0", "Improvement")
    cells.loc[0, ["value", "as_printed"]] = 90.0, "90.0"
    assert severities(gains(cells)) == []
    cells.row_label = cells.row_label.replace("Improvement", "vs. prev. SOTA")
    assert severities(gains(cells)) == [CONTRADICTION]


@pytest.mark.parametrize(
    ("printed", "wrong"),
    [
        (["50.0", "<u>49.0</u>", "48.0"], False),
        (["50.0", "<u>49.0</u>", "<u>49.0</u>"], False),
        (["50.0", "50.0", "<u>49.0</u>"], False),  # two best
        (["50.0", "50.0", "50.0"], False),
        (["50.0", "-", "-"], False),
        (["50.0", "49.0", "<u>48.0</u>"], True),
        (["50.0", "49.0", "48.0"], True),
        (["<u>50.0</u>", "<u>49.0</u>", "48.0"], True),
        (["50.0", "<u>49.0</u>", "49.0"], True),
    ],
)
def test_an_underline_marks_the_second_best(printed, wrong):
    table = {"paper": "pm-vis", "table": 10}
    cells = pd.DataFrame([cell(row, "AP", text, **table) for row, text in enumerate(printed, 1)])
    assert severities(audit.second_best_marks(cells)) == [CONTRADICTION] * wrong


def test_underlines_are_held_against_one_supervision_at_a_time():
    table = {"paper": "pm-vis", "table": 10}
    masks = [cell(1, "AP", "50.0", **table), cell(2, "AP", "<u>49.0</u>", **table)]
    boxes = [
        cell(3, "AP", "46.0", supervision="boxes", **table),
        cell(4, "AP", "<u>45.0</u>", supervision="boxes", **table),
    ]
    assert severities(audit.second_best_marks(pd.DataFrame(masks + boxes))) == []


@pytest.mark.parametrize(("odd", "wrong"), [("78.2", True), ("83.0", False), ("95.9", True)])
def test_ap50_is_held_against_rows_of_like_ap(odd, wrong):
    """1.39 times AP in five rows; 1.27, 1.35 and 1.56 times in the sixth, 5% off being allowed."""
    pairs = [(60 + n, f"{1.39 * (60 + n):.1f}") for n in range(5)] + [(61.5, odd)]
    lines = [
        cell(row, metric, str(value))
        for row, pair in enumerate(pairs, 1)
        for metric, value in zip(("AP", "AP50"), pair, strict=True)
    ]
    far = [cell(7, "AP", "40.0"), cell(7, "AP50", "90.0")]  # no row is near
    checks = list(audit.proportions(pd.DataFrame(lines + far)))
    assert len(checks) == 6
    assert [check.printed for check in checks if check.severity] == [odd] * wrong
    assert severities(audit.proportions(pd.DataFrame(lines[:10]))) == []  # too few rows


def quoted(paper: str, printed: str, supervision: str = "masks", **other) -> dict:
    line = cell(1, "AP", printed, method="MinVIS", paper=paper, supervision=supervision)
    return line | other


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ([quoted("a", "61.6"), quoted("b", "61.6")], False),
        ([quoted("a", "61.6"), quoted("b", "61.5")], True),
        ([quoted("a", "61.6"), quoted("a", "61.5", row=2)], False),  # one paper, two settings
        ([quoted("a", "61.6"), quoted("b", "61.5", backbone="R101")], False),
        ([quoted("a", "61.6"), quoted("b", "61.5", backbone="")], False),
        ([quoted("a", "61.6"), quoted("b", "61.5", dataset="another")], False),
        ([quoted("a", "61.6"), quoted("b", "61.5", method="IDOL")], False),
        ([quoted("a", "61.6"), quoted("b", "61.5", "boxes")], False),
        ([quoted("a", "61.6"), quoted("b", "61.5", "images: masks; videos: masks")], True),
        ([quoted("a", "61.6"), quoted("b", "-")], False),
        ([quoted("a", "61.6"), quoted("b", "61.5", kind="setting")], False),
    ],
)
def test_one_method_quoted_by_two_papers(lines, wrong):
    cells = pd.DataFrame(lines)
    rows = list(audit.quotations(cells))
    assert severities(rows) == [CONTRADICTION] * wrong
    if wrong:
        assert column(rows, "paper") == ["a, b"]


def test_a_quotation_that_says_less_is_held_against_the_variant_whose_ap_it_has():
    """As MaskFreeVIS's: published with COCO's masks and with its boxes, quoted as "boxes"."""
    with_masks = "images: masks; videos: boxes"
    with_boxes = "images: boxes; videos: boxes"
    told = [
        quoted("a", "46.6", with_masks),
        quoted("b", "42.5", with_boxes),
        quoted("a", "30.0", with_masks, dataset="another"),
        quoted("b", "20.0", with_boxes, dataset="another"),
    ]
    fits = quoted("c", "46.6", "boxes"), quoted("c", "30.0", "boxes", dataset="another")
    assert severities(audit.quotations(pd.DataFrame([*told, *fits]))) == []
    strays = quoted("c", "46.6", "boxes"), quoted("c", "20.0", "boxes", dataset="another")
    rows = list(audit.quotations(pd.DataFrame([*told, *strays])))
    assert [*column(rows, "printed"), *column(rows, "expected")] == ["30.0", "20.0"]


# The rules over what the texts say ---------------------------------------------------------------


def texts(lines: list[dict]) -> pd.DataFrame:
    """Made-up lines in place of statements.csv, facts.csv or names.csv."""
    return pd.DataFrame(lines, dtype=str)


@pytest.mark.parametrize(
    ("relation", "number", "formula", "reading", "severity"),
    [
        ("=", "30.0", "[made-up/1/1/AP] - [made-up/1/2/AP]", "", []),
        ("=", "30", "[made-up/1/1/AP] - [made-up/1/2/AP]", "", []),
        ("=", "30.5", "[made-up/1/1/AP] - [made-up/1/2/AP]", "", [LAST_DIGIT]),
        ("=", "31.0", "[made-up/1/1/AP] - [made-up/1/2/AP]", "", [CONTRADICTION]),
        ("=", "31.0", "[made-up/1/1/AP] - [made-up/1/2/AP]", OPEN, [OPEN]),
        (">", "0", "[made-up/1/1/AP] - [made-up/1/2/AP]", "", []),
        (">", "0", "[made-up/1/1/AP] - [made-up/1/1/AP]", "", [CONTRADICTION]),
        (">", "0", "[made-up/1/2/AP] - [made-up/1/1/AP]", "", [CONTRADICTION]),
        (">=", "40", "[made-up/1/1/AP]", "", []),
        (">=", "41", "[made-up/1/1/AP]", "", [CONTRADICTION]),
        ("<=", "2", "2", "", []),
        ("<=", "2", "1", "", [CONTRADICTION]),
    ],
)
def test_a_statement_and_its_formula(relation, number, formula, reading, severity):
    line = {"paper": "made-up", "place": "4.2", "says": "a gain", "kind": "text against table"}
    line |= {"relation": relation, "number": number, "formula": formula}
    lines = texts([line | {"reading": reading, "note": "why"}])
    rows = audit.judged(OPERANDS, lines.itertuples())
    assert severities(rows) == severity
    assert column(rows, "place") == ["4.2"] * len(severity)
    assert column(rows, "note") == ["why"] * len(severity)


def facts(*values: str, noted: str = "") -> list[dict]:
    line = {"subject": "videos", "place": "4.1"}
    return [
        line | {"value": value, "paper": f"paper {i}", "note": "why" if value == noted else ""}
        for i, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("lines", "odd"),
    [
        (facts("2985", "2985"), []),
        (facts("2985"), []),
        (facts("5.80", "5.8"), []),
        (facts("3032", "2985", "2985"), ["3032"]),
        (facts("2985", "3032", "2985", "3000"), ["3032", "3000"]),
        (facts("1.69", "1.56", noted="1.56"), ["1.56"]),
    ],
)
def test_a_fact_given_differently(lines, odd):
    rows = list(audit.facts(texts(lines)))
    assert column(rows, "printed") == odd
    assert severities(rows) == [CONTRADICTION] * len(odd)


def test_two_facts_that_differ_are_reported_without_a_note_too():
    assert severities(audit.facts(texts(facts("1.69", "1.56"))))


def test_a_fact_of_another_subject_is_no_contradiction():
    lines = facts("2985") + [line | {"subject": "masks"} for line in facts("232")]
    assert list(audit.facts(texts(lines))) == []


def test_a_name_that_is_not_the_expected_one():
    line = {"paper": "made-up", "place": "Table I", "says": "what [8] describes", "note": "why"}
    line["reading"] = ""
    lines = texts(
        [
            line | {"printed": "SeqFormer", "expected": "SeqFormer"},
            line | {"printed": "SegFormer", "expected": "SeqFormer"},
            line | {"printed": "sum", "expected": "mean", "reading": OPEN},
        ]
    )
    rows = list(audit.names(lines))
    assert column(rows, "printed") == ["SegFormer", "sum"]
    assert severities(rows) == [CONTRADICTION, OPEN]


# The data behind the rules -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["statements", "facts", "names"])
def test_the_lines_about_the_texts_are_whole(name):
    table = audit._read(name)
    assert set(table.paper) <= set(published.PAPERS)
    may_be_empty = [column for column in ("note", "reading") if column in table]
    assert (table.drop(columns=may_be_empty) != "").all(axis=None)
    assert not table.duplicated().any()


def test_statements_use_known_words_and_formulas_over_printed_cells():
    table = audit._read("statements")
    cells = published.tables()
    assert set(table.relation) <= {"=", ">", ">=", "<="}
    assert set(table.reading) <= {"", OPEN}
    for statement in table.itertuples():
        assert math.isfinite(formulas.evaluate(statement.formula, cells).value)
        assert math.isfinite(float(statement.number))
        own = formulas.references(statement.formula)
        assert own or statement.formula == "1", statement
        if "another paper" not in statement.kind:
            assert {name.split("/")[0] for name in own} <= {statement.paper}, statement


def test_open_statements_and_odd_names_say_why():
    statements, names = audit._read("statements"), audit._read("names")
    assert (statements[statements.reading == OPEN].note != "").all()
    assert (names[names.printed != names.expected].note != "").all()
