import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from evis.papers.eigencluster.figures import paper_vs_code as views

TABLE = pd.DataFrame(
    {
        "topic": ["TEL", "TEL", "training", "training"],
        "kind": ["formula", "unsaid", "schedule", "unsaid"],
        "title": ["one", "two", "three", "four"],
        "place": "Eq. 5",
        "paper": "A < B",
        "code": "B",
        "quantity": "Q",
        "by the paper": "1",
        "by the code": "2",
        "ratio": [2.0, 0.0, np.inf, np.nan],
        "changes": "Nothing.",
    }
)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_overview_has_a_line_each_and_arrows_at_the_edges():
    (axis,) = views.overview(TABLE).axes
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["one", "two", "three", "four"]
    points = [line for line in axis.get_lines() if line.get_marker() in "o<>sD"]
    assert [line.get_marker() for line in points] == ["o", "<", ">"]
    assert points[0].get_xdata()[0] == 2


def test_details_are_escaped_and_sorted_by_topic():
    text = views.details(TABLE)
    assert "A &lt; B" in text and "A < B" not in text
    assert "TEL: 2" in text and "training: 2" in text and text.count("<tr>") == 5 + 4


def test_spectra_say_what_each_flavour_sees():
    titles = [axis.get_title() for axis in views.spectra(views.two_frames()).axes]
    released = [title for title in titles if "1/3" in title or "< 0.01" in title]
    assert [("1/3" in title) for title in released] == [False, False, True]


def test_three_masks_share_the_generalised_spectrum_only():
    axes = views.features_and_problems(views.three_masks()).axes
    drawn = {axis.get_title(): [line.get_ydata() for line in axis.get_lines()] for axis in axes}
    for title, (one, two, three) in ((t, lines) for t, lines in drawn.items() if lines):
        alike = np.allclose(one, two, atol=1e-6) and np.allclose(one, three, atol=1e-6)
        assert alike == ("generalised" in title), title


def test_what_happens_to_a_disc():
    found = views.unsteadiness(draws=1).set_index(["happens", "amount"])
    assert found.loc[("jumps", [0, 4, 8, 16]), "paper"].abs().max() < 1e-2
    assert found.loc[("jumps", [2, 6]), "paper"].min() > 1
    assert found["change"].between(0, 1).all() and found.loc[("jumps", 16), "change"] > 0.9
    gone = found["released"] > 0.3
    assert found.index[gone].tolist() == [("fades", 8), ("fades", 9), ("fades", 10)]
    assert found["released"][~gone].max() < 0.01
    with pytest.raises(ValueError, match="nothing is called"):
        views._after("melts", 1, (0.5, 0.5), torch.zeros(40, 56), torch.zeros(40, 56))


def test_the_curves_show_the_medians():
    lines = [(h, a, d) for h in views.UNSTEADY for a in (0, 1) for d in range(3)]
    found = pd.DataFrame(lines, columns=["happens", "amount", "draw"])
    found = found.assign(paper=found["draw"] * 10.0, released=0.0, change=0.5)
    axes = views.what_tel_sees(found).axes
    assert len(axes) == 12
    assert axes[4].get_lines()[0].get_ydata().tolist() == [10, 10]


def test_factors_show_every_value():
    (axis,) = views.factors({"paper": np.array([2.0, 3.0]), "released": np.array([1.0])}).axes
    drawn = [sorted(line.get_xdata()) for line in axis.get_lines()[:2]]
    assert drawn == [[1.0], [2.0, 3.0]]


def test_parts_are_exchanged_one_at_a_time():
    asked = []

    def compute(released):
        asked.append(set(released))
        return float(len(released)), torch.tensor([1.0, float("a" in released)])

    found = views.exchanged(compute, ("a", "b"))
    assert asked == [set(), {"a", "b"}, {"a"}, {"b"}, {"b"}, {"a"}]
    assert found["paper", "loss"].tolist() == [1, 1]
    np.testing.assert_allclose(found["paper", "cosine"], [2**-0.5, 1], rtol=1e-6)
    np.testing.assert_allclose(found["released", "cosine"], [2**-0.5, 1], rtol=1e-6)
    assert len(views.parts(found).axes) == 2


def test_training_with_rows_and_without():
    rows = pd.DataFrame({"row": ["a", "a", "b", "b"], "seed": [0, 1, 0, 1], "AP": [3.0, 5, 2, 2]})
    left, right = views.training(rows, [("a", "b"), ("c", "b")]).axes
    assert [t.get_text() for t in right.texts] == ["not measured"]
    assert [t.get_text() for t in left.texts] == ["n=2", "n=2", "not measured"]
    assert right.collections[0].get_offsets()[:, 0].tolist() == [1, 3]
    nothing = pd.DataFrame(columns=["row", "seed"])
    _, right = views.training(nothing, [("a", "b")]).axes
    assert len(right.texts) == 1
