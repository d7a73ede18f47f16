"""The pictures of the published numbers show the numbers that the tables hold."""

from collections import Counter

import pytest

from evis.companion import audit, published
from evis.companion.plots import atlas, field, gains, html_tables, retention
from evis.companion.plots import published as audit_viz
from evis.data.errors import DataError


@pytest.fixture(scope="module")
def points():
    return field.points()


@pytest.fixture(scope="module")
def audited():
    return audit.run(), audit.checks(), audit.findings()


def ap_of(points, name, videos, images, dataset="YouTube-VIS 2019 val", backbone="R50"):
    chosen = points[
        (points.name == name)
        & (points.videos == videos)
        & (points.images == images)
        & (points.dataset == dataset)
        & (points.backbone == backbone)
    ]
    return chosen.AP.item()


def texts_in(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize(
    ("name", "videos", "images", "ap"),
    [
        ("MaskFreeVIS", "boxes", "masks", 46.6),
        ("MaskFreeVIS", "boxes", "boxes", 42.5),
        ("Eigen-Cluster VIS", "boxes", "masks", 47.4),
        ("Eigen-Cluster VIS", "boxes", "boxes", 44.0),
        ("MinVIS", "masks", "masks", 47.4),
        ("MinVIS", "masks", "none", 30.3),
        ("SOLO-Track", "none", "masks", 30.6),
        ("PointVIS (P1)", "points", "masks", 38.5),
        ("UVIS", "none", "none", 21.4),
    ],
)
def test_a_method_is_one_point_for_each_kind_of_labels(points, name, videos, images, ap):
    assert ap_of(points, name, videos, images) == ap


def test_the_best_of_several_numbers_is_kept(points):
    # Table 1 has 53.9 (with self-training) and Table 5 has 52.5 for the same labels.
    assert ap_of(points, "PointVIS (P1)", "points", "masks", backbone="Swin-L") == 53.9


def test_every_compared_method_has_a_year_and_known_labels(points):
    assert points.year.between(2019, 2025).all()
    assert set(points.videos) <= set(field.LEVELS)
    assert set(points.images) == {"masks", "boxes", "none"}


def test_the_field_names_each_method_once_in_a_panel(points):
    figure = field.progress_figure(points)
    left, right = ([text.get_text() for text in axes.texts] for axes in figure.axes)
    assert right.count("UVIS") == 1 and "UVIS" not in left
    assert left.count("PM-VIS") == 2  # with masks and with boxes
    main = points[(points.dataset == "YouTube-VIS 2019 val") & (points.backbone == "R50")]
    assert len(left) + len(right) == len(main)


def test_retention_is_what_pointvis_prints_and_what_the_tables_give():
    kept = retention.table().set_index(["method", "backbone", "dataset"])["kept %"]
    assert kept["PointVIS P1", "Swin-L", "YouTube-VIS 2019 val"] == pytest.approx(87.5)
    assert kept["UVIS", "R50", "OVIS val"] == pytest.approx(100 * 3.5 / 15.0)
    assert kept["PM-VIS", "Swin-L", "OVIS val"] == pytest.approx(100 * 37.5 / 40.9)
    assert {"88", "23", "92"} <= set(texts_in(retention.figure(retention.table())))


@pytest.mark.parametrize("paper", published.PAPERS)
def test_the_atlas_shows_every_printed_cell(paper):
    cells = published.tables(paper)
    for table, one in cells.groupby("table"):
        shown = atlas.grid(paper, table)
        printed = {(c.row, c.dataset, c.as_printed) for c in one.itertuples() if c.as_printed}
        missing = {text for *_, text in printed} - set(shown.text.flat)
        assert not missing, f"Table {table}"
        assert len(shown.labels) == one.row.nunique()
        bare = [text.replace("<u>", "").replace("</u>", "") for text in shown.text.flat if text]
        assert Counter(bare) <= Counter(texts_in(atlas.table_figure(paper, table)))


def test_the_atlas_keeps_gains_that_happen_to_be_equal():
    # "+0.6" is printed twice in this row, under AP and under AP_S.
    shown = atlas.grid("flowcut", 3)
    assert list(shown.text[-1]).count("+0.6") == 2


def test_the_atlas_does_not_mix_data_sets_that_alternate():
    shown = atlas.grid("uvis", 4)
    assert not shown.headed and len(set(shown.labels)) == 4
    assert atlas.grid("uvis", 1).headed


def test_folded_tables_hold_the_numbers_once():
    page = html_tables.folded("pointvis")
    assert page.count("<details>") == 6
    assert page.count("53.9 (87.5%)") == 1


def test_an_unknown_table_is_named():
    with pytest.raises(DataError, match="no Table 9"):
        atlas.grid("uvis", 9)


def test_a_ladder_adds_up():
    rungs = gains.ladder("UVIS, no labels (Table 2)")
    assert rungs.AP.iloc[0] + rungs.gain.sum() == pytest.approx(rungs.AP.iloc[-1])
    assert "21.4  (+0.7)" in texts_in(gains.gains_figure())
    assert {"44.0", "20.7", "48.7", "50.0"} <= set(texts_in(gains.sweeps_figure()))


def test_the_audit_figure_counts_what_the_audit_found(audited):
    found, checks, findings = audited
    counts = audit_viz.by_rule(found, checks)
    assert counts.checks.sum() == checks.sum()
    assert counts.drop(columns=["checks", "passed"]).to_numpy().sum() == len(found)
    assert counts.loc["J&F means", audit.CONTRADICTION] == (found.kind.str.startswith("J&F")).sum()
    assert counts.loc["statements", "passed"] < checks["statements"]
    written = texts_in(audit_viz.audit_figure(found, checks, findings))
    assert f"{checks['gain cells']}, all passed" in written


def test_a_finding_of_no_known_rule_is_not_counted_elsewhere(audited):
    found, checks, _ = audited
    with pytest.raises(DataError, match="hearsay"):
        audit_viz.by_rule(found.assign(kind="hearsay"), checks)


def test_findings_are_listed_whole_and_escaped(audited):
    page = html_tables.findings_table(audited[2].head(1).assign(says="a < b"))
    assert "a &lt; b" in page and page.count("</tr>") == 2
