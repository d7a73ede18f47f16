"""The list in differences.toml, the numbers behind it, and the loss with its parts exchanged."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evis.data.errors import DataError
from evis.losses import boxinst, tel
from evis.papers.eigencluster import differences, experiments, one_batch, paper_vs_code, settings
from evis.papers.eigencluster.differences import DIFFERENCES, Difference, shown
from evis.papers.eigencluster.paper_vs_code import spectrum
from evis.papers.eigencluster.recipes import named


@pytest.fixture(scope="module")
def batch():
    return one_batch.batch()


@pytest.fixture(scope="module")
def table():
    return differences.table()


# The list -----------------------------------------------------------------------------------------


def test_every_difference_is_told_in_full():
    assert len({d.id for d in DIFFERENCES}) == len({d.title for d in DIFFERENCES})
    assert len({d.id for d in DIFFERENCES}) == len(DIFFERENCES) == 42
    assert len({d.topic for d in DIFFERENCES}) == 5
    for d in DIFFERENCES:
        assert d.place and not d.place.endswith("."), d.id
        for text in (d.paper, d.code, d.changes):
            assert text.endswith((".", ")", '"')) and "  " not in text, d.id


def test_each_is_computed_in_a_way_of_its_own():
    ways = [(d.compute, str(d.by_paper), str(d.by_code)) for d in DIFFERENCES if d.compute]
    assert len(set(ways)) == len(ways) == 27
    for difference in DIFFERENCES:
        assert not difference.compute or difference.by_paper != difference.by_code
    public = {
        name
        for name, function in inspect.getmembers(paper_vs_code, inspect.isfunction)
        if function.__module__ == paper_vs_code.__name__ and not name.startswith("_")
    }
    assert public == {d.compute for d in DIFFERENCES} - {""} | {"spectrum", "of_pairs", "factors"}


def test_what_design_lists_is_there():
    listed = """tel.signs tel.generalised tel.gradient tel.factor tel.norm tel.pixels qcc.class
    qcc.single qcc.mean qcc.restarts qcc.pixels pairs.all tk.factor tk.warm_up tk.matches
    train.rate train.steps train.stills tel.beta boxes.matching train.precision boxes.weights"""
    assert set(listed.split()) <= {d.id for d in DIFFERENCES}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kind": "slip"}, "tel.signs: no kind is called 'slip'"),
        ({"compute": ""}, "tel.signs: give numbers or what computes them"),
        ({"numbers": (1, 2)}, "tel.signs: give numbers or what computes them"),
        ({"compute": "sings"}, "tel.signs: nothing is called 'sings'"),
    ],
)
def test_a_slip_is_named_with_its_difference(changes, complaint):
    with pytest.raises(DataError, match=complaint):
        Difference(**vars(DIFFERENCES[0]) | changes)


def test_the_table_has_both_numbers(table):
    assert list(table.index) == [d.id for d in DIFFERENCES]
    assert table.columns[table.isna().any()].tolist() == ["ratio"]
    assert table.index[table["ratio"].isna()].tolist() == ["train.clips"]


def test_numbers_that_are_written_down_are_those_of_the_recipes_and_the_model(batch):
    """The paper's, then the code's."""
    stage2, stage3 = named("eigencluster.stage2"), named("eigencluster.stage3")
    code2, code3 = (named(f"eigencluster.stage{number}.released") for number in (2, 3))
    of_videos = dict(code3.mixture)["videos"] / sum(share for _, share in code3.mixture)
    ramp = np.arange(code2.settings.warm_up_steps) / code2.settings.warm_up_steps
    warm_up = 1 - (1 - ramp).sum() / code2.steps
    _, frames, _, height, width = batch.match.group.frames.shape
    queries, classes = batch.prediction.class_logits.shape[1:]
    drawn = one_batch.clips()
    assert drawn.frame_range == code3.frame_range
    dataset = drawn.dataset
    several = [len(dataset.tracks_of(video.id)) > 1 for video in dataset.videos]
    empty = torch.zeros(1, 16, 24)
    expected = {
        "qcc.single": (1, np.mean(several)),
        "pairs.gap": (1, np.mean([np.diff(clip.frame_indices).mean() for clip in drawn])),
        "boxes.hidden": (0, float(boxinst.projection_loss(empty - 10, empty))),
        "tel.instances": (len(batch.objects) * max(batch.objects), len(batch.instances)),
        "qcc.class_shape": ((classes - 1) * frames * height * width, queries * classes),
        "pairs.all": (len(tel.cyclic_pairs(3)), len(tel.all_pairs(3))),
        "pairs.printed": (1, len(tel.all_pairs(3))),  # notebook 15 counts the printed ones
        "tk.factor": (1, code3.settings.temporal_factor),
        "tk.warm_up": (1, warm_up),
        "train.rate": (stage3.learning_rate, code3.learning_rate),
        "train.backbone": (1e-4, stage2.learning_rate * stage2.backbone_multiplier),
        "train.stage_two": (stage2.steps, 70_000),
        "train.steps": (stage3.steps, code3.steps),
        "train.stills": (1, of_videos),
        "train.clips": (np.nan, code3.frames),
    }
    assert set(expected) == {d.id for d in DIFFERENCES if d.numbers}
    for difference in DIFFERENCES:
        if difference.numbers:
            both = expected[difference.id]
            assert difference.both == pytest.approx(both, rel=2e-3, nan_ok=True), difference.id


# Numbers that can be known without computing them -------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ratio"),
    {
        "tel.gradient": 0,
        "tel.norm": 1 / 12,  # four instances, three eigenvalues
        "qcc.gradient": 0,
        "pairs.all": 1,
        "boxes.hidden": np.inf,
        "boxes.colours": 1,
    }.items(),
)
def test_known_ratios(table, name, ratio):
    assert table["ratio"][name] == pytest.approx(ratio, rel=0.01)


RELEASED = {"solver": "released", "norm": "released"}


def test_the_released_tel_is_a_factor_of_one(batch):
    paper, released = (float(paper_vs_code.factor(batch, **how)) for how in ({}, RELEASED))
    assert paper > 1.5 and abs(released - 1) < 1e-3


def test_signs_alone_leave_the_smaller_area(batch):
    pixels = tel.features(batch.instances).flatten(0, 1)
    small = [float(min((f > 0).sum(), (f < 0).sum())) for f in pixels]
    assert paper_vs_code.third_eigenvalue(batch, signs=True) == pytest.approx(np.mean(small))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (4000, "4,000"), (13.24, "13"), (1.477, "1.5"), (6.37, "6.4"), (0.00926, "0.0093")]
    + [(1e-8, "1e-8"), (np.nan, "-"), (2, "2"), (147_456, "147,456"), (8.0000000001, "8")]
    + [(1.0000023, "1"), (0.9998, "1"), (1e-4, "1e-4"), (148.87, "150"), (0.0011, "0.0011")],
)
def test_how_numbers_are_shown(value, text):
    assert shown(value) == text


# The spectrum -------------------------------------------------------------------------------------

FILES = (Path(__file__).parents[2] / "golden").glob("tel_*.npz")
GOLDEN = [np.load(path) for path in sorted(FILES)]


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


ALIKE = {"change", "pairs", "canvas", "kmeans"}  # in value, on this batch


@pytest.mark.parametrize("part", sorted(set(settings.RELEASED) - ALIKE))
def test_every_part_counts(batch, part):
    exchanged, paper = (one_batch.with_gradient(batch, parts)[0] for parts in ([part], ()))
    assert exchanged != pytest.approx(paper, rel=1e-5)


def test_the_codes_mean_is_the_papers_without_its_slope(batch):
    (value, slope), (paper, own) = (
        one_batch.with_gradient(batch, parts) for parts in (["change"], ())
    )
    assert value == paper and not torch.allclose(slope, own, rtol=1e-3)


def test_of_three_frames_the_pairs_are_the_same_in_another_order(batch):
    pairs = (tel.cyclic_pairs(3), tel.all_pairs(3))
    assert {frozenset(pair) for pair in pairs[0]} == {frozenset(pair) for pair in pairs[1]}
    every, cyclic = batch.loss(pairs="every"), batch.loss()
    torch.testing.assert_close(every["tel"], cyclic["tel"])
    assert every["tk"] > 0  # matches are looked for in the other frame, so this one may differ


def test_of_one_size_the_canvas_is_the_clip(batch):
    assert torch.equal(batch.loss(canvas="batch")["total"], batch.loss()["total"])


def test_parts_are_exchanged_one_at_a_time(batch, monkeypatch):
    asked = []

    def with_gradient(b, released):
        asked.append(set(released))
        return float(len(released)), torch.tensor([1.0, float("tk_mean" in released)])

    monkeypatch.setattr(one_batch, "RELEASED", {"tk_mean": "matches", "change": "detached mean"})
    monkeypatch.setattr(one_batch, "with_gradient", with_gradient)
    found = one_batch.exchanged(batch)
    both = {"tk_mean", "change"}
    assert asked == [set(), {"tk_mean"}, {"change"}, both, {"change"}, {"tk_mean"}]
    assert found["start"].tolist() == ["paper"] * 2 + ["released"] * 2
    assert found["loss"].tolist() == [1, 1, 1, 1]
    np.testing.assert_allclose(found["cosine"], [2**-0.5, 1, 2**-0.5, 1], rtol=1e-6)


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
