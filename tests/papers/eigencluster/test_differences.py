from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evis.criterion.step import Step
from evis.data.errors import DataError
from evis.papers.eigencluster import both_ways, differences, experiments, same_input
from evis.papers.eigencluster.both_ways import Values, shown, spectrum
from evis.papers.eigencluster.differences import DIFFERENCES
from evis.papers.eigencluster.loss import Loss


@pytest.fixture(scope="module")
def batch():
    return same_input.batch()


# The list -----------------------------------------------------------------------------------------


def test_every_difference_is_told_in_full():
    assert len({d.id for d in DIFFERENCES}) == len({d.title for d in DIFFERENCES})
    assert len({d.id for d in DIFFERENCES}) == len(DIFFERENCES)
    for d in DIFFERENCES:
        assert d.kind in differences.KINDS and d.topic in differences.TOPICS, d.id
        assert d.place and not d.place.endswith("."), d.id
        for text in (d.paper, d.code, d.changes):
            assert text.endswith((".", ")", '"')) and "  " not in text, d.id


def test_each_is_computed_by_a_function_of_its_own():
    functions = [d.compute for d in DIFFERENCES]
    assert len(set(functions)) == len(functions)
    public = {
        f
        for name, f in vars(both_ways).items()
        if getattr(f, "__annotations__", {}).get("return") is Values and not name.startswith("_")
    }
    assert public == set(functions)


def test_what_design_lists_is_there():
    listed = """tel.signs tel.generalised tel.gradient tel.factor tel.norm tel.pixels qcc.class
    qcc.single qcc.mean qcc.restarts qcc.pixels pairs.all tk.factor tk.warm_up tk.matches
    train.rate train.steps train.stills tel.beta boxes.matching train.precision boxes.weights"""
    assert set(listed.split()) <= {d.id for d in DIFFERENCES}


def test_the_table_has_both_numbers():
    table = differences.table()
    assert list(table.index) == [d.id for d in DIFFERENCES]
    assert table.columns[table.isna().any()].tolist() == ["ratio"]
    assert table.index[table["ratio"].isna()].tolist() == ["train.clips"]


# Numbers that can be known without computing them -------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ratio"),
    {
        "tel.gradient": 0,
        "tel.norm": 1 / 12,  # four instances, three eigenvalues
        "tel.instances": 4 / 6,
        "qcc.gradient": 0,
        "pairs.printed": 3,
        "pairs.all": 1,
        "train.stills": 3 / 7,
        "train.stage_two": 70 / 6,
        "tk.factor": 0.1,
        "tk.warm_up": (200 * 199 / 2 / 200 + 5800) / 6000,
        "train.rate": 0.1,
        "train.backbone": 0.1,
        "train.steps": 2300 / 4000,
        "boxes.hidden": np.inf,
    }.items(),
)
def test_known_ratios(name, ratio):
    assert differences.computed()[name].ratio == pytest.approx(ratio, rel=1e-5)


def test_the_released_tel_is_a_factor_of_one():
    values = differences.computed()["tel.factor"]
    assert values.paper > 1.5 and abs(values.released - 1) < 1e-3


def test_signs_alone_leave_the_smaller_area(batch):
    small = [float(min((f > 0).sum(), (f < 0).sum())) for f in _pixels(batch).flatten(0, 1)]
    assert both_ways.signs(batch).released == pytest.approx(np.mean(small))


def _pixels(batch):
    return both_ways.tel.features(batch.logits)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("frames", [3, 4, 6])
def test_eq_14_as_printed_loses_a_pair_and_names_no_frame(frames, first):
    printed = both_ways.pairs_as_printed(frames)
    assert len(printed) == frames - 1
    assert len(both_ways.usable(printed, frames, first)) == frames - 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (4000, "4,000"), (13.24, "13"), (1.477, "1.48"), (6.37, "6.4"), (0.00926, "0.0093")]
    + [(1e-8, "1e-8"), (np.nan, "-"), (2, "2"), (147_456, "147,456"), (8.0000000001, "8")],
)
def test_how_numbers_are_shown(value, text):
    assert shown(value) == text


