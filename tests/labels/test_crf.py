"""The dense CRF equals the golden numbers, exact ones and a lattice's; the lattice, plain sums."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from evis.labels import crf
from evis.labels.lattice import Lattice

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("crf_*.npz"))


@pytest.fixture(params=range(len(GOLDEN)))
def golden(request):
    arrays = dict(np.load(GOLDEN[request.param]))
    arrays["mask"] = arrays["mask"].astype(bool)
    return arrays


def coin_on_cloth():
    """A red disc on green: (40, 60, 3) picture and the disc's mask."""
    generator = np.random.default_rng(0)
    rows, columns = np.ogrid[:40, :60]
    disc = (rows - 20) ** 2 + (columns - 30) ** 2 <= 144
    picture = np.where(disc[..., None], [200, 40, 40], [30, 140, 60])
    return (picture + generator.integers(-3, 4, picture.shape)).astype(np.uint8), disc


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize(
    "golden, iterations",
    [(0, 1), (0, 10), pytest.param(1, 10, marks=pytest.mark.slow)],
    indirect=["golden"],
)
def test_golden_exact_probabilities(golden, iterations):
    found = crf.refine(golden["image"], golden["mask"], iterations, "exact")
    wanted = golden[f"exact_Q_{iterations}"]
    np.testing.assert_allclose(found, wanted[1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(1 - found, wanted[0], rtol=0, atol=1e-6)


def test_golden_lattice_probabilities(golden):
    """In float64 as the reference is in float32; ten iterations multiply its rounding."""
    for iterations, tolerance in ((1, 1e-5), (10, 1e-3)):
        found = crf.refine(golden["image"], golden["mask"], iterations)
        wanted = golden[f"Q_{iterations}"][1]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)
    outline = found > 0.5
    assert iou(outline, golden["MAP"].astype(bool)) > 0.999
    assert iou(outline, golden["exact_MAP"].astype(bool)) > 0.97
    assert iou(outline, golden["mask"]) == pytest.approx(golden["iou_mask_MAP"], abs=1e-3)


def test_no_iterations_leave_the_unary(golden):
    found = crf.refine(golden["image"], golden["mask"], 0)
    unary = np.exp(-golden["unary"])
    np.testing.assert_allclose(found, unary[1] / unary.sum(0), atol=1e-6)


@pytest.mark.parametrize("axes", [1, 2, 3, 5])
def test_lattice_sums_are_gaussian_up_to_one_factor(axes):
    points = 4 * np.random.default_rng(0).random((1500, axes))
    lattice = Lattice(points)
    values = np.random.default_rng(1).random((1500, 2))
    ratio = lattice(values) / (np.exp(-0.5 * cdist(points, points, "sqeuclidean")) @ values)
    assert (
        ratio.std() / ratio.mean() < 0.1
    )  # few points leave corners out that others would blur to
    assert lattice.gather.min() > -1e-12  # barycentric weights
    np.testing.assert_allclose(lattice.gather.sum(1), 1)


def test_lattice_has_the_width_of_its_gaussian():
    """Far from one point the sum falls as exp(-d^2 / 2) does: the second moment is 1."""
    line = np.linspace(-6, 6, 1201)
    at = []
    for shift in np.linspace(0, 2, 21):  # wherever the point lies in its cell
        points = np.append(line + shift, shift)[:, None]
        fall = Lattice(points)(np.append(np.zeros(1201), 1)[:, None])[:-1, 0]
        at.append((fall * line**2).sum() / fall.sum())
    assert np.mean(at) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("axes", [1, 2, 3, 5])
def test_lattice_keeps_far_points_apart(axes):
    """Its sums end: no two corners share a number, nor does a neighbour that is not there."""
    points = np.random.default_rng(0).uniform(0, 8, (300, axes))
    between = Lattice(points)(np.eye(300))
    distance = cdist(points, points)
    assert (between[distance > 5.5] == 0).all() and (between[distance == 0] > 0).all()


def test_lattice_takes_coinciding_points_and_one_alone():
    same = Lattice(np.full((5, 3), 7.3))(np.arange(5.0)[:, None])
    np.testing.assert_allclose(same, same.mean())
    assert same.mean() > 0
    assert Lattice(np.zeros((1, 5)))(np.ones((1, 1))) > 0


@pytest.mark.parametrize("solver", ["fast", "exact"])
def test_a_rough_mask_becomes_the_object(solver):
    picture, disc = coin_on_cloth()
    rough = np.zeros_like(disc)
    rough[8:32, 16:40] = True  # a square, off the centre
    assert iou(rough, disc) < 0.75
    assert iou(crf.refine(picture, rough, solver=solver) > 0.5, disc) > 0.97


@given(st.integers(0, 10_000), st.sampled_from(["fast", "exact"]))
def test_labels_are_symmetric_and_masks_go_their_own_way(seed, solver):
    generator = np.random.default_rng(seed)
    picture = generator.integers(0, 60, (7, 9, 3)).astype(np.uint8)
    masks = generator.random((3, 7, 9)) < 0.5
    together = crf.refine(picture, masks, solver=solver)
    assert together.shape == masks.shape and ((together >= 0) & (together <= 1)).all()
    for mask, found in zip(masks, together, strict=True):
        np.testing.assert_allclose(crf.refine(picture, mask, solver=solver), found, atol=1e-9)
        opposite = crf.refine(picture, ~mask, solver=solver)
        np.testing.assert_allclose(opposite, 1 - found, atol=1e-9)


def test_pictures_without_a_clue_are_valid():
    grey = np.full((8, 8, 3), 90, np.uint8)
    half = np.arange(64).reshape(8, 8) < 24
    assert np.isfinite(crf.refine(grey, half)).all()
    assert not (crf.refine(grey, np.zeros((8, 8), bool)) > 0.5).any()
    assert (crf.refine(grey, np.ones((8, 8), bool)) > 0.5).all()
    assert crf.refine(grey[:1, :1], half[:1, :1]).shape == (1, 1)
    assert crf.refine(grey[:0], half[:0]).shape == (0, 8)
    assert crf.refine(grey, np.zeros((0, 8, 8), bool)).shape == (0, 8, 8)


def test_outlines_of_patches_are_refined_filled_or_dropped():
    picture, disc = coin_on_cloth()
    eye = np.hypot(*np.ogrid[-20:20, -30:30]) < 4
    picture[eye] = (20, 20, 250)  # a hole in the disc
    patches = np.zeros((3, 10, 15), bool)
    patches[0, 2:8, 5:11] = True
    patches[0, 4:6, 7:9] = False
    patches[1, 0, 0], patches[1, 9, 14] = True, True  # nothing there: the cloth swallows them
    found = crf.outline(picture, patches)
    assert found.shape == (3, 40, 60) and found.dtype == bool
    assert iou(found[0], disc) > 0.97 and found[0][eye].all()
    assert not found[1:].any()
    assert crf.outline(picture, patches[:0]).shape == (0, 40, 60)


def test_an_outline_unlike_its_patches_is_dropped(monkeypatch):
    picture = np.zeros((4, 6, 3), np.uint8)
    patches = np.zeros((2, 2, 3), bool)
    patches[:, 0] = True  # the upper 12 pixels
    refined = np.zeros((2, 4, 6))
    refined[0, 0, :] = 1  # 6 of 12
    refined[1, 0, :5] = 1  # 5 of 12
    monkeypatch.setattr(crf, "refine", lambda picture, masks: refined)
    assert (crf.outline(picture, patches) == [refined[0], 0 * refined[1]]).all()


def test_bad_input_is_refused():
    picture, disc = coin_on_cloth()
    with pytest.raises(ValueError, match=r"picture should be \(h, w, 3\) uint8"):
        crf.refine(picture / 255, disc)
    with pytest.raises(ValueError, match=r"mask should be \(40, 60\) bool"):
        crf.refine(picture, disc.T)
    with pytest.raises(ValueError, match="bool"):
        crf.refine(picture, disc.astype(float))
    with pytest.raises(ValueError, match="solver should be one of fast, exact"):
        crf.refine(picture, disc, solver="slow")
    with pytest.raises(ValueError, match="iterations should be 0 or more, is -1"):
        crf.refine(picture, disc, iterations=-1)
    large = np.zeros((100, 100, 3), np.uint8)
    with pytest.raises(ValueError, match='at most 8192 pixels, got 10000; use "fast"'):
        crf.refine(large, np.zeros((100, 100), bool), solver="exact")
