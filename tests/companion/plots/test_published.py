"""The pictures of the published numbers show the numbers that the tables hold."""

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pytest

from evis.companion import field, published
from evis.companion.plots import atlas
from evis.companion.plots import labels as names
from evis.companion.plots import published as views
from evis.data.errors import DataError


def texts_in(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_panel_names_each_of_its_points():
    points = field.points()
    main = points[(points.dataset == "YouTube-VIS 2019 val") & (points.backbone == "R50")]
    panels = {str(filled): rows for filled, rows in main.groupby(main.images == "masks")}
    figure = views.progress(panels, ncols=2)
    for axis, rows in zip(figure.axes, panels.values(), strict=True):
        assert sorted(text.get_text() for text in axis.texts) == sorted(rows.name)
        drawn = np.concatenate([line.get_ydata() for line in axis.lines if line.get_marker() != ""])
        assert set(rows.AP) <= set(drawn)


def test_names_keep_apart():
    figure, axes = plt.subplots()
    axes.plot([0, 1, 1, 1], [0, 1, 1.01, 1.02], "o")
    names.name_points(axes, [0, 1, 1, 1], [0, 1, 1.01, 1.02], ["one", "two", "three", "four"])
    figure.draw_without_rendering()
    boxes = [text.get_bbox_patch() or text for text in axes.texts]
    extents = [plt.Text.get_window_extent(text) for text in boxes]
    for number, one in enumerate(extents):
        assert not any(one.overlaps(other) for other in extents[:number])


def test_shares_and_gains_are_written_beside_their_marks():
    assert {"88", "23", "92"} <= set(texts_in(views.kept(field.kept())))
    assert "21.4  (+0.7)" in texts_in(views.ladders(field.ladders()))


@pytest.mark.parametrize("paper", published.PAPERS)
def test_the_atlas_shows_every_printed_cell(paper):
    cells = published.tables(paper)
    for table, one in cells.groupby("table"):
        shown = atlas.grid(paper, table)
        printed = {(c.row, c.dataset, c.as_printed) for c in one.itertuples() if c.as_printed}
        assert not {text for *_, text in printed} - set(shown.text.to_numpy().flat), table
        assert len(shown.text) == one.row.nunique() == len(shown.levels)
        bare = [text.replace("<u>", "").replace("</u>", "") for text in shown.text.to_numpy().flat]
        drawn = Counter(text.replace("\n", " ") for text in texts_in(atlas.figure(shown)))
        short = Counter(text for text in bare if text and len(text) < 16)
        assert short <= drawn
        plt.close("all")


def test_a_table_is_shaded_within_its_columns_and_data_sets():
    shown = atlas.grid("uvis", 1)
    ap, shade = shown.text["", "AP"].astype(float), shown.shades["", "AP"].to_numpy()
    first = slice(0, 9)  # YouTube-VIS 2019; then come two other sets
    assert (
        shade[first].max() == shade[9:].max() == 1 and shade[first].argmax() == ap[first].argmax()
    )
    assert shown.shades["", "COCO"].isna().all()


def test_gains_that_happen_to_be_equal_are_kept():
    # "+0.6" is printed twice in this row, under AP and under AP_S.
    assert list(atlas.grid("flowcut", 3).text.iloc[-1]).count("+0.6") == 2


def test_folded_tables_hold_the_numbers_once_and_are_the_same_on_any_day():
    pages = [atlas.html(atlas.grid("pointvis", 1)) for _ in range(2)]
    assert pages[0] == pages[1] and pages[0].count("53.9 (87.5%)") == 1
    assert "<u>" in atlas.html(atlas.grid("pm-vis", 11))


def test_an_unknown_table_is_named():
    with pytest.raises(DataError, match="no Table 9"):
        atlas.grid("uvis", 9)
