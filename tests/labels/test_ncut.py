"""Normalized cuts equal LAPACK's dense answer and the golden vectors, without a float matrix."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from hypothesis import assume, given
from hypothesis import strategies as st

from evis.labels import ncut
from evis.labels.ncut import EPSILON, Thresholded

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("maskcut_*.npz"))


def generalized(weights):
    """All eigenvalues and vectors of (D - W) v = lambda D v."""
    degrees = np.diag(weights.sum(1))
    return scipy.linalg.eigh(degrees - weights, degrees)


def assert_same_up_to_sign(vector, wanted, atol=1e-6):
    sign = np.sign(vector[np.abs(wanted).argmax()] * wanted[np.abs(wanted).argmax()])
    np.testing.assert_allclose(sign * vector, wanted, rtol=0, atol=atol)


def graph(seed, size, kind):
    """(n, n) bool, symmetric, each linked to itself."""
    generator = np.random.default_rng(seed)
    group = generator.integers(0, 4, size)
    flipped = np.triu(generator.random((size, size)) < 0.02)
    linked = {
        "noise": np.triu(generator.random((size, size)) < 0.4),
        "groups": (group[:, None] == group) ^ flipped,
        "isolated": (group[:, None] == group) & (group > 0),
    }[kind]
    linked = np.triu(linked)
    return linked | linked.T | np.eye(size, dtype=bool)


@given(
    st.integers(0, 10_000),
    st.integers(3, 120),
    st.sampled_from(["noise", "groups", "isolated"]),
    st.sampled_from([1e-2, EPSILON, 1e-7]),
)
def test_equals_the_dense_answer_where_that_is_unique(seed, size, kind, epsilon):
    linked = graph(seed, size, kind)
    weights = np.where(linked, 1, epsilon)
    values, vectors = generalized(weights)
    found = ncut.second_eigenvector(Thresholded(linked, epsilon))
    assert found @ (weights.sum(1) * found) == pytest.approx(1)
    residual = weights.sum(1) * found - weights @ found - values[1] * weights.sum(1) * found
    np.testing.assert_allclose(residual, 0, atol=1e-8)  # it solves the problem in any case
    assume(min(values[1] - values[0], values[2] - values[1]) > 1e-8)
    assert_same_up_to_sign(found, vectors[:, 1])


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def golden(request):
    return dict(np.load(request.param))


def test_golden_vectors_of_every_cut(golden):
    unit = golden["features"].astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    linked = unit @ unit.T > golden["tau"]
    for number in range(golden["count"]):
        affinity = Thresholded(linked, float(golden["eps"]))
        wanted = golden["eigenvectors"][number].ravel()
        assert_same_up_to_sign(ncut.dense(affinity), wanted, 1e-9)
        found = ncut.second_eigenvector(affinity)
        assert_same_up_to_sign(found, wanted, 1e-9)
        degrees = affinity @ np.ones(len(linked))
        value = found @ (degrees * found) - found @ (affinity @ found)
        assert value == pytest.approx(golden["eigenvalues"][number, 0], abs=1e-10)
        if not golden["emptied"][number]:
            painted = golden["components"][number].ravel()
            linked[painted], linked[:, painted] = False, False


def test_operator_is_the_matrix_it_stands_for_also_in_blocks(monkeypatch):
    monkeypatch.setattr(ncut, "_BLOCK", 7 * 40)  # seven rows at a time, the last ones fewer
    linked = graph(0, 40, "noise")
    present = np.random.default_rng(1).random(40) < 0.7
    weights = np.where(linked, 1, 0.01) * present * present[:, None]
    operator = Thresholded(linked, 0.01, present)
    x = np.random.default_rng(2).standard_normal((40, 3))
    np.testing.assert_allclose(operator @ x, weights @ x, atol=1e-12)
    np.testing.assert_allclose(operator @ x[:, 0], weights @ x[:, 0], atol=1e-12)


@pytest.mark.parametrize("size", [20, 60])  # a matrix, Lanczos
def test_matrices_of_floats_and_booleans_are_taken_too(size):
    linked = graph(3, size, "noise")
    wanted = generalized(linked.astype(float))[1][:, 1]
    for affinity in (
        linked,
        linked.astype(float),
        linked.astype(np.float32),
        Thresholded(linked, 0),
    ):
        assert_same_up_to_sign(ncut.second_eigenvector(affinity), wanted)
    weighted = np.abs(np.random.default_rng(0).standard_normal((size, size)))
    weighted = weighted + weighted.T
    assert_same_up_to_sign(ncut.second_eigenvector(weighted), generalized(weighted)[1][:, 1])


@pytest.mark.parametrize("size", [25, 80])
def test_patches_without_affinity_are_0_and_the_others_are_cut_without_them(size):
    linked, out = graph(4, size, "noise"), np.arange(size) % 3 == 0
    found = ncut.second_eigenvector(Thresholded(linked, present=~out))
    assert (found[out] == 0).all()
    weights = np.where(linked, 1, EPSILON)[np.ix_(~out, ~out)]
    assert_same_up_to_sign(found[~out], generalized(weights)[1][:, 1])


@pytest.mark.parametrize("size", [12, 90])
def test_no_link_but_among_all_others_leaves_patches_out(size):
    """Without links to itself every further eigenvalue is negative: absence must not win."""
    linked = ~np.eye(size, dtype=bool)
    linked[0], linked[:, 0] = False, False
    found = ncut.second_eigenvector(linked)
    assert found[0] == 0 and found.sum() == pytest.approx(0, abs=1e-9) and np.abs(found).max() > 0


@pytest.mark.parametrize("size", [12, 90])
def test_a_graph_in_two_parts_is_told_apart(size):
    part = np.arange(size) < size // 3
    found = ncut.second_eigenvector(part[:, None] == part)
    assert np.ptp(found[part]) < 1e-8 and np.ptp(found[~part]) < 1e-8
    assert found[part][0] * found[~part][0] < 0


def test_where_lanczos_gives_up_lapack_goes_on(monkeypatch):
    linked = graph(5, 100, "noise")
    wanted = ncut.second_eigenvector(Thresholded(linked))

    def gives_up(*arguments, **options):
        raise ncut.ArpackError(-1)

    monkeypatch.setattr(ncut, "eigsh", gives_up)
    assert_same_up_to_sign(ncut.second_eigenvector(Thresholded(linked)), wanted)


def test_beside_the_boolean_matrix_it_takes_some_vectors():
    size = 1500
    linked = graph(6, size, "noise")
    tracemalloc.start()
    ncut.second_eigenvector(Thresholded(linked))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * ncut._BLOCK + 60 * 8 * size  # 1.8 MB; a float matrix would be 18


def test_too_few_patches_have_no_second_vector():
    for size in (0, 1):
        assert ncut.second_eigenvector(np.ones((size, size))).tolist() == [0] * size
    assert ncut.second_eigenvector(np.zeros((5, 5))).tolist() == [0] * 5
    assert np.abs(ncut.second_eigenvector(np.ones((2, 2)))) == pytest.approx([0.5, 0.5])


def test_two_patches_that_are_like_each_other_alone_are_parted():
    two = ncut.second_eigenvector(np.array([[0.0, 1], [1, 0]]))
    assert two.sum() == pytest.approx(0) and np.abs(two) == pytest.approx([0.5**0.5] * 2)
    assert np.abs(ncut.in_every_part(np.array([[0.0, 1], [1, 0]]), 1)) == pytest.approx(np.abs(two))


def test_bad_affinities_are_refused():
    with pytest.raises(ValueError, match=r"\(n, n\), got \(3, 4\)"):
        ncut.second_eigenvector(np.ones((3, 4)))
    skew, negative, broken = np.ones((3, 4, 4))
    skew[0, 1], negative[1, 1], broken[2, 2] = 2, -1, np.nan
    for matrix in (skew, negative, broken, np.full((4, 4), np.inf)):
        with pytest.raises(ValueError, match="symmetric, finite and not negative"):
            ncut.second_eigenvector(matrix)
