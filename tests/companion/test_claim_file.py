"""A claims.toml means what it says, and a slip in it is named with the claim that it stands in."""

from dataclasses import replace
from types import ModuleType

import pytest

from evis.companion import claim_file
from evis.companion.claims import Comparison, Side
from evis.companion.held_out import TEST, UNSEEN
from evis.data.errors import DataError

CHECKS = ModuleType("checks")
CHECKS.a_check = lambda: None
TERMS = claim_file.Terms("made-up", CHECKS, {"test": TEST, "unseen": UNSEEN}, ("small", "large"))
PRINTED = """
[printed.1.small]
ours = 2
theirs = 1
[printed.1.large]
ours = 4
theirs = 3
"""


@pytest.fixture
def read(tmp_path):
    def read(text: str):
        (tmp_path / "claims.toml").write_text(text)
        return claim_file.read(tmp_path / "claims.toml", TERMS)

    return read


def a_claim(more: str, name: str = "A1") -> str:
    return f'[[claim]]\nid = "{name}"\nplace = "p"\nsays = "s"\n{more}\n'


def test_what_is_not_said_is_the_first_size_and_set_and_ap(read):
    (claim,) = read(a_claim('tests = [{ left = "ours", right = "theirs" }]'))
    sides = (Side(row, "AP", "small", TEST) for row in ("ours", "theirs"))
    assert claim.tests == (Comparison(*sides, None, "higher"),)


def test_lists_are_every_combination_and_a_table_gives_the_printed_cells(read):
    test = 'left = "ours", right = "theirs", size = ["small", "large"], metric = ["AP", "AR"]'
    (claim,) = read(a_claim(f'tests = [{{ {test}, table = 1, direction = "lower" }}]') + PRINTED)
    assert [(t.left.size, t.right.metric, t.published) for t in claim.tests] == [
        ("small", "AP", "[made-up/1/2/AP] - [made-up/1/1/AP]"),
        ("small", "AR", "[made-up/1/2/AR] - [made-up/1/1/AR]"),
        ("large", "AP", "[made-up/1/4/AP] - [made-up/1/3/AP]"),
        ("large", "AR", "[made-up/1/4/AR] - [made-up/1/3/AR]"),
    ]
    assert {test.direction for test in claim.tests} == {"lower"}


def test_a_share_is_of_the_right_side(read):
    test = 'left = "ours", right = "theirs", share = "0.87"'
    (claim,) = read(a_claim(f"tests = [{{ {test}, table = 1 }}]") + PRINTED)
    sides = (Side(row, "AP", "small", TEST) for row in ("ours", "theirs"))
    formula = "[made-up/1/2/AP] - 0.87 * [made-up/1/1/AP]"
    assert claim.tests == (Comparison(*sides, formula, share=0.87),)


def test_pooled_sizes_are_one_comparison_beside_the_mean_of_what_is_printed(read):
    test = 'left = "ours", right = "theirs", size = ["small", "large"], metric = ["AP", "AR"]'
    (claim,) = read(a_claim(f"tests = [{{ {test}, table = 1, pooled = true }}]") + PRINTED)
    assert [(t.left.metric, t.left.size, t.pooled) for t in claim.tests] == [
        ("AP", "small", ("small", "large")),
        ("AR", "small", ("small", "large")),
    ]
    assert claim.tests[1].published == (
        "(([made-up/1/2/AR] - [made-up/1/1/AR]) + ([made-up/1/4/AR] - [made-up/1/3/AR])) / 2"
    )
    (claim,) = read(a_claim(f"tests = [{{ {test}, pooled = true }}]"))
    assert claim.tests[0].published is None


def test_headline_claims_are_listed_by_their_ids(read):
    listed = 'headline = ["A2"]\n' + a_claim(TEST_OF.format("")) + a_claim(TEST_OF.format(""), "A2")
    assert [claim.headline for claim in read(listed)] == [False, True]
    assert [claim.kind for claim in read(listed)] == ["other rows", "headline"]
    with pytest.raises(DataError, match="headline: there is no claim A3"):
        read('headline = ["A3"]\n' + a_claim('untestable = "a"'))


def test_the_papers_words_and_when_a_claim_was_written(read):
    listed = '[written]\n"on a day, blind" = ["A1"]\n'
    quoted = a_claim('quote = "to the letter"\n' + TEST_OF.format(""))
    claims = read(listed + quoted + a_claim(TEST_OF.format(""), "A2"))
    assert [claim.quote for claim in claims] == ["to the letter", ""]
    assert [claim.written for claim in claims] == ["on a day, blind", ""]
    with pytest.raises(DataError, match="on a day, blind: there is no claim A1"):
        read(listed + a_claim(TEST_OF.format(""), "A2"))


