from evis.papers.eigencluster.figures import recipe_table
from evis.papers.eigencluster.recipes import named

STAGE3 = named("eigencluster.stage3")
RELEASED = named("eigencluster.stage3.released")


def marked(stages):
    """(line, column) -> value of the cells that are marked."""
    styled = recipe_table.comparison(stages)
    styled._compute()
    table = styled.data
    return {
        (table.index[row], column): table.iloc[row, column]
        for (row, column), looks in styled.ctx.items()
        if any(name == "background-color" for name, _ in looks)
    }


def test_the_comparison_marks_what_differs_and_only_that():
    found = marked({"three": [STAGE3, RELEASED]})
    assert found["steps", 0] == "4,000" and found["steps", 1] == "2,300"
    assert found["learning rate", 1] == "1e-05, constant"
    assert found["learns from", 1] == "videos (43%) and stills (57%)"
    assert {name for name, _ in found} == {
        "starts from",
        "learns from",
        "loss as in",
        "steps",
        "learning rate",
        "frames a clip",
        "precision",
    }
    assert not marked({"one": [STAGE3], "two": [RELEASED]})


def test_the_page_lists_what_no_source_says_and_is_the_same_on_any_day():
    pages = [recipe_table.comparison({"three": [STAGE3]}).to_html() for _ in range(2)]
    assert pages[0] == pages[1] and STAGE3.unknown
    assert pages[0].count("\n- ") + pages[0].count(">- ") == len(STAGE3.unknown)


def test_values_follow_the_loss():
    assert recipe_table.values(STAGE3)["temporal terms"] == "TK, TEL (beta 0.16), Q"
    assert recipe_table.values(named("eigencluster.stage2"))["temporal terms"] == "TK"
    stage1 = recipe_table.values(named("eigencluster.stage1"))
    assert (stage1["temporal terms"], stage1["annotation"]) == ("none", "masks")
    assert recipe_table.values(named("boxinst"))["temporal terms"] == "none"