def test_ratios_of_nothing():
    assert Values("", 0, 2).ratio == np.inf
    assert Values("", 0, 0).ratio == 1
    assert np.isnan(Values("", np.nan, 3).ratio)


# The spectrum -------------------------------------------------------------------------------------

GOLDEN = [np.load(path) for path in sorted(Path("tests/golden").glob("tel_*.npz"))]


@pytest.mark.parametrize("golden", GOLDEN)
def test_spectra_are_the_golden_ones(golden):
    pixels, expected = torch.from_numpy(golden["resized"]), golden["paper_eigenvalues_all"]
    for instance, frame in np.ndindex(*pixels.shape[:2]):
        found = spectrum(pixels[instance, frame])
        np.testing.assert_allclose(found, expected[instance, frame], rtol=1e-7, atol=1e-6)
        signs = pixels[instance, frame].sign()
        found = spectrum(signs, generalised=True)[:3]
        released = golden["released_eigenvalues"][instance, frame]
        if (signs > 0).sum() != 2:  # where the released solver misses the small block's zero
            np.testing.assert_allclose(found, released, atol=0.01)


sides = st.lists(st.floats(0.05, 20), min_size=2, max_size=12)


@given(sides, sides)
def test_the_generalised_spectrum_does_not_depend_on_the_mask(inside, outside):
    pixels = torch.tensor(inside + [-weight for weight in outside], dtype=torch.float64)
    wanted = [0, 0, *[1] * (len(pixels) - 2)]
    for features in (pixels, pixels.sign()):
        np.testing.assert_allclose(spectrum(features, generalised=True), wanted, atol=1e-7)


def test_of_one_sign_there_is_one_zero():
    found = spectrum(-torch.rand(9) - 0.1, generalised=True)
    np.testing.assert_allclose(found, [0, *[1] * 8], atol=1e-9)


# The loss with parts exchanged --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flavour", "parts"), [("paper", ()), ("released", tuple(same_input.PARTS))]
)
def test_no_part_and_all_parts_give_the_criterion(batch, flavour, parts):
    settings = replace(batch.settings, flavour=flavour)
    found = Loss(settings)(batch.prediction, batch.clips, Step(), same_input.points())
    assert float(same_input.loss(batch, parts)) == pytest.approx(float(found["total"]), rel=1e-6)


@pytest.mark.parametrize("part", sorted(set(same_input.PARTS) - {"pairs"}))
def test_every_part_counts(batch, part):
    assert float(same_input.loss(batch, [part])) != pytest.approx(
        float(same_input.loss(batch)), rel=1e-5
    )


def test_of_three_frames_the_pairs_are_the_same(batch):
    assert float(same_input.loss(batch, ["pairs"])) == pytest.approx(
        float(same_input.loss(batch)), rel=1e-5
    )


def test_a_part_that_does_not_exist(batch):
    with pytest.raises(DataError, match="no part is called 'colors'"):
        same_input.loss(batch, ["colors"])


def test_the_batch_has_boxes_only(batch):
    assert batch.objects == [3, 1] and all(clip.masks is None for clip in batch.clips)


# What was measured --------------------------------------------------------------------------------


def test_rows_that_stand_for_differences_are_counted():
    found = differences.rows_that_stand_for_them().reset_index()
    counted = {tuple(pair): count for *pair, count in found.itertuples(index=False)}
    assert len(counted) == len(found)
    assert counted[DIFFERENCES[0].rows] > 5
    for pair, count in counted.items():
        assert count == sum(difference.rows == pair for difference in DIFFERENCES)
    assert sum(counted.values()) == sum(bool(difference.rows) for difference in DIFFERENCES)


def test_rows_are_those_of_experiments():
    known = [set(group("tiny_s")) for group in experiments.GROUPS.values()]
    assert {row for d in DIFFERENCES if d.rows for row in d.rows} <= set().union(*known)
