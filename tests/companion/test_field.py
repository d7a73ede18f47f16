"""What is computed from the published tables for their pictures."""

import pytest

from evis.companion import field


@pytest.fixture(scope="module")
def points():
    return field.points()


def ap_of(points, name, videos, images, dataset="YouTube-VIS 2019 val", backbone="R50"):
    place = ["name", "videos", "images", "dataset", "backbone"]
    return points.set_index(place).AP[name, videos, images, dataset, backbone]


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


def test_shares_kept_are_what_pointvis_prints_and_what_the_tables_give():
    kept = field.kept().set_index(["method", "backbone", "dataset"])["kept %"]
    assert kept["PointVIS P1", "Swin-L", "YouTube-VIS 2019 val"] == pytest.approx(87.5)
    assert kept["UVIS", "R50", "OVIS val"] == pytest.approx(100 * 3.5 / 15.0)
    assert kept["PM-VIS", "Swin-L", "OVIS val"] == pytest.approx(100 * 37.5 / 40.9)
    assert len(kept) == 31


def test_ladders_add_up_and_go_on_from_rung_to_rung():
    rungs = field.ladders()
    for title, own in rungs.groupby("panel"):
        if "FlowCut" in title:  # pairs, not a ladder
            assert own.before.ne("").all()
            continue
        assert list(own.before[1:]) == list(own.place[:-1]) and own.before.iloc[0] == ""
        assert own.AP.iloc[0] + own.gain.sum() == pytest.approx(own.AP.iloc[-1])
    assert rungs.panel.nunique() == 6
