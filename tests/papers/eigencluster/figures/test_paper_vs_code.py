import numpy as np
import pandas as pd

from evis.papers.eigencluster.figures import paper_vs_code as views

TABLE = pd.DataFrame(
    {
        "topic": ["TEL", "TEL", "training", "training"],
        "kind": ["formula", "unsaid", "schedule", "two readings"],
        "title": ["one", "two", "three", "four"],
        "quantity": "Q",
        "by the paper": "1",
        "by the code": "2",
        "ratio": [100.0, 0.0, np.inf, np.nan],
    }
)


def test_the_overview_has_a_line_each_the_largest_on_top_and_arrows_at_the_edges():
    figure = views.overview(TABLE)
    labels = [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    assert labels == ["two", "one", "three", "four"]
    assert [axes.get_title("left") for axes in figure.axes] == ["TEL", "training"]
    points = [
        (line.get_marker(), float(line.get_xdata()[0]))
        for axes in figure.axes
        for line in axes.get_lines()
        if line.get_marker() in "o<>s^D" and not np.isnan(line.get_xdata()[0])
    ]
    assert points == [("<", -4.5), ("o", 2), (">", 4.5)]
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert words == ["1 → 2"] * 4


def test_topics_are_put_into_the_column_that_has_room():
    topics = pd.Series(["a"] * 8 + ["b"] * 7 + ["c"] * 3 + ["d"])
    assert views._in_two_columns(topics) == (["a", "d"], ["b", "c"])