def test_questions_are_read_apart_and_a_row_may_have_another_name(tmp_path):
    question = a_claim(TEST_OF.format("").replace("theirs", "placebo"), "Q1")
    (tmp_path / "claims.toml").write_text(
        a_claim('untestable = "a"') + question.replace("[[claim]]", "[[question]]")
    )
    terms = replace(TERMS, stands_for={"placebo": "ours x 3"})
    (asked,) = claim_file.read(tmp_path / "claims.toml", terms, "question")
    assert (asked.id, asked.tests[0].right.row) == ("Q1", "ours x 3")
    (claimed,) = claim_file.read(tmp_path / "claims.toml", terms)
    assert claimed.id == "A1"


def test_claims_that_compare_a_guess_are_not_testable_and_keep_their_comparisons(read):
    guessed = '[guessed]\nwhy = "a guess"\nrows = ["theirs"]\n'
    other = 'tests = [{ left = "ours", right = "others" }]'
    claims = read(guessed + a_claim(TEST_OF.format("")) + a_claim(other, "A2"))
    assert [claim.untestable for claim in claims] == ["a guess", ""]
    assert [claim.kind for claim in claims] == ["not testable here", "other rows"]
    assert all(len(claim.tests) == 1 for claim in claims)


def test_a_side_may_differ_from_the_other(read):
    test = 'left = { row = "ours", size = "large", set = "unseen" }, right = "ours", metric = "J"'
    (claim,) = read(a_claim(f"tests = [{{ {test} }}]"))
    assert claim.tests[0].left == Side("ours", "J", "large", UNSEEN)
    assert claim.tests[0].right == Side("ours", "J", "small", TEST)


def test_each_fills_every_text_in(read):
    each = 'each = [{ n = 1, row = "a" }, { n = 2, row = "b" }]\n'
    test = 'tests = [{ left = "{row}", right = "theirs", published = "{n}.5" }]'
    claims = read(a_claim(each + test, name="A{n}"))
    assert [claim.id for claim in claims] == ["A1", "A2"]
    assert [claim.tests[0].left.row for claim in claims] == ["a", "b"]
    assert claims[1].tests[0].published == "2.5"


def test_checks_and_reasons(read):
    claims = read(a_claim('check = "a_check"') + a_claim('untestable = "{so}"\nnote = "n"', "A2"))
    assert claims[0].check is CHECKS.a_check
    assert (claims[1].untestable, claims[1].note) == ("{so}", "n")


TEST_OF = 'tests = [{{ left = "ours", right = "theirs"{} }}]'


@pytest.mark.parametrize(
    ("more", "complaint"),
    {
        'check = "no_such"': "checks has no function 'no_such'",
        'check = "a_check"\nuntestable = "why"': "needs one of tests, check, untestable",
        'note = "n"': "needs one of tests, check, untestable",
        'untestable = "why"\nnotes = "n"': "knows no 'notes'",
        TEST_OF.format(', size = "huge"'): "no size is called 'huge': there are small, large",
        TEST_OF.format(', set = "train"'): "there is no 'train'",
        TEST_OF.format(', way = "lower"'): "knows no 'way'",
        TEST_OF.format(', direction = "up"'): '"higher" or "lower", not \'up\'',
        TEST_OF.format(", table = 2"): "there is no '2'",
        'tests = [{ left = "ours" }]': "there is no 'right'",
        'tests = [{ left = { row = "ours", size = "large" }, right = "ours", pooled = true }]': (
            "units of two sizes have no pairs"
        ),
        'tests = [{ left = { size = "small" }, right = "ours" }]': "there is no 'row'",
        'note = "{m}"\neach = [{ n = 1 }]': "there is no 'm'",
        'note = "{}"\neach = [{ n = 1 }]': "Replacement index 0 out of range",
    }.items(),
)
def test_a_slip_is_named_with_its_claim(read, more, complaint):
    with pytest.raises(DataError, match=f"claim A1: .*{complaint}") as caught:
        read(a_claim(more) + PRINTED)
    assert "claims.toml" in str(caught.value)


def test_an_id_given_twice_and_a_file_that_is_no_toml(read):
    twice = a_claim('untestable = "a"') + a_claim('untestable = "b"')
    with pytest.raises(DataError, match="claim A1: there are two of this id"):
        read(twice)
    with pytest.raises(DataError, match="claims.toml"):
        read("[[claim")
    with pytest.raises(DataError, match=r"it has no \[\[claim\]\]"):
        read('[[claims]]\nid = "A1"')
    with pytest.raises(DataError, match="claim A1: .*says"):
        read('[[claim]]\nid = "A1"\nplace = "p"\nuntestable = "u"')
